//! madezip
pub mod archive;
pub mod catalog;
pub mod cli;
pub mod codec;
pub mod coder;
pub mod container;
pub mod error;
pub mod made;
pub mod report;
pub mod stream;
