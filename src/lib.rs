//! madezip
pub mod codec;
pub mod coder;
pub mod made;
