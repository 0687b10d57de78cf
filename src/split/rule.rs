//! Where records end.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// How content is cut into records. A record includes its separator, so that all
/// records joined are the content.
///
/// ```
/// use madezip::Split;
///
/// let rule: Split = "lines".parse()?;
/// assert_eq!(rule, Split::Lines);
/// assert_eq!("len:12".parse(), Ok(Split::Len(12)));
/// # Ok::<(), madezip::split::UnknownSplit>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// A line feed ends a record.
    Lines,
    /// A zero byte ends a record.
    Nul,
    /// Every record has this many bytes, at least 1.
    Len(u32),
    /// The elements of a top-level JSON array: the comma after an element ends its
    /// record. What stands before the first element goes with it, and what stands
    /// after the last with that. Content that is no such array is one record.
    Json,
}

/// This is no way to split.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("records are split by lines, nul, len:N (N bytes each) or json, not by {0:?}")]
pub struct UnknownSplit(pub String);

impl FromStr for Split {
    type Err = UnknownSplit;

    fn from_str(text: &str) -> Result<Self, UnknownSplit> {
        let unknown = || UnknownSplit(text.chars().take(40).collect());
        match text {
            "lines" => Ok(Self::Lines),
            "nul" => Ok(Self::Nul),
            "json" => Ok(Self::Json),
            _ => match text.strip_prefix("len:").map(str::parse) {
                Some(Ok(n @ 1..)) => Ok(Self::Len(n)),
                _ => Err(unknown()),
            },
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lines => f.write_str("lines"),
            Self::Nul => f.write_str("nul"),
            Self::Len(n) => write!(f, "len:{n}"),
            Self::Json => f.write_str("json"),
        }
    }
}

/// Follows content byte by byte and says where records end.
#[derive(Clone, Debug)]
pub struct Splitter {
    rule: Split,
    between: bool,
    /// Bytes of the present record, for [`Split::Len`].
    len: u32,
    json: Json,
}

/// Where in a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Json {
    /// Brackets and braces that are open.
    depth: u64,
    /// No byte but white space and a byte order mark has come.
    start: bool,
    string: bool,
    escape: bool,
}

impl Json {
    /// At the content's start, or after the comma behind an element.
    fn new(start: bool) -> Self {
        Self { depth: u64::from(!start), start, string: false, escape: false }
    }

    /// Whether an element's comma is this byte.
    #[inline]
    fn push(&mut self, byte: u8) -> bool {
        if self.string {
            match byte {
                _ if self.escape => self.escape = false,
                b'\\' => self.escape = true,
                b'"' => self.string = false,
                _ => {}
            }
            return false;
        }
        if self.start {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0xef | 0xbb | 0xbf) {
                self.start = false;
                self.depth = u64::from(byte == b'[');
            }
            return false;
        }
        // at depth 0 the array is closed, or there was none: nothing opens any more
        match byte {
            _ if self.depth == 0 => {}
            b'"' => self.string = true,
            b'[' | b'{' => self.depth += 1,
            b']' | b'}' => self.depth -= 1,
            b',' => return self.depth == 1,
            _ => {}
        }
        false
    }
}

impl Splitter {
    /// At the beginning of a record; `start` says that it is the content's first.
    pub fn new(rule: Split, start: bool) -> Self {
        Self { rule, between: true, len: 0, json: Json::new(start) }
    }

    /// Takes the next byte; returns whether a record ends with it.
    #[inline]
    pub fn push(&mut self, byte: u8) -> bool {
        self.between = match self.rule {
            Split::Lines => byte == b'\n',
            Split::Nul => byte == 0,
            Split::Json => self.json.push(byte),
            Split::Len(n) => {
                self.len += 1;
                let ends = self.len == n;
                if ends {
                    self.len = 0;
                }
                ends
            }
        };
        self.between
    }

    /// Whether no record has begun that has not ended.
    pub fn is_between(&self) -> bool {
        self.between
    }

    /// The records of `content` from here on; the last one may have no end.
    pub fn records<'c>(&mut self, content: &'c [u8]) -> Vec<&'c [u8]> {
        let mut records = Vec::new();
        let mut from = 0;
        for (i, &byte) in content.iter().enumerate() {
            if self.push(byte) {
                records.push(&content[from..=i]);
                from = i + 1;
            }
        }
        if from < content.len() {
            records.push(&content[from..]);
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(rule: &str, content: &str) -> Vec<String> {
        let rule: Split = rule.parse().unwrap();
        let records = Splitter::new(rule, true).records(content.as_bytes());
        assert_eq!(records.concat(), content.as_bytes());
        records.iter().map(|r| String::from_utf8_lossy(r).into_owned()).collect()
    }

    #[test]
    fn rules() {
        assert_eq!(records("lines", "a\n\nbc\nd"), ["a\n", "\n", "bc\n", "d"]);
        assert_eq!(records("nul", "a\0b\0"), ["a\0", "b\0"]);
        assert_eq!(records("len:3", "abcdefgh"), ["abc", "def", "gh"]);
        assert!(records("json", "").is_empty());
        for text in ["lines", "nul", "len:4294967295", "json"] {
            assert_eq!(text.parse::<Split>().unwrap().to_string(), text);
        }
        for bad in ["", "line", "len:", "len:0", "len:-1", "len:4294967296", "JSON"] {
            assert!(bad.parse::<Split>().is_err(), "{bad}");
        }
    }

    #[test]
    fn json_arrays() {
        assert_eq!(records("json", " [1, 2 ,3]\n"), [" [1,", " 2 ,", "3]\n"]);
        assert_eq!(
            records("json", r#"[{"a":[1,2],"b":"x,\",]"},[[],{}], "]" ]"#),
            [r#"[{"a":[1,2],"b":"x,\",]"},"#, "[[],{}],", r#" "]" ]"#]
        );
        assert_eq!(records("json", "\u{feff}[1,2]"), ["\u{feff}[1,", "2]"]);
        // no array: one record
        assert_eq!(records("json", r#"{"a":[1,2],"b":3}"#).len(), 1);
        assert_eq!(records("json", "1,2").len(), 1);
        // what comes after the array belongs to its last element
        assert_eq!(records("json", "[1,2] [3,4],5"), ["[1,", "2] [3,4],5"]);
        assert_eq!(records("json", "[]"), ["[]"]);
    }

    #[test]
    fn one_record_after_another() {
        let text = br#"[{"a":1},["x",2],3]"#;
        let all = Splitter::new(Split::Json, true).records(text);
        for (i, record) in all.iter().enumerate() {
            let mut splitter = Splitter::new(Split::Json, i == 0);
            let ends: Vec<bool> = record.iter().map(|&b| splitter.push(b)).collect();
            assert!(ends[..record.len() - 1].iter().all(|&e| !e));
            assert_eq!(ends[record.len() - 1], i + 1 < all.len());
        }
    }
}
