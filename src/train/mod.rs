//! Training on libtorch: floats end here, models leave as integers.
pub mod records;
