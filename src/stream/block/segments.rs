//! Segments: the coded bytes of a block, 1 MiB of content a coder's stack, so that
//! the probabilities kept for coding in reverse stay small.

use byteorder::{ByteOrder, LittleEndian};

use super::Input;
use crate::codec::{CodecError, Encoded};
use crate::coder::{Decoder, encode_checked, ideal_bits};

/// Raw bytes of a segment.
pub const SEGMENT: usize = 1 << 20;

/// Bit `i` of some bytes, the most significant of each first.
#[inline(always)]
fn bit_of(raw: &[u8], i: usize) -> bool {
    raw[i / 8] >> (7 - i % 8) & 1 == 1
}

/// Gathers probabilities and codes each segment when it is full.
pub(super) struct Segments<'a> {
    raw: &'a [u8],
    /// Length of the text before the block,
    start: usize,
    /// and how many of its bytes have not been passed.
    text: usize,
    p1: Vec<u16>,
    coded: Encoded,
}

impl<'a> Segments<'a> {
    /// For a block; the payload begins with its flags.
    pub fn new(input: &'a Input) -> Self {
        let raw = &input.bytes[input.start..];
        Self {
            raw,
            start: input.start,
            text: input.start,
            p1: Vec::with_capacity(8 * raw.len().min(SEGMENT)),
            coded: Encoded { payload: input.beginning(), ideal_bits: 0.0 },
        }
    }

    /// Takes the probabilities of the bits of the next byte of the input.
    #[inline(always)]
    pub fn push(&mut self, p1: &[u16; 8]) {
        if self.text > 0 {
            self.text -= 1;
        } else {
            self.p1.extend(p1);
        }
    }

    /// After the bits of byte `end - 1` of the input.
    pub fn close_if_full(&mut self, end: usize) -> Result<(), CodecError> {
        let Some(end @ 1..) = end.checked_sub(self.start) else { return Ok(()) };
        if end.is_multiple_of(SEGMENT) || end == self.raw.len() { self.close(end) } else { Ok(()) }
    }

    /// All segments.
    pub fn finish(self) -> Encoded {
        self.coded
    }

    /// Codes the segment that ends before byte `end`.
    fn close(&mut self, end: usize) -> Result<(), CodecError> {
        let raw = &self.raw[end - self.p1.len() / 8..end];
        let bytes = encode_checked(&self.p1, |i| bit_of(raw, i))?;
        if end < self.raw.len() {
            let mut length = [0; 4];
            LittleEndian::write_u32(&mut length, bytes.len() as u32);
            self.coded.payload.extend(length);
        }
        self.coded.payload.extend(&bytes);
        self.coded.ideal_bits += ideal_bits(&self.p1, |i| bit_of(raw, i));
        self.p1.clear();
        Ok(())
    }
}

/// The segment that `rest` begins with, taken off it; the last one goes to the end.
pub(super) fn open_segment(rest: &mut &[u8], last: bool) -> Result<Decoder, CodecError> {
    let bytes = if last {
        std::mem::take(rest)
    } else {
        let (length, tail) =
            rest.split_at_checked(4).ok_or(CodecError::Form("a segment is missing"))?;
        let (bytes, tail) = tail
            .split_at_checked(LittleEndian::read_u32(length) as usize)
            .ok_or(CodecError::Form("a segment is cut short"))?;
        *rest = tail;
        bytes
    };
    Decoder::new(bytes).map_err(|_| CodecError::Form("a segment ends in a zero byte"))
}
