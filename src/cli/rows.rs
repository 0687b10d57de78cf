//! Tables of bits from files.

use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::console::Console;
use super::input::Input;
use crate::records::Table;
use crate::records::input::Format;

/// How data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum From {
    /// Packed rows, most significant bit first
    Bits,
    /// Zeros and ones as characters, a row a line
    Text,
    /// Portable bitmap, P1 or P4
    Pbm,
    /// NumPy array of bool or uint8
    Npy,
    /// The format of the MNIST files
    Idx,
}

impl From {
    fn format(self) -> Format {
        match self {
            Self::Bits => Format::Packed,
            Self::Text => Format::Text,
            Self::Pbm => Format::Pbm,
            Self::Npy => Format::Npy,
            Self::Idx => Format::Idx,
        }
    }
}

/// Bytes that [`written_as`] looks at.
const LOOKED_AT: u64 = 1 << 16;

/// How the rows of a file seem to be written, in the words of `--from`; nothing if they may
/// be packed, or if it is no regular file: what is read of a pipe is gone.
pub(super) fn written_as(path: &Path) -> Option<String> {
    if !path.is_file() {
        return None;
    }
    let mut start = Vec::new();
    std::fs::File::open(path).ok()?.take(LOOKED_AT).read_to_end(&mut start).ok()?;
    let guessed = Format::guess(&start);
    let mut others = From::value_variants().iter().filter(|f| **f != From::Bits);
    let from = others.find(|f| f.format() == guessed)?;
    Some(from.to_possible_value()?.get_name().into())
}

/// Reads a table of `dims` bits a row; without `from` the data says how it is
/// written. Rows of packed bits begin `offset` bytes into the file.
pub(super) fn table(
    path: &Path,
    from: Option<From>,
    dims: Option<usize>,
    offset: usize,
    console: &Console,
) -> Result<Table> {
    let name = || path.display().to_string();
    let mut data = Vec::new();
    Input::open(path).with_context(name)?.reader().read_to_end(&mut data).with_context(name)?;
    let format = from.map_or_else(|| Format::guess(&data), From::format);
    let table = Table::read(&data, format, dims, offset).with_context(name)?;
    if table.converted {
        console.note(1, Some(path), &format!("{:?}: packed to bits", table.format));
    }
    Ok(table)
}

/// Two numbers with an x between them.
pub(super) fn pair(text: &str) -> Result<(usize, usize), String> {
    two(text, 'x').ok_or_else(|| "this is two numbers with an x between, such as 28x28".into())
}

/// Two numbers with a comma between them.
pub(super) fn both<T: FromStr>(text: &str) -> Result<(T, T), String> {
    two(text, ',').ok_or_else(|| "this is two numbers with a comma between".into())
}

fn two<T: FromStr>(text: &str, between: char) -> Option<(T, T)> {
    let (a, b) = text.split_once(between)?;
    Some((a.parse().ok()?, b.parse().ok()?))
}
