//! The front door for programs: slices and streams, with options.
//!
//! [`compress`] and [`decompress`] turn one slice into another with the default
//! model. [`Compressor`] and [`Decompressor`] have the options and also work on
//! [`Read`](std::io::Read) and [`Write`](std::io::Write). The archives are those
//! of the command line. [`RecordCodec`] codes small records without any archive.

mod compressor;
mod decompressor;
mod model;
mod record;

pub use compressor::Compressor;
pub use decompressor::{DEFAULT_LIMIT, Decompressor};
pub use model::Model;
pub use record::RecordCodec;

use crate::error::Error;

/// Compresses a slice with the default model.
///
/// ```
/// let archive = madezip::compress(b"one fish two fish red fish blue fish")?;
/// assert_eq!(madezip::decompress(&archive)?, b"one fish two fish red fish blue fish");
/// # Ok::<(), madezip::Error>(())
/// ```
///
/// # Errors
/// Only what goes wrong with the machine: see [`Error`].
pub fn compress(content: &[u8]) -> Result<Vec<u8>, Error> {
    Compressor::new().compress(content)
}

/// Restores what an archive in a slice holds, up to [`DEFAULT_LIMIT`] bytes:
/// [`Decompressor::limit`] allows more or less. The archive's model is one that is
/// shipped, or one that the archive brings with it.
///
/// ```
/// let archive = madezip::compress(&[7; 100_000])?;
/// assert_eq!(madezip::decompress(&archive)?, [7; 100_000]);
/// assert!(madezip::decompress(&archive[1..]).is_err());
/// # Ok::<(), madezip::Error>(())
/// ```
///
/// # Errors
/// What is no archive, is damaged, needs another model or holds too much.
pub fn decompress(archive: &[u8]) -> Result<Vec<u8>, Error> {
    Decompressor::new().decompress(archive)
}
