//! The header of a long archive: 62 bytes, FORMAT.md §3.1.

use byteorder::{ByteOrder, LE};

use super::checksum::crc32;
use super::limits::{MAX_BLOCK, MAX_CONTENT};
use super::signature::{LONG, VERSION};
use super::{FormatError, ModelId};

/// Length of the header this program writes, checksum included.
pub const HEADER_LEN: usize = 62;
/// Value of the content size field when the size is not known.
const UNKNOWN_SIZE: u64 = u64::MAX;
/// Required flags that are known here: none yet.
const KNOWN_REQUIRED: u8 = 0;

/// What the header of a long archive says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Arithmetic profile of the coded blocks.
    pub profile: u16,
    /// No block holds more raw bytes than this; 1 to [`MAX_BLOCK`].
    pub block_size: u32,
    /// Bytes of the content, if the writer knew them at the start.
    pub content_size: Option<u64>,
    /// SHA-256 of the model of the coded blocks; all zero if there are none and
    /// the writer knew so at the start.
    pub model: ModelId,
}

impl Header {
    /// Bytes that no block has more of, from both bounds that the header gives.
    pub fn largest_block(&self) -> u64 {
        self.content_size.unwrap_or(u64::MAX).min(self.block_size.into())
    }

    /// How many blocks there are if none is smaller than need be, where the length of all
    /// content is known.
    pub fn blocks(&self) -> Option<u64> {
        Some(self.content_size?.div_ceil(u64::from(self.block_size).max(1)))
    }

    /// The bytes on disk.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut b = [0; HEADER_LEN];
        b[..8].copy_from_slice(&LONG);
        b[8] = VERSION;
        b[9] = HEADER_LEN as u8;
        b[10] = 0; // required flags
        b[11] = 0; // optional flags
        LE::write_u16(&mut b[12..], self.profile);
        LE::write_u32(&mut b[14..], self.block_size);
        LE::write_u64(&mut b[18..], self.content_size.unwrap_or(UNKNOWN_SIZE));
        b[26..58].copy_from_slice(&self.model);
        let crc = crc32(&b[..58]);
        LE::write_u32(&mut b[58..], crc);
        b
    }

    /// Judges the bytes before the header's length is believed: signature,
    /// version. `b` holds the first ten bytes. Returns the header's length.
    pub(super) fn check_start(b: &[u8; 10], offset: u64) -> Result<usize, FormatError> {
        if b[..8] != LONG {
            return Err(match super::signature::diagnose(&b[..8]) {
                FormatError::NotAnArchive if offset > 0 => FormatError::TrailingData { offset },
                other => other,
            });
        }
        if b[8] > VERSION {
            return Err(FormatError::NewerVersion { found: b[8], known: VERSION });
        }
        if b[8] == 0 {
            return Err(FormatError::Damaged { offset, what: "format version 0" });
        }
        let len = usize::from(b[9]);
        if len < HEADER_LEN {
            return Err(FormatError::Damaged { offset, what: "the header's length" });
        }
        Ok(len)
    }

    /// Reads a whole header, whose start has passed [`Header::check_start`].
    /// `offset` is where it begins, for errors.
    pub(super) fn parse(b: &[u8], offset: u64) -> Result<Self, FormatError> {
        let damaged = |what| FormatError::Damaged { offset, what };
        let body = b.len() - 4;
        if crc32(&b[..body]) != LE::read_u32(&b[body..]) {
            return Err(damaged("the header's checksum"));
        }
        if b[10] & !KNOWN_REQUIRED != 0 {
            return Err(FormatError::UnknownFeature { what: "required flags of the header" });
        }
        let block_size = LE::read_u32(&b[14..]);
        if block_size == 0 {
            return Err(damaged("a block size of 0"));
        }
        if block_size > MAX_BLOCK {
            return Err(FormatError::Limit {
                what: "the block size",
                found: block_size.into(),
                limit: MAX_BLOCK.into(),
            });
        }
        let content_size = match LE::read_u64(&b[18..]) {
            UNKNOWN_SIZE => None,
            n if n > MAX_CONTENT => {
                return Err(FormatError::Limit {
                    what: "the content size",
                    found: n,
                    limit: MAX_CONTENT,
                });
            }
            n => Some(n),
        };
        let mut model = [0; 32];
        model.copy_from_slice(&b[26..58]);
        Ok(Self { profile: LE::read_u16(&b[12..]), block_size, content_size, model })
    }
}
