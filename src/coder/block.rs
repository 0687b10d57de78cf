//! A run of bits on one ANS stack, and its bytes.
//!
//! Bytes: the stack's words from the bottom up, little-endian, the last word
//! (the top of the state) without its leading zero bytes. No length is stored:
//! the payload's end is known to the caller.

use std::convert::Infallible;

use constriction::CoderError;
use constriction::stream::stack::AnsCoder;
use constriction::stream::{Code, Decode, Encode};
use thiserror::Error;

use super::Bernoulli;

/// The coder of everything.
pub(super) type Ans = AnsCoder<u32, u64>;

/// The bytes are not what an encoder writes: they end in a zero byte.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the coded bytes end in a zero byte, which no encoder writes")]
pub struct NotCanonical;

/// Codes `p1.len()` bits; `p1[i]` is the probability (of 65536) that bit `i`,
/// given by `bit(i)`, is one.
pub fn encode_bits(p1: &[u16], bit: impl Fn(usize) -> bool) -> Vec<u8> {
    let mut coder = Ans::new();
    for (i, &p) in p1.iter().enumerate().rev() {
        match coder.encode_symbol(bit(i), Bernoulli::new(p)) {
            Ok(()) => {}
            Err(CoderError::Frontend(_)) => unreachable!("both symbols have an interval"),
            Err(CoderError::Backend(never)) => match never {},
        }
    }
    bytes_of(coder)
}

/// The bytes of a stack.
pub(super) fn bytes_of(coder: Ans) -> Vec<u8> {
    let words = coder.into_compressed().unwrap_or_else(|never| match never {});
    let mut bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes
}

/// The stack of bytes.
pub(super) fn ans_of(bytes: &[u8]) -> Result<Ans, NotCanonical> {
    let words = bytes
        .chunks(4)
        .map(|c| {
            let mut word = [0; 4];
            word[..c.len()].copy_from_slice(c);
            u32::from_le_bytes(word)
        })
        .collect();
    if bytes.last() == Some(&0) {
        return Err(NotCanonical);
    }
    Ans::from_compressed(words).map_err(|_| NotCanonical)
}

/// The coded bytes do not give back what was coded: a fault of the machine or of
/// the coder, found before anything was written.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the coder did not give the same bits back")]
pub struct NotReversible;

/// [`encode_bits`], and the coded bytes decoded again under the same
/// probabilities and compared: what an archive gets.
pub fn encode_checked(p1: &[u16], bit: impl Fn(usize) -> bool) -> Result<Vec<u8>, NotReversible> {
    let bytes = encode_bits(p1, &bit);
    check(&bytes, p1, bit)?;
    Ok(bytes)
}

/// Whether coded bytes decode to these bits and to nothing more.
fn check(bytes: &[u8], p1: &[u16], bit: impl Fn(usize) -> bool) -> Result<(), NotReversible> {
    let mut decoder = Decoder::new(bytes).map_err(|NotCanonical| NotReversible)?;
    let same = p1.iter().enumerate().all(|(i, &p)| decoder.decode_bit(p) == bit(i));
    if same && decoder.is_exhausted() { Ok(()) } else { Err(NotReversible) }
}

/// Ideal code length in bits of the same bits: −Σ log₂ p. For reports only.
pub fn ideal_bits(p1: &[u16], bit: impl Fn(usize) -> bool) -> f64 {
    let mut bits = 0.0;
    for (c, chunk) in p1.chunks(32).enumerate() {
        // 32 factors of at least 2^-16 stay far inside the range of f64
        let mut product = 1.0f64;
        for (i, &p) in chunk.iter().enumerate() {
            let p = f64::from(p.max(1));
            product *= if bit(c * 32 + i) { p } else { 65536.0 - p } / 65536.0;
        }
        bits -= product.log2();
    }
    bits
}

/// Pops bits from coded bytes.
#[derive(Debug)]
pub struct Decoder {
    ans: Ans,
}

impl Decoder {
    /// Takes the bytes of one [`encode_bits`]. Any bytes that do not end in zero
    /// decode to something; whether it is the right thing is for a checksum to say.
    pub fn new(bytes: &[u8]) -> Result<Self, NotCanonical> {
        Ok(Self { ans: ans_of(bytes)? })
    }

    /// The next bit, given the probability (of 65536) that it is one.
    #[inline(always)]
    pub fn decode_bit(&mut self, p1: u16) -> bool {
        taken(self.ans.decode_symbol(Bernoulli::new(p1)))
    }

    /// Whether every coded bit has been taken: true after the last bit of an
    /// undamaged payload.
    pub fn is_exhausted(&self) -> bool {
        is_empty(&self.ans)
    }
}

/// What a pop took: it always takes something.
#[inline(always)]
pub(super) fn taken<T>(result: Result<T, CoderError<Infallible, Infallible>>) -> T {
    match result {
        Ok(symbol) => symbol,
        Err(CoderError::Frontend(never)) => match never {},
        Err(CoderError::Backend(never)) => match never {},
    }
}

/// Whether nothing is left on a stack.
pub(super) fn is_empty(ans: &Ans) -> bool {
    Code::state(ans) == 0 && ans.bulk().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(bits in prop::collection::vec((any::<bool>(), 0u16..), 0..3000)) {
            let p1: Vec<u16> = bits.iter().map(|&(_, p)| p).collect();
            let coded = encode_bits(&p1, |i| bits[i].0);
            let mut decoder = Decoder::new(&coded).unwrap();
            for &(bit, p) in &bits {
                prop_assert_eq!(decoder.decode_bit(p), bit);
            }
            prop_assert!(decoder.is_exhausted());
        }

        #[test]
        fn size_is_the_ideal_one(seed in any::<u64>(), n in 0usize..40_000) {
            // bits drawn from their own probabilities, of every size
            let mut state = seed | 1;
            let mut next = || { state ^= state << 13; state ^= state >> 7; state ^= state << 17; state };
            let p1: Vec<u16> = (0..n).map(|_| (next() >> (48 + next() % 12)) as u16).collect();
            let bits: Vec<bool> = p1.iter().map(|&p| ((next() >> 48) as u16) < p).collect();
            let coded = encode_bits(&p1, |i| bits[i]).len() as f64;
            let ideal = ideal_bits(&p1, |i| bits[i]) / 8.0;
            prop_assert!(coded <= ideal * 1.0001 + 8.0, "{} {}", coded, ideal);
        }

        #[test]
        fn a_coder_that_errs_is_noticed(
            bits in prop::collection::vec((any::<bool>(), 2000u16..60000), 200..400),
            at in any::<prop::sample::Index>(),
            flip in 1u8..,
        ) {
            let p1: Vec<u16> = bits.iter().map(|&(_, p)| p).collect();
            let coded = encode_checked(&p1, |i| bits[i].0).unwrap();
            prop_assert_eq!(&coded, &encode_bits(&p1, |i| bits[i].0));
            let mut wrong = coded.clone();
            *at.get_mut(&mut wrong) ^= flip;
            prop_assert_eq!(check(&wrong, &p1, |i| bits[i].0), Err(NotReversible));
            prop_assert_eq!(check(&coded, &p1, |i| bits[i].0 ^ (i == 150)), Err(NotReversible));
            prop_assert_eq!(check(&coded, &p1[..100], |i| bits[i].0), Err(NotReversible));
        }

        #[test]
        fn any_bytes_decode_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..50), p in any::<u16>()) {
            if let Ok(mut decoder) = Decoder::new(&bytes) {
                for _ in 0..2000 { decoder.decode_bit(p); }
            } else {
                prop_assert_eq!(bytes.last(), Some(&0));
            }
        }
    }
}
