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
    gathered: Gathered,
    coded: CodedSegments<'a>,
}

impl<'a> Segments<'a> {
    /// For a block; the payload begins with its flags.
    pub fn new(input: &'a Input) -> Self {
        let (gathered, coded) = parts(input);
        Self { gathered, coded }
    }

    /// Takes the probabilities of the bits of the next byte of the input.
    #[inline(always)]
    pub fn push(&mut self, p1: &[u16; 8]) {
        self.gathered.push(p1);
    }

    /// After the bits of byte `end - 1` of the input.
    pub fn close_if_full(&mut self, end: usize) -> Result<(), CodecError> {
        if let Some(full) = self.gathered.full(end) {
            let room = self.coded.add(full)?;
            self.gathered.make_room(room);
        }
        Ok(())
    }

    /// All segments.
    pub fn finish(self) -> Encoded {
        self.coded.finish()
    }
}

/// The two sides of [`Segments`], for two threads.
pub(super) fn parts<'a>(input: &'a Input) -> (Gathered, CodedSegments<'a>) {
    let raw = &input.bytes[input.start..];
    let mut gathered =
        Gathered { start: input.start, len: raw.len(), text: input.start, p1: vec![] };
    gathered.make_room(Vec::new());
    let coded = Encoded { payload: input.beginning(), ideal_bits: 0.0 };
    (gathered, CodedSegments { raw, coded })
}

/// The probabilities of a whole segment.
pub(super) struct Full {
    p1: Vec<u16>,
    /// Where in the block it ends.
    end: usize,
}

/// The probabilities of the segment that is not full yet.
pub(super) struct Gathered {
    /// Length of the text before the block,
    start: usize,
    /// and of the block,
    len: usize,
    /// and how many bytes of the text have not been passed.
    text: usize,
    p1: Vec<u16>,
}

impl Gathered {
    /// [`Segments::push`]
    #[inline(always)]
    pub fn push(&mut self, p1: &[u16; 8]) {
        if self.text > 0 {
            self.text -= 1;
        } else {
            self.p1.extend(p1);
        }
    }

    /// After the bits of byte `end - 1` of the input: the segment, if it is full.
    pub fn full(&mut self, end: usize) -> Option<Full> {
        let end = end.checked_sub(self.start).filter(|&end| end > 0)?;
        let is_full = end.is_multiple_of(SEGMENT) || end == self.len;
        is_full.then(|| Full { p1: std::mem::take(&mut self.p1), end })
    }

    /// For the next segment, the room of another one.
    pub fn make_room(&mut self, mut room: Vec<u16>) {
        room.clear();
        room.reserve(8 * self.len.min(SEGMENT));
        self.p1 = room;
    }
}

/// The segments that are coded.
pub(super) struct CodedSegments<'a> {
    raw: &'a [u8],
    coded: Encoded,
}

impl CodedSegments<'_> {
    /// Codes the next segment; what held its probabilities may be used again.
    pub fn add(&mut self, Full { p1, end }: Full) -> Result<Vec<u16>, CodecError> {
        let raw = &self.raw[end - p1.len() / 8..end];
        let bytes = encode_checked(&p1, |i| bit_of(raw, i))?;
        if end < self.raw.len() {
            let mut length = [0; 4];
            LittleEndian::write_u32(&mut length, bytes.len() as u32);
            self.coded.payload.extend(length);
        }
        self.coded.payload.extend(&bytes);
        self.coded.ideal_bits += ideal_bits(&p1, |i| bit_of(raw, i));
        Ok(p1)
    }

    /// All of them.
    pub fn finish(self) -> Encoded {
        self.coded
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
