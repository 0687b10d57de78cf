//! The payload of a block of records.

use std::ops::Range;

use super::index::{self, LengthDecoder};
use super::{Split, Splitter};
use crate::codec::{CodecError, Encoded};
use crate::container::varint;

/// The first record is the content's first.
const START: u8 = 1;
/// The last record has no end of its own.
const OPEN: u8 = 2;
/// The records are stored.
const STORED: u8 = 4;
/// All flags.
const FLAGS: u8 = START | OPEN | STORED;
/// Bytes of the check of a record, at most.
pub const MAX_CHECK: u8 = 4;

/// Turns one record into its code and back, each by itself.
pub trait RecordCoder: Send {
    /// The code of a record, and its ideal length in bits. `open`: no end of its own
    /// is known to the decoder, which finds it from the code.
    fn encode(&mut self, record: &[u8], open: bool) -> Result<(Vec<u8>, f64), CodecError>;

    /// Appends a record to `out`, of at most `limit` bytes. `ends` is told every byte
    /// and says whether the record ends with it; without it the record is one of open
    /// end.
    fn decode(
        &mut self,
        code: &[u8],
        ends: Option<&mut dyn FnMut(u8) -> bool>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError>;
}

/// How content becomes records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records {
    /// Where they end.
    pub rule: Split,
    /// Bytes of a check for each, at most [`MAX_CHECK`]: of its CRC-32, the lowest first.
    pub check: u8,
}

impl Records {
    /// Appends what a payload begins with.
    fn push(self, flags: u8, count: u64, payload: &mut Vec<u8>) {
        let (number, len) = match self.rule {
            Split::Lines => (0, None),
            Split::Nul => (1, None),
            Split::Json => (2, None),
            Split::Len(n) => (3, Some(n)),
        };
        varint::push(payload, count);
        payload.extend([flags, number, self.check]);
        if let Some(n) = len {
            varint::push(payload, n.into());
        }
    }
}

/// A payload taken apart.
struct Parts<'p> {
    flags: u8,
    records: Records,
    count: u64,
    rest: &'p [u8],
}

fn number(bytes: &mut &[u8]) -> Result<u64, CodecError> {
    varint::read(|| {
        let (&first, rest) = bytes.split_first()?;
        *bytes = rest;
        Some(first)
    })
    .map_err(|_| CodecError::Form("a number before the records"))
}

impl<'p> Parts<'p> {
    fn new(payload: &'p [u8]) -> Result<Self, CodecError> {
        let mut rest = payload;
        let count = number(&mut rest)?;
        let Some((&[flags, rule, check], mut rest)) = rest.split_first_chunk() else {
            return Err(CodecError::Form("the records are cut short"));
        };
        if flags & !FLAGS != 0 {
            return Err(CodecError::Unknown("flags of records"));
        }
        if check > MAX_CHECK {
            return Err(CodecError::Unknown("the check of records"));
        }
        let rule = match rule {
            0 => Split::Lines,
            1 => Split::Nul,
            2 => Split::Json,
            3 => match u32::try_from(number(&mut rest)?) {
                Ok(n @ 1..) => Split::Len(n),
                _ => return Err(CodecError::Form("records of no length")),
            },
            _ => return Err(CodecError::Unknown("the rule of records")),
        };
        if count == 0 {
            return Err(CodecError::Form("no records"));
        }
        Ok(Self { flags, records: Records { rule, check }, count, rest })
    }

    /// The records of a range, joined, of a block of `raw_len` bytes.
    fn decode(
        &self,
        wanted: Range<u64>,
        raw_len: usize,
        coder: &mut dyn RecordCoder,
        progress: &dyn Fn(u64),
    ) -> Result<Vec<u8>, CodecError> {
        if wanted.start > wanted.end || wanted.end > self.count {
            return Err(CodecError::Form("fewer records than were asked for"));
        }
        if self.flags & STORED != 0 {
            return self.stored(wanted, raw_len);
        }
        let mut rest = self.rest;
        let len = number(&mut rest)?;
        let (index, mut codes) = usize::try_from(len)
            .ok()
            .and_then(|len| rest.split_at_checked(len))
            .ok_or(CodecError::Form("the index of records is cut short"))?;
        let mut lengths = LengthDecoder::new(index)
            .map_err(|_| CodecError::Form("the index of records ends in a zero byte"))?;
        let mut out = Vec::new();
        for i in 0..self.count {
            let short = || CodecError::Form("a record is cut short");
            let (code, tail) = codes.split_at_checked(lengths.next() as usize).ok_or_else(short)?;
            let (check, tail) =
                tail.split_at_checked(self.records.check.into()).ok_or_else(short)?;
            codes = tail;
            if wanted.contains(&i) {
                let from = out.len();
                self.one(i, code, check, raw_len - from, coder, &mut out)?;
                progress((out.len() - from) as u64);
            }
        }
        if !codes.is_empty() || !lengths.is_exhausted() {
            return Err(CodecError::Form("the index does not agree with the records"));
        }
        Ok(out)
    }

