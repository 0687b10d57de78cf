//! madezip
pub mod codec;
pub mod made;
