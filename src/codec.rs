//! One block: bytes to payload and back. The only place where a model meets
//! the entropy coder.

use std::sync::Arc;

use thiserror::Error;

use crate::coder::NotReversible;
use crate::container::ModelId;
use crate::engine::kernel::Isa;
use crate::made::ModelError;
use crate::made::file::{KIND, ModelFile};
use crate::records::{RecordsCodec, RecordsModel};
use crate::split::RecordCoder;
use crate::stream::codec::StreamCodec;
use crate::stream::coding::Level;
use crate::stream::model::{STREAM, StreamModel};

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

/// What evaluates the network in the parallel pass of compression. Decompression
/// takes single steps, which the native engine always makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// Whichever is faster: plain Rust, for records models libtorch on a CUDA
    /// device if there is one.
    #[default]
    Auto,
    /// libtorch.
    Torch,
    /// Plain Rust.
    Native,
}

/// Binds a model, whose id the caller knows, to an engine. `device` is `auto`, `cpu`,
/// `cuda` or `cuda:N`; one that is named and not there is an error.
pub fn open(
    file: &ModelFile,
    id: ModelId,
    choice: EngineChoice,
    device: &str,
) -> Result<Arc<dyn BlockCodec>, CodecError> {
    let kind = file.text(KIND)?;
    #[cfg(not(feature = "torch"))]
    refuse_torch(choice, device)?;
    #[cfg(feature = "torch")]
    let cuda = device.starts_with("cuda");
    match kind {
        STREAM => {
            let codec = StreamCodec::new(StreamModel::from_file(file)?, id);
            #[cfg(feature = "torch")]
            if choice == EngineChoice::Torch || cuda {
                let device = crate::engine::torch::TorchDevice::open(device)?;
                return Ok(Arc::new(codec.with_torch(device)?));
            }
            Ok(Arc::new(codec))
        }
        kind if RecordsModel::is_kind(kind) => {
            Ok(Arc::new(open_records(file, id, choice, device, 0)?))
        }
        other => Err(ModelError::metadata(KIND, format!("unknown kind {other:?}")).into()),
    }
}

/// Another way to compute the same, to check what [`open`]'s codec wrote: the
/// native engine on another instruction set. None where there is no other, or
/// where encoding and decoding take different ways already (libtorch encodes and
/// the native engine decodes; records are coded in bulk and decoded in steps).
pub fn open_checker(
    file: &ModelFile,
    id: ModelId,
    choice: EngineChoice,
    device: &str,
) -> Result<Option<Arc<dyn BlockCodec>>, CodecError> {
    if file.text(KIND)? != STREAM || choice == EngineChoice::Torch || device.starts_with("cuda") {
        return Ok(None);
    }
    // plain scalar code would take many times as long
    let other = |isa: &Isa| ![Isa::best(), Isa::SCALAR].contains(isa);
    let Some(isa) = Isa::available().into_iter().rev().find(other) else { return Ok(None) };
    let codec = StreamCodec::new(StreamModel::from_file(file)?, id);
    Ok(Some(Arc::new(codec.with_isa(isa))))
}

/// A codec that decodes with another than it encodes with, for
/// [`crate::archive::CompressOptions::verify`].
pub struct Checked {
    /// Encodes.
    pub writer: Arc<dyn BlockCodec>,
    /// Decodes.
    pub reader: Arc<dyn BlockCodec>,
}

impl BlockCodec for Checked {
    fn model_id(&self) -> [u8; 32] {
        self.writer.model_id()
    }

    fn passes(&self) -> String {
        format!("{}; check by decoding: {}", self.writer.passes(), self.reader.passes())
    }

    fn has_level(&self, level: Level) -> bool {
        self.writer.has_level(level)
    }

    fn block_unit(&self) -> usize {
        self.writer.block_unit()
    }

    fn encode(
        &self,
        raw: &[u8],
        level: Level,
        threads: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Encoded, CodecError> {
        self.writer.encode(raw, level, threads, progress)
    }

    fn decode_memory(&self, payload: &[u8], raw_len: usize) -> u64 {
        self.reader.decode_memory(payload, raw_len)
    }

    fn records(&self) -> Option<Box<dyn RecordCoder + '_>> {
        self.writer.records()
    }

    fn records_memory(&self, raw_len: usize) -> u64 {
        self.writer.records_memory(raw_len)
    }

    fn decode(
        &self,
        payload: &[u8],
        raw_len: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Vec<u8>, CodecError> {
        self.reader.decode(payload, raw_len, progress)
    }
}

/// Binds a model of records to an engine, as [`open`]. Rows begin `offset` bytes
/// into the data.
pub fn open_records(
    file: &ModelFile,
    id: ModelId,
    choice: EngineChoice,
    device: &str,
    offset: usize,
) -> Result<RecordsCodec, CodecError> {
    let model = RecordsModel::from_file(file)?;
    let codec = RecordsCodec::new(&model, id, offset);
    #[cfg(not(feature = "torch"))]
    refuse_torch(choice, device)?;
    #[cfg(feature = "torch")]
    if let Some(device) = records_device(choice, device)? {
        let components = model.components();
        let engines = components.iter().map(|c| c.torch(device)).collect::<Result<Vec<_>, _>>()?;
        return Ok(codec.with_bulk(engines));
    }
    Ok(codec)
}

#[cfg(not(feature = "torch"))]
fn refuse_torch(choice: EngineChoice, device: &str) -> Result<(), CodecError> {
    if choice == EngineChoice::Torch || device.starts_with("cuda") {
        return Err(CodecError::Engine(
            "this madezip was built without libtorch: use --engine native --device cpu".into(),
        ));
    }
    Ok(())
}

/// The device for the parallel pass of a records model; none for the native
/// engine, which on the CPU is as fast (a masked layer is half zeros, which it
/// skips) and starts at once.
#[cfg(feature = "torch")]
fn records_device(
    choice: EngineChoice,
    device: &str,
) -> Result<Option<crate::engine::torch::TorchDevice>, CodecError> {
    use crate::engine::torch::TorchDevice;
    let opened = match choice {
        EngineChoice::Native if !device.starts_with("cuda") => return Ok(None),
        EngineChoice::Auto if device == "cpu" => return Ok(None),
        _ => TorchDevice::open(device)?,
    };
    Ok(match choice {
        EngineChoice::Auto if opened == TorchDevice::cpu() => None,
        _ => Some(opened),
    })
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
    /// Codes one block at a level (the only one there is, if the model does not have
    /// it), with `threads` threads to itself; the payload does not depend on them.
    /// `progress` is called now and then with the number of bytes done since the last
    /// call.
    fn encode(
        &self,
        raw: &[u8],
        level: Level,
        threads: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Encoded, CodecError>;
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
