//! How samples lie in memory.

/// Most bytes of a sample.
pub const MAX_WIDTH: usize = 3;
/// Most channels.
pub const MAX_CHANNELS: usize = 8;

/// How the samples of a region lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of a sample, 1..=[`MAX_WIDTH`].
    pub width: usize,
    /// Whether the most significant byte comes first.
    pub big_endian: bool,
    /// Samples that belong together, 1..=[`MAX_CHANNELS`]: channels of a sound, colours of
    /// a pixel.
    pub channels: usize,
    /// The rows of a picture; a sound has none.
    pub rows: Option<Rows>,
    /// Whether each byte is eight pixels of one bit, the most significant the first: a picture
    /// then, of one channel and one byte, whose rows have no other bytes.
    pub bilevel: bool,
}

/// Rows of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Bytes of a row that are pixels, whole ones,
    pub used: usize,
    /// and bytes from one row to the next.
    pub stride: usize,
}

/// A sample's place in its region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Bytes from the region's start.
    pub offset: usize,
    /// Its channel.
    pub channel: usize,
    /// The number of its pixel in the row, of its moment in a sound,
    pub column: usize,
    /// and of the row.
    pub row: usize,
}

impl Layout {
    /// That of a bilevel picture of so many bytes a row.
    pub fn bilevel(stride: usize) -> Self {
        let rows = Some(Rows { used: stride, stride });
        Self { width: 1, big_endian: false, channels: 1, rows, bilevel: true }
    }

    /// Bytes of the samples that belong together.
    pub fn step(&self) -> usize {
        self.width * self.channels
    }

    /// Bytes of a row, or of a sound's moment.
    pub fn unit(&self) -> usize {
        self.rows.map_or(self.step(), |rows| rows.stride)
    }

    /// The offset of the same channel's sample so many rows up and columns to the left of a
    /// place, in a picture; none if the row has no such column or there is no such row.
    #[inline(always)]
    pub fn neighbour(&self, place: Place, up: usize, left: isize) -> Option<usize> {
        let Rows { used, stride } = self.rows?;
        let step = self.step();
        let there = place.column.checked_add_signed(-left).filter(|&c| c < used / step)?;
        (place.row >= up).then(|| place.offset + there * step - place.column * step - up * stride)
    }

    /// Whether the numbers are what they may be, for a region of `len` bytes.
    pub fn is_valid(&self, len: usize) -> bool {
        let Self { width, channels, rows, bilevel, .. } = *self;
        if bilevel && rows.is_none_or(|rows| *self != Self::bilevel(rows.stride)) {
            return false;
        }
        let whole = match rows {
            None => len,
            Some(Rows { used, stride }) => {
                if used == 0 || used > stride || !used.is_multiple_of(self.step().max(1)) {
                    return false;
                }
                (len % stride).min(used)
            }
        };
        (1..=MAX_WIDTH).contains(&width)
            && (1..=MAX_CHANNELS).contains(&channels)
            && whole.is_multiple_of(width)
    }

    /// The sample that the byte at an offset is a part of, unless it is none.
    #[inline(always)]
    pub fn place(&self, offset: usize) -> Option<Place> {
        let step = self.step();
        let (row, inside) = match self.rows {
            None => (0, offset),
            Some(Rows { used, stride }) => {
                let inside = offset % stride;
                if inside >= used {
                    return None;
                }
                (offset / stride, inside)
            }
        };
        let lane = inside % self.width;
        let channel = inside % step / self.width;
        Some(Place { offset: offset - lane, channel, column: inside / step, row })
    }

    /// The places of the samples of a region of `len` bytes, in order.
    pub fn places(self, len: usize) -> impl Iterator<Item = Place> {
        let Rows { used, stride } = self.rows.unwrap_or(Rows { used: len, stride: len.max(1) });
        let row = move |row: usize| {
            let start = row * stride;
            let used = used.min(len - start);
            (0..used / self.width).map(move |i| Place {
                offset: start + i * self.width,
                channel: i % self.channels,
                column: i / self.channels,
                row,
            })
        };
        (0..len.div_ceil(stride)).flat_map(row)
    }

