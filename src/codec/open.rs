//! Models bound to engines.

use std::sync::Arc;

use super::{BlockCodec, CodecError, libtorch};
use crate::container::ModelId;
use crate::engine::kernel::Isa;
use crate::made::ModelError;
use crate::made::file::{KIND, ModelFile};
use crate::records::{RecordsCodec, RecordsModel};
use crate::stream::codec::StreamCodec;
use crate::stream::model::{STREAM, StreamModel};

/// What evaluates the network in the parallel pass of compression. Decompression
/// takes single steps, which the native engine always makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// Whichever is faster: plain Rust, for long passes of records models libtorch on a
    /// CUDA device if there is one.
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
    match file.text(KIND)? {
        STREAM => {
            let codec = StreamCodec::new(StreamModel::from_file(file)?, id);
            Ok(Arc::new(match choice == EngineChoice::Torch || device.starts_with("cuda") {
                true => libtorch::stream(codec, device)?,
                false => codec,
            }))
        }
        kind if RecordsModel::is_kind(kind) => {
            Ok(Arc::new(open_records(file, id, choice, device, 0)?))
        }
        other => Err(ModelError::Newer(format!("models of kind {other:?}")).into()),
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
    libtorch::records(codec, &model, choice, device)
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
