//! Tables of bits from the formats people have them in.
//!
//! | format | recognised by | rows |
//! |---|---|---|
//! | packed bits | nothing: say `dims` | ⌈D/8⌉ bytes from an offset on |
//! | text | only 0, 1, blanks and commas | a line |
//! | PBM | `P1` or `P4` | a line of the picture |
//! | NumPy | `\x93NUMPY`, bool or uint8 | an entry of the first axis |
//! | IDX | two zero bytes, type 8 (unsigned bytes) | an entry of the first axis |
//!
//! Bytes above 1 in NumPy and IDX data are grey values: 128 and more count as 1.

mod arrays;
mod bitmap;
mod text;

use thiserror::Error;

/// Most bytes that a table may take up once it is packed: 16 GiB, or half of what an
/// address can reach.
pub const MAX_TABLE_BYTES: usize = match 1usize.checked_shl(34) {
    Some(bytes) => bytes,
    None => isize::MAX as usize,
};

/// How data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Packed rows, most significant bit first.
    Packed,
    /// Zeros and ones as characters.
    Text,
    /// A portable bitmap.
    Pbm,
    /// A NumPy array.
    Npy,
    /// The format of the MNIST files.
    Idx,
}

/// A table of bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Bits of a row, at least 1.
    pub dims: usize,
    /// Whole rows of ⌈dims/8⌉ bytes, most significant bit first.
    pub rows: Vec<u8>,
    /// What the data was.
    pub format: Format,
    /// Whether `rows` is a conversion: the file cannot be rebuilt from it.
    pub converted: bool,
    /// Bytes before the first row; counts when nothing was converted.
    pub offset: usize,
}

/// Why data is no table of bits.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputError {
    /// Packed rows were given without their width.
    #[error("packed bits need the number of bits of a row (--dims)")]
    NoDims,
    /// The file has another row width than the one asked for.
    #[error("rows have {found} bits, {wanted} were asked for")]
    Dims {
        /// What the data says.
        found: usize,
        /// What was asked for.
        wanted: usize,
    },
    /// The bytes are no whole number of rows.
    #[error(
        "{bytes} bytes are no whole number of rows of {dims} bits ({row_bytes} bytes each): \
         the last row has {rest} bytes"
    )]
    Width {
        /// Bytes of data.
        bytes: usize,
        /// Bits of a row.
        dims: usize,
        /// Bytes of a row.
        row_bytes: usize,
        /// Bytes after the last whole row.
        rest: usize,
    },
    /// The format's rules are broken.
    #[error("{format:?}: {reason}")]
    Format {
        /// The format.
        format: Format,
        /// What is wrong.
        reason: String,
    },
    /// There is not a single row.
    #[error("there are no rows")]
    Empty,
}

impl Format {
    fn error(self, reason: impl Into<String>) -> InputError {
        InputError::Format { format: self, reason: reason.into() }
    }

    /// What the first bytes (or, for text, all of them) look like.
    pub fn guess(data: &[u8]) -> Self {
        let pbm =
            |m: &[u8]| data.starts_with(m) && data.get(2).is_some_and(u8::is_ascii_whitespace);
        if data.starts_with(b"\x93NUMPY") {
            Self::Npy
        } else if pbm(b"P1") || pbm(b"P4") {
            Self::Pbm
        } else if data.starts_with(&[0, 0, 8]) && arrays::idx_size(data) == Some(data.len()) {
            Self::Idx
        } else if text::looks_like(data) {
            Self::Text
        } else {
            Self::Packed
        }
    }
}

impl Table {
    /// Reads a table. `dims` is needed for packed bits and checked for the rest;
    /// for packed bits rows begin at `offset`.
    pub fn read(
        data: &[u8],
        format: Format,
        dims: Option<usize>,
        offset: usize,
    ) -> Result<Self, InputError> {
        let table = match format {
            Format::Packed => Self::packed(data, dims.ok_or(InputError::NoDims)?, offset)?,
            Format::Text => text::read(data)?,
            Format::Pbm => bitmap::read(data)?,
            Format::Npy => arrays::read_npy(data)?,
            Format::Idx => arrays::read_idx(data)?,
        };
        match dims {
            Some(wanted) if wanted != table.dims => {
                Err(InputError::Dims { found: table.dims, wanted })
            }
            _ if table.rows.is_empty() => Err(InputError::Empty),
            _ => Ok(table),
        }
    }

    fn packed(data: &[u8], dims: usize, offset: usize) -> Result<Self, InputError> {
        if dims == 0 {
            return Err(InputError::NoDims);
        }
        let rows = data.get(offset..).unwrap_or_default();
        let row_bytes = dims.div_ceil(8);
        let rest = rows.len() % row_bytes;
        if rest != 0 {
            return Err(InputError::Width { bytes: rows.len(), dims, row_bytes, rest });
        }
        Ok(Self { dims, rows: rows.to_vec(), format: Format::Packed, converted: false, offset })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len() / self.dims.div_ceil(8)
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Packs rows of `dims` bits as they come.
#[derive(Default)]
struct Packer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Packer {
    fn push(&mut self, bit: bool) {
        if self.filled.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (7 - self.filled % 8);
        }
        self.filled += 1;
    }

    /// Ends a row; the number of its bits.
    fn end_row(&mut self) -> usize {
        std::mem::take(&mut self.filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packed_rows_must_fit() {
        let table = Table::read(&[1, 2, 3, 4, 5], Format::Packed, Some(9), 1).unwrap();
        assert_eq!((table.len(), table.dims, &table.rows[..]), (2, 9, &[2, 3, 4, 5][..]));
        assert_eq!(Table::read(&[1], Format::Packed, None, 0), Err(InputError::NoDims));
        let error = Table::read(&[1, 2, 3], Format::Packed, Some(9), 0).unwrap_err();
        assert!(matches!(error, InputError::Width { bytes: 3, dims: 9, row_bytes: 2, rest: 1 }));
        assert_eq!(Table::read(&[1], Format::Packed, Some(8), 5), Err(InputError::Empty));
    }

    #[test]
    fn formats_are_recognised() {
        assert_eq!(Format::guess(b"\x93NUMPY\x01\x00"), Format::Npy);
        assert_eq!(Format::guess(b"P4\n8 1\n\xff"), Format::Pbm);
        assert_eq!(Format::guess(b"0 1 1\n1,0,1\r\n"), Format::Text);
        assert_eq!(Format::guess(&[0, 0, 8, 1, 0, 0, 0, 2, 5, 6]), Format::Idx);
        assert_eq!(Format::guess(&[0, 0, 8, 1, 0, 0, 0, 3, 5, 6]), Format::Packed);
        assert_eq!(Format::guess(b""), Format::Packed);
        assert_eq!(Format::guess(b"P4ck"), Format::Packed);
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(
            data in prop::collection::vec(any::<u8>(), 0..80),
            start in 0usize..6,
            dims in prop::option::of(0usize..40),
        ) {
            let starts: [&[u8]; 6] =
                [b"", b"P1 3 2 ", b"P4 9 2 ", b"\x93NUMPY\x01\x00\x10\x00", b"\0\0\x08\x02", b"01"];
            let data: Vec<u8> = starts[start].iter().copied().chain(data).collect();
            for format in [Format::Packed, Format::Text, Format::Pbm, Format::Npy, Format::Idx] {
                let _ = Table::read(&data, format, dims, 0);
            }
            let _ = Format::guess(&data);
        }
    }
}
