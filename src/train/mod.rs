//! Training, on libtorch. The only floating point of madezip; what it makes is
//! rounded to integers before anything is coded.
pub mod records;
pub mod stream;
