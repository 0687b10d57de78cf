//! TIFF: greys and colours, of one byte or two, and pixels of one bit, not compressed, in
//! strips that follow each other.

use super::super::layout::Layout;
use super::super::regions::Region;
use super::{Order, bilevel, picture};

/// Strips of a picture, at most.
const STRIPS: usize = 1 << 16;

/// Entries of a directory, at most.
const ENTRIES: usize = 128;

/// The entries of a directory.
struct Directory<'a> {
    file: &'a [u8],
    order: Order,
    entries: std::ops::Range<usize>,
}

/// Tags of entries.
mod tag {
    pub const COLUMNS: usize = 256;
    pub const ROWS: usize = 257;
    pub const BITS: usize = 258;
    pub const COMPRESSION: usize = 259;
    pub const FILL_ORDER: usize = 266;
    pub const STRIPS: usize = 273;
    pub const CHANNELS: usize = 277;
    pub const STRIP_BYTES: usize = 279;
    pub const PLANES: usize = 284;
    pub const FORMAT: usize = 339;
}

/// Types of values: two and four bytes.
const SHORT: usize = 3;
const LONG: usize = 4;

impl Directory<'_> {
    /// The values of an entry, at most so many. Each is taken from the work that is left.
    fn values(&self, tag: usize, most: usize, work: &mut usize) -> Option<Vec<usize>> {
        let order = self.order;
        let at =
            self.entries.clone().step_by(12).find(|&at| order.u16(self.file, at) == Some(tag))?;
        let count = order.u32(self.file, at + 4).filter(|&n| n <= most)?;
        *work = work.checked_sub(count)?;
        let width = match order.u16(self.file, at + 2)? {
            SHORT => 2,
            LONG => 4,
            _ => return None,
        };
        // few enough to stand in the entry itself
        let start = if count * width <= 4 { at + 8 } else { order.u32(self.file, at + 8)? };
        let value = |i| {
            let at = start.checked_add(i * width)?;
            if width == 2 { order.u16(self.file, at) } else { order.u32(self.file, at) }
        };
        (0..count).map(value).collect()
    }

    /// The one value of an entry, or what it is where there is none.
    fn value(&self, tag: usize, default: usize) -> Option<usize> {
        let mut few = 8;
        match self.values(tag, few, &mut few) {
            None => Some(default),
            Some(values) => {
                let first = *values.first()?;
                values.iter().all(|&v| v == first).then_some(first)
            }
        }
    }
}

