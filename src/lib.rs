//! madezip
pub mod container;
pub mod codec;
pub mod coder;
pub mod made;
pub mod stream;
