//! An input cut into the content of blocks.

use std::io::Read;

use crate::error::Error;
use crate::split::{Split, Splitter};

/// Bytes that are asked of the input at once while a record's end is looked for.
const STEP: usize = 1 << 16;

/// Gives the content of one block after the other.
pub(super) struct Cut<R> {
    input: R,
    /// Bytes of a block, at most.
    size: usize,
    /// What was read and not given.
    rest: Vec<u8>,
    ended: bool,
    records: Option<Records>,
}

/// Where records end in what was read and not given.
struct Records {
    splitter: Splitter,
    /// A block ends with the first record that ends here or behind.
    target: usize,
    scanned: usize,
    /// The last end of a record.
    end: usize,
}

impl<R: Read> Cut<R> {
    /// Blocks of at most `size` bytes; with a rule, of whole records, as few as have
    /// `target` bytes and never more than `size`.
    pub fn new(input: R, size: u32, rule: Option<(Split, u32)>) -> Self {
        let size = size as usize;
        let records = rule.map(|(rule, target)| Records {
            splitter: Splitter::new(rule, true),
            target: (target as usize).clamp(1, size),
            scanned: 0,
            end: 0,
        });
        Self { input, size, rest: Vec::new(), ended: false, records }
    }

    /// Whether the input is known to have been read to its end.
    pub fn is_read(&self) -> bool {
        self.ended
    }

    /// Whether it is known to have no more.
    pub fn is_ended(&self) -> bool {
        self.ended && self.rest.is_empty()
    }

    /// The next block's content; empty at the end of the input. Without a rule `len` tells how
    /// many of the bytes it is given are in the block, one at least.
    pub fn next(&mut self, len: impl FnOnce(&[u8]) -> usize) -> Result<Vec<u8>, Error> {
        let len = loop {
            let more = match &mut self.records {
                None => self.size - self.rest.len(),
                Some(records) => match records.next(&self.rest, self.size, self.ended)? {
                    Some(len) => break len,
                    None => STEP,
                },
            };
            if !self.ended {
                let before = self.rest.len();
                read(&mut self.input, more, &mut self.rest)?;
                self.ended = self.rest.len() - before < more;
            }
            if self.records.is_none() {
                break if self.rest.is_empty() { 0 } else { len(&self.rest).max(1) };
            }
        };
        if len >= self.rest.len() {
            return Ok(std::mem::take(&mut self.rest));
        }
        // not the room of all for a part of it
        let block = self.rest[..len].to_vec();
        self.rest.drain(..len);
        Ok(block)
    }
}

impl Records {
    /// The length of a block, if what was read is enough for one.
    fn next(&mut self, rest: &[u8], size: usize, ended: bool) -> Result<Option<usize>, Error> {
        let len = loop {
            if self.scanned > size && self.end < self.target {
                // the next record does not fit
                if self.end == 0 {
                    return Err(Error::LongRecord { limit: size as u64 });
                }
                break self.end;
            }
            if self.end >= self.target {
                break self.end;
            }
            match rest.get(self.scanned) {
                Some(&byte) => {
                    self.scanned += 1;
                    if self.splitter.push(byte) && self.scanned <= size {
                        self.end = self.scanned;
                    }
                }
                None if !ended => return Ok(None),
                None if rest.len() > size => {}
                None => break rest.len(),
            }
        };
        self.scanned -= len;
        // what was looked at beyond the block may be a record's last byte
        self.end = if self.splitter.is_between() { self.scanned } else { 0 };
        Ok(Some(len))
    }
}

fn read(input: &mut impl Read, size: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    input.take(size as u64).read_to_end(out).map(drop).map_err(Error::Read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(
        content: &[u8],
        size: u32,
        rule: Option<(Split, u32)>,
    ) -> Result<Vec<Vec<u8>>, Error> {
        blocks_of(content, size, rule, <[u8]>::len)
    }

    fn blocks_of(
        content: &[u8],
        size: u32,
        rule: Option<(Split, u32)>,
        len: impl Fn(&[u8]) -> usize,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let mut cut = Cut::new(content, size, rule);
        let mut blocks = Vec::new();
        loop {
            let block = cut.next(&len)?;
            if block.is_empty() {
                assert!(cut.is_ended());
                assert_eq!(blocks.concat(), content);
                return Ok(blocks);
            }
            blocks.push(block);
        }
    }

    #[test]
    fn where_other_content_begins() {
        let content = b"aaabbbbcddddddd";
        // runs of a letter, seen five bytes at a time
        let run = |bytes: &[u8]| {
            assert!(bytes.len() == 5 || content.ends_with(bytes));
            bytes.iter().take_while(|&b| b == &bytes[0]).count()
        };
        let all = blocks_of(content, 5, None, run).unwrap();
        assert_eq!(all, [&b"aaa"[..], b"bbbb", b"c", b"ddddd", b"dd"]);
        let mut cut = Cut::new(&content[..], 16, None);
        assert_eq!(cut.next(|_| 0).unwrap(), b"a", "one byte at least");
        assert!(cut.is_read() && !cut.is_ended());
        assert_eq!(cut.next(|_| 100).unwrap(), content[1..]);
        assert!(cut.is_ended());
    }

    #[test]
    fn whole_records() {
        let text = b"aaa\nbb\ncccc\nd\n\neeeee";
        let cut = |target, size| blocks(text, size, Some((Split::Lines, target)));
        assert_eq!(cut(1, 100).unwrap().len(), 6);
        assert_eq!(cut(5, 100).unwrap(), [&b"aaa\nbb\n"[..], b"cccc\n", b"d\n\neeeee"]);
        // what would pass the size waits for the next block
        assert_eq!(cut(7, 7).unwrap(), [&b"aaa\nbb\n"[..], b"cccc\nd\n", b"\neeeee"]);
        assert_eq!(cut(6, 6).unwrap(), [&b"aaa\n"[..], b"bb\n", b"cccc\n", b"d\n\n", b"eeeee"]);
        assert!(matches!(cut(4, 4), Err(Error::LongRecord { limit: 4 })));
        assert_eq!(blocks(text, 8, None).unwrap().len(), 3);
        assert!(blocks(b"", 8, Some((Split::Json, 8))).unwrap().is_empty());
        // a long content is taken in steps
        let long = b"12345678\n".repeat(30_000);
        let many = blocks(&long, 1 << 24, Some((Split::Lines, 1 << 16))).unwrap();
        assert!(many.len() == 5 && many.iter().all(|b| b.ends_with(b"\n")));
        assert_eq!(blocks(&long, 1 << 24, Some((Split::Nul, 1 << 16))).unwrap().len(), 1);
        assert!(blocks(&long, 1 << 17, Some((Split::Nul, 1 << 16))).is_err());
    }
}