/// The pixels of the file that begins here, if as much work as is left finds them.
pub fn find(file: &[u8], work: &mut usize) -> Option<Region> {
    let order = match file.get(..4)? {
        b"II*\0" => Order::Little,
        b"MM\0*" => Order::Big,
        _ => return None,
    };
    let start = order.u32(file, 4)?;
    let count = order.u16(file, start).filter(|&n| n <= ENTRIES)?;
    *work = work.checked_sub(count)?;
    let directory = Directory { file, order, entries: start + 2..start + 2 + 12 * count };
    let one = |tag, default| directory.value(tag, default);
    if one(tag::COMPRESSION, 1)? != 1 || one(tag::PLANES, 1)? != 1 || one(tag::FORMAT, 1)? > 2 {
        return None;
    }
    let bits = one(tag::BITS, 1)?;
    let channels = one(tag::CHANNELS, 1).filter(|c| (1..=4).contains(c))?;
    let strips = directory.values(tag::STRIPS, STRIPS, work)?;
    let lengths = directory.values(tag::STRIP_BYTES, STRIPS, work)?;
    let follows = |(strip, len): (&[usize], &usize)| strip[0].checked_add(*len) == Some(strip[1]);
    if !strips.windows(2).zip(&lengths).all(follows) {
        return None;
    }
    let (start, size) = (*strips.first()?, (one(tag::COLUMNS, 0)?, one(tag::ROWS, 0)?));
    let width = match bits {
        1 if channels == 1 && one(tag::FILL_ORDER, 1)? == 1 => {
            return bilevel(start, size, |used| used);
        }
        8 => 1,
        16 => 2,
        _ => return None,
    };
    let big_endian = matches!(order, Order::Big);
    let layout = Layout { width, big_endian, channels, rows: None, bilevel: false };
    picture(start, size, layout, |used| used)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::super::layout::Rows;
    use super::*;

    /// A picture of three colours in two strips.
    pub fn tiff(order: Order, columns: u16, rows: u16, bits: u16) -> Vec<u8> {
        let number = |n: u16| match order {
            Order::Little => n.to_le_bytes(),
            Order::Big => n.to_be_bytes(),
        };
        let long = |n: u32| match order {
            Order::Little => n.to_le_bytes(),
            Order::Big => n.to_be_bytes(),
        };
        let row = u32::from(columns) * 3 * u32::from(bits / 8);
        let (first, second) = (row * (u32::from(rows) - 3), row * 3);
        let mut file = match order {
            Order::Little => b"II*\0".to_vec(),
            Order::Big => b"MM\0*".to_vec(),
        };
        file.extend(long(8));
        file.extend(number(7));
        let data = 8 + 2 + 7 * 12 + 4 + 6 + 8 + 8;
        let mut entry = |tag: usize, kind: usize, count: u32, value: [u8; 4]| {
            file.extend(number(tag as u16));
            file.extend(number(kind as u16));
            file.extend(long(count));
            file.extend(value);
        };
        let short = |n: u16| [number(n), [0, 0]].concat().try_into().unwrap();
        entry(tag::COLUMNS, SHORT, 1, short(columns));
        entry(tag::ROWS, SHORT, 1, short(rows));
        entry(tag::BITS, SHORT, 3, long(data - 22));
        entry(tag::COMPRESSION, SHORT, 1, short(1));
        entry(tag::STRIPS, LONG, 2, long(data - 16));
        entry(tag::CHANNELS, SHORT, 1, short(3));
        entry(tag::STRIP_BYTES, LONG, 2, long(data - 8));
        file.extend(long(0));
        file.extend([number(bits); 3].concat());
        file.extend([long(data), long(data + first)].concat());
        file.extend([long(first), long(second)].concat());
        assert_eq!(file.len(), data as usize);
        file.resize(file.len() + (first + second) as usize, 0);
        file
    }

    fn all(file: &[u8]) -> Option<Region> {
        find(file, &mut file.len())
    }

    #[test]
    fn pixels_of_pictures() {
        for (order, big_endian) in [(Order::Little, false), (Order::Big, true)] {
            for width in [1, 2] {
                let file = tiff(order, 40, 30, 8 * width);
                let used = 120 * usize::from(width);
                let rows = Some(Rows { used, stride: used });
                let layout =
                    Layout { width: width.into(), big_endian, channels: 3, rows, bilevel: false };
                let want = Region { start: file.len() - 30 * used, len: 30 * used, layout };
                assert_eq!(all(&file), Some(want));
            }
        }
        let mut packed = tiff(Order::Little, 40, 30, 8);
        packed[10 + 3 * 12 + 8] = 5;
        assert_eq!(all(&packed), None);
        let mut apart = tiff(Order::Little, 40, 30, 8);
        apart[10 + 7 * 12 + 4 + 6] ^= 1;
        assert_eq!(all(&apart), None);
        assert_eq!(all(b"II*\0\xff\xff\xff\xff............"), None);
    }
    #[test]
    fn many_headers_are_little_work() {
        let file = tiff(Order::Little, 40, 30, 8);
        let mut work = 30;
        assert!(find(&file, &mut work).is_some());
        assert_eq!(work, 30 - 7 - 2 - 2);
        assert!(find(&file, &mut work).is_some());
        assert_eq!(find(&file, &mut work), None);
        let mut long = file.clone();
        long[8] = 129;
        assert_eq!(all(&long), None);
    }
}
