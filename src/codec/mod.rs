//! One block: bytes to payload and back. The only place where a model meets
//! the entropy coder.

mod checked;
mod libtorch;
mod open;

use thiserror::Error;

use crate::coder::NotReversible;
use crate::made::ModelError;
use crate::split::RecordCoder;
use crate::stream::coding::Level;
use crate::stream::signal::regions::{Region, Regions};

pub use checked::Checked;
#[cfg(feature = "torch")]
pub use libtorch::link_libtorch;
pub use open::{EngineChoice, open, open_checker, open_records};

/// Why a block could not be coded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The payload is not what an encoder with this decoder's probabilities can have written.
    #[error("the payload is damaged: {0}")]
    Payload(&'static str),
    /// The payload breaks a rule that has nothing to do with probabilities.
    #[error("the payload is damaged: {0}")]
    Form(&'static str),
    /// The payload has something that is not known here.
    #[error("the payload needs a feature this program does not know ({0}): use a newer madezip")]
    Unknown(&'static str),
    /// The engine failed, or a known answer came out wrong.
    #[error("engine: {0}")]
    Engine(String),
    /// Records one by one, with a model that has no way to code them.
    #[error("a model of this kind does not code records one by one; models of any files do")]
    NoRecords,
    /// The model is not one that this program can use.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl From<NotReversible> for CodecError {
    fn from(e: NotReversible) -> Self {
        Self::Engine(e.to_string())
    }
}

/// A coded block.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The coder's bytes.
    pub payload: Vec<u8>,
    /// Ideal code length under the model, in bits: −Σ log₂ p.
    pub ideal_bits: f64,
}

/// The next block of an input, as a codec would have it.
#[derive(Clone, Debug)]
pub struct NextBlock {
    /// Its bytes.
    pub len: usize,
    /// Where it has samples, all of them in it.
    pub regions: Regions,
    /// Samples that go on after it, or begin after it though their header is in it; counted from
    /// its end.
    pub goes_on: Option<Region>,
}

/// What the archive layer needs of a model bound to an engine.
pub trait BlockCodec: Send + Sync {
    /// SHA-256 of the model's canonical content.
    fn model_id(&self) -> [u8; 32];
    /// Which engine makes each pass, in words.
    fn passes(&self) -> String;
    /// Whether the model has a level; the default one always.
    fn has_level(&self, level: Level) -> bool {
        level == Level::Default
    }
    /// Blocks should hold a multiple of this many bytes (the last may not): rows
    /// that a block's end cuts in two compress badly.
    fn block_unit(&self) -> usize {
        1
    }
    /// The block that some bytes begin with: all of them, or with `cut_at` a level at which they
    /// will be coded, those before other content begins that is better coded by itself; one at
    /// least, if there are any. Samples may go on in them that [`NextBlock::goes_on`] told of.
    fn next_block(
        &self,
        bytes: &[u8],
        _begun: Option<Region>,
        _cut_at: Option<Level>,
    ) -> NextBlock {
        NextBlock { len: bytes.len(), regions: Regions::default(), goes_on: None }
    }
    /// Threads that one block has work for; [`usize::MAX`]: any number.
    fn block_threads(&self) -> usize {
        1
    }
    /// Codes one block with samples in some regions ([`NextBlock::regions`]), at a level (the
    /// only one there is, if the model does not have it), with `threads` threads to itself; the
    /// payload does not depend on them.
    /// `progress` is called now and then with the number of bytes done since the last
    /// call.
    fn encode(
        &self,
        raw: &[u8],
        regions: &Regions,
        level: Level,
        threads: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Encoded, CodecError>;
    /// Whether a payload follows rules that came after version 0.1, so that its block is one of
    /// kind [`Extended`](crate::container::BlockKind::Extended).
    fn is_extended(&self, _payload: &[u8]) -> bool {
        false
    }
    /// Bytes that [`BlockCodec::decode`] takes for a payload and a block of `raw_len`
    /// bytes or fewer, at most, beside content and payload. The default is ample for
    /// codecs that keep no more than the activations of some hundred rows.
    fn decode_memory(&self, _payload: &[u8], raw_len: usize) -> u64 {
        (40 << 20) + (1024 * raw_len as u64).min(400 << 20)
    }
    /// A coder of small records; none if the model's kind has none.
    fn records(&self) -> Option<Box<dyn RecordCoder + '_>> {
        None
    }
    /// Bytes of memory that such a coder takes to decode a block of `raw_len` bytes, at
    /// most.
    fn records_memory(&self, _raw_len: usize) -> u64 {
        0
    }
    /// Decodes a block of exactly `raw_len` bytes (bounded by the caller), with at most
    /// `threads` threads, on which nothing depends.
    /// Hostile payloads give an error or wrong bytes (the caller checks a CRC),
    /// never a panic or unbounded memory.
    fn decode(
        &self,
        payload: &[u8],
        raw_len: usize,
        threads: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Vec<u8>, CodecError>;
}