    fn one(
        &self,
        i: u64,
        code: &[u8],
        check: &[u8],
        limit: usize,
        coder: &mut dyn RecordCoder,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let from = out.len();
        let mut splitter = Splitter::new(self.records.rule, i == 0 && self.flags & START != 0);
        if i + 1 == self.count && self.flags & OPEN != 0 {
            coder.decode(code, None, limit, out)?;
            if out.len() == from || out[from..].iter().any(|&byte| splitter.push(byte)) {
                return Err(CodecError::Form("a record without an end that is empty or has one"));
            }
        } else {
            coder.decode(code, Some(&mut |byte| splitter.push(byte)), limit, out)?;
        }
        if !crc32fast::hash(&out[from..]).to_le_bytes().starts_with(check) {
            return Err(CodecError::Payload("the check of a record"));
        }
        Ok(())
    }

    /// The same of stored records, which are found as they were when they were split.
    fn stored(&self, wanted: Range<u64>, raw_len: usize) -> Result<Vec<u8>, CodecError> {
        if self.rest.len() != raw_len {
            return Err(CodecError::Form("the records are not as long as it says"));
        }
        let mut splitter = Splitter::new(self.records.rule, self.flags & START != 0);
        let (mut i, mut from, mut to) = (0, None, None);
        let mut within = false;
        for (at, &byte) in self.rest.iter().enumerate() {
            if !within {
                if i == wanted.start {
                    from = Some(at);
                }
                if i == wanted.end {
                    to = Some(at);
                }
            }
            within = !splitter.push(byte);
            i += u64::from(!within);
        }
        if i + u64::from(within) != self.count || within != (self.flags & OPEN != 0) {
            return Err(CodecError::Form("the records are not as many as it says"));
        }
        let end = self.rest.len();
        Ok(self.rest[from.unwrap_or(end)..to.unwrap_or(end)].to_vec())
    }
}

/// Codes whole records: `content`, which is not empty, begins with one. `start`
/// says that it is the first of all.
pub fn encode(
    content: &[u8],
    records: Records,
    start: bool,
    coder: &mut dyn RecordCoder,
    progress: &dyn Fn(u64),
) -> Result<Encoded, CodecError> {
    let mut splitter = Splitter::new(records.rule, start);
    let parts = splitter.records(content);
    let open = !splitter.is_between();
    let flags = if start { START } else { 0 } | if open { OPEN } else { 0 };
    let mut codes = Vec::new();
    let mut lengths = Vec::with_capacity(parts.len());
    let mut ideal_bits = 0.0;
    for (i, record) in parts.iter().enumerate() {
        let (code, ideal) = coder.encode(record, open && i + 1 == parts.len())?;
        ideal_bits += ideal;
        let check = &crc32fast::hash(record).to_le_bytes()[..records.check.into()];
        lengths.push(code.len() as u32);
        codes.extend(code);
        codes.extend(check);
        progress(record.len() as u64);
    }
    let index = index::encode(&lengths)?;
    let mut payload = Vec::with_capacity(16 + index.len() + codes.len());
    records.push(flags, parts.len() as u64, &mut payload);
    let head = payload.len();
    varint::push(&mut payload, index.len() as u64);
    payload.extend(index);
    payload.extend(codes);
    if payload.len() >= head + content.len() {
        payload.clear();
        records.push(flags | STORED, parts.len() as u64, &mut payload);
        payload.extend(content);
        ideal_bits = 8.0 * content.len() as f64;
    }
    Ok(Encoded { payload, ideal_bits })
}

