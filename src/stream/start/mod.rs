//! Where a block starts from, if not from nothing: statistics and weights that a
//! model brings along, so that small files start warm.

pub mod slots;
mod slots_file;
pub mod weights;
