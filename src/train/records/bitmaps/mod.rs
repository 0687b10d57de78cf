//! Training the convolutional MADE on bitmaps.
//!
//! The loss of a bitmap is a sum over its pixels, and most of them are easy: deep
//! in the background or in a stroke. So a step does not look at every pixel of its
//! bitmaps. It draws them, the hard ones more often, and weighs each by one over
//! its chance, which leaves the expected gradient as it was ([`batches`]).

mod batches;
mod export;
mod fit;
mod network;
mod options;

pub use fit::{BitmapReport, train_bitmaps};
pub use options::BitmapOptions;
