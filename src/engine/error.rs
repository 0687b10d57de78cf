//! What can go wrong in an engine.

use thiserror::Error;

/// Why an engine could not start or evaluate.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A device name that is none of `auto`, `cpu`, `cuda`, `cuda:N`.
    #[error("no such device: `{0}` (there are auto, cpu, cuda and cuda:N)")]
    UnknownDevice(String),
    /// CUDA was asked for and is not there.
    #[error(
        "there is no device cuda:{wanted}, libtorch sees {found}{}: use --device cpu, or a \
         libtorch for CUDA on a machine with a CUDA device",
        reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"))
    )]
    NoCuda {
        /// Number of the device.
        wanted: usize,
        /// How many there are.
        found: usize,
        /// Why libtorch's part for CUDA could not be loaded, if it could not.
        reason: Option<String>,
    },
    /// A known answer came out wrong.
    #[error(
        "libtorch on {device} computes wrong sums ({layer}: {got} instead of {want}); \
         use --engine native --device cpu"
    )]
    KnownAnswer {
        /// The device.
        device: String,
        /// The layer whose shape was tried.
        layer: String,
        /// The sum that came out.
        got: f64,
        /// The right sum.
        want: i64,
    },
    /// A sample of what the parallel pass computed is wrong.
    #[error(
        "the engine of the parallel pass and the native one disagree (on a sample, which is \
         compared all along): use --engine native --device cpu"
    )]
    Sample,
    /// A layer has no product that is exact on this device.
    #[error("{layer}: sums up to {bound} are not exact on {device}")]
    Inexact {
        /// The layer.
        layer: String,
        /// What its sums can reach.
        bound: i64,
        /// The device.
        device: String,
    },
    /// libtorch reported an error.
    #[error("libtorch: {0}")]
    Torch(String),
}

#[cfg(feature = "torch")]
impl From<tch::TchError> for EngineError {
    fn from(e: tch::TchError) -> Self {
        let text = match e {
            tch::TchError::Torch(text) => text,
            other => other.to_string(),
        };
        // The first line is the message, the rest a C++ stack.
        Self::Torch(text.lines().next().unwrap_or_default().to_string())
    }
}
