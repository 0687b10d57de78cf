//! One record's bits in as few bytes as they need: arithmetic coding.
//!
//! A stack of 32-bit words ([`super::encode_bits`]) costs a byte or two at its
//! start; over a record of twenty bytes that is a tenth. Here the code is the
//! shortest string of bytes that lies in the record's interval: less than one byte
//! more than the ideal length.
//!
//! The interval of a sequence of bits is [L, L + R) within [0, 1), first all of it.
//! A string of bytes b is the number 0.b; one that is in the interval, and has as
//! many bytes as the interval's width has whole ones, is a *candidate*, the shorter
//! and then the lesser first. (Without the condition there would now and then be a
//! shorter string, and a decoder that went astray could go on for ever.) A record
//! whose end the decoder knows takes the first candidate. One of open end takes the first that no
//! beginning of it has taken, the empty one included, so that the decoder, which
//! follows the same rule, knows the end from the code.

/// The range is kept at or above this, of 2^64.
const LEAST: u64 = 1 << 56;

/// The place of the last candidate that was taken, from L on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// Below the interval, or none was.
    Below,
    /// In it.
    At(u64),
    /// Above it.
    Above,
}

/// The interval of the bits so far, and which of its candidates are taken.
#[derive(Clone, Debug)]
struct Interval {
    /// L: the bytes that are out of reach but for a carry, then 64 bits.
    settled: Vec<u8>,
    low: u64,
    /// R less 1, in units of the last of these bits.
    width: u64,
    /// Length of the candidates looked at, and the last one taken of this length.
    len: usize,
    mark: Mark,
}

impl Interval {
    fn new() -> Self {
        Self { settled: Vec::new(), low: 0, width: u64::MAX, len: 0, mark: Mark::Below }
    }

    /// A 65536th of R.
    #[inline(always)]
    fn unit(&self) -> u64 {
        match self.width {
            u64::MAX => 1 << 48,
            width => (width + 1) >> 16,
        }
    }

    /// Narrows to a bit: ones have the lower part. Returns the bytes settled.
    #[inline(always)]
    fn narrow(&mut self, bit: bool, split: u64, width: u64) -> usize {
        self.width = width;
        if !bit {
            let (low, carry) = self.low.overflowing_add(split);
            self.low = low;
            if carry {
                self.carry();
            }
        }
        if let Mark::At(at) = self.mark {
            let moved = if bit { Some(at) } else { at.checked_sub(split) };
            self.mark = match moved {
                None => Mark::Below,
                Some(at) if at > width => Mark::Above,
                Some(at) => Mark::At(at),
            };
        }
        let before = self.settled.len();
        while self.width < LEAST - 1 {
            self.settled.push((self.low >> 56) as u8);
            self.low <<= 8;
            self.width = self.width << 8 | 255;
            if let Mark::At(at) = &mut self.mark {
                *at <<= 8;
            }
        }
        self.settled.len() - before
    }

    #[cold]
    fn carry(&mut self) {
        for b in self.settled.iter_mut().rev() {
            *b = b.wrapping_add(1);
            if *b != 0 {
                return;
            }
        }
    }

    /// Takes the first candidate that is free; returns its place from L on.
    /// `self.len` is its length.
    fn take(&mut self) -> u64 {
        loop {
            let (least, at) = self.first();
            if self.len < least {
                (self.len, self.mark) = (least, Mark::Below);
            }
            // bytes beyond the settled ones; steps of 2^64 lead out of the interval
            let beyond = self.len.saturating_sub(self.settled.len()).min(8) as u32;
            let step = 1u64.checked_shl(64 - 8 * beyond);
            let up = step.map_or(at, |step| self.low.wrapping_neg() & (step - 1));
            let free = match self.mark {
                Mark::Below => Some(up),
                Mark::At(mark) if up > mark => Some(up),
                Mark::At(mark) => step.and_then(|step| mark.checked_add(step)),
                Mark::Above => None,
            };
            match free {
                Some(at) if at <= self.width => {
                    self.mark = Mark::At(at);
                    return at;
                }
                _ => (self.len, self.mark) = (self.len + 1, Mark::Below),
            }
        }
    }

