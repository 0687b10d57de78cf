//! The short archive: one block under 64 KiB, FORMAT.md §4. It costs 10 bytes
//! beyond the payload for nothing, 16 for a text of some kilobytes, 18 at most.

use std::io::Read;

use byteorder::{ByteOrder, LE};

use super::block::{BlockKind, KIND_BITS, KIND_MASK};
use super::checksum::{crc16, crc32};
use super::limits::SHORT_LIMIT;
use super::signature::{MARK, SHORT_NIBBLE, VERSION};
use super::source::Source;
use super::varint::{self, Invalid};
use super::{FormatError, IndexEntry, TAG_LEN};

/// Bytes that a short archive has beyond its payload, at most.
pub const MAX_OVERHEAD: usize = 2 + 3 + TAG_LEN + 3 + 3 + 4 + 2;
/// A short archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// Arithmetic profile of a block that needs a model; of another one 0.
    pub profile: u16,
    /// How the bytes are kept.
    pub kind: BlockKind,
    /// First bytes of the model's id, kept for a coded block alone.
    pub tag: [u8; TAG_LEN],
    /// Bytes of the content, below [`SHORT_LIMIT`].
    pub raw_len: u32,
    /// CRC-32 of the content.
    pub raw_crc: u32,
    /// The kind's payload.
    pub payload: Vec<u8>,
}

impl Short {
    /// The bytes on disk, or none if the short form cannot hold this.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let payload_len = u32::try_from(self.payload.len()).ok()?;
        if self.raw_len.max(payload_len) >= SHORT_LIMIT
            || !self.kind.allows(self.raw_len, payload_len)
        {
            return None;
        }
        let mut b = Vec::with_capacity(self.payload.len() + MAX_OVERHEAD);
        b.extend([MARK, SHORT_NIBBLE | VERSION]);
        varint::push(&mut b, u64::from(self.profile) << KIND_BITS | u64::from(self.kind as u8));
        if self.kind.needs_model() {
            b.extend(self.tag);
        }
        varint::push(&mut b, self.raw_len.into());
        if self.kind.needs_model() {
            varint::push(&mut b, payload_len.into());
        }
        b.extend(&self.payload);
        b.extend(self.raw_crc.to_le_bytes());
        let crc = crc16(&b);
        b.extend(crc.to_le_bytes());
        Some(b)
    }

    /// Reads what follows the first two bytes, which told the form and its
    /// `version`; `offset` is where the archive begins.
    pub(super) fn read<R: Read>(
        source: &mut Source<R>,
        version: u8,
        offset: u64,
    ) -> Result<Self, FormatError> {
        let damaged = |what| FormatError::Damaged { offset, what };
        if version > VERSION {
            return Err(FormatError::NewerVersion { found: version, known: VERSION });
        }
        if version == 0 {
            return Err(damaged("format version 0"));
        }
        // Nothing but the shape is used until the checksum over all of it has
        // been seen; every length is below 64 KiB.
        let mut b = vec![MARK, SHORT_NIBBLE | version];
        let head = varint(source, &mut b, offset)?;
        let kind = BlockKind::from_number((head & KIND_MASK) as u8);
        // kinds that are not known have the shape of those with a payload of any length
        let needs_model = kind.is_none_or(BlockKind::needs_model);
        let mut tag = [0; TAG_LEN];
        if needs_model {
            source.exact(&mut tag, HEADER)?;
            b.extend(tag);
        }
        let bounded = |n: u64| {
            u32::try_from(n)
                .ok()
                .filter(|&n| n < SHORT_LIMIT)
                .ok_or(damaged("a length in the header of a short archive"))
        };
        let raw_len = bounded(varint(source, &mut b, offset)?)?;
        let payload_len = match kind {
            Some(BlockKind::Stored) => raw_len,
            Some(BlockKind::Run) => 1,
            Some(BlockKind::Coded | BlockKind::Split | BlockKind::Extended) | None => {
                bounded(varint(source, &mut b, offset)?)?
            }
        };
        let start = b.len();
        source.append(&mut b, payload_len as usize + 4, "a short archive")?;
        let mut crc = [0; 2];
        source.exact(&mut crc, "a short archive")?;
        if crc16(&b) != LE::read_u16(&crc) {
            return Err(damaged("the checksum of a short archive"));
        }
        let kind =
            kind.ok_or(FormatError::UnknownFeature { what: "the kind of a short archive" })?;
        let profile = u16::try_from(head >> KIND_BITS)
            .map_err(|_| damaged("the profile of a short archive"))?;
        if !needs_model && profile != 0 {
            return Err(damaged("a profile of a short archive that needs none"));
        }
        if !kind.allows(raw_len, payload_len) {
            return Err(damaged("the lengths of a short archive do not fit its kind"));
        }
        let raw_crc = LE::read_u32(&b[b.len() - 4..]);
        b.truncate(b.len() - 4);
        let payload = b.split_off(start);
        if kind == BlockKind::Stored && crc32(&payload) != raw_crc {
            return Err(damaged("the checksum of the content of a short archive"));
        }
        if IndexEntry::new(kind, raw_len, &payload).is_none() {
            return Err(damaged("the number of records of a short archive"));
        }
        Ok(Self { profile, kind, tag, raw_len, raw_crc, payload })
    }

    /// Its block, as an index has it.
    pub fn index_entry(&self) -> IndexEntry {
        let entry = IndexEntry::new(self.kind, self.raw_len, &self.payload);
        entry.unwrap_or(IndexEntry {
            kind: self.kind,
            raw_len: self.raw_len,
            payload_len: self.payload.len() as u32,
            records: 0,
        })
    }
}

const HEADER: &str = "the header of a short archive";

/// Reads a varint and keeps its bytes in `seen`.
fn varint<R: Read>(
    source: &mut Source<R>,
    seen: &mut Vec<u8>,
    offset: u64,
) -> Result<u64, FormatError> {
    let mut failed = None;
    let value = varint::read(|| match source.next() {
        Ok(Some(byte)) => {
            seen.push(byte);
            Some(byte)
        }
        Ok(None) => None,
        Err(e) => {
            failed = Some(e);
            None
        }
    });
    match (value, failed) {
        (Ok(value), _) => Ok(value),
        (Err(_), Some(e)) => Err(e),
        (Err(Invalid::Source), None) => {
            Err(FormatError::Truncated { offset: source.offset(), within: HEADER })
        }
        (Err(Invalid::NotShortest), None) => {
            Err(FormatError::Damaged { offset, what: "a number in the header of a short archive" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(b: &[u8]) -> Result<Short, FormatError> {
        Short::read(&mut Source::at(&b[2..], 2), VERSION, 0)
    }

    #[test]
    fn kinds_of_later_times() {
        let coded = Short {
            profile: 1,
            kind: BlockKind::Coded,
            tag: [1, 2, 3],
            raw_len: 9,
            raw_crc: 5,
            payload: b"payload".to_vec(),
        };
        let good = coded.to_bytes().unwrap();
        assert_eq!(read(&good).unwrap(), coded);
        for kind in 5..8 {
            let mut later = good.clone();
            later[2] = 8 | kind;
            // a flipped bit is damage; the checksum tells it from what is meant
            assert!(matches!(read(&later), Err(FormatError::Damaged { .. })), "{kind}");
            let end = later.len() - 2;
            let crc = crc16(&later[..end]);
            later[end..].copy_from_slice(&crc.to_le_bytes());
            assert!(matches!(read(&later), Err(FormatError::UnknownFeature { .. })), "{kind}");
        }
    }
}
