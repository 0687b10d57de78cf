//! One block: bytes to payload and back. The only place where a model meets
//! the entropy coder.

use thiserror::Error;

/// Why a block could not be coded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The payload is not one that the model's encoder can have written.
    #[error("the payload is damaged: {0}")]
    Payload(&'static str),
    /// The engine failed, or a known answer came out wrong.
    #[error("engine: {0}")]
    Engine(String),
}

/// A coded block.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The coder's bytes.
    pub payload: Vec<u8>,
    /// Ideal code length under the model, in bits: −Σ log₂ p.
    pub ideal_bits: f64,
}

/// What the archive layer needs of a model bound to an engine.
pub trait BlockCodec: Send + Sync {
    /// SHA-256 of the model's canonical content.
    fn model_id(&self) -> [u8; 32];
    /// Blocks should hold a multiple of this many bytes (the last may not): rows
    /// that a block's end cuts in two compress badly.
    fn block_unit(&self) -> usize {
        1
    }
    /// Codes one block. `progress` is called now and then with the number of
    /// bytes done since the last call.
    fn encode(&self, raw: &[u8], progress: &dyn Fn(u64)) -> Result<Encoded, CodecError>;
    /// Decodes a block of exactly `raw_len` bytes (bounded by the caller).
    /// Hostile payloads give an error or wrong bytes (the caller checks a CRC),
    /// never a panic or unbounded memory.
    fn decode(
        &self,
        payload: &[u8],
        raw_len: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Vec<u8>, CodecError>;
}