    /// Length of the shortest candidates, and the place of the least of them.
    #[inline]
    fn first(&self) -> (usize, u64) {
        let n = self.settled.len();
        let up = self.low.wrapping_neg();
        if up <= self.width {
            // the settled bytes themselves, or with a carry
            return (n, up);
        }
        (n + 1, up & (LEAST - 1))
    }

    /// The string of the length at hand that lies `at` above L.
    fn string(&self, at: u64) -> Vec<u8> {
        let mut sum = self.clone();
        let (low, carry) = self.low.overflowing_add(at);
        if carry {
            sum.carry();
        }
        let mut code = sum.settled;
        code.extend(low.to_be_bytes());
        code.truncate(self.len);
        code
    }
}

/// The interval's parts for a bit that is one with probability `p1`/65536 (0 is
/// taken as 1): where zeros begin, and the widths less 1 of ones and zeros.
#[inline(always)]
fn parts(unit: u64, p1: u16) -> (u64, [u64; 2]) {
    let p1 = u64::from(p1.max(1));
    (unit * p1, [unit * (65536 - p1) - 1, unit * p1 - 1])
}

/// Codes the bits of one record.
#[derive(Clone, Debug)]
pub struct RecordEncoder {
    interval: Interval,
}

impl Default for RecordEncoder {
    fn default() -> Self {
        Self { interval: Interval::new() }
    }
}

impl RecordEncoder {
    /// Takes a bit and the probability (of 65536) that it is one.
    #[inline(always)]
    pub fn push(&mut self, bit: bool, p1: u16) {
        let (split, widths) = parts(self.interval.unit(), p1);
        self.interval.narrow(bit, split, widths[usize::from(bit)]);
    }

    /// The record does not end here, and might: for one of open end to be said
    /// before every byte.
    pub fn pass(&mut self) {
        self.interval.take();
    }

    /// The code of the record, which ends here.
    pub fn finish(mut self) -> Vec<u8> {
        let at = self.interval.take();
        self.interval.string(at)
    }
}

/// Takes the bits of one record from its code.
#[derive(Clone, Debug)]
pub struct RecordDecoder<'c> {
    code: &'c [u8],
    interval: Interval,
    /// The code less L, its first 64 bits.
    offset: u64,
    /// The next byte of the code.
    next: usize,
}

impl<'c> RecordDecoder<'c> {
    /// Begins with a code. Any bytes are one; whether of the right record is mostly
    /// for [`Self::ends`] to say, and for a checksum.
    pub fn new(code: &'c [u8]) -> Self {
        let mut decoder = Self { code, interval: Interval::new(), offset: 0, next: 0 };
        decoder.shift(8);
        decoder
    }

    #[inline(always)]
    fn shift(&mut self, bytes: usize) {
        for _ in 0..bytes {
            let byte = self.code.get(self.next).copied().unwrap_or(0);
            self.offset = self.offset << 8 | u64::from(byte);
            self.next += 1;
        }
    }

    /// The next bit, given the probability (of 65536) that it is one.
    #[inline(always)]
    pub fn decode_bit(&mut self, p1: u16) -> bool {
        let (split, widths) = parts(self.interval.unit(), p1);
        let bit = self.offset < split;
        if !bit {
            self.offset -= split;
        }
        let settled = self.interval.narrow(bit, split, widths[usize::from(bit)]);
        self.shift(settled);
        bit
    }

    /// Whether this is the code of the record that ends here: to be asked where it
    /// ends, for a record of open end before every byte.
    pub fn ends(&mut self) -> bool {
        let at = self.interval.take();
        // candidates never have more than eight bytes behind the settled ones
        at == self.offset && self.interval.len == self.code.len()
    }

