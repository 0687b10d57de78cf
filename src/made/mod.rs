//! Masked autoencoders in integers (Germain et al. 2015, arXiv:1502.03509).
pub mod architecture;
pub mod degrees;
pub mod error;
pub mod file;
pub mod integer;
pub mod logistic;
pub mod masks;
pub mod mixture;
pub mod network;
pub mod ordering;
pub mod packed;
pub mod random;
pub mod tensor;
mod unique;
pub mod weights;
pub mod window;
pub mod window_file;

pub use architecture::Architecture;
pub use error::ModelError;
pub use mixture::Mixture;
pub use network::{Layers, Made};
pub use ordering::Ordering;

/// The arithmetic profile written, and the only one read. It names the rules by
/// which probabilities follow from a model and the past (FORMAT.md).
pub const PROFILE: u16 = 1;
