//! Figures about data under a model.

pub mod baselines;
pub mod files;
pub mod records;
