//! Small records by a stream model, each by itself: every one starts from the state
//! that a block starts from, which is put back after it where it was touched.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use super::coding::Coding;
use super::model::{StreamModel, with_contexts};
use super::predictor::{LISTS, Predictor, State};
use super::signal::regions::Regions;
use crate::codec::CodecError;
use crate::coder::{NotReversible, RecordDecoder, RecordEncoder, ideal_bits};
use crate::engine::kernel::Isa;
use crate::split::RecordCoder;

/// The tables are those of a block of this length (16 KiB). Longer records are coded
/// as well, a little worse than a block.
pub const RECORD_BLOCK: usize = 1 << 14;

/// A model and what it needs for one record at a time.
struct Records<'m, const C: usize> {
    start: Arc<State<C>>,
    now: Predictor<'m, C>,
    /// The model's text, and the record as far as it is known.
    bytes: Vec<u8>,
    /// Length of the text.
    text: usize,
    p1: Vec<u16>,
}

/// The state that the records of a model start from: a model's text takes a while to
/// read, so it is kept.
pub type Start = OnceLock<Arc<dyn Any + Send + Sync>>;

/// Codes records with the native engine. `start` is the model's, empty at first.
pub fn coder<'m>(isa: Isa, model: &'m StreamModel, start: &Start) -> Box<dyn RecordCoder + 'm> {
    with_contexts!(model.default.plain.contexts.len(), C => {
        let make = || {
            let length = model.text.len() + RECORD_BLOCK;
            let none = Regions::default();
            let mut predictor = Predictor::<C>::new(isa, model, Coding::default(), &none, length);
            predictor.read(&model.text, &mut Vec::with_capacity(model.text.len()));
            Arc::new(predictor.state())
        };
        let start = start.get_or_init(|| make()).clone();
        let start: Arc<State<C>> = start.downcast().unwrap_or_else(|_| make());
        Box::new(Records {
            now: Predictor::at(isa, model, &start),
            start,
            bytes: model.text.clone(),
            text: model.text.len(),
            p1: Vec::new(),
        })
    })
}

/// Bytes of memory that a coder takes for records of up to so many bytes, at most.
pub fn memory(model: &StreamModel, record_len: usize) -> u64 {
    let text_and_record = model.text.len() as u64 + record_len as u64;
    2 * model.memory(Coding::default(), RECORD_BLOCK) + LISTS + text_and_record
}

type Ends<'a> = Option<&'a mut dyn FnMut(u8) -> bool>;

/// An error if a code does not give the record back under the same probabilities.
fn check(code: &[u8], record: &[u8], p1: &[u16], open: bool) -> Result<(), NotReversible> {
    let mut decoder = RecordDecoder::new(code);
    for (byte, p1) in record.iter().zip(p1.as_chunks::<8>().0) {
        if open && decoder.ends() {
            return Err(NotReversible);
        }
        if p1.iter().fold(0, |b, &p| b << 1 | u8::from(decoder.decode_bit(p))) != *byte {
            return Err(NotReversible);
        }
    }
    if decoder.ends() { Ok(()) } else { Err(NotReversible) }
}

impl<const C: usize> Records<'_, C> {
    /// Goes back to the state before the record.
    fn restore(&mut self) {
        self.now.restore(&self.start, &self.bytes[self.text..]);
        self.bytes.truncate(self.text);
    }

    /// Decodes a record to the end of `bytes`.
    fn read(&mut self, code: &[u8], mut ends: Ends<'_>, limit: usize) -> Result<(), CodecError> {
        let mut decoder = RecordDecoder::new(code);
        loop {
            if ends.is_none() && decoder.ends() {
                return Ok(());
            }
            if self.bytes.len() - self.text == limit || decoder.is_passed() {
                return Err(CodecError::Payload("a record goes on where it should end"));
            }
            self.now.byte(&mut self.bytes, &mut |p1| decoder.decode_bit(p1));
            if let (Some(ends), Some(&byte)) = (&mut ends, self.bytes.last())
                && ends(byte)
            {
                return match decoder.ends() {
                    true => Ok(()),
                    false => Err(CodecError::Payload("a record ends where it should go on")),
                };
            }
        }
    }
}

