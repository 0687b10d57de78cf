//! libtorch, in programs that bring it.
//!
//! Loading libtorch takes longer than compressing a small file. So nothing that every
//! program needs refers to it: [`link_libtorch`] alone does, and a program that never
//! calls it does not load the library.

use std::sync::OnceLock;

use super::{CodecError, EngineChoice};
use crate::records::{RecordsCodec, RecordsModel};
use crate::stream::codec::StreamCodec;

/// What libtorch does for codecs.
struct Libtorch {
    stream: fn(StreamCodec, device: &str) -> Result<StreamCodec, CodecError>,
    records: fn(
        RecordsCodec,
        &RecordsModel,
        EngineChoice,
        device: &str,
    ) -> Result<RecordsCodec, CodecError>,
}

static LINKED: OnceLock<Libtorch> = OnceLock::new();

/// Lets codecs use libtorch from now on.
#[cfg(feature = "torch")]
pub fn link_libtorch() {
    LINKED.get_or_init(|| Libtorch { stream: torch::stream, records: torch::records });
}

fn missing() -> CodecError {
    CodecError::Engine("this program is without libtorch: use --engine native --device cpu".into())
}

/// The codec with its parallel pass on a device.
pub(super) fn stream(codec: StreamCodec, device: &str) -> Result<StreamCodec, CodecError> {
    (LINKED.get().ok_or_else(missing)?.stream)(codec, device)
}

/// The codec of a records model with its parallel pass where it is faster, or where it is to be.
pub(super) fn records(
    codec: RecordsCodec,
    model: &RecordsModel,
    choice: EngineChoice,
    device: &str,
) -> Result<RecordsCodec, CodecError> {
    match LINKED.get() {
        Some(linked) => (linked.records)(codec, model, choice, device),
        None if choice == EngineChoice::Torch || device.starts_with("cuda") => Err(missing()),
        None => Ok(codec),
    }
}

#[cfg(feature = "torch")]
mod torch {
    use super::{CodecError, EngineChoice, RecordsCodec, RecordsModel, StreamCodec};
    use crate::engine::EngineError;
    use crate::engine::torch::TorchDevice;
    use crate::records::on_demand::{Engines, OnDemand};

    pub fn stream(codec: StreamCodec, device: &str) -> Result<StreamCodec, CodecError> {
        Ok(codec.with_torch(TorchDevice::open(device)?)?)
    }

    /// On the CPU the native engine is faster (a masked layer is half zeros, which it skips) and
    /// starts at once.
    pub fn records(
        codec: RecordsCodec,
        model: &RecordsModel,
        choice: EngineChoice,
        device: &str,
    ) -> Result<RecordsCodec, CodecError> {
        Ok(match choice {
            EngineChoice::Native if !device.starts_with("cuda") => codec,
            EngineChoice::Auto if device == "cpu" => codec,
            EngineChoice::Auto if device == "auto" => {
                let components = model.components();
                let start = move || {
                    let device = TorchDevice::open("cuda");
                    device
                        .and_then(|device| engines(&components, device))
                        .map_or_else(absent, |e| Ok(Some(e)))
                };
                codec.with_bulk_on_demand(OnDemand::new(Box::new(start)))
            }
            _ => codec.with_bulk(engines(&model.components(), TorchDevice::open(device)?)?),
        })
    }

    fn engines(components: &[RecordsModel], device: TorchDevice) -> Result<Engines, EngineError> {
        components.iter().map(|c| c.torch(device)).collect()
    }

    /// A device that nobody asked for may be missing, full, or too old; but not wrong.
    fn absent(e: EngineError) -> Result<Option<Engines>, EngineError> {
        match e {
            EngineError::KnownAnswer { .. } => Err(e),
            _ => Ok(None),
        }
    }
}
