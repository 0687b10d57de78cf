//! madezip
pub mod archive;
pub mod catalog;
pub mod cli;
pub mod codec;
pub mod coder;
pub mod container;
pub mod engine;
pub mod error;
pub mod made;
pub mod records;
pub mod report;
pub mod stream;
#[cfg(feature = "torch")]
pub mod train;