impl<const C: usize> RecordCoder for Records<'_, C> {
    fn encode(&mut self, record: &[u8], open: bool) -> Result<(Vec<u8>, f64), CodecError> {
        self.p1.clear();
        let mut encoder = RecordEncoder::default();
        for byte in record {
            if open {
                encoder.pass();
            }
            let mut k = 8;
            self.now.byte(&mut self.bytes, &mut |p1| {
                k -= 1;
                let bit = byte >> k & 1 == 1;
                self.p1.push(p1);
                encoder.push(bit, p1);
                bit
            });
        }
        let code = encoder.finish();
        self.restore();
        check(&code, record, &self.p1, open)?;
        let bit = |i: usize| record[i / 8] >> (7 - i % 8) & 1 == 1;
        Ok((code, ideal_bits(&self.p1, bit)))
    }

    fn decode(
        &mut self,
        code: &[u8],
        ends: Ends<'_>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let result = self.read(code, ends, limit);
        out.extend(&self.bytes[self.text..]);
        self.restore();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::Random;

    const CONTEXTS: &str =
        "o1 o2 o3 o4 o6 word pair s2 s34 row rows column shape follow skip number";

    /// Records of many lengths, with repetitions.
    fn samples(random: &mut Random) -> Vec<Vec<u8>> {
        let mut all = vec![vec![], vec![b'a'], b"a line\n".to_vec(), random.bytes(5_000)];
        all.extend((0..30).map(|i| random.bytes(3 * i)));
        all.push(all[20].clone());
        all
    }

    #[test]
    fn the_same_state_before_every_record() {
        let mut random = Random(5);
        let records = samples(&mut random);
        for text in [0, 3000] {
            let mut model = random.model(CONTEXTS);
            model.text = random.bytes(text);
            check(&model, &records);
        }
    }

    fn check(model: &StreamModel, records: &[Vec<u8>]) {
        let fresh = |isa| coder(isa, model, &Start::new());
        let alone = |record: &[u8], open| fresh(Isa::best()).encode(record, open).unwrap();
        for isa in Isa::available() {
            let mut coder = fresh(isa);
            for record in records {
                for open in [false, true] {
                    let (code, ideal) = coder.encode(record, open).unwrap();
                    assert_eq!((&code, ideal), (&alone(record, open).0, alone(record, open).1));
                    let extra = if open { 2.0 } else { 1.0 };
                    assert!(code.len() as f64 <= ideal / 8.0 + extra);
                    // what was not a record leaves no trace either
                    let mut out = b"before".to_vec();
                    let _ = coder.decode(&code[code.len() / 2..], None, 100, &mut out);
                    out.truncate(6);
                    let mut left = record.len();
                    let mut ends = |_| {
                        left -= 1;
                        left == 0
                    };
                    match open {
                        true => coder.decode(&code, None, record.len(), &mut out).unwrap(),
                        false if record.is_empty() => {}
                        false => {
                            coder.decode(&code, Some(&mut ends), record.len(), &mut out).unwrap();
                        }
                    }
                    assert_eq!(&out[6..], record);
                }
            }
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        let mut random = Random(9);
        let model = random.model(CONTEXTS);
        let mut coder = coder(Isa::best(), &model, &Start::new());
        let record = random.bytes(300);
        let code = coder.encode(&record, true).unwrap().0;
        let mut out = Vec::new();
        assert!(coder.decode(&code, None, 299, &mut out).is_err());
        let mut hits = 0;
        for i in 0..code.len() {
            let mut wrong = code.clone();
            wrong[i] ^= 1;
            out.clear();
            hits +=
                u32::from(coder.decode(&wrong, Some(&mut |b| b == b'q'), 9000, &mut out).is_ok());
        }
        assert!((hits as usize) < code.len() / 4, "{hits} of {}", code.len());
    }
}
