//! Whole inputs: blocks over threads, in order, every block checked before its
//! bytes are written. The only caller of `container` and of a
//! [`BlockCodec`](crate::codec::BlockCodec).
//!
//! # Memory
//!
//! With `N` threads at most `N + 1` blocks are in memory at a time (one with a
//! single thread), each as its raw bytes and its payload, which is never longer;
//! beside that, each thread has what the codec needs for one block.

mod block;
mod block_size;
mod blocks;
mod catalog;
mod compress;
mod cut;
mod decompress;
mod memory;
mod models;
mod pipeline;
mod progress;
mod range;
mod recover;
mod summary;
mod threads;

pub use catalog::{CatalogModels, bind};
pub use compress::{CompressOptions, compress};
pub use decompress::{DecompressOptions, decompress, test};
pub use models::ModelSource;
pub use progress::{NoProgress, Progress};
pub use range::{decompress_range, decompress_records};
pub use recover::{Loss, Recovered, recover};
pub use summary::{KindTotals, Summary};

pub use crate::container::pieces::read_frame;
pub use crate::container::scan::{Member, Structure, collect, scan, scan_each};

pub use crate::made::PROFILE;