/// The records `wanted` of the payload of a block of `raw_len` bytes, joined, or all.
pub fn decode(
    payload: &[u8],
    wanted: Option<Range<u64>>,
    raw_len: usize,
    coder: &mut dyn RecordCoder,
    progress: &dyn Fn(u64),
) -> Result<Vec<u8>, CodecError> {
    let parts = Parts::new(payload)?;
    parts.decode(wanted.unwrap_or(0..parts.count), raw_len, coder, progress)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coder::{RecordDecoder, RecordEncoder};
    use proptest::prelude::*;

    /// Every bit is even, but zeros are likely at the start of a byte.
    struct Even;

    fn p1(k: usize) -> u16 {
        if k < 2 { 1000 } else { 32768 }
    }

    impl RecordCoder for Even {
        fn encode(&mut self, record: &[u8], open: bool) -> Result<(Vec<u8>, f64), CodecError> {
            let mut encoder = RecordEncoder::default();
            for byte in record {
                if open {
                    encoder.pass();
                }
                (0..8).for_each(|k| encoder.push(byte >> (7 - k) & 1 == 1, p1(k)));
            }
            Ok((encoder.finish(), 0.0))
        }

        fn decode(
            &mut self,
            code: &[u8],
            mut ends: Option<&mut dyn FnMut(u8) -> bool>,
            limit: usize,
            out: &mut Vec<u8>,
        ) -> Result<(), CodecError> {
            let mut decoder = RecordDecoder::new(code);
            for _ in 0..limit {
                if ends.is_none() && decoder.ends() {
                    return Ok(());
                }
                let byte = (0..8).fold(0, |b, k| b << 1 | u8::from(decoder.decode_bit(p1(k))));
                out.push(byte);
                if let Some(ends) = &mut ends
                    && ends(byte)
                {
                    return if decoder.ends() { Ok(()) } else { Err(CodecError::Payload("end")) };
                }
            }
            if ends.is_none() && decoder.ends() { Ok(()) } else { Err(CodecError::Payload("long")) }
        }
    }

    fn rules() -> impl Strategy<Value = Split> {
        prop_oneof![
            Just(Split::Lines),
            Just(Split::Nul),
            Just(Split::Json),
            (1u32..9).prop_map(Split::Len)
        ]
    }

    proptest! {
        #[test]
        fn any_record_alone(
            text in "[\\[\\]{},\"\\\\a\n\u{0} ]{1,80}", rule in rules(), check in 0u8..=MAX_CHECK, start: bool,
        ) {
            let content = text.as_bytes();
            let records = Records { rule, check };
            let payload = encode(content, records, start, &mut Even, &|_| {}).unwrap().payload;
            let all = Splitter::new(rule, start).records(content);
            prop_assert_eq!(Parts::new(&payload).unwrap().count, all.len() as u64);
            prop_assert!(payload.len() <= content.len() + 9);
            prop_assert_eq!(decode(&payload, None, content.len(), &mut Even, &|_| {}).unwrap(), content);
            for (i, record) in all.iter().enumerate() {
                let one = i as u64..i as u64 + 1;
                prop_assert_eq!(&decode(&payload, Some(one), content.len(), &mut Even, &|_| {}).unwrap(), record);
            }
            let n = all.len() as u64;
            prop_assert_eq!(
                decode(&payload, Some(n / 2..n), content.len(), &mut Even, &|_| {}).unwrap(),
                all[all.len() / 2..].concat()
            );
            prop_assert_eq!(decode(&payload, Some(n..n), content.len(), &mut Even, &|_| {}).unwrap(), b"");
            let beyond = decode(&payload, Some(n..n + 1), content.len(), &mut Even, &|_| {});
            prop_assert!(beyond.is_err());
            if content.len() > 1 {
                let short = decode(&payload, None, content.len() - 1, &mut Even, &|_| {});
                prop_assert!(short.is_err());
            }
        }

        #[test]
        fn hostile_payloads(mut payload in prop::collection::vec(any::<u8>(), 0..60), flags in 0u8..8) {
            if let Some(count) = payload.first_mut() { *count &= 127; }
            if let Some(first) = payload.get_mut(1) { *first = flags; }
            if let Some(rule) = payload.get_mut(2) { *rule %= 4; }
            if let Some(check) = payload.get_mut(3) { *check %= 5; }
            let _ = decode(&payload, None, 1000, &mut Even, &|_| {}).map(|c| assert!(c.len() <= 1000));
        }
    }
}
