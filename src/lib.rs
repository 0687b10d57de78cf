//! madezip
pub mod codec;
pub mod coder;
pub mod engine;
pub mod made;
pub mod records;
pub mod stream;
#[cfg(feature = "torch")]
pub mod train;
