//! The match model: the longest recent repetition, and the byte it expects.

mod shifts;

use shifts::Shifts;

use super::adaptive::{self, Entry, entry};
use super::coding::Coding;
use super::memory::{Memory, prefetch};
use super::x86::reader::Operand;

/// Classes of match length: 0 is no match.
pub const LENGTH_CLASSES: usize = 16;
/// Lengths are counted up to this.
const MAX_LENGTH: u32 = 65_535;
const LIMIT: u32 = 255;
/// What a match's length is at most after a byte of an address that was not expected.
const AFTER_ADDRESS: u32 = 32;

/// Follows one repetition at a time; candidates are found by a hash of the last
/// `min_length` bytes at byte boundaries.
#[derive(Clone, Debug)]
pub struct Matcher {
    min_length: usize,
    /// Positions, as they are in memory.
    heads: Memory,
    mask: u32,
    /// Position of the expected byte, valid while `length > 0`.
    at: usize,
    length: u32,
    /// The expected byte with a leading one, or 0.
    expected: u32,
    /// Class of the length.
    class: usize,
    /// Probability that the expected bit is right, by length class.
    trust: [Entry; LENGTH_CLASSES],
    /// In x86 code.
    shifts: Option<Shifts>,
}

/// Class of a match length, 1..=15; 0 for none.
#[inline(always)]
fn class(length: u32) -> usize {
    match length {
        0 => 0,
        1..=7 => length as usize,
        _ => (5 + (32 - (length).leading_zeros()) as usize - 1).min(LENGTH_CLASSES - 1),
    }
}

impl Matcher {
    /// That of long repetitions, for a block of `block_len` bytes that is coded so.
    pub fn long(coding: Coding, block_len: usize) -> Self {
        Self::new(7, Self::bits(block_len).min(20)).with_addresses(coding.follows_addresses())
    }

    /// That of recent repetitions.
    pub fn recent(coding: Coding, block_len: usize) -> Self {
        Self::new(4, Self::bits(block_len).min(18)).with_addresses(coding.follows_addresses())
    }

    /// With addresses that may have moved, or without.
    fn with_addresses(self, follows: bool) -> Self {
        Self { shifts: follows.then(Shifts::default), ..self }
    }

    fn bits(block_len: usize) -> u32 {
        block_len.max(256).next_power_of_two().ilog2()
    }

    /// `bits`: log₂ of the number of hash heads.
    pub fn new(min_length: usize, bits: u32) -> Self {
        let mut trust = [entry(32768, 0); LENGTH_CLASSES];
        for (i, t) in trust.iter_mut().enumerate() {
            *t = entry((65535 - (32768 >> (i / 2 + 1))) as u16, 6);
        }
        Self {
            min_length,
            heads: Memory::zeroed(4 << bits),
            mask: (1 << bits) - 1,
            at: 0,
            length: 0,
            expected: 0,
            class: 0,
            trust,
            shifts: None,
        }
    }

    #[inline(always)]
    fn heads(&self) -> &[[u8; 4]] {
        self.heads.bytes().as_chunks().0
    }

    #[inline(always)]
    fn heads_mut(&mut self) -> &mut [[u8; 4]] {
        self.heads.bytes_mut().as_chunks_mut().0
    }

    #[inline(always)]
    fn place(&self, last: u64) -> usize {
        let keep = !0u64 >> (64 - 8 * self.min_length as u32);
        let h = (last & keep).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        (h as u32 & self.mask) as usize
    }

    /// Fetches what [`Self::next_byte`] will need.
    #[inline(always)]
    pub fn prefetch(&self, last: u64) {
        prefetch(self.heads().as_ptr().wrapping_add(self.place(last)));
    }

