//! BMP: pictures of 24 or 32 bits a pixel, of greys, or of two colours, not compressed.

use super::super::layout::Layout;
use super::super::regions::Region;
use super::{Order, bilevel, picture};

/// Compression: none, or masks that say which bits are which colour.
const PLAIN: [usize; 2] = [0, 3];

/// The pixels of the file that begins here.
pub fn find(file: &[u8]) -> Option<Region> {
    let number = |at| Order::Little.u32(file, at);
    if !file.starts_with(b"BM") || !matches!(number(14)?, 40 | 52 | 56 | 108 | 124) {
        return None;
    }
    let start = number(10)?;
    let columns = number(18)?;
    // counted from the top if it is negative
    let rows = (number(22)? as i32).unsigned_abs() as usize;
    let planes = Order::Little.u16(file, 26)?;
    if planes != 1 || !PLAIN.contains(&number(30)?) {
        return None;
    }
    let padded = |used: usize| used.next_multiple_of(4);
    let channels = match Order::Little.u16(file, 28)? {
        1 => return bilevel(start, (columns, rows), padded),
        8 if is_grey(file.get(14 + number(14)?..start)?) => 1,
        24 => 3,
        32 => 4,
        _ => return None,
    };
    let layout = Layout { width: 1, big_endian: false, channels, rows: None, bilevel: false };
    picture(start, (columns, rows), layout, padded)
}

/// Whether a palette's colours are greys that rise evenly, or fall.
fn is_grey(palette: &[u8]) -> bool {
    let colours = palette.as_chunks::<4>().0;
    let grey = |i: usize| {
        let [blue, green, red, _] = colours[i];
        (blue == green && green == red).then_some(usize::from(red))
    };
    colours.len() == 256
        && ((0..256).all(|i| grey(i) == Some(i)) || (0..256).all(|i| grey(i) == Some(255 - i)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::super::layout::Rows;
    use super::*;

    /// A picture of zeros.
    pub fn bmp(columns: u32, rows: i32, bits: u16) -> Vec<u8> {
        let palette: Vec<u8> =
            if bits == 8 { (0..=255).flat_map(|i| [i, i, i, 0]).collect() } else { vec![] };
        let start = 54 + palette.len() as u32;
        let mut file = b"BM\0\0\0\0\0\0\0\0".to_vec();
        file.extend(start.to_le_bytes());
        file.extend(40u32.to_le_bytes());
        file.extend(columns.to_le_bytes());
        file.extend(rows.to_le_bytes());
        file.extend([1, 0]);
        file.extend(bits.to_le_bytes());
        file.resize(54, 0);
        file.extend(palette);
        let stride = (columns as usize * usize::from(bits)).div_ceil(8).next_multiple_of(4);
        file.resize(file.len() + stride * rows.unsigned_abs() as usize, 0);
        file
    }

    #[test]
    fn pixels_of_pictures() {
        for (bits, channels, start) in [(8, 1usize, 54 + 1024), (24, 3, 54), (32, 4, 54)] {
            let (used, stride) = (33 * channels, (33 * channels).next_multiple_of(4));
            let rows = Some(Rows { used, stride });
            let layout = Layout { width: 1, big_endian: false, channels, rows, bilevel: false };
            let want = Region { start, len: 40 * stride, layout };
            assert_eq!(find(&bmp(33, 40, bits)), Some(want));
            assert_eq!(find(&bmp(33, -40, bits)), Some(want));
        }
        assert_eq!(find(&bmp(33, 40, 16)), None);
        let want = Region { start: 54, len: 40 * 8, layout: Layout::bilevel(8) };
        assert_eq!(find(&bmp(33, 40, 1)), Some(want));
        let mut coloured = bmp(33, 40, 8);
        coloured[54] = 1;
        assert_eq!(find(&coloured), None);
        let mut packed = bmp(33, 40, 24);
        packed[30] = 1;
        assert_eq!(find(&packed), None);
    }
}
