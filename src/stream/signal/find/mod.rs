//! Samples found by the headers of the formats that hold them as they are.

pub mod bare;
mod bmp;
mod pnm;
mod sound;
mod tiff;

use byteorder::{BigEndian, ByteOrder, LittleEndian};

use super::layout::{Layout, Rows};
use super::regions::{MOST, Region, Regions};

/// Shorter regions are not worth it.
const SHORTEST: usize = 1024;
/// Rows have at most so many bytes.
const MAX_ROW: usize = 1 << 20;
/// Regions begin before so many bytes, and are as long at most: the same on any machine, and
/// no sum of two leaves 32 bits.
const FARTHEST: u64 = (1 << 31) - 1;

/// The regions that some bytes have headers of, in order.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// With the offset of its header, which may be anywhere before what comes after it.
    all: Vec<(usize, Region)>,
}

impl Found {
    /// Those within the first `len` bytes, as far as they are.
    pub fn within(&self, len: usize) -> Regions {
        self.all.iter().filter_map(|(_, region)| region.within(len)).collect()
    }

    /// The region that goes on after the first `len` bytes, or begins there though its header is
    /// among them, if there is one: its start counts from there.
    pub fn after(&self, len: usize) -> Option<Region> {
        let mut begun = self.all.iter().take_while(|&&(head, _)| head < len);
        begun.find(|(_, region)| region.end() > len).and_then(|(_, region)| region.after(len))
    }
}

/// Looks for samples wherever there is a header, and at the beginning if a region goes on there
/// that began before.
pub fn find(bytes: &[u8], mut begun: Option<Region>) -> Found {
    let mut all = Vec::new();
    let mut at = 0;
    // what headers may make us look at, however many hostile bytes have
    let mut work = bytes.len();
    while begun.is_some() || at + 16 <= bytes.len() && all.len() < MOST {
        let rest = &bytes[at..];
        let found = begun.take().or_else(|| match rest[0] {
            b'R' | b'F' => sound::find(rest),
            b'B' => bmp::find(rest),
            b'P' => pnm::find(rest),
            b'I' | b'M' => tiff::find(rest, &mut work),
            _ => None,
        });
        let Some(region) = found.filter(|r| r.len >= SHORTEST) else {
            at += 1;
            continue;
        };
        all.push((at, Region { start: at + region.start, ..region }));
        if region.end() > rest.len() {
            break;
        }
        at += region.end();
    }
    Found { all }
}

impl Region {
    /// What of it lies in so many bytes, in whole rows, if that is enough.
    fn within(mut self, len: usize) -> Option<Self> {
        self.len = self.len.min(len.checked_sub(self.start)?);
        self.len -= self.len % self.layout.unit();
        (self.len >= SHORTEST && self.layout.is_valid(self.len)).then_some(self)
    }

    /// What of it comes after so many bytes, from the next whole row on.
    fn after(self, len: usize) -> Option<Self> {
        let passed = len.saturating_sub(self.start).next_multiple_of(self.layout.unit());
        let start = (self.start + passed).checked_sub(len)?;
        let len = self.len.checked_sub(passed)?;
        (len >= SHORTEST).then_some(Self { start, len, ..self })
    }
}

/// A region as a header describes it, which may be false or cut.
fn region(start: usize, len: u64, layout: Layout) -> Option<Region> {
    let len = len.min(FARTHEST) as usize;
    (start as u64 <= FARTHEST).then_some(Region { start, len, layout })
}

/// A bilevel picture likewise.
fn bilevel(
    start: usize,
    (columns, rows): (usize, usize),
    stride: impl Fn(usize) -> usize,
) -> Option<Region> {
    // all bytes of a row are pixels
    picture(start, (stride(columns.div_ceil(8)), rows), Layout::bilevel(0), |used| used)
}

/// A picture of so many rows at `start`, of bytes from row to row.
fn picture(
    start: usize,
    (columns, rows): (usize, usize),
    layout: Layout,
    stride: impl Fn(usize) -> usize,
) -> Option<Region> {
    let used = columns.checked_mul(layout.step()).filter(|&used| (1..=MAX_ROW).contains(&used))?;
    let stride = stride(used);
    let layout = Layout { rows: Some(Rows { used, stride }), ..layout };
    region(start, (rows as u64).saturating_mul(stride as u64), layout)
}

