//! The lengths of a block's records, coded.
//!
//! A length v − 1 is coded as e = floor(log₂ v), in as many ones and a zero, and
//! the e bits of v below its highest. The ones and the zero have an adaptive entry
//! each ([`crate::stream::adaptive`]), and so have the first three of the bits, by
//! e and the bits before; further ones are even.

use crate::coder::{Decoder, NotCanonical, NotReversible, encode_checked};
use crate::stream::adaptive::{Entry, entry, probability, updated};

/// Bound of e: lengths are below 2^29.
const MAX_EXPONENT: usize = 29;
/// Bits below the highest that have entries.
const MODELLED: usize = 3;
/// Bound of an entry's count.
const LIMIT: u32 = 127;

/// The entries, and the bit that goes through them.
struct Lengths {
    exponents: [Entry; MAX_EXPONENT],
    bits: [[Entry; 1 << MODELLED]; MAX_EXPONENT + 1],
}

impl Lengths {
    fn new() -> Self {
        let even = entry(32768, 0);
        Self { exponents: [even; MAX_EXPONENT], bits: [[even; 1 << MODELLED]; MAX_EXPONENT + 1] }
    }

    /// One length; `bit` turns the probability of a one into the bit, and is told
    /// what an encoder's is.
    fn pass(&mut self, length: Option<u32>, mut bit: impl FnMut(u16, Option<bool>) -> bool) -> u32 {
        let known = length.map(|l| l + 1);
        let mut adaptive = |e: &mut Entry, known: Option<bool>| {
            let bit = bit(probability(*e).max(1), known);
            *e = updated(*e, bit.into(), LIMIT);
            bit
        };
        let mut exponent = 0;
        while exponent < MAX_EXPONENT {
            let more = known.map(|v| v.ilog2() as usize > exponent);
            if !adaptive(&mut self.exponents[exponent], more) {
                break;
            }
            exponent += 1;
        }
        let mut v = 1u32;
        for i in 0..exponent {
            let known = known.map(|v| v >> (exponent - 1 - i) & 1 == 1);
            let mut even = entry(32768, 0);
            let e = match i {
                0..MODELLED => &mut self.bits[exponent][v as usize & ((1 << MODELLED) - 1)],
                _ => &mut even,
            };
            v = v << 1 | u32::from(adaptive(e, known));
        }
        v - 1
    }
}

/// Codes lengths below 2^29.
pub(super) fn encode(lengths: &[u32]) -> Result<Vec<u8>, NotReversible> {
    let mut model = Lengths::new();
    let (mut p1, mut bits) = (Vec::new(), Vec::new());
    for &length in lengths {
        model.pass(Some(length), |p, bit| {
            let bit = bit.unwrap_or(false);
            p1.push(p);
            bits.push(bit);
            bit
        });
    }
    encode_checked(&p1, |i| bits[i])
}

/// Decodes lengths one by one. Any bytes decode to some.
pub(super) struct LengthDecoder {
    model: Lengths,
    decoder: Decoder,
}

impl LengthDecoder {
    pub fn new(bytes: &[u8]) -> Result<Self, NotCanonical> {
        Ok(Self { model: Lengths::new(), decoder: Decoder::new(bytes)? })
    }

    pub fn next(&mut self) -> u32 {
        self.model.pass(None, |p, _| self.decoder.decode_bit(p))
    }

    /// Whether nothing is left over after the last length.
    pub fn is_exhausted(&self) -> bool {
        self.decoder.is_exhausted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(lengths in prop::collection::vec(prop_oneof![0u32..40, 0u32..(1 << 29)], 0..300)) {
            let coded = encode(&lengths).unwrap();
            let mut decoder = LengthDecoder::new(&coded).unwrap();
            for &length in &lengths {
                prop_assert_eq!(decoder.next(), length);
            }
            prop_assert!(decoder.is_exhausted());
        }

        #[test]
        fn small_records_cost_less_than_a_byte(seed in any::<u64>(), least in 0u32..60, span in 1u32..40) {
            let mut state = seed | 1;
            let mut next = || { state ^= state << 13; state ^= state >> 7; state ^= state << 17; state };
            let lengths: Vec<u32> = (0..2000).map(|_| least + (next() >> 33) as u32 % span).collect();
            let coded = encode(&lengths).unwrap().len();
            prop_assert!(coded < 2000, "{}", coded);
        }

        #[test]
        fn any_bytes_decode(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(mut decoder) = LengthDecoder::new(&bytes) {
                for _ in 0..500 {
                    prop_assert!(decoder.next() < u32::MAX >> 2);
                }
            }
        }
    }
}
