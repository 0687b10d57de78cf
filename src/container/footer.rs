//! The footer of a long archive: block index, digest of the content, end mark;
//! FORMAT.md §3.3.

use byteorder::{ByteOrder, LE};

use super::FormatError;
use super::block::{BlockKind, KIND_BITS, KIND_MASK};
use super::checksum::crc32;
use super::limits::{MAX_BLOCKS, MAX_CONTENT};
use super::signature::MARK;
use super::varint;

/// First bytes of a footer; the last two are flags, all zero.
pub(super) const FOOTER_START: [u8; 4] = [MARK, b'I', 0, 0];
/// Last bytes of a long archive.
pub const END_MARK: [u8; 4] = [MARK, b'E', b'N', b'D'];
/// Bytes after the index: digest, length, checksum, end mark.
pub(super) const TAIL_LEN: usize = 32 + 4 + 4 + 4;

/// One block in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// How its bytes are kept.
    pub kind: BlockKind,
    /// Bytes of its content.
    pub raw_len: u32,
    /// Bytes of its payload.
    pub payload_len: u32,
    /// How many records a split block has; 0 for another.
    pub records: u32,
}

impl IndexEntry {
    /// Appends the entry's bytes.
    pub fn push(&self, out: &mut Vec<u8>) {
        varint::push(out, self.raw_len.into());
        varint::push(out, u64::from(self.payload_len) << KIND_BITS | u64::from(self.kind as u8));
        if self.kind == BlockKind::Split {
            varint::push(out, self.records.into());
        }
    }

    /// The entry of a block; none if a split payload does not begin with a number
    /// of records that its content may have.
    pub fn new(kind: BlockKind, raw_len: u32, payload: &[u8]) -> Option<Self> {
        let records = match kind {
            BlockKind::Split => {
                let mut bytes = payload.iter().copied();
                let count = varint::read(|| bytes.next()).ok()?;
                u32::try_from(count).ok().filter(|&n| may_have(raw_len, n))?
            }
            _ => 0,
        };
        Some(Self { kind, raw_len, payload_len: payload.len() as u32, records })
    }

    /// The entry that the numbers of an index make, if they make one.
    pub(super) fn from_numbers<E>(
        mut number: impl FnMut() -> Result<u64, E>,
    ) -> Result<Option<Self>, E> {
        let (raw_len, packed) = (number()?, number()?);
        let Some(kind) = BlockKind::from_number((packed & KIND_MASK) as u8) else {
            return Ok(None);
        };
        let records = if kind == BlockKind::Split { number()? } else { 0 };
        Ok((|| {
            let raw_len = u32::try_from(raw_len).ok()?;
            let payload_len = u32::try_from(packed >> KIND_BITS).ok()?;
            let records = u32::try_from(records).ok()?;
            let right = kind != BlockKind::Split || may_have(raw_len, records);
            let entry = Self { kind, raw_len, payload_len, records };
            (right && kind.allows(raw_len, payload_len)).then_some(entry)
        })())
    }
}

/// Whether so many bytes may be so many records: none is empty.
fn may_have(raw_len: u32, records: u32) -> bool {
    (1..=raw_len).contains(&records)
}

/// What the footer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footer {
    /// Number of blocks.
    pub blocks: u64,
    /// The index, entry after entry as [`IndexEntry::push`] writes them.
    pub index: Vec<u8>,
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
}

impl Footer {
    /// Adds a block to the index.
    pub fn add(&mut self, entry: &IndexEntry) {
        self.blocks += 1;
        entry.push(&mut self.index);
    }

    /// The bytes on disk; none if they would be 4 GiB or more.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut b = FOOTER_START.to_vec();
        varint::push(&mut b, self.blocks);
        b.extend(&self.index);
        b.extend(self.sha256);
        let len = u32::try_from(b.len() + 12).ok()?;
        b.extend(len.to_le_bytes());
        let crc = crc32(&b);
        b.extend(crc.to_le_bytes());
        b.extend(END_MARK);
        Some(b)
    }

    /// Reads a whole footer that begins at `offset`.
    pub fn parse(b: &[u8], offset: u64) -> Result<Self, FormatError> {
        let damaged = |what| FormatError::Damaged { offset, what };
        if b.len() < FOOTER_START.len() + 1 + TAIL_LEN || b[b.len() - 4..] != END_MARK {
            return Err(damaged("the end mark"));
        }
        let (body, tail) = b.split_at(b.len() - TAIL_LEN);
        if crc32(&b[..b.len() - 8]) != LE::read_u32(&tail[36..])
            || b[..4] != FOOTER_START
            || LE::read_u32(&tail[32..]) as usize != b.len()
        {
            return Err(damaged("the checksum of the index"));
        }
        let mut it = body[4..].iter();
        let blocks = varint::read(|| it.next().copied()).map_err(|_| damaged("the block count"))?;
        let index = it.as_slice().to_vec();
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(&tail[..32]);
        let footer = Self { blocks, index, sha256 };
        // every entry readable, their number right, their sum a content's
        let mut content = 0u64;
        let mut seen = 0u64;
        for entry in footer.entries() {
            content += u64::from(entry.ok_or(damaged("an entry of the index"))?.raw_len);
            seen += 1;
        }
        if seen != blocks || blocks > MAX_BLOCKS || content > MAX_CONTENT {
            return Err(damaged("the index does not add up"));
        }
        Ok(footer)
    }

    /// The blocks, in order; `None` for bytes that are no entry.
    pub fn entries(&self) -> impl Iterator<Item = Option<IndexEntry>> + '_ {
        let mut it = self.index.iter().copied();
        std::iter::from_fn(move || {
            if it.len() == 0 {
                return None;
            }
            let entry = IndexEntry::from_numbers(|| varint::read(|| it.next())).ok().flatten();
            if entry.is_none() {
                it = Default::default();
            }
            Some(entry)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_counted() {
        let entry = |raw_len, payload: &[u8]| IndexEntry::new(BlockKind::Split, raw_len, payload);
        assert_eq!(entry(300, &[0xac, 0x02, 9]).map(|e| e.records), Some(300));
        // more records than bytes, none, and no number at all
        for (raw_len, payload) in [(299, &[0xac, 0x02][..]), (5, &[0]), (5, &[]), (5, &[0x80])] {
            assert_eq!(entry(raw_len, payload), None, "{payload:?}");
        }
        assert_eq!(IndexEntry::new(BlockKind::Coded, 9, &[]).map(|e| e.records), Some(0));
        let mut footer = Footer::default();
        let split = IndexEntry::new(BlockKind::Split, 70_000, &[100, 1, 2, 3]).unwrap();
        let stored = IndexEntry::new(BlockKind::Stored, 2, &[1, 2]).unwrap();
        footer.add(&split);
        footer.add(&stored);
        let bytes = footer.to_bytes().unwrap();
        let again = Footer::parse(&bytes, 0).unwrap();
        assert_eq!(again.entries().collect::<Vec<_>>(), [Some(split), Some(stored)]);
    }
}