    /// Whether samples are two's complement numbers: those of sounds of more than a byte.
    pub fn is_signed(&self) -> bool {
        self.rows.is_none() && self.width > 1
    }

    /// The least and the greatest sample.
    pub fn range(&self) -> (i32, i32) {
        let all = 1i32 << (8 * self.width);
        if self.is_signed() { (-all / 2, all / 2 - 1) } else { (0, all - 1) }
    }

    /// The sample that these bytes are.
    #[inline(always)]
    pub fn get(&self, bytes: &[u8]) -> i32 {
        let join = |value: u32, &byte: &u8| value << 8 | u32::from(byte);
        let bytes = &bytes[..self.width];
        let value = if self.big_endian {
            bytes.iter().fold(0, join)
        } else {
            bytes.iter().rev().fold(0, join)
        };
        if self.is_signed() { extend(value, self.width) } else { value as i32 }
    }

    /// Writes a sample, of which only as many low bits count.
    #[inline(always)]
    pub fn put(&self, bytes: &mut [u8], value: i32) {
        let bytes = &mut bytes[..self.width];
        for (i, byte) in bytes.iter_mut().enumerate() {
            let place = if self.big_endian { self.width - 1 - i } else { i };
            *byte = (value >> (8 * place)) as u8;
        }
    }
}

/// A two's complement number of so many bytes.
#[inline(always)]
pub fn extend(value: u32, width: usize) -> i32 {
    let unused = 32 - 8 * width as u32;
    (value << unused) as i32 >> unused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_bytes() {
        let picture = Layout {
            width: 2,
            big_endian: false,
            channels: 3,
            rows: Some(Rows { used: 12, stride: 15 }),
            bilevel: false,
        };
        let sound = Layout { rows: None, ..picture };
        for (layout, len) in [(picture, 15 * 3 + 8), (picture, 45), (sound, 24), (sound, 0)] {
            assert!(layout.is_valid(len));
            let all: Vec<Place> = layout.places(len).collect();
            let mut found = Vec::new();
            for offset in 0..len {
                let place = layout.place(offset);
                assert!(place.is_none_or(|p| (p.offset..p.offset + 2).contains(&offset)));
                found.extend(place.filter(|p| p.offset == offset));
            }
            assert_eq!(all, found);
        }
        assert_eq!(picture.place(13), None);
        assert_eq!(picture.place(21).map(|p| (p.channel, p.column, p.row)), Some((0, 1, 1)));
        assert!(!picture.is_valid(46) && !sound.is_valid(7));
        let odd = |rows| Layout { rows: Some(rows), ..picture }.is_valid(30);
        assert!(!odd(Rows { used: 13, stride: 15 }) && !odd(Rows { used: 18, stride: 15 }));
        assert!(!odd(Rows { used: 0, stride: 0 }));
        assert!(!Layout { width: 0, ..sound }.is_valid(6));
        assert!(!Layout { channels: 9, ..sound }.is_valid(6));
        assert!(Layout::bilevel(4).is_valid(8) && Layout::bilevel(4).is_valid(7));
        assert!(!Layout::bilevel(0).is_valid(8) && !Layout { bilevel: true, ..sound }.is_valid(6));
        assert!(!Layout { channels: 2, ..Layout::bilevel(4) }.is_valid(8));
    }

    #[test]
    fn samples_come_back() {
        for (width, big_endian) in [(1, false), (2, false), (2, true), (3, false), (3, true)] {
            for rows in [None, Some(Rows { used: 6, stride: 6 })] {
                let layout = Layout { width, big_endian, channels: 1, rows, bilevel: false };
                let (low, high) = layout.range();
                for value in [low, low + 1, 0, 5, high] {
                    let mut bytes = [0; 3];
                    layout.put(&mut bytes, value);
                    assert_eq!(layout.get(&bytes), value, "{layout:?}");
                }
            }
        }
        assert_eq!(extend(0xffff, 2), -1);
    }
}
