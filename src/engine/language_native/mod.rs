//! The native engine of the language model: its hidden layers once a byte, one sum a
//! bit.

mod packed;
mod step;

pub use packed::PackedLanguage;
pub use step::{Batch, LanguageStep, Spoken};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernel::{Isa, Kernel};
    use crate::stream::language::NODES;
    use crate::stream::past::{Past, Recent};
    use crate::stream::testing::Random;
    use crate::with_kernel;

    #[inline(always)]
    fn all<K: Kernel>(packed: &PackedLanguage, before: &Recent, past: &Recent) -> Vec<i16> {
        let mut step = LanguageStep::new(packed);
        step.look_ahead(packed, before);
        step.choose(packed, past);
        // SAFETY: `with_kernel` has the proof of the instruction set
        unsafe {
            step.start_byte::<K>(packed, past);
            (0..NODES as u32).map(|node| step.logit::<K>(packed, node)).collect()
        }
    }

    #[test]
    fn every_kernel_equals_the_reference() {
        let mut random = Random(77);
        for sizes in [[1, 1], [37, 21], [64, 64], [200, 128], [512, 90]] {
            for inputs in ["b1", "b1 b2 b3 b16 word pair o2 shape"] {
                let language = random.language(inputs, sizes);
                let packed = PackedLanguage::new(&language);
                assert_eq!(packed.unpack(), language);
                let text = random.bytes(60);
                let mut past = Past::default();
                for n in 1..=text.len() {
                    let before = *past.recent();
                    past.push(&text[..n]);
                    let (packed, before, past) = (&packed, &before, past.recent());
                    let want = language.logits(past);
                    for isa in Isa::available() {
                        let got = with_kernel!(
                            isa,
                            all(packed: &PackedLanguage, before: &Recent, past: &Recent) -> Vec<i16>
                        );
                        assert_eq!(got, want, "{isa} {sizes:?} {inputs}");
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn in_turn<K: Kernel>(packed: &PackedLanguage, text: &[u8], speaks: bool) -> Vec<Vec<i16>> {
        let (mut step, mut past) = (LanguageStep::new(packed), Past::default());
        if speaks {
            step = step.with_recurrent_layer(packed);
        }
        let mut logits = Vec::new();
        for n in 0..text.len() {
            past.push(&text[..n]);
            // SAFETY: `with_kernel` has the proof of the instruction set
            logits.push(unsafe {
                step.start_byte::<K>(packed, past.recent());
                (0..NODES as u32).map(|node| step.logit::<K>(packed, node)).collect()
            });
        }
        logits
    }

    #[test]
    fn every_kernel_equals_the_reference_in_short_blocks() {
        let mut random = Random(78);
        for sizes in [[1, 1], [21, 30], [96, 128], [512, 90]] {
            let mut language = random.language("b1 b2 word", [37, 20]);
            let recurrent = random.recurrent(37, sizes);
            language.recurrent = Some(recurrent.clone());
            let packed = PackedLanguage::new(&language);
            assert_eq!(packed.unpack(), language);
            let text = random.bytes(40);
            for speaks in [false, true] {
                let (mut past, mut state) = (Past::default(), vec![0; sizes[0]]);
                let mut want = Vec::new();
                for n in 0..text.len() {
                    past.push(&text[..n]);
                    let first = language.first(past.recent());
                    recurrent.step(&mut state, past.recent().last as u8, &first);
                    want.push(if speaks {
                        recurrent.logits(&state, &first)
                    } else {
                        language.logits(past.recent())
                    });
                }
                let (packed, text) = (&packed, &text[..]);
                for isa in Isa::available() {
                    let got = with_kernel!(
                        isa,
                        in_turn(packed: &PackedLanguage, text: &[u8], speaks: bool) -> Vec<Vec<i16>>
                    );
                    assert!(got == want, "{isa} {sizes:?} {speaks}");
                }
            }
        }
    }
}
