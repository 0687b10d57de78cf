//! The archive's bytes on disk, and nothing else. `FORMAT.md` is the normative
//! text; this module follows its sections.
//!
//! An input is a sequence of members: long archives ([`header`], [`block`],
//! [`footer`]), short archives ([`short`]) and skippable frames. [`Reader`]
//! takes it apart front to back, [`LongWriter`] and [`Short`] write it,
//! [`scan`] reads the structure alone of an input that can seek.
//!
//! Nothing in an archive is trusted: each length is held to [`limits`] and to
//! the archive's own header before anything is allocated, and input is taken in
//! steps, so that a length that lies costs no memory.

pub mod block;
pub mod checksum;
mod ending;
mod error;
pub mod footer;
pub mod header;
pub mod limits;
pub mod pieces;
pub mod prefixes;
mod reader;
pub mod scan;
pub mod short;
pub mod signature;
mod source;
pub mod varint;
mod writer;

pub use block::{BlockHeader, BlockKind};
pub use error::FormatError;
pub use footer::{Footer, IndexEntry};
pub use header::Header;
pub use reader::{Event, Reader};
pub use short::Short;
pub use writer::LongWriter;

use std::fmt;

/// SHA-256 of a model's canonical content.
pub type ModelId = [u8; 32];

/// Bytes of a model's id that a short archive keeps.
pub const TAG_LEN: usize = 3;

/// How an archive names its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelKey {
    /// By its whole id, as long archives do.
    Id(ModelId),
    /// By the first bytes of its id, as short archives do.
    Tag([u8; TAG_LEN]),
}

impl ModelKey {
    /// The bytes that are known.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Id(id) => id,
            Self::Tag(tag) => tag,
        }
    }

    /// Whether this names the model of that id.
    pub fn matches(&self, id: &ModelId) -> bool {
        id.starts_with(self.bytes())
    }
}

impl fmt::Display for ModelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for b in self.bytes() {
            write!(f, "{b:02x}")?;
        }
        if let Self::Tag(_) = self {
            f.write_str("…")?;
        }
        Ok(())
    }
}

/// A member of the input beside the archives: what serves those that follow it, or what
/// programs skip when they do not know its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skippable {
    /// What it is for.
    pub kind: u32,
    /// Bytes of its content.
    pub len: u64,
    /// CRC-32 of its content.
    pub crc: u32,
}

/// Kind of the skippable frame that holds a model (FORMAT.md §5.1): its content
/// is a packed model file, for the archives that follow it.
pub const MODEL_FRAME: u32 = 1;

/// Kinds from here on may be skipped by who does not know them; what follows a frame of a
/// lower kind cannot be read without it.
pub const MAY_BE_SKIPPED: u32 = 1 << 30;

/// Length of a skippable frame's header.
pub const SKIPPABLE_HEADER_LEN: usize = 24;

impl Skippable {
    /// The frame's header on disk; `len` bytes of content follow it.
    pub fn to_bytes(&self) -> [u8; SKIPPABLE_HEADER_LEN] {
        use byteorder::{ByteOrder, LE};
        let mut b = [0; SKIPPABLE_HEADER_LEN];
        b[..4].copy_from_slice(&signature::SKIPPABLE);
        LE::write_u32(&mut b[4..], self.kind);
        LE::write_u64(&mut b[8..], self.len);
        LE::write_u32(&mut b[16..], self.crc);
        let crc = checksum::crc32(&b[..20]);
        LE::write_u32(&mut b[20..], crc);
        b
    }

    /// Whether this frame's content is needed, not only its checksum. A content
    /// that is longer than the limit for its kind is an error.
    pub fn is_needed(&self) -> Result<bool, FormatError> {
        match self.kind {
            MODEL_FRAME if self.len > limits::MAX_MODEL_FRAME => Err(FormatError::Limit {
                what: "the length of an embedded model",
                found: self.len,
                limit: limits::MAX_MODEL_FRAME,
            }),
            kind => Ok(kind == MODEL_FRAME),
        }
    }

    /// The frame, if what follows it can be read.
    pub fn known(self) -> Result<Self, FormatError> {
        if self.kind < MAY_BE_SKIPPED && self.kind != MODEL_FRAME {
            Err(FormatError::UnknownFeature { what: "the kind of a frame" })
        } else {
            Ok(self)
        }
    }

    /// Reads the header of a frame at `offset`.
    pub fn parse(b: &[u8; SKIPPABLE_HEADER_LEN], offset: u64) -> Result<Self, FormatError> {
        use byteorder::{ByteOrder, LE};
        if b[..4] != signature::SKIPPABLE || checksum::crc32(&b[..20]) != LE::read_u32(&b[20..]) {
            return Err(FormatError::Damaged { offset, what: "the header of a skippable frame" });
        }
        let frame = Self {
            kind: LE::read_u32(&b[4..]),
            len: LE::read_u64(&b[8..]),
            crc: LE::read_u32(&b[16..]),
        };
        if frame.len > limits::MAX_SKIPPABLE {
            return Err(FormatError::Limit {
                what: "the length of a skippable frame",
                found: frame.len,
                limit: limits::MAX_SKIPPABLE,
            });
        }
        Ok(frame)
    }
}
