//! libtorch, in programs that bring it.
//!
//! Loading libtorch takes longer than compressing a small file. So nothing that every
//! program needs refers to it: [`link_libtorch`] alone does, and a program that never
//! calls it does not load the library.

use std::sync::OnceLock;

use super::{CodecError, EngineChoice};
use crate::records::RecordsModel;
use crate::records::on_demand::{Engines, OnDemand};
use crate::stream::codec::StreamCodec;

/// Who makes the parallel passes of a records model's components.
#[cfg_attr(not(feature = "torch"), expect(dead_code, reason = "there is plain Rust alone"))]
pub(super) enum Bulk {
    /// Plain Rust.
    Native,
    /// libtorch,
    Always(Engines),
    /// or it does where there is much to do.
    OnDemand(OnDemand),
}

/// What libtorch does for codecs.
struct Libtorch {
    stream: fn(StreamCodec, device: &str) -> Result<StreamCodec, CodecError>,
    records: fn(&RecordsModel, EngineChoice, device: &str) -> Result<Bulk, CodecError>,
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

/// Who makes the parallel pass of a records model.
pub(super) fn records(
    model: &RecordsModel,
    choice: EngineChoice,
    device: &str,
) -> Result<Bulk, CodecError> {
    match LINKED.get() {
        Some(linked) => (linked.records)(model, choice, device),
        None if choice == EngineChoice::Torch || device.starts_with("cuda") => Err(missing()),
        None => Ok(Bulk::Native),
    }
}

#[cfg(feature = "torch")]
mod torch {
    use super::{Bulk, CodecError, EngineChoice, Engines, OnDemand, RecordsModel, StreamCodec};
    use crate::engine::EngineError;
    use crate::engine::torch::TorchDevice;

    pub fn stream(codec: StreamCodec, device: &str) -> Result<StreamCodec, CodecError> {
        Ok(codec.with_torch(TorchDevice::open(device)?)?)
    }

    /// On the CPU the native engine is faster (a masked layer is half zeros, which it skips) and
    /// starts at once.
    pub fn records(
        model: &RecordsModel,
        choice: EngineChoice,
        device: &str,
    ) -> Result<Bulk, CodecError> {
        Ok(match choice {
            EngineChoice::Native if !device.starts_with("cuda") => Bulk::Native,
            EngineChoice::Auto if device == "cpu" => Bulk::Native,
            EngineChoice::Auto if device == "auto" => {
                let components = model.components();
                let start = move || {
                    let device = TorchDevice::open("cuda");
                    device
                        .and_then(|device| engines(&components, device))
                        .map_or_else(absent, |e| Ok(Some(e)))
                };
                Bulk::OnDemand(OnDemand::new(Box::new(start)))
            }
            _ => Bulk::Always(engines(&model.components(), TorchDevice::open(device)?)?),
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
