//! PBM, PGM and PPM: pixels of one bit, greys and colours of one byte or two.

use super::super::layout::Layout;
use super::super::regions::Region;
use super::{bilevel, picture};

/// Bytes of a header with its comments, at most.
const LONGEST: usize = 1024;

/// The pixels of the file that begins here.
pub fn find(file: &[u8]) -> Option<Region> {
    let kind = file.strip_prefix(b"P")?.first().filter(|kind| matches!(kind, b'4'..=b'6'))?;
    let mut at = 2;
    let size = (number(file, &mut at)?, number(file, &mut at)?);
    // bits have no greatest value
    let greatest = if *kind == b'4' { None } else { Some(number(file, &mut at)?) };
    file.get(at).filter(|b| b.is_ascii_whitespace())?;
    let width = match greatest {
        None => return bilevel(at + 1, size, |used| used),
        Some(1..=0xff) => 1,
        Some(0x100..=0xffff) => 2,
        Some(_) => return None,
    };
    let channels = if *kind == b'6' { 3 } else { 1 };
    let layout = Layout { width, big_endian: true, channels, rows: None, bilevel: false };
    picture(at + 1, size, layout, |used| used)
}

/// The next number after white space and comments.
fn number(file: &[u8], at: &mut usize) -> Option<usize> {
    let byte = |at: usize| file.get(at).copied().filter(|_| at < LONGEST);
    let start = *at;
    loop {
        match byte(*at)? {
            b'#' => {
                while byte(*at)? != b'\n' {
                    *at += 1;
                }
            }
            b if b.is_ascii_whitespace() => *at += 1,
            _ => break,
        }
    }
    if *at == start {
        return None;
    }
    let mut value = 0u32;
    let digits = *at;
    while let Some(digit @ b'0'..=b'9') = byte(*at) {
        value = value.checked_mul(10)?.checked_add(u32::from(digit - b'0'))?;
        *at += 1;
    }
    (*at > digits).then_some(value as usize)
}

#[cfg(test)]
mod tests {
    use super::super::super::layout::Rows;
    use super::*;

    #[test]
    fn pixels_of_pictures() {
        for (header, channels, width) in [
            ("P5 20 30 255\n", 1, 1),
            ("P6\n# a comment\n20 30\n# 1 2\n65535\n", 3, 2),
            ("P6\t20\r\n30 15 ", 3, 1),
        ] {
            let used = 20 * channels * width;
            let rows = Some(Rows { used, stride: used });
            let layout = Layout { width, big_endian: true, channels, rows, bilevel: false };
            let want = Region { start: header.len(), len: 30 * used, layout };
            assert_eq!(find(header.as_bytes()), Some(want), "{header}");
        }
        let want = Region { start: 11, len: 30 * 3, layout: Layout::bilevel(3) };
        assert_eq!(find(b"P4\n#\n20 30\n\0"), Some(want));
        for header in [
            "P4 20 30",
            "P520 30 255 ",
            "P5 20 30 0 ",
            "P5 20 x 255 ",
            "P5 20 30 70000 ",
            "P5 20 30 255",
            "P5 99999999999999999999 30 255 ",
            "P5 # 20 30 255",
        ] {
            assert_eq!(find(header.as_bytes()), None, "{header}");
        }
    }
}
