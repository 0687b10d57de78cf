//! The blocks of an input that is compressed: their bytes, and what the codec knows of them.

use std::io::Read;

use super::block_size::{block_size, most, whole_units};
use super::cut::Cut;
use crate::codec::BlockCodec;
use crate::container::limits::RECORDS_BLOCK;
use crate::error::Error;
use crate::split::Split;
use crate::stream::coding::Level;
use crate::stream::signal::regions::{Region, Regions};

/// A block that is to be coded.
pub(super) struct Next {
    /// How many are before it.
    pub number: u64,
    /// Its content, never empty.
    pub raw: Vec<u8>,
    /// Where it has samples.
    pub regions: Regions,
}

/// Gives one block after the other.
pub(super) struct Blocks<'a, R> {
    cut: Cut<R>,
    codec: &'a dyn BlockCodec,
    level: Level,
    /// Most bytes of a block.
    limit: u32,
    /// Whether the limit is all there is to know.
    is_fixed: bool,
    /// Bytes of the blocks of the present content, once they are known.
    size: Option<usize>,
    /// Bytes that are left of the input, if that is known.
    left: Option<u64>,
    /// Samples that go on in the next block.
    begun: Option<Region>,
    number: u64,
    is_cut: bool,
}

impl<'a, R: Read> Blocks<'a, R> {
    /// Of an input of known size or not. Blocks have a fixed size, or one that goes by level and
    /// size, and end where the codec cuts; with a rule they are whole records.
    pub fn new(
        input: R,
        codec: &'a dyn BlockCodec,
        level: Level,
        fixed: Option<u32>,
        content_size: Option<u64>,
        rule: Option<Split>,
    ) -> Self {
        let limit = whole_units(fixed.unwrap_or(most(level)), codec.block_unit());
        Self {
            cut: Cut::new(input, limit, rule.map(|rule| (rule, RECORDS_BLOCK))),
            codec,
            level,
            limit,
            is_fixed: fixed.is_some(),
            size: None,
            left: content_size,
            begun: None,
            number: 0,
            is_cut: false,
        }
    }

    /// Most bytes of a block.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Bytes of a block, as far as is known: others may be cut shorter.
    pub fn size(&self) -> u64 {
        self.size.unwrap_or(self.limit as usize) as u64
    }

    /// Whether there are known to be no more.
    pub fn are_over(&self) -> bool {
        self.cut.is_ended()
    }

    /// Whether all of the input is here, cut where its content changes: a few blocks, which may
    /// be of very different sizes.
    pub fn are_few(&self) -> bool {
        self.is_cut && self.cut.is_read()
    }

    /// The next block, if there is one.
    pub fn next(&mut self) -> Result<Option<Next>, Error> {
        let Self { codec, level, begun, size, .. } = self;
        let (mut regions, mut cuts) = (Regions::default(), false);
        let raw = self.cut.next(|bytes| {
            let mut next = codec.next_block(bytes, *begun, (!self.is_fixed).then_some(*level));
            cuts = next.len < bytes.len();
            if !self.is_fixed {
                let content = if cuts { Some(next.len as u64) } else { self.left };
                let unit = codec.block_unit();
                let equal = *size.get_or_insert_with(|| block_size(*level, content, unit) as usize);
                if equal < next.len {
                    next = codec.next_block(&bytes[..equal], *begun, None);
                } else if cuts {
                    *size = None;
                }
            }
            (regions, *begun) = (next.regions, next.goes_on);
            next.len
        })?;
        self.is_cut |= cuts;
        self.left = self.left.map(|left| left.saturating_sub(raw.len() as u64));
        self.number += 1;
        Ok((!raw.is_empty()).then(|| Next { number: self.number - 1, raw, regions }))
    }
}
