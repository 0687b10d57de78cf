//! What can be wrong with the bytes of an archive.

use std::io;

use thiserror::Error;

/// What is wrong with the bytes of an archive, and where.
///
/// Offsets count bytes of the input from 0.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The input does not begin as an archive does.
    #[error("not a madezip archive")]
    NotAnArchive,
    /// The input is empty, which no archive is.
    #[error("the input is empty: not a madezip archive")]
    Empty,
    /// The signature shows what happened to the archive on its way.
    #[error("the archive was changed in transfer: {0}; copy it again in binary mode")]
    Mangled(&'static str),
    /// Something follows an archive that is neither an archive nor a skippable frame.
    #[error("something that is not an archive follows the archive, at offset {offset}")]
    TrailingData {
        /// Where it begins.
        offset: u64,
    },
    /// The archive was written by a later program.
    #[error(
        "the archive has format version {found}, and this program reads version {known}: \
         use a newer madezip"
    )]
    NewerVersion {
        /// The version in the archive.
        found: u8,
        /// The newest version known here.
        known: u8,
    },
    /// A required feature is not known here.
    #[error("the archive needs a feature this program does not know ({what}): use a newer madezip")]
    UnknownFeature {
        /// Which field asks for it.
        what: &'static str,
    },
    /// The probabilities follow rules that are not known here.
    #[error(
        "the archive follows arithmetic profile {found}, and this program knows {known}: \
         use the madezip release that wrote it, or a newer one"
    )]
    UnknownProfile {
        /// The profile in the archive.
        found: u16,
        /// The profile known here.
        known: u16,
    },
    /// The input ends too early.
    #[error("the archive is truncated: it ends at offset {offset}, inside {within}")]
    Truncated {
        /// Length of the input.
        offset: u64,
        /// What is cut.
        within: &'static str,
    },
    /// A checksum or a rule outside the blocks is broken.
    #[error("the archive is damaged at offset {offset}: {what}")]
    Damaged {
        /// Where the damaged part begins.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A checksum or a rule of a block is broken.
    #[error("the archive is damaged: block {block} at offset {offset}: {what}")]
    DamagedBlock {
        /// Number of the block in its archive, from 0.
        block: u64,
        /// Where the block begins.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A field is beyond what this program accepts; nothing was allocated for it.
    #[error("{what} is {found}, above the limit of {limit}")]
    Limit {
        /// Which field.
        what: &'static str,
        /// Its value.
        found: u64,
        /// The largest value accepted.
        limit: u64,
    },
    /// The input could not be read.
    #[error("the archive cannot be read: {0}")]
    Io(#[from] io::Error),
}
