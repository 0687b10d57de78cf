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
/// and the bits of rows and of bilevel pictures.
const ROWS: u8 = 0x40;
const BILEVEL: u8 = 0x80;

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
            let Layout { width, big_endian, channels, rows, bilevel } = region.layout;
            varint::push(payload, (region.start - end) as u64);
            varint::push(payload, region.len as u64);
            let order = if big_endian { BIG_ENDIAN } else { 0 };
            let flags = (width - 1) as u8 | order | ((channels - 1) as u8) << CHANNELS;
            let rows_flag = if rows.is_some() { ROWS } else { 0 };
            payload.push(flags | rows_flag | if bilevel { BILEVEL } else { 0 });
            if let Some(Rows { used, stride }) = rows {
                varint::push(payload, used as u64);
                varint::push(payload, (stride - used) as u64);
            }
            end = region.end();
        }
    }

    /// Takes the list of a block of `raw_len` bytes off the beginning of `rest`; all of them are
    /// bilevel pictures, or none.
    pub fn take_from(rest: &mut &[u8], raw_len: usize, bilevel: bool) -> Result<Self, CodecError> {
        const WRONG: CodecError = CodecError::Form("its list of samples is wrong");
        let number = |rest: &mut &[u8], most: usize| {
            let value = varint::read(&mut || rest.split_off_first().copied()).map_err(|_| WRONG)?;
            usize::try_from(value).ok().filter(|&v| v <= most).ok_or(WRONG)
        };
        // a region has at least a byte
        let count = number(rest, raw_len.min(MOST))?;
        let mut regions = Vec::new();
        let mut end = 0;
        for _ in 0..count {
            let start = end + number(rest, raw_len - end)?;
            let len = number(rest, raw_len - start)?;
            let flags = *rest.split_off_first().ok_or(WRONG)?;
            let rows = if flags & ROWS != 0 {
                let used = number(rest, raw_len)?;
                Some(Rows { used, stride: used + number(rest, raw_len)? })
            } else {
                None
            };
            let layout = Layout {
                width: usize::from(flags % BIG_ENDIAN) + 1,
                big_endian: flags & BIG_ENDIAN != 0,
                channels: usize::from(flags >> CHANNELS) % MAX_CHANNELS + 1,
                rows,
                bilevel: flags & BILEVEL != 0,
            };
            if len == 0
                || layout.bilevel != bilevel
                || layout.width > MAX_WIDTH
                || !layout.is_valid(len)
            {
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

    fn layout(bilevel: bool) -> BoxedStrategy<Layout> {
        if bilevel {
            return (1..50usize).prop_map(Layout::bilevel).boxed();
        }
        let rows = (1..50usize, 0..5usize);
        let numbers = (1..=MAX_WIDTH, any::<bool>(), 1..=MAX_CHANNELS, proptest::option::of(rows));
        let layout = move |(width, big_endian, channels, rows): (_, _, _, Option<_>)| Layout {
            width,
            big_endian,
            channels,
            rows: rows.map(|(pixels, more)| {
                let used = pixels * width * channels;
                Rows { used, stride: used + more }
            }),
            bilevel,
        };
        numbers.prop_map(layout).boxed()
    }

    proptest! {
        #[test]
        fn lists_come_back(
            (bilevel, parts) in any::<bool>().prop_flat_map(|bilevel| {
                let part = (0..300usize, 1..40usize, layout(bilevel));
                (Just(bilevel), proptest::collection::vec(part, 0..6))
            }),
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
            prop_assert_eq!(&Regions::take_from(&mut rest, raw_len, bilevel).unwrap(), &regions);
            prop_assert_eq!(rest, &[7]);
            for cut in 0..payload.len() - 1 {
                prop_assert!(Regions::take_from(&mut &payload[..cut], raw_len, bilevel).is_err());
            }
            if end > 0 {
                prop_assert!(Regions::take_from(&mut &payload[..], end - 1, bilevel).is_err());
                prop_assert!(Regions::take_from(&mut &payload[..], raw_len, !bilevel).is_err());
            }
        }

        #[test]
        fn any_bytes_are_a_list_or_an_error(
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            raw_len in 0..500usize,
            bilevel in any::<bool>(),
        ) {
            if let Ok(regions) = Regions::take_from(&mut &bytes[..], raw_len, bilevel) {
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