    /// At a byte boundary: `block` is all that is known, `last` its last eight
    /// bytes as a number; `operand` begins with the next byte.
    #[inline(always)]
    pub fn next_byte(&mut self, block: &[u8], last: u64, operand: Option<Operand>) {
        let n = block.len();
        if self.length > 0 {
            self.at += 1;
            if self.is_right(last as u8) {
                self.length = (self.length + 1).min(MAX_LENGTH);
            } else {
                let in_address = self.shifts.as_ref().is_some_and(Shifts::are_here);
                self.length = if in_address { self.length.min(AFTER_ADDRESS) } else { 0 };
            }
        }
        if let Some(shifts) = self.shifts.as_mut().filter(|shifts| shifts.are_here()) {
            shifts.next(last);
        }
        self.expected = 0;
        if n < self.min_length {
            return;
        }
        let place = self.place(last);
        if self.length == 0 {
            let candidate = u32::from_ne_bytes(self.heads()[place]) as usize;
            if candidate > 0 {
                let mut length = 0;
                while length < 32
                    && length < candidate
                    && block[candidate - 1 - length] == block[n - 1 - length]
                {
                    length += 1;
                }
                if length >= self.min_length {
                    self.length = length as u32;
                    self.at = candidate;
                }
            }
        }
        self.heads_mut()[place] = (n as u32).to_ne_bytes();
        if self.length > 0 {
            self.expected = 256 | u32::from(self.expected_byte(block, operand));
            self.class = class(self.length);
        }
    }

    /// The byte that the match goes on with; `operand` begins with it.
    #[inline(always)]
    fn expected_byte(&mut self, block: &[u8], operand: Option<Operand>) -> u8 {
        let source = &block[self.at..];
        if let Some(shifts) = &mut self.shifts {
            if let (Some(operand), Some(&source)) = (operand, source.first_chunk()) {
                shifts.begin(operand, source);
            }
            if shifts.are_here() {
                return shifts.expected();
            }
        }
        source[0]
    }

    /// Whether the byte that was expected has come.
    #[inline(always)]
    fn is_right(&self, byte: u8) -> bool {
        self.expected as u8 == byte
    }

    /// Length of the match that the present byte is expected to go on.
    #[inline(always)]
    pub fn length(&self) -> u32 {
        self.length
    }

    /// What [`Self::length`] is going to be at least, after the last byte of `block`.
    #[inline(always)]
    pub fn length_after(&self, block: &[u8]) -> u32 {
        let goes_on = self.length > 0 && block.last().is_some_and(|&byte| self.is_right(byte));
        if goes_on { (self.length + 1).min(MAX_LENGTH) } else { 0 }
    }

    /// Becomes `start` again, after `record` was coded from there. `last`: the eight
    /// bytes before it.
    pub fn restore(&mut self, start: &Self, mut last: u64, record: &[u8]) {
        let Self { min_length: _, heads: _, mask: _, at, length, expected, class, trust, shifts } =
            start;
        for &byte in record {
            last = last << 8 | u64::from(byte);
            let place = self.place(last);
            self.heads_mut()[place] = start.heads()[place];
        }
        (self.at, self.length, self.expected) = (*at, *length, *expected);
        (self.class, self.trust) = (*class, *trust);
        self.shifts.clone_from(shifts);
    }

    /// The expected bit after the bits of `partial` (with its leading one), if a
    /// match still holds; `bit_index` of them are known.
    #[inline(always)]
    fn expected_bit(&self, partial: u32, bit_index: u32) -> Option<u32> {
        (self.expected >> (8 - bit_index) == partial).then(|| self.expected >> (7 - bit_index) & 1)
    }

    /// (16-bit probability of a one, class of the length · 2 + expected bit);
    /// (32768, 0) without a match.
    #[inline(always)]
    pub fn predict(&self, partial: u32, bit_index: u32) -> (u16, u8) {
        match self.expected_bit(partial, bit_index) {
            None => (32768, 0),
            Some(bit) => {
                let c = self.class;
                let p = adaptive::probability(self.trust[c]);
                (if bit == 1 { p } else { !p }, (2 * c) as u8 + bit as u8)
            }
        }
    }

