//! What contexts see of the pixels near the next bits of a bilevel picture.
//!
//! Contexts are templates: pixels to the left, and of the rows above those from some way to
//! the left of the next four bits to as far to the right of them. The same pixels give the
//! same hash at either half of a byte.

use super::regions::Region;
use crate::made::file::decimal;
use crate::stream::contexts::join;

/// Rows above that a template may have.
const ROWS: usize = 7;
/// Pixels to either side of the next four, at most.
const REACH: u8 = 8;
/// Pixels to the left, at most.
const LEFT: u8 = 32;

/// A context of bilevel pictures, `p` and numbers with dots between: how many pixels to the
/// left it sees, and for each row above, the nearest first, how far it reaches to both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    left: u8,
    rows: u8,
    reach: [u8; ROWS],
}

impl Template {
    /// The template of these numbers, if it is one.
    pub fn parse(numbers: &str) -> Option<Self> {
        let mut numbers = numbers.split('.');
        let mut next = |most: u8| {
            let number = numbers.next()?;
            Some(decimal(number).filter(|n| number.len() <= 2 && *n <= most))
        };
        let left = next(LEFT)??;
        let (mut rows, mut reach) = (0, [0; ROWS]);
        while let Some(number) = next(REACH) {
            *reach.get_mut(rows)? = number?;
            rows += 1;
        }
        Some(Self { left, rows: rows as u8, reach })
    }
}

/// The pixels near the next byte.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pixels {
    /// Whether it lies in a region.
    inside: bool,
    /// Of each row above, the nearest first: the byte above with the ones to its left and
    /// right, in 24 bits.
    above: [u32; ROWS],
}

/// Pixels of bytes before, then those of the next byte that are known, after a leading one.
#[inline(always)]
fn left(last: u64, partial: u32) -> u64 {
    let known = partial.max(1).ilog2();
    last << known | u64::from(partial ^ 1 << known)
}

impl Pixels {
    /// Before the byte after `block`, which may lie in the region.
    #[inline(never)]
    pub fn new(region: Option<&Region>, block: &[u8]) -> Self {
        let next = block.len();
        let region = region.filter(|r| r.start <= next && r.layout.bilevel);
        let Some(Region { start, layout, .. }) = region else { return Self::default() };
        let (pixels, stride) = (&block[*start..], layout.unit());
        let above = std::array::from_fn(|row| {
            // in 32 bits: a row is no longer than a block, of 2^28 bytes at most
            let left = (row + 1) * stride + 1;
            let byte = |i: usize| pixels.get((pixels.len() + i).checked_sub(left)?);
            (0..3).fold(0, |bits, i| bits << 8 | byte(i).map_or(0, |&byte| u32::from(byte)))
        });
        Self { inside: true, above }
    }

    /// The hash of a template, which begins with `h`, for the next four bits, given those of
    /// the byte that are known (after a leading one): none of them or four. Outside regions,
    /// at a byte's beginning, it is of one last byte a row, of four at most.
    #[inline(never)]
    pub fn hash(&self, template: Template, last: u64, partial: u32, h: u32) -> u32 {
        if !self.inside {
            let bytes = u64::from(template.rows.min(4));
            return join(h, (last & ((1 << (8 * bytes)) - 1)) as u32);
        }
        let pixels = left(last, partial) & ((1 << template.left) - 1);
        let known = partial.max(1).ilog2();
        let rows = self.above.iter().zip(template.reach).take(template.rows.into());
        rows.fold(join(h, pixels as u32), |h, (above, reach)| {
            let (reach, width) = (u32::from(reach), 4 + 2 * u32::from(reach));
            join(h, above >> (12 - known - reach) & ((1 << width) - 1))
        })
    }

    /// Whether the next byte lies in a region.
    #[inline(always)]
    pub fn are_here(&self) -> bool {
        self.inside
    }

    /// So many pixels of a row above (0 the nearest) from `left` pixels before the next bit on.
    #[inline(always)]
    fn row(&self, row: usize, partial: u32, left: u32, count: u32) -> u32 {
        let known = partial.max(1).ilog2();
        self.above[row] >> (16 + left - known - count) & ((1 << count) - 1)
    }

