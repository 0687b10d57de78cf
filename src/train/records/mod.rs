//! Training a MADE on rows of bits.
//!
//! Two phases: the network is first fitted in floating point, then its weights
//! and activations are rounded as the integer model will have them and it is
//! fitted further with the rounding in place. Every epoch is judged on the
//! validation rows with averaged weights; the best one is kept.

mod adam;
mod bitmaps;
mod checkpoint;
mod dropout;
mod export;
mod fit;
mod network;
mod options;
mod quantize;
mod run;
mod tied;

pub use bitmaps::{BitmapOptions, BitmapReport, train_bitmaps};
pub use fit::{Report, train};
pub use options::{Options, OrderingChoice};
pub use run::Progress;

use crate::engine::EngineError;
use crate::made::ModelError;
use thiserror::Error;

/// Why no model came out.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The data cannot be trained on.
    #[error("{0}")]
    Data(String),
    /// Options that make no sense.
    #[error("{0}")]
    Options(String),
    /// A checkpoint does not fit.
    #[error("checkpoint: {0}")]
    Checkpoint(String),
    /// The network or its file is not valid.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// libtorch or the device failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The loss is no number any more.
    #[error("training diverged in epoch {0}: try a smaller --learning-rate")]
    Diverged(usize),
}

impl From<tch::TchError> for TrainError {
    fn from(e: tch::TchError) -> Self {
        Self::Engine(e.into())
    }
}
