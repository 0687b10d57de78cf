//! The header of a block in a long archive: 32 bytes, FORMAT.md §3.2.

use byteorder::{ByteOrder, LE};

use super::FormatError;
use super::checksum::crc32;
use super::limits::MAX_CONTENT;
use super::signature::MARK;

/// Length of a block's header.
pub const BLOCK_HEADER_LEN: usize = 32;
/// Second byte of a block's header.
pub(super) const BLOCK_MARK: u8 = b'B';

/// How a block keeps its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum BlockKind {
    /// The payload is the raw bytes.
    Stored = 0,
    /// The payload is one byte, repeated.
    Run = 1,
    /// The payload is the model's.
    Coded = 2,
    /// The payload is of records, each of them the model's; it begins with their
    /// number.
    Split = 3,
    /// The payload is the model's, by rules that came after version 0.1.
    Extended = 4,
}

/// Bytes that a split payload has beyond its content, at most: what it begins with.
pub const SPLIT_HEAD: u32 = 13;

/// Bits of a kind where it shares a number with something else: there are more than kinds
/// that are known.
pub(super) const KIND_BITS: u32 = 3;
/// The same as a mask.
pub(super) const KIND_MASK: u64 = (1 << KIND_BITS) - 1;

impl BlockKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Stored, Self::Run, Self::Coded, Self::Split, Self::Extended];

    /// The kind of a number.
    pub fn from_number(n: u8) -> Option<Self> {
        Self::ALL.get(usize::from(n)).copied()
    }

    /// Its name in reports, which make no difference between rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Run => "run",
            Self::Coded | Self::Extended => "coded",
            Self::Split => "split",
        }
    }

    /// Whether a model is needed to read it.
    pub fn needs_model(self) -> bool {
        matches!(self, Self::Coded | Self::Split | Self::Extended)
    }

    /// The first version of madezip that reads it.
    pub fn since(self) -> &'static str {
        match self {
            Self::Stored | Self::Run | Self::Coded | Self::Split => "0.1.0",
            Self::Extended => "0.2.0",
        }
    }

    /// Whether a payload of this length can hold `raw_len` bytes, by the rules
    /// of the kind: a coded payload is shorter than what it codes.
    pub fn allows(self, raw_len: u32, payload_len: u32) -> bool {
        match self {
            Self::Stored => payload_len == raw_len,
            Self::Run => payload_len == 1 && raw_len > 0,
            Self::Coded | Self::Extended => payload_len < raw_len,
            Self::Split => raw_len > 0 && payload_len <= raw_len.saturating_add(SPLIT_HEAD),
        }
    }
}

/// What a block's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// How the bytes are kept.
    pub kind: BlockKind,
    /// Bytes of the content, 1 to the archive's block size.
    pub raw_len: u32,
    /// Bytes of the payload that follows.
    pub payload_len: u32,
    /// Where its content begins in that of the archive.
    pub content_offset: u64,
    /// CRC-32 of the content.
    pub raw_crc: u32,
    /// CRC-32 of the payload.
    pub payload_crc: u32,
}

impl BlockHeader {
    /// The bytes on disk.
    pub fn to_bytes(&self) -> [u8; BLOCK_HEADER_LEN] {
        let mut b = [0; BLOCK_HEADER_LEN];
        b[0] = MARK;
        b[1] = BLOCK_MARK;
        b[2] = self.kind as u8;
        b[3] = 0; // required flags of the block
        LE::write_u32(&mut b[4..], self.raw_len);
        LE::write_u32(&mut b[8..], self.payload_len);
        LE::write_u64(&mut b[12..], self.content_offset);
        LE::write_u32(&mut b[20..], self.raw_crc);
        LE::write_u32(&mut b[24..], self.payload_crc);
        let crc = crc32(&b[..28]);
        LE::write_u32(&mut b[28..], crc);
        b
    }

    /// Reads the header of block number `block` at `offset`; `block_size` is the
    /// archive's bound.
    pub fn parse(
        b: &[u8; BLOCK_HEADER_LEN],
        block_size: u32,
        block: u64,
        offset: u64,
    ) -> Result<Self, FormatError> {
        let damaged = |what| FormatError::DamagedBlock { block, offset, what };
        if crc32(&b[..28]) != LE::read_u32(&b[28..]) || b[..2] != [MARK, BLOCK_MARK] {
            return Err(damaged("the checksum of its header"));
        }
        if b[3] != 0 {
            return Err(FormatError::UnknownFeature { what: "flags of a block" });
        }
        let kind = BlockKind::from_number(b[2])
            .ok_or(FormatError::UnknownFeature { what: "the kind of a block" })?;
        let head = Self {
            kind,
            raw_len: LE::read_u32(&b[4..]),
            payload_len: LE::read_u32(&b[8..]),
            content_offset: LE::read_u64(&b[12..]),
            raw_crc: LE::read_u32(&b[20..]),
            payload_crc: LE::read_u32(&b[24..]),
        };
        if head.content_offset > MAX_CONTENT {
            return Err(damaged("the place of its content"));
        }
        if head.raw_len == 0 || head.raw_len > block_size {
            return Err(damaged("its length is outside the archive's block size"));
        }
        if !kind.allows(head.raw_len, head.payload_len) {
            return Err(damaged("its lengths do not fit its kind"));
        }
        Ok(head)
    }

    /// The header, if its content begins where it should: a block may be whole and lie in
    /// another's place.
    pub fn in_place(
        self,
        content_offset: u64,
        block: u64,
        offset: u64,
    ) -> Result<Self, FormatError> {
        if self.content_offset == content_offset {
            Ok(self)
        } else {
            let what = "its content belongs elsewhere: blocks were lost, or have changed places";
            Err(FormatError::DamagedBlock { block, offset, what })
        }
    }
}
