//! Lossless compression with masked autoencoders.
//!
//! A network gives the probability of every bit from the bits before it; an
//! entropy coder turns bits and probabilities into a file. Networks are integers
//! when they code, so that every machine sees the same probabilities.
//!
//! Data flows one way: [`cli`] → [`archive`] → {[`container`], [`codec`]},
//! `codec` → ([`records`] | [`stream`]) → [`made`] → [`engine`], with [`coder`]
//! used by the codecs alone.
//!
//! | module | what is in it |
//! |---|---|
//! | [`cli`] | the command line, a file a verb |
//! | [`archive`] | whole inputs: compress, decompress, test, ranges, recovery |
//! | [`container`] | bytes on disk (FORMAT.md, part one) and nothing else |
//! | [`catalog`] | models by id: shipped, installed, beside the archive |
//! | [`codec`] | one block: bytes ↔ payload; where a model meets the coder |
//! | [`coder`] | Bernoulli model and ANS blocks on `constriction` |
//! | [`stream`] | the model of any file: statistics, network, online stage |
//! | [`records`] | the model of rows of bits |
//! | [`made`] | degrees, masks, the integer arithmetic, model files and ids |
//! | [`engine`] | the same integers, faster: plain Rust with SIMD, and libtorch |
//! | `train` | data sets, fitting on libtorch, rounding (feature `torch`) |
//! | [`report`] | sizes and bits per dimension |

// The loops of the models go over lanes of fixed length, several arrays at once.
#![allow(clippy::needless_range_loop)]

pub mod archive;
pub mod catalog;
pub mod cli;
pub mod codec;
pub mod coder;
pub mod container;
pub mod engine;
pub mod error;
pub mod made;
pub mod records;
pub mod report;
pub mod stream;
#[cfg(feature = "torch")]
pub mod train;
