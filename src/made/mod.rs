//! Masked autoencoders in integers.
pub mod error;
pub mod file;
pub mod integer;
pub mod logistic;
pub mod tensor;

pub use error::ModelError;
