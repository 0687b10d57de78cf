//! libtorch, in programs that bring it.
//!
//! Loading libtorch takes longer than compressing a small file. So nothing that every
//! program needs refers to it: [`link_libtorch`] alone does, and a program that never
//! calls it does not load the library.

use std::sync::OnceLock;

use super::{CodecError, EngineChoice};
use crate::engine::records::RecordsEngine;
use crate::records::RecordsModel;
use crate::stream::codec::StreamCodec;

/// The parallel passes of a records model's components.
type Engines = Vec<Box<dyn RecordsEngine>>;

/// What libtorch does for codecs.
struct Libtorch {
    stream: fn(StreamCodec, device: &str) -> Result<StreamCodec, CodecError>,
    records: fn(&RecordsModel, EngineChoice, device: &str) -> Result<Option<Engines>, CodecError>,
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

/// Engines for the parallel pass of a records model; none where plain Rust does it.
pub(super) fn records(
    model: &RecordsModel,
    choice: EngineChoice,
    device: &str,
) -> Result<Option<Engines>, CodecError> {
    match LINKED.get() {
        Some(linked) => (linked.records)(model, choice, device),
        None if choice == EngineChoice::Torch || device.starts_with("cuda") => Err(missing()),
        None => Ok(None),
    }
}

#[cfg(feature = "torch")]
mod torch {
    use super::{CodecError, EngineChoice, Engines, RecordsModel, StreamCodec};
    use crate::engine::torch::TorchDevice;

    pub fn stream(codec: StreamCodec, device: &str) -> Result<StreamCodec, CodecError> {
        Ok(codec.with_torch(TorchDevice::open(device)?)?)
    }

    pub fn records(
        model: &RecordsModel,
        choice: EngineChoice,
        device: &str,
    ) -> Result<Option<Engines>, CodecError> {
        let engines = |device| model.components().iter().map(|c| c.torch(device)).collect();
        match records_device(choice, device)?.map(engines).transpose() {
            // a device that nobody asked for may be full, or too old
            Err(_) if choice == EngineChoice::Auto && device == "auto" => Ok(None),
            made => Ok(made?),
        }
    }

    /// The device for the parallel pass of a records model; none for the native
    /// engine, which on the CPU is as fast (a masked layer is half zeros, which it
    /// skips) and starts at once.
    fn records_device(
        choice: EngineChoice,
        device: &str,
    ) -> Result<Option<TorchDevice>, CodecError> {
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
}