    /// Whether the code is shorter than that of any record that begins as what was
    /// decoded: then it is not the code of one.
    #[inline(always)]
    pub fn is_passed(&self) -> bool {
        self.interval.len.max(self.interval.settled.len()) > self.code.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coder::ideal_bits;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn code(bits: &[(bool, u16)]) -> Vec<u8> {
        let mut encoder = RecordEncoder::default();
        bits.iter().for_each(|&(bit, p)| encoder.push(bit, p));
        encoder.finish()
    }

    /// Bytes of open end, `passes[i]` says whether the record might end before bit i.
    fn open_code(bits: &[(bool, u16)], every: usize) -> Vec<u8> {
        let mut encoder = RecordEncoder::default();
        for (i, &(bit, p)) in bits.iter().enumerate() {
            if i % every == 0 {
                encoder.pass();
            }
            encoder.push(bit, p);
        }
        encoder.finish()
    }

    fn ideal(bits: &[(bool, u16)]) -> f64 {
        let p: Vec<u16> = bits.iter().map(|b| b.1).collect();
        ideal_bits(&p, |i| bits[i].0) / 8.0
    }

    proptest! {
        #[test]
        fn round_trip_within_a_byte(bits in prop::collection::vec((any::<bool>(), 0u16..), 0..600)) {
            let coded = code(&bits);
            prop_assert!(coded.len() as f64 <= ideal(&bits) + 1.0, "{} {}", coded.len(), ideal(&bits));
            let mut decoder = RecordDecoder::new(&coded);
            for &(bit, p) in &bits {
                prop_assert_eq!(decoder.decode_bit(p), bit);
            }
            prop_assert!(decoder.ends());
        }

        #[test]
        fn likely_bits(bits in prop::collection::vec((0u16..8, any::<bool>()), 0..2000)) {
            // long runs of sure bits, as text well predicted has them
            let bits: Vec<(bool, u16)> = bits
                .into_iter()
                .map(|(odds, one)| (one, if one { 65535 - odds } else { odds }))
                .collect();
            let coded = code(&bits);
            prop_assert!(coded.len() as f64 <= ideal(&bits) + 1.0);
            let mut decoder = RecordDecoder::new(&coded);
            for &(bit, p) in &bits {
                prop_assert_eq!(decoder.decode_bit(p), bit);
            }
            prop_assert!(decoder.ends());
        }

        #[test]
        fn an_open_end_is_found(
            bits in prop::collection::vec((any::<bool>(), prop_oneof![0u16.., 65500u16.., 0u16..40]), 0..400),
            every in 1usize..9,
        ) {
            let coded = open_code(&bits, every);
            let mut decoder = RecordDecoder::new(&coded);
            for (i, &(bit, p)) in bits.iter().enumerate() {
                if i % every == 0 {
                    prop_assert!(!decoder.ends(), "too early: {}", i);
                    prop_assert!(!decoder.is_passed());
                }
                prop_assert_eq!(decoder.decode_bit(p), bit);
            }
            prop_assert!(decoder.ends());
            // a beginning for each candidate of the last byte is what it may cost
            let ends = (bits.len() / every + 1) as f64;
            prop_assert!(coded.len() as f64 <= ideal(&bits) + 1.0 + ends.log2() / 8.0 + 1e-9);
        }

        #[test]
        fn any_bytes_decode(bytes in prop::collection::vec(any::<u8>(), 0..40), p in any::<u16>()) {
            let mut decoder = RecordDecoder::new(&bytes);
            for i in 0..3000 {
                if i % 8 == 0 && (decoder.ends() || decoder.is_passed()) { break; }
                decoder.decode_bit(p);
            }
        }
    }

    #[test]
    fn every_ending_has_a_code_of_its_own() {
        let bits: Vec<(bool, u16)> = (0..600).map(|i| (i % 7 == 0, 900 + i as u16)).collect();
        for every in [1, 8] {
            let codes: BTreeSet<Vec<u8>> =
                (0..=bits.len()).step_by(every).map(|n| open_code(&bits[..n], every)).collect();
            assert_eq!(codes.len(), bits.len() / every + 1);
        }
        assert_eq!(open_code(&[], 8), b"");
    }
}
