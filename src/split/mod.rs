//! Content as records that decode one by one: where they end, and the payload of a
//! block of them (FORMAT.md §6.1). What codes one record is the model's business.

mod index;
mod payload;
mod rule;

pub use payload::{MAX_CHECK, RecordCoder, Records, decode, encode};
pub use rule::{Split, Splitter, UnknownSplit};
