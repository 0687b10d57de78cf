//! Portable bitmaps (netpbm), plain and raw; a row is a line of the picture.

use super::{Format, InputError, MAX_TABLE_BYTES, Packer, Table};

/// Reads `P1` or `P4`. Rows of a raw bitmap are packed as ours are.
pub fn read(data: &[u8]) -> Result<Table, InputError> {
    let error = |reason: &str| Format::Pbm.error(reason);
    let plain = match data.get(..2) {
        Some(b"P1") => true,
        Some(b"P4") => false,
        _ => return Err(error("does not begin with P1 or P4")),
    };
    let mut at = 2;
    let width = number(data, &mut at).ok_or_else(|| error("has no width"))?;
    let height = number(data, &mut at).ok_or_else(|| error("has no height"))?;
    let size = width.div_ceil(8).checked_mul(height).filter(|&n| n <= MAX_TABLE_BYTES);
    let size = size.ok_or_else(|| error("is too large"))?;
    if width == 0 || height == 0 {
        return Err(InputError::Empty);
    }
    if !data.get(at).is_some_and(u8::is_ascii_whitespace) {
        return Err(error("has no blank after its height"));
    }
    at += 1;
    if !plain {
        let pixels =
            data.get(at..at + size).ok_or_else(|| error("is shorter than its header says"))?;
        // Further bytes (a second picture) could not be rebuilt from the rows.
        let converted = data.len() > at + size;
        let rows = pixels.to_vec();
        return Ok(Table { dims: width, rows, format: Format::Pbm, converted, offset: at });
    }
    let mut packer = Packer::default();
    let mut pixels = 0;
    for &byte in &data[at..] {
        match byte {
            b'0' | b'1' if pixels < width * height => {
                packer.push(byte == b'1');
                pixels += 1;
                if packer.filled == width {
                    packer.end_row();
                }
            }
            b if b.is_ascii_whitespace() => {}
            _ => return Err(error("has something else than 0 and 1 among its pixels")),
        }
    }
    if pixels < width * height {
        return Err(error("is shorter than its header says"));
    }
    let rows = packer.bytes;
    Ok(Table { dims: width, rows, format: Format::Pbm, converted: true, offset: 0 })
}

/// The next decimal number of the header; comments run from `#` to the line's end.
fn number(data: &[u8], at: &mut usize) -> Option<usize> {
    loop {
        match data.get(*at)? {
            b'#' => *at += data[*at..].iter().position(|&b| b == b'\n')?,
            b if b.is_ascii_whitespace() => *at += 1,
            _ => break,
        }
    }
    let digits = data[*at..].iter().take_while(|b| b.is_ascii_digit()).count();
    let text = std::str::from_utf8(&data[*at..*at + digits]).ok()?;
    *at += digits;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_raw_give_the_same_rows() {
        let plain = read(b"P1\n# a comment\n9 2\n1 0 0 0 0 0 0 0 1\n0 1 0000000\n").unwrap();
        let raw = read(b"P4 9 2\n\x80\x80\x40\x00").unwrap();
        assert_eq!((plain.dims, &plain.rows), (9, &vec![0x80, 0x80, 0x40, 0]));
        assert_eq!(plain.rows, raw.rows);
        assert_eq!((raw.offset, raw.converted, plain.converted), (7, false, true));
    }

    #[test]
    fn broken_bitmaps_are_refused() {
        for data in [
            &b"P4 9 2\n\x80\x80\x40"[..],
            b"P1 2 2\n1 0 1",
            b"P1 2 2\n1 0 1 0 1",
            b"P1 2 2\n1 0 2 0",
            b"P4 99999999999999999999 1\n",
            b"P4 18446744073709551615 18446744073709551615\n",
            b"P4 8",
            b"P5 1 1\n0",
        ] {
            assert!(read(data).is_err(), "{data:?}");
        }
    }
}