    /// What stands for the two bytes before in choosing weights and APMs of the next bit:
    /// pixels of the row above, and of the one above that and to the left.
    #[inline(always)]
    pub fn bytes(&self, last: u64, partial: u32) -> [u8; 2] {
        let left = left(last, partial) as u32 & 7;
        [self.row(0, partial, 3, 8) as u8, (self.row(1, partial, 2, 5) << 3 | left) as u8]
    }

    /// A number below 4096 that chooses weights: twelve pixels around.
    #[inline(always)]
    pub fn class(&self, last: u64, partial: u32) -> u16 {
        let left = left(last, partial) as u32 & 15;
        (left << 8 | self.row(0, partial, 2, 5) << 3 | self.row(1, partial, 1, 3)) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::Layout;
    use super::*;

    fn template(numbers: &str) -> Template {
        Template::parse(numbers).unwrap()
    }

    #[test]
    fn templates_parse() {
        let rows = |n: &str| template(n).rows;
        assert_eq!([rows("4"), rows("0.8"), rows("32.0.1.2.3.4.5.6")], [0, 1, 7]);
        for bad in ["", "33", "4.9", "4.", ".4", "+4", "4.1.1.1.1.1.1.1.1", "a", "004"] {
            assert_eq!(Template::parse(bad), None, "{bad}");
        }
    }

    /// Every pixel of a picture is seen where it is, and no other.
    #[test]
    fn templates_see_their_pixels() {
        let stride = 5;
        let region = Region { start: 3, len: 9 * stride, layout: Layout::bilevel(stride) };
        let white = vec![0; 3 + 8 * stride + 2];
        let hash = |block: &[u8], partial: u32, numbers: &str| {
            let last = block.iter().fold(0, |last: u64, &b| last << 8 | u64::from(b));
            Pixels::new(Some(&region), block).hash(template(numbers), last, partial, 1)
        };
        for (partial, column) in [(1, 16), (16, 20)] {
            for (numbers, left, reach) in [
                ("3.2", 3, &[2][..]),
                ("0.8.0", 0, &[8, 0]),
                ("9.1.2.3.4.5.6.7", 9, &[1, 2, 3, 4, 5, 6, 7]),
            ] {
                let base = hash(&white, partial, numbers);
                for row in 0..9usize {
                    for x in 0..if row == 8 { column.min(16) } else { 40 } {
                        let mut block = white.clone();
                        block[3 + row * stride + x / 8] |= 0x80 >> (x % 8);
                        let seen = match 8 - row {
                            0 => x + left >= column,
                            up => reach.get(up - 1).is_some_and(|reach| {
                                (column - reach..column + 4 + reach).contains(&x)
                            }),
                        };
                        let is_other = hash(&block, partial, numbers) != base;
                        assert_eq!(is_other, seen, "{numbers} {partial} row {row} {x}");
                    }
                }
            }
        }
        // both halves of a byte share what is the same
        assert_eq!(hash(&white, 1, "3.2"), hash(&white, 16, "3.2"));
        assert_ne!(hash(&white, 16, "3.2"), hash(&white, 17, "3.2"));
    }

    #[test]
    fn bits_have_pixels_around_them() {
        let stride = 4;
        let region = Region { start: 0, len: 9 * stride, layout: Layout::bilevel(stride) };
        // two rows above, one row above, two bytes of this one
        let block = [0, 0x01, 0x80, 0, 0, 0xc0, 0x80, 1, 0x0f, 0];
        let pixels = Pixels::new(Some(&region), &block);
        let last = 0x0f00;
        // at column 16: above from 13 on, and above that from 14 on
        assert_eq!(pixels.bytes(last, 1), [0b00010000, 0b01100 << 3]);
        // at column 19, after 101
        assert_eq!(pixels.bytes(last, 0b1101), [0b1000_0000, 0b101]);
        assert_eq!(pixels.class(last, 0b1101), 0b0101 << 8);
        assert_eq!(pixels.class(last, 1), 1 << 3 << 2 | 0b110);
        assert!(!Pixels::new(Some(&region), &[]).above.iter().any(|&a| a != 0));
    }
}
