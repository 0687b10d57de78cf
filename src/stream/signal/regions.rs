//! Where the samples of a block are, and how the payload says so.

use std::ops::Deref;
use std::sync::Arc;

use super::layout::{Layout, MAX_CHANNELS, MAX_WIDTH, Rows};
use crate::codec::CodecError;
use crate::container::varint;

/// A run of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Offset of its first byte.
    pub start: usize,
    /// Its bytes.
    pub len: usize,
    /// How they lie.
    pub layout: Layout,
}

impl Region {
    /// The offset after its last byte.
    pub fn end(&self) -> usize {
        self.start.saturating_add(self.len)
    }
}

/// The regions of a block, in order, none empty and none over another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regions(Arc<[Region]>);

impl Deref for Regions {
    type Target = [Region];

    fn deref(&self) -> &[Region] {
        &self.0
    }
}

impl FromIterator<Region> for Regions {
    fn from_iter<I: IntoIterator<Item = Region>>(regions: I) -> Self {
        Self(regions.into_iter().collect())
    }
}

/// Regions of a block, at most.
pub const MOST: usize = 1 << 16;

/// The bit of big-endian samples in a layout's byte, below it the width less one,
const BIG_ENDIAN: u8 = 4;
/// above it the channels less one,
const CHANNELS: u32 = 3;
/// and the bit of rows.
const ROWS: u8 = 0x40;

impl Regions {
    /// Bytes in regions.
    pub fn size(&self) -> usize {
        self.iter().map(|r| r.len).sum()
    }

    /// The same ones, so many bytes further on.
    pub fn shifted(&self, by: usize) -> Self {
        self.iter().map(|r| Region { start: r.start + by, ..*r }).collect()
    }

    /// Appends the list to a payload.
    pub fn push_to(&self, payload: &mut Vec<u8>) {
        varint::push(payload, self.len() as u64);
        let mut end = 0;
        for region in self.iter() {
            let Layout { width, big_endian, channels, rows } = region.layout;
            varint::push(payload, (region.start - end) as u64);
            varint::push(payload, region.len as u64);
            let order = if big_endian { BIG_ENDIAN } else { 0 };
            let flags = (width - 1) as u8 | order | ((channels - 1) as u8) << CHANNELS;
            payload.push(flags | if rows.is_some() { ROWS } else { 0 });
            if let Some(Rows { used, stride }) = rows {
                varint::push(payload, used as u64);
                varint::push(payload, (stride - used) as u64);
            }
            end = region.end();
        }
    }

    /// Takes the list of a block of `raw_len` bytes off the beginning of `rest`.
    pub fn take_from(rest: &mut &[u8], raw_len: usize) -> Result<Self, CodecError> {
        const WRONG: CodecError = CodecError::Payload("its list of samples is wrong");
        let mut byte = || rest.split_off_first().copied();
        let mut number = |most: usize| {
            let value = varint::read(&mut byte).map_err(|_| WRONG)?;
            usize::try_from(value).ok().filter(|&v| v <= most).ok_or(WRONG)
        };
        // a region has at least a byte
        let count = number(raw_len.min(MOST))?;
        let mut regions = Vec::new();
        let mut end = 0;
        for _ in 0..count {
            let start = end + number(raw_len - end)?;
            let len = number(raw_len - start)?;
            let flags = number(usize::from(u8::MAX))? as u8;
            let rows = if flags & ROWS != 0 {
                let used = number(raw_len)?;
                Some(Rows { used, stride: used + number(raw_len)? })
            } else {
                None
            };
            let layout = Layout {
                width: usize::from(flags % BIG_ENDIAN) + 1,
                big_endian: flags & BIG_ENDIAN != 0,
                channels: usize::from(flags >> CHANNELS) % MAX_CHANNELS + 1,
                rows,
            };
            if len == 0 || flags >= 2 * ROWS || layout.width > MAX_WIDTH || !layout.is_valid(len) {
                return Err(WRONG);
            }
            regions.push(Region { start, len, layout });
            end = start + len;
        }
        Ok(Self(regions.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layout() -> impl Strategy<Value = Layout> {
        let rows = (1..50usize, 0..5usize);
        (1..=MAX_WIDTH, any::<bool>(), 1..=MAX_CHANNELS, proptest::option::of(rows)).prop_map(
            |(width, big_endian, channels, rows)| Layout {
                width,
                big_endian,
                channels,
                rows: rows.map(|(pixels, more)| {
                    let used = pixels * width * channels;
                    Rows { used, stride: used + more }
                }),
            },
        )
    }

    proptest! {
        #[test]
        fn lists_come_back(
            parts in proptest::collection::vec((0..300usize, 1..40usize, layout()), 0..6),
        ) {
            let mut end = 0;
            let regions: Regions = parts
                .into_iter()
                .map(|(gap, units, layout)| {
                    let len = units * layout.rows.map_or(layout.width, |r| r.stride);
                    let region = Region { start: end + gap, len, layout };
                    end = region.end();
                    region
                })
                .collect();
            let mut payload = Vec::new();
            regions.push_to(&mut payload);
            payload.push(7);
            // no layout is wider than the block
            let raw_len = end + 1300;
            let mut rest = &payload[..];
            prop_assert_eq!(&Regions::take_from(&mut rest, raw_len).unwrap(), &regions);
            prop_assert_eq!(rest, &[7]);
            for cut in 0..payload.len() - 1 {
                prop_assert!(Regions::take_from(&mut &payload[..cut], raw_len).is_err());
            }
            if end > 0 {
                prop_assert!(Regions::take_from(&mut &payload[..], end - 1).is_err());
            }
        }

        #[test]
        fn any_bytes_are_a_list_or_an_error(
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            raw_len in 0..500usize,
        ) {
            if let Ok(regions) = Regions::take_from(&mut &bytes[..], raw_len) {
                let mut end = 0;
                for region in regions.iter() {
                    prop_assert!(region.start >= end && region.layout.is_valid(region.len));
                    end = region.end();
                }
                prop_assert!(end <= raw_len);
            }
        }
    }
}
