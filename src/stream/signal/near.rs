//! What contexts see of the samples near the next byte: the differences that are coded.
//!
//! How large a difference is likely to be is told by those of its neighbours, in
//! magnitudes of logarithmic steps.

use super::layout::{Layout, Place, extend};
use super::regions::Region;
use crate::stream::contexts::join;

/// Contexts of signals. Each is told apart by the channel and by the bytes of the sample
/// that are known; magnitudes are [`magnitude`] or, coarse, in octaves. Outside regions each
/// is of some of the last bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `level`: the magnitude of the neighbours.
    Level,
    /// `wide`: that of more of them, and coarse that of the neighbours.
    Wide,
    /// `long`: that of all that are looked at.
    Long,
    /// `longer`: the same, and coarse that of the neighbours.
    Longer,
    /// `west`: the difference to the left, or the last of a sound.
    West,
    /// `wests`: magnitudes and signs of that and the one above, or before.
    Wests,
    /// `north`: the one above, or before the last of a sound.
    North,
    /// `corners`: magnitudes and signs of those above to both sides, coarse that to the left.
    Corners,
    /// `across`: the difference of the channel before, and coarse the neighbours.
    Across,
    /// `acrosses`: magnitudes and signs of both channels before, coarse the neighbours.
    Acrosses,
    /// `mean`: the mean of the neighbours, coarse the magnitude of more of them.
    Mean,
    /// `peak`: the greatest of the nearest, and coarse the magnitude of all.
    Peak,
    /// `signs`: signs of six neighbours, and coarse their magnitude.
    Signs,
    /// `lane`: nothing more.
    Lane,
}

impl Signal {
    /// All of them by their names.
    pub const NAMES: [(&'static str, Self); 14] = [
        ("level", Self::Level),
        ("wide", Self::Wide),
        ("long", Self::Long),
        ("longer", Self::Longer),
        ("west", Self::West),
        ("wests", Self::Wests),
        ("north", Self::North),
        ("corners", Self::Corners),
        ("across", Self::Across),
        ("acrosses", Self::Acrosses),
        ("mean", Self::Mean),
        ("peak", Self::Peak),
        ("signs", Self::Signs),
        ("lane", Self::Lane),
    ];

    /// Hash of the context, which begins with `h`; `last` are the last eight bytes. Not inlined:
    /// it would be in every kernel's loops, for content that few blocks have.
    #[inline(never)]
    pub fn hash(self, near: &Near, last: u64, h: u32) -> u32 {
        let Some(place) = near.place else {
            // one to four bytes
            let bytes = last as u32 & !0 >> (8 * (self as u32 % 4));
            return join(h, bytes);
        };
        let h = join(h, place);
        let [west, north, west_north, east_north, across, across_2] = near.around;
        let pair = |h, a, b| join(h, signed(a) << 8 | signed(b));
        match self {
            Self::Level => join(h, magnitude(near.level)),
            Self::Wide => join(h, magnitude(near.wide) << 8 | coarse(near.level)),
            Self::Long => join(h, magnitude(near.long)),
            Self::Longer => join(h, magnitude(near.long) << 8 | coarse(near.level)),
            Self::West => join(h, west as u32),
            Self::Wests => pair(h, west, north),
            Self::North => join(h, north as u32),
            Self::Corners => join(pair(h, west_north, east_north), coarse(west.unsigned_abs())),
            Self::Across => join(join(h, across as u32), coarse(near.level)),
            Self::Acrosses => join(pair(h, across, across_2), coarse(near.level)),
            Self::Mean => {
                let sum = west + north + west_north + east_north;
                join(h, signed(sum >> 1) << 8 | coarse(near.wide))
            }
            Self::Peak => {
                let peak = [west, north, across].map(i32::unsigned_abs).into_iter().max();
                join(h, magnitude(peak.unwrap_or(0)) << 8 | coarse(near.long))
            }
            Self::Signs => {
                let signs = near.around.iter().fold(0, |s, v| 3 * s + (v.signum() + 1) as u32);
                join(h, signs << 8 | coarse(near.level))
            }
            Self::Lane => h,
        }
    }
}

/// A magnitude in steps: up to eight as it is, from there four steps an octave; below 96
/// for 24 bits.
#[inline(always)]
pub fn magnitude(value: u32) -> u32 {
    if value < 8 {
        value
    } else {
        let octave = value.ilog2();
        4 * (octave - 1) + (value >> (octave - 2) & 3)
    }
}

/// A magnitude in octaves.
#[inline(always)]
fn coarse(value: u32) -> u32 {
    (value + 1).ilog2()
}

/// A magnitude with its sign.
#[inline(always)]
fn signed(value: i32) -> u32 {
    magnitude(value.unsigned_abs()) << 1 | u32::from(value < 0)
}

/// What is near the next byte.
#[derive(Clone, Copy, Debug, Default)]
pub struct Near {
    /// Number of the byte in its sample, channel, and the sample's bytes that are known;
    /// nothing outside regions.
    place: Option<u32>,
    /// Differences: to the left, above, above to both sides, and those of the two channels
    /// before; in a sound the last four in place of the first ones.
    around: [i32; 6],
    /// Sums of magnitudes.
    level: u32,
    wide: u32,
    long: u32,
}

/// Moments of a sound that [`Near::long`] sums up, and of [`Near::wide`].
const LONG: usize = 32;
const WIDE: usize = 12;

impl Near {
    /// Before the byte after `block`, which may lie in the region.
    #[inline(never)]
    pub fn new(region: Option<&Region>, block: &[u8]) -> Self {
        let next = block.len();
        let Some(region) = region.filter(|r| r.start <= next) else { return Self::default() };
        let layout = region.layout;
        let Some(place) = layout.place(next - region.start) else { return Self::default() };
        let samples = &block[region.start..];
        let lane = samples.len() - place.offset;
        let known = samples[place.offset..].iter().fold(1u32, |k, &b| k << 8 | u32::from(b));
        // of the channels before
        let across = [1, 2].map(|n| {
            if place.channel >= n {
                difference(samples, place.offset - n * layout.width, layout.width)
            } else {
                0
            }
        });
        let mut near = match layout.rows {
            Some(_) => Self::around(layout, samples, place, across),
            None => Self::before(layout, samples, place, across),
        };
        near.place = Some((known << 3 | place.channel as u32) << 2 | lane as u32);
        near
    }

