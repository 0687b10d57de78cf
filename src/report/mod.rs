//! Figures about data under a model.

pub mod files;
