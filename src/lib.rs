//! Lossless compression with masked autoencoders.
//!
//! A network gives the probability of every bit from the bits before it; an
//! entropy coder turns bits and probabilities into a file. Networks are integers
//! when they code, so that every machine sees the same probabilities.
//!
//! ```
//! let text = "She sells sea shells by the sea shore. ".repeat(20);
//! let archive = madezip::compress(text.as_bytes())?;
//! assert!(archive.len() < 80);
//! assert_eq!(madezip::decompress(&archive)?, text.as_bytes());
//! # Ok::<(), madezip::Error>(())
//! ```
//!
//! [`Compressor`] and [`Decompressor`] have the options and work on streams, and
//! [`Model`] is a model of one's own; [`RecordCodec`] codes small records one by one.
//!
//! # The map
//!
//! Data flows one way: [`cli`] → [`archive`] → {[`container`], [`codec`]},
//! `codec` → ([`records`] | [`stream`]) → [`made`] → [`engine`], with [`coder`]
//! used by the codecs alone.
//!
//! | module | what is in it |
//! |---|---|
//! | [`api`] | what programs use, all of it also here at the root |
//! | [`cli`] | the command line, a file a verb |
//! | [`archive`] | whole inputs: compress, decompress, test, ranges, recovery |
//! | [`container`] | bytes on disk (FORMAT.md, part one) and nothing else |
//! | [`catalog`] | models by id: shipped, installed, beside the archive |
//! | [`codec`] | one block: bytes ↔ payload; where a model meets the coder |
//! | [`coder`] | Bernoulli model and ANS blocks on `constriction` |
//! | [`stream`] | the model of any file: statistics, network, online stage |
//! | [`records`] | the model of rows of bits |
//! | [`split`] | content as records that decode one by one |
//! | [`made`] | degrees, masks, the integer arithmetic, model files and ids |
//! | [`engine`] | the same integers, faster: plain Rust with SIMD, and libtorch |
//! | `train` | data sets, fitting on libtorch, rounding (feature `torch`) |
//! | [`report`] | sizes and bits per dimension |

// The loops of the models go over lanes of fixed length, several arrays at once.
#![allow(clippy::needless_range_loop)]

pub mod api;
pub mod archive;
pub mod catalog;
pub mod cli;
pub mod codec;
pub mod coder;
pub mod container;
pub mod engine;
pub mod error;
pub mod made;
mod parallel;
pub mod records;
pub mod report;
pub mod split;
pub mod stream;
#[cfg(feature = "torch")]
pub mod train;

pub use api::{Compressor, Decompressor, Model, RecordCodec, compress, decompress};
pub use error::Error;
pub use split::Split;