    /// Learns whether the bit was right that was expected, given what [`Self::predict`]
    /// said of it.
    #[inline(always)]
    pub fn update(&mut self, matched: u8, bit: u32) {
        if matched != 0 {
            let trust = &mut self.trust[self.class];
            *trust = adaptive::updated(*trust, u32::from(u32::from(matched & 1) == bit), LIMIT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_is_expected() {
        let text = b"the quick brown fox; the quick br";
        let mut m = Matcher::new(5, 10);
        let mut last = 0u64;
        for n in 1..=text.len() {
            last = last << 8 | u64::from(text[n - 1]);
            m.next_byte(&text[..n], last, None);
        }
        assert_eq!(m.expected, 256 | u32::from(b'o'));
        let (p, class) = m.predict(1, 0);
        assert!(p < 32768 && class & 1 == 0 && class > 0, "first bit of 'o' is 0");
        // a bit that contradicts ends it for this byte
        assert_eq!(m.predict(3, 1), (32768, 0));
    }

    /// Takes in some code, which has operands at some places; returns what is expected of each
    /// byte, and how long the match then is.
    fn follow(m: &mut Matcher, code: &[u8], operands: &[usize]) -> Vec<(Option<u8>, u32)> {
        let mut last = 0;
        let step = |n: usize| {
            last = last << 8 | u64::from(code[n - 1]);
            let least = m.length_after(&code[..n]);
            m.next_byte(&code[..n], last, operands.contains(&n).then_some(Operand::Near));
            assert!(m.length() >= least);
            ((m.expected > 0).then_some(m.expected as u8), m.length())
        };
        (1..code.len()).map(step).collect()
    }

    #[test]
    fn a_match_goes_on_after_an_address_that_moved() {
        let body: Vec<u8> = (0..80).map(|i| i * 3 + 1).collect();
        let rest = *b"the rest; ";
        let function = |first: u32, second: u32| {
            let call = |to: u32| [&[0xe8][..], &to.to_le_bytes(), &rest].concat();
            [body.clone(), call(first), call(second)].concat()
        };
        let code = [function(0x5678, 0x5890), function(0x6789, 0x69a1)].concat();
        let start = code.len() / 2;
        let first = body.len() + 1;
        let second = first + 4 + rest.len() + 1;
        let operands = [first, second, start + first, start + second];
        let mut m = Matcher { shifts: Some(Shifts::default()), ..Matcher::new(4, 10) };
        let said = follow(&mut m, &code, &operands);
        // what is said of a byte, after those before it
        let said = |at: usize| said[start + at - 1];
        assert_eq!(said(first), (Some(0x78), 81), "before anything is known of a shift");
        assert_eq!(said(first + 1), (Some(0x56), AFTER_ADDRESS), "the low byte was another");
        assert_eq!(said(first + 2), (Some(0), AFTER_ADDRESS), "and the next one");
        assert_eq!(said(first + 4), (Some(b't'), AFTER_ADDRESS + 2));
        assert_eq!(said(second), (Some(0xa1), AFTER_ADDRESS + 13), "moved as the first one did");
        assert_eq!(said(second + 1), (Some(0x69), AFTER_ADDRESS + 14));
        // without addresses another match has to be found
        let mut m = Matcher::new(4, 10);
        let said = follow(&mut m, &code, &operands);
        let said = |at: usize| said[start + at - 1];
        assert_eq!(said(first + 1), (None, 0));
        assert_eq!(said(first + 5), (None, 0));
        assert_eq!(said(first + 6), (Some(b'e'), 4));
    }

    #[test]
    fn a_match_ends_where_other_bytes_differ() {
        let body: Vec<u8> = (0..60).collect();
        let code = [&body[..], b"one way", &body, b"another"].concat();
        let mut m = Matcher { shifts: Some(Shifts::default()), ..Matcher::new(4, 10) };
        let said = follow(&mut m, &code, &[]);
        let end = 2 * body.len() + 7;
        assert_eq!(said[end - 1], (Some(b'o'), 60));
        assert_eq!(said[end], (None, 0));
    }

    #[test]
    fn classes_grow_with_length() {
        assert_eq!(class(0), 0);
        assert!((1..100_000).all(|l| class(l) <= class(l + 1) && class(l) < LENGTH_CLASSES));
    }
}
