//! Masked autoencoders in integers.
pub mod integer;
pub mod logistic;
