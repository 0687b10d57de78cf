//! Model files made small, to travel inside archives (FORMAT.md, model frames).
//!
//! Weights have no repeats for a dictionary coder to find; what is left is the
//! distribution of their bytes. So each bit is coded under an adaptive
//! probability in the context of the bits before it in its byte and of the
//! byte's parity (16-bit weights have unlike halves): on the default model 3 %
//! smaller than `xz -9e`, in a page of code, and without needing a model.

use super::error::ModelError;
use crate::coder::{Decoder, NotReversible, encode_checked};
use crate::stream::adaptive::{Entry, entry, probability, updated};

/// Bytes of an embedded model file, at most.
pub const MAX_EMBEDDED: usize = 1 << 26;
/// Bytes of the file that share a coder's stack.
const SEGMENT: usize = 1 << 20;
/// Bound of an entry's count.
const LIMIT: u32 = 127;

/// Adaptive probabilities by parity and known bits.
struct Bits {
    entries: [[Entry; 256]; 2],
    parity: usize,
    node: usize,
}

impl Bits {
    fn new() -> Self {
        Self { entries: [[entry(32768, 0); 256]; 2], parity: 0, node: 1 }
    }

    /// Probability that the next bit is one, of 65536.
    fn p1(&self) -> u16 {
        probability(self.entries[self.parity][self.node]).max(1)
    }

    /// Learns a bit; gives the byte when it is full.
    fn update(&mut self, bit: bool) -> Option<u8> {
        let entry = &mut self.entries[self.parity][self.node];
        *entry = updated(*entry, bit.into(), LIMIT);
        self.node = self.node << 1 | usize::from(bit);
        if self.node < 256 {
            return None;
        }
        let byte = self.node as u8;
        self.node = 1;
        self.parity ^= 1;
        Some(byte)
    }
}

/// Packs a model file of at most [`MAX_EMBEDDED`] bytes.
pub fn pack(file: &[u8]) -> Result<Vec<u8>, NotReversible> {
    let mut bits = Bits::new();
    let mut packed = (file.len() as u32).to_le_bytes().to_vec();
    for segment in file.chunks(SEGMENT) {
        let bit = |i: usize| segment[i / 8] >> (7 - i % 8) & 1 == 1;
        let p1: Vec<u16> = (0..8 * segment.len())
            .map(|i| {
                let p1 = bits.p1();
                bits.update(bit(i));
                p1
            })
            .collect();
        let coded = encode_checked(&p1, bit)?;
        packed.extend((coded.len() as u32).to_le_bytes());
        packed.extend(coded);
    }
    Ok(packed)
}

/// Bytes of the model file that a packed model declares, held to the limit.
pub fn declared_len(packed: &[u8]) -> Result<usize, ModelError> {
    let (len, _) = packed.split_first_chunk::<4>().ok_or_else(short)?;
    let len = u32::from_le_bytes(*len);
    ModelError::check_limit("the size of the embedded model", len.into(), MAX_EMBEDDED as u64)?;
    Ok(len as usize)
}

/// Unpacks a model file. It is as hostile as any until it has been read as one.
pub fn unpack(packed: &[u8]) -> Result<Vec<u8>, ModelError> {
    let len = declared_len(packed)?;
    let mut rest = &packed[4..];
    let mut bits = Bits::new();
    let mut file = Vec::new();
    while file.len() < len {
        let (size, tail) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let size = u32::from_le_bytes(*size) as usize;
        let (coded, tail) = tail.split_at_checked(size).ok_or_else(short)?;
        rest = tail;
        let damaged = || ModelError::Format("the embedded model is damaged".into());
        let mut decoder = Decoder::new(coded).map_err(|_| damaged())?;
        let end = len.min(file.len() + SEGMENT);
        while file.len() < end {
            let bit = decoder.decode_bit(bits.p1());
            file.extend(bits.update(bit));
        }
        if !decoder.is_exhausted() {
            return Err(damaged());
        }
    }
    if rest.is_empty() { Ok(file) } else { Err(short()) }
}

fn short() -> ModelError {
    ModelError::Format("the embedded model does not have the length it declares".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_bytes() {
        // FORMAT.md defines them; another decoder must find the same
        assert_eq!(pack(b"").unwrap(), [0; 4]);
        let packed = pack(b"aaaaaaaaaaaaaaaa").unwrap();
        assert_eq!(packed[..4], [16, 0, 0, 0]);
        assert_eq!(unpack(&packed).unwrap(), b"aaaaaaaaaaaaaaaa");
    }

    #[test]
    fn several_segments() {
        let file: Vec<u8> =
            (0..SEGMENT as u32 + 1000).map(|i| (i.wrapping_mul(i) >> 12) as u8 & 15).collect();
        let packed = pack(&file).unwrap();
        assert!(packed.len() < file.len() * 6 / 10);
        assert!(unpack(&packed).unwrap() == file);
    }

    #[test]
    fn lengths_that_lie_cost_nothing() {
        for len in [MAX_EMBEDDED as u32 + 1, u32::MAX] {
            assert!(matches!(unpack(&len.to_le_bytes()), Err(ModelError::TooLarge { .. })));
        }
        assert!(unpack(&(MAX_EMBEDDED as u32).to_le_bytes()).is_err());
        assert!(unpack(&[]).is_err());
    }

    proptest! {
        #[test]
        fn there_and_back(file in prop::collection::vec(any::<u8>(), 0..2000)) {
            let packed = pack(&file).unwrap();
            prop_assert_eq!(unpack(&packed).unwrap(), file);
            for cut in 0..packed.len() {
                prop_assert!(unpack(&packed[..cut]).is_err());
            }
        }

        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..60), len in 0u32..70, size in 0u32..70) {
            let framed = [&len.to_le_bytes()[..], &size.to_le_bytes(), &bytes].concat();
            if let Ok(file) = unpack(&framed) {
                prop_assert_eq!(file.len(), len as usize);
                prop_assert_eq!(pack(&file).unwrap(), framed);
            }
        }
    }
}
