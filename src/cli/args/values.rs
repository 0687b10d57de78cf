//! What is typed for a number, a range, a device.

use crate::container::limits::{MAX_BLOCK, MIN_BLOCK_OFFERED};

/// Bytes or records from `start` to before `end`, or to the end of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    pub start: u64,
    pub end: Option<u64>,
}

/// A number of bytes: digits, then nothing or K, M, G, T (powers of 1024), then
/// nothing, B or iB.
pub fn size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.to_ascii_uppercase();
    let shift = match unit.trim_end_matches("IB").trim_end_matches('B') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err("a size is a number with K, M, G or T after it, such as 16M".into()),
    };
    let number: u64 = number.parse().map_err(|_| "a size begins with a number, such as 16M")?;
    number.checked_mul(1 << shift).ok_or_else(|| "this is too large".into())
}

/// `A..B`, sizes either of which may be left out.
pub fn range(text: &str) -> Result<ByteRange, String> {
    let wrong = "a range is two numbers of bytes such as 0..100, or 1M.. to the end";
    let (start, end) = text.split_once("..").ok_or(wrong)?;
    let start = if start.is_empty() { 0 } else { size(start)? };
    let end = if end.is_empty() { None } else { Some(size(end)?) };
    if end.is_some_and(|end| end < start) {
        return Err(format!("{wrong}; this one ends before it begins"));
    }
    Ok(ByteRange { start, end })
}

/// `K` or `K..M`, where M may be left out.
pub fn record(text: &str) -> Result<ByteRange, String> {
    let wrong = "records are a number from 0 on, such as 17, or two such as 17..20";
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong);
    let (start, end) = match text.split_once("..") {
        None => (number(text)?, Some(number(text)?.checked_add(1).ok_or(wrong)?)),
        Some((start, "")) => (number(start)?, None),
        Some((start, end)) => (number(start)?, Some(number(end)?)),
    };
    if end.is_some_and(|end| end < start) {
        return Err(format!("{wrong}; these end before they begin"));
    }
    Ok(ByteRange { start, end })
}

/// The name of a device, as the torch engine takes it.
pub fn device(name: &str) -> Result<String, String> {
    let number = name.strip_prefix("cuda:").map(str::parse::<usize>);
    if matches!(name, "auto" | "cpu" | "cuda") || matches!(number, Some(Ok(_))) {
        Ok(name.into())
    } else {
        Err("not auto, cpu, cuda or cuda:N".into())
    }
}

/// A size that a block may have.
pub fn block_size(text: &str) -> Result<u32, String> {
    let bytes = size(text)?;
    u32::try_from(bytes)
        .ok()
        .filter(|b| (MIN_BLOCK_OFFERED..=MAX_BLOCK).contains(b))
        .ok_or_else(|| "a block has 128K to 256M".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("0"), Ok(0));
        assert_eq!(size("12"), Ok(12));
        assert_eq!(size("12k"), Ok(12 << 10));
        assert_eq!(size("16MiB"), Ok(16 << 20));
        assert_eq!(size("3GB"), Ok(3 << 30));
        for bad in ["", "M", "1.5M", "-1", "16 M", "1X", "99999999999999T"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert_eq!(range("3..1K"), Ok(ByteRange { start: 3, end: Some(1024) }));
        assert_eq!(range("..5"), Ok(ByteRange { start: 0, end: Some(5) }));
        assert_eq!(range("7.."), Ok(ByteRange { start: 7, end: None }));
        for bad in ["", "5", "5..3", "a..b", "1...2"] {
            assert!(range(bad).is_err(), "{bad}");
        }
        assert_eq!(record("5"), Ok(ByteRange { start: 5, end: Some(6) }));
        assert_eq!(record("5..9"), Ok(ByteRange { start: 5, end: Some(9) }));
        assert_eq!(record("5.."), Ok(ByteRange { start: 5, end: None }));
        for bad in ["", "..", "..5", "a", "9..5", "-1", "18446744073709551615"] {
            assert!(record(bad).is_err(), "{bad}");
        }
        assert_eq!(block_size("128K"), Ok(1 << 17));
        assert_eq!(block_size("256M"), Ok(1 << 28));
        for bad in ["131071", "257M", "8G"] {
            assert!(block_size(bad).is_err(), "{bad}");
        }
    }
}
