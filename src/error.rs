//! What can go wrong between a file and its archive.

use std::io;

use thiserror::Error;

use crate::catalog::CatalogError;
use crate::codec::CodecError;
use crate::container::FormatError;

/// Any failure of compressing, decompressing or inspecting.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The archive's bytes are not right.
    #[error(transparent)]
    Format(FormatError),
    /// A model is missing or unusable.
    #[error(transparent)]
    Model(#[from] CatalogError),
    /// The input could not be read.
    #[error("the input cannot be read")]
    Read(#[source] io::Error),
    /// The output could not be written.
    #[error("the output cannot be written")]
    Write(#[source] io::Error),
    /// The model could not code a block.
    #[error("block {block} cannot be coded")]
    Encode {
        /// Number of the block, from 0.
        block: u64,
        /// Why.
        source: CodecError,
    },
    /// A block that was just coded did not decode to itself.
    #[error(
        "block {block} does not decode to itself: this is a fault of this machine or of madezip, \
         and no archive was written; please report it"
    )]
    Verify {
        /// Number of the block, from 0.
        block: u64,
    },
    /// Every byte of a block is as it was written, and yet it decodes to
    /// something else: the decoder's probabilities are not the encoder's.
    #[error(
        "the archive's bytes are intact, but block {block} at offset {offset} decodes to other \
         content than was compressed: the arithmetic disagrees. Try --engine native, or the \
         madezip release that wrote the archive, and please report it"
    )]
    Disagreement {
        /// Number of the block, from 0.
        block: u64,
        /// Where it begins in the archive.
        offset: u64,
        /// What the decoder said, if it noticed itself.
        source: Option<CodecError>,
    },
    /// Every block is right, and the whole is not what was compressed.
    #[error("the content does not have the SHA-256 that the archive at offset {offset} declares")]
    Digest {
        /// Where the archive begins.
        offset: u64,
    },
    /// The input did not have the length that its file had at the start.
    #[error(
        "the input had {declared} bytes at the start and gave {read}: it changed while it was read"
    )]
    SizeChanged {
        /// Length of the file before reading.
        declared: u64,
        /// Bytes read.
        read: u64,
    },
    /// A byte range that the content does not have.
    #[error("the range {start}..{end} is outside the content, which has {content} bytes")]
    Range {
        /// First byte asked for.
        start: u64,
        /// End of the range.
        end: u64,
        /// Bytes of the content.
        content: u64,
    },
    /// Records that the content does not have.
    #[error("the records {start}..{end} are not all there: the content has {records}")]
    NoSuchRecords {
        /// First record asked for.
        start: u64,
        /// End of the range.
        end: u64,
        /// Records of the content.
        records: u64,
    },
    /// An archive whose content was not split into records.
    #[error("the content was not split into records: compress it with --split")]
    NotSplit,
    /// A record that does not fit a block.
    #[error("a record has more than {limit} bytes, the size of a block: raise --block-size")]
    LongRecord {
        /// The block size.
        limit: u64,
    },
    /// A record by itself cannot be coded or decoded.
    #[error("the record cannot be coded, or its payload is not one of this model and rule")]
    Record(#[source] CodecError),
    /// A record that should end by a rule, and nowhere before its last byte.
    #[error("the record does not end by its rule, or another would begin in it")]
    RecordEnd,
    /// The content is larger than allowed.
    #[error("the content has more than {limit} bytes, the limit that was set for it")]
    ContentLimit {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Decoding would take more memory than allowed.
    #[error(
        "decoding this archive needs {needed} bytes of memory, above the limit of {limit}: \
         raise --memlimit"
    )]
    Memory {
        /// Bytes for one block or for the model.
        needed: u64,
        /// The limit.
        limit: u64,
    },
}

impl From<FormatError> for Error {
    fn from(e: FormatError) -> Self {
        match e {
            FormatError::Io(e) => Self::Read(e),
            e => Self::Format(e),
        }
    }
}