/// The order of bytes in a header's numbers.
#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, data: &[u8], at: usize) -> Option<usize> {
        let bytes = data.get(at..)?.first_chunk::<2>()?;
        Some(match self {
            Self::Little => LittleEndian::read_u16(bytes).into(),
            Self::Big => BigEndian::read_u16(bytes).into(),
        })
    }

    fn u32(self, data: &[u8], at: usize) -> Option<usize> {
        let bytes = data.get(at..)?.first_chunk::<4>()?;
        usize::try_from(match self {
            Self::Little => LittleEndian::read_u32(bytes),
            Self::Big => BigEndian::read_u32(bytes),
        })
        .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_and_lengths_are_the_same_on_any_machine() {
        let layout =
            Layout { width: 1, big_endian: false, channels: 3, rows: None, bilevel: false };
        let far = FARTHEST as usize;
        assert_eq!(region(far + 1, 5, layout), None);
        assert_eq!(region(far, u64::MAX, layout).map(|r| (r.start, r.len)), Some((far, far)));
        let tall = picture(far, (100, u32::MAX as usize), layout, |used| used).unwrap();
        assert_eq!(tall.len, far);
        // the sum of both fits 32 bits
        assert!(u32::try_from(tall.end()).is_ok());
        assert_eq!(tall.within(1 << 24), None);
    }

    #[test]
    fn several_are_found_among_other_bytes() {
        let mut block = b"P5 is no picture, RIFF no sound, BM nothing, II*\0 neither. ".to_vec();
        let mut want = Vec::new();
        for rows in [40, 20, 60] {
            block.extend(format!("P5\n# grey\n64 {rows} 255\n").bytes());
            want.push((block.len(), 64 * rows));
            block.extend(vec![7; 64 * rows]);
            block.extend(b"between");
        }
        let found = find(&block, None).within(block.len());
        assert_eq!(found.iter().map(|r| (r.start, r.len)).collect::<Vec<_>>(), want);
        // the last picture is cut short in its last row
        let cut = block.len() - 7 - 10;
        assert_eq!(find(&block[..cut], None).within(cut)[2].len, 64 * 59);
        let none = |block: &[u8]| find(block, None).within(block.len()).is_empty();
        assert!(none(&block[..50]) && none(&[]));
    }

    /// A file cut into blocks has its samples in all of them.
    #[test]
    fn regions_go_on_in_the_next_block() {
        for (file, unit) in
            [(sound::tests::wav(2, 24, 30_000), 6), (bmp::tests::bmp(333, 30, 24), 1000)]
        {
            for size in [1, 7, 2500, 9001] {
                let mut file = file.clone();
                file.extend(b"the end");
                let (mut begun, mut covered, mut end) = (None, 0, 0);
                for block in file.chunks(size) {
                    let found = find(block, begun);
                    for region in found.within(block.len()).iter() {
                        assert!(region.end() <= block.len() && region.len % unit == 0);
                        let start = end + region.start;
                        assert_eq!((file.len() - 7 - start) % unit, 0, "whole rows");
                        covered += region.len;
                    }
                    begun = found.after(block.len());
                    end += block.len();
                }
                // a header must lie in one block; of a row that does not, two parts are lost
                let cuts = file.len() / size + 1;
                let lost = if size > 1000 { 2 * unit * cuts + SHORTEST } else { 30_000 };
                assert!(covered + lost >= 30_000, "{covered} of blocks of {size}");
                assert_eq!(begun, None);
            }
        }
    }

    /// Wherever some bytes are cut, what is found before and behind is within, and nothing is
    /// lost but parts of rows.
    #[test]
    fn regions_are_cut_anywhere() {
        let file = [&b"words first "[..], &bmp::tests::bmp(333, 30, 24), &[9; 5000]].concat();
        let whole = find(&file, None);
        let (size, unit) = (whole.within(file.len()).size(), 1000);
        for cut in 1..file.len() {
            let before = whole.within(cut);
            let after = find(&file[cut..], whole.after(cut)).within(file.len() - cut);
            assert!(before.iter().all(|region| region.end() <= cut));
            assert!(after.iter().all(|region| region.end() <= file.len() - cut));
            let covered = before.size() + after.size();
            // a header that is cut itself is none
            let is_header = (12..66).contains(&cut);
            assert!(is_header || covered <= size && covered + 2 * unit + SHORTEST > size, "{cut}");
        }
    }

    proptest! {
        /// Nothing that a header says can lead out of the block.
        #[test]
        fn damaged_headers_are_harmless(
            kind in 0..6usize,
            changes in proptest::collection::vec((0..200usize, any::<u8>()), 0..6),
        ) {
            let mut block = match kind {
                0 => b"P6 30 40 65535\n".to_vec(),
                1 => sound::tests::wav(2, 16, 4000),
                2 => sound::tests::aiff(1, 24, 3000),
                3 => bmp::tests::bmp(33, 40, 24),
                4 => tiff::tests::tiff(Order::Little, 40, 30, 8),
                _ => tiff::tests::tiff(Order::Big, 40, 30, 16),
            };
            block.resize(block.len().max(8000), 0);
            for (at, byte) in changes {
                block[at] = byte;
            }
            let mut end = 0;
            for region in find(&block, None).within(block.len()).iter() {
                prop_assert!(region.start >= end && region.layout.is_valid(region.len));
                end = region.end();
            }
            prop_assert!(end <= block.len());
        }
    }
}
