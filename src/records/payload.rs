//! The payload of a block of records: a short header, then the coder's bytes.
//!
//! | field | bytes | present |
//! |---|---|---|
//! | flags | 1 | always: bit 0 HEAD, bit 1 PADDING, others 0 |
//! | length of the head | LEB128 | HEAD |
//! | head: the bytes before the first row | its length | HEAD |
//! | tail: an incomplete last row | what the block's length leaves | always |
//! | probability of a padding bit being one, of 65536 | 2, little-endian | PADDING |
//! | coded bits | the rest | always |
//!
//! Coded bits: rows in groups of 256 (the last may be smaller); in a group rank
//! after rank, and for each rank row after row. With PADDING, the padding bits of
//! all rows follow, row after row. Without it they are zero.

use crate::codec::CodecError;
use crate::container::varint;

const HEAD: u8 = 1;
const PADDING: u8 = 2;

/// Rows that are coded side by side.
pub const GROUP_ROWS: usize = 256;

/// The header of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Bytes before the first row.
    pub head: &'a [u8],
    /// Bytes after the last whole row.
    pub tail: &'a [u8],
    /// Probability of ones in padding that is not all zero.
    pub padding: Option<u16>,
}

impl<'a> Header<'a> {
    /// Splits a block into header and whole rows.
    pub fn split(raw: &'a [u8], head: usize, row_bytes: usize) -> (Self, &'a [u8]) {
        let (head, rest) = raw.split_at(head.min(raw.len()));
        let (rows, tail) = rest.split_at(rest.len() / row_bytes * row_bytes);
        (Self { head, tail, padding: None }, rows)
    }

    /// The header's bytes.
    pub fn write(&self) -> Vec<u8> {
        let flag = |present: bool, flag: u8| if present { flag } else { 0 };
        let flags = flag(!self.head.is_empty(), HEAD) | flag(self.padding.is_some(), PADDING);
        let mut bytes = vec![flags];
        if !self.head.is_empty() {
            varint::push(&mut bytes, self.head.len() as u64);
        }
        bytes.extend(self.head);
        bytes.extend(self.tail);
        bytes.extend(self.padding.iter().flat_map(|p| p.to_le_bytes()));
        bytes
    }

    /// Reads the header of a block of `raw_len` bytes; the rest of the payload is
    /// the coder's.
    pub fn read(
        payload: &'a [u8],
        raw_len: usize,
        row_bytes: usize,
    ) -> Result<(Self, &'a [u8]), CodecError> {
        let short = || CodecError::Form("ends within its header");
        let (&flags, mut rest) = payload.split_first().ok_or_else(short)?;
        if flags & !(HEAD | PADDING) != 0 {
            return Err(CodecError::Form("unknown flags"));
        }
        let mut head_len = 0;
        if flags & HEAD != 0 {
            let number = varint::read(|| {
                let (&byte, after) = rest.split_first()?;
                rest = after;
                Some(byte)
            });
            head_len = match number.map(usize::try_from) {
                Ok(Ok(n @ 1..)) => n,
                _ => return Err(CodecError::Form("the length of the head")),
            };
        }
        let after_head = raw_len
            .checked_sub(head_len)
            .ok_or(CodecError::Form("the head is longer than the block"))?;
        let (head, rest) = rest.split_at_checked(head_len).ok_or_else(short)?;
        let (tail, rest) = rest.split_at_checked(after_head % row_bytes).ok_or_else(short)?;
        let (padding, rest) = if flags & PADDING != 0 {
            let (p, rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
            (Some(u16::from_le_bytes(*p)), rest)
        } else {
            (None, rest)
        };
        Ok((Self { head, tail, padding }, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_come_back() {
        let raw: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for (head, row_bytes, padding) in [
            (0, 10, None),
            (0, 98, Some(7)),
            (16, 7, None),
            (300, 64, Some(65535)),
            (2000, 3, None),
        ] {
            let (mut header, rows) = Header::split(&raw, head, row_bytes);
            header.padding = padding;
            assert_eq!(rows.len() % row_bytes, 0);
            let mut bytes = header.write();
            bytes.extend([1, 2, 3]);
            let (back, rest) = Header::read(&bytes, raw.len(), row_bytes).unwrap();
            assert_eq!(back, header);
            assert_eq!(rest, [1, 2, 3]);
        }
        // The common case costs one byte.
        assert_eq!(Header::split(&raw, 0, 10).0.write(), [0]);
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            flags in 0u8..4,
            raw_len in 0usize..100,
            row_bytes in 1usize..20,
        ) {
            let _ = Header::read(&bytes, raw_len, row_bytes);
            let framed: Vec<u8> = std::iter::once(flags).chain(bytes).collect();
            if let Ok((header, _)) = Header::read(&framed, raw_len, row_bytes) {
                prop_assert_eq!((raw_len - header.head.len() - header.tail.len()) % row_bytes, 0);
            }
        }
    }
}
