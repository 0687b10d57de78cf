//! madezip
pub mod codec;
pub mod coder;
pub mod engine;
pub mod made;
pub mod records;
#[cfg(feature = "torch")]
pub mod train;