    #[inline(always)]
    fn around(layout: Layout, samples: &[u8], place: Place, across: [i32; 2]) -> Self {
        let get = |up: usize, left: isize| {
            let at = layout.neighbour(place, up, left);
            at.map_or(0, |at| difference(samples, at, layout.width))
        };
        let around = [get(0, 1), get(1, 0), get(1, 1), get(1, -1), across[0], across[1]];
        let magnitudes = around.map(i32::unsigned_abs);
        let level = magnitudes[..4].iter().sum();
        let sum = |all: &[(usize, isize)]| -> u32 {
            all.iter().map(|&(up, left)| get(up, left).unsigned_abs()).sum()
        };
        let wide = level + sum(&[(0, 2), (2, 0)]) + 2 * magnitudes[4] + magnitudes[5];
        let more = [(0, 3), (0, 4), (1, 2), (1, -2), (1, 3), (1, -3), (2, 1), (2, -1)];
        let long = wide + sum(&more);
        Self { place: None, around, level, wide, long }
    }

    #[inline(always)]
    fn before(layout: Layout, samples: &[u8], place: Place, across: [i32; 2]) -> Self {
        let Place { offset, column, .. } = place;
        let step = layout.step();
        let get = |moments: usize| {
            if moments <= column {
                difference(samples, offset - moments * step, layout.width)
            } else {
                0
            }
        };
        let around = [get(1), get(2), get(3), get(4), across[0], across[1]];
        let sum = |from: usize, to: usize| -> u32 {
            (from..=to).map(|moments| get(moments).unsigned_abs()).sum()
        };
        let level = around[..4].iter().map(|v| v.unsigned_abs()).sum();
        let wide = level + sum(5, WIDE);
        let long = wide + sum(WIDE + 1, LONG);
        Self { place: None, around, level, wide: wide + 2 * around[4].unsigned_abs(), long }
    }

    /// A number below 4096 that chooses weights: byte of the sample and magnitudes; outside
    /// regions what it is given.
    #[inline(always)]
    pub fn class(&self, outside: u16) -> u16 {
        let Some(place) = self.place else { return outside };
        let step = |value: u32| (magnitude(value) / 2).min(31);
        ((place & 3) << 10 | step(self.level) << 5 | step(self.long)) as u16
    }
}

/// The difference that stands at an offset.
#[inline(always)]
fn difference(samples: &[u8], at: usize, width: usize) -> i32 {
    let value = samples[at..at + width].iter().fold(0, |v, &b| v << 8 | u32::from(b));
    extend(value, width)
}

#[cfg(test)]
mod tests {
    use super::super::layout::Rows;
    use super::*;

    #[test]
    fn steps_grow() {
        let steps: Vec<u32> = (0..1 << 12).map(magnitude).collect();
        assert!(steps.windows(2).all(|w| w[1] == w[0] || w[1] == w[0] + 1));
        assert!(magnitude(0x00ff_ffff) < 96);
        assert_eq!((signed(-3), signed(3), coarse(0), coarse(7)), (7, 6, 0, 3));
    }

    #[test]
    fn neighbours_are_those_of_a_picture() {
        let rows = Rows { used: 4, stride: 5 };
        let layout =
            Layout { width: 1, big_endian: false, channels: 2, rows: Some(rows), bilevel: false };
        let region = Region { start: 1, len: 10, layout };
        //                 row 0           row 1
        let block = [9u8, 1, 2, 3, 0xfc, 7, 5, 6, 8, 0xf5];
        let near = |n: usize| Near::new(Some(&region), &block[..n]);
        assert_eq!(near(0).place, None, "before the region");
        assert_eq!(near(5).place, None, "after the pixels of a row");
        assert_eq!(near(1).around, [0; 6]);
        assert_eq!(near(4).around, [2, 0, 0, 0, 3, 0]);
        assert_eq!(near(6).around, [0, 1, 0, 3, 0, 0]);
        assert_eq!(near(9).around, [6, -4, 2, 0, 8, 0]);
        assert_eq!(near(9).level, 12);
        assert_eq!(near(9).wide, 12 + 16);
        assert_ne!(near(9).place, near(8).place);
    }

    #[test]
    fn moments_are_those_of_a_sound() {
        let layout = Layout { width: 2, big_endian: true, channels: 2, rows: None, bilevel: false };
        let region = Region { start: 0, len: 40, layout };
        let block: Vec<u8> = [[0, 1], [0xff, 0xfe], [1, 0], [0, 4], [0, 5], [0, 6]].concat();
        let near = |n: usize| Near::new(Some(&region), &block[..n]);
        assert_eq!(near(8).around, [256, 1, 0, 0, 0, 0]);
        assert_eq!(near(10).around, [4, -2, 0, 0, 5, 0]);
        let (first, second) = (near(10), near(11));
        assert_eq!(first.around, second.around);
        assert_ne!(first.place, second.place);
        assert_eq!((first.class(7), Near::default().class(7)), (magnitude(6) as u16 / 2 * 33, 7));
    }
}
