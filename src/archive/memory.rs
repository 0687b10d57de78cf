//! What decoding may take.

use std::cell::Cell;
use std::sync::Arc;

use super::DecompressOptions;
use super::block::Codecs;
use super::threads::side_by_side;
use crate::codec::BlockCodec;
use crate::container::BlockKind;
use crate::error::Error;

/// Blocks that are decoded at a time: as many as asked for, or as fit the limit.
pub(super) struct Lanes {
    limit: Option<u64>,
    /// For [`super::pipeline::ordered`].
    pub threads: Cell<usize>,
    asked: usize,
}

impl Lanes {
    pub fn new(options: &DecompressOptions) -> Self {
        let asked = options.threads.max(1);
        Self { limit: options.memory_limit, threads: Cell::new(asked), asked }
    }

    /// How many threads a block may use, if so many are decoded at a time.
    pub fn threads_for(&self, blocks: u64) -> usize {
        self.asked / side_by_side(self.asked, blocks)
    }

    /// An error if not even the content and payload of a block of so many bytes fit, before any
    /// of it is read.
    pub fn make_room_for_bytes(&self, raw_len: u64) -> Result<(), Error> {
        self.make_room(BlockKind::Stored, raw_len, &[], &[].into())
    }

    /// Makes room for blocks of a kind and of up to `raw_len` bytes, before anything is
    /// allocated for one but the payload it has (if it is there yet). An error if not a
    /// single one fits.
    pub fn make_room(
        &self,
        kind: BlockKind,
        raw_len: u64,
        payload: &[u8],
        codecs: &Codecs,
    ) -> Result<(), Error> {
        let Some(limit) = self.limit else { return Ok(()) };
        // content and payload, which is never longer
        let block = 2 * raw_len;
        let memory = |codec: &Arc<dyn BlockCodec>| match kind {
            BlockKind::Split => codec.records_memory(raw_len as usize),
            _ => codec.decode_memory(payload, raw_len as usize),
        };
        let codec = codecs.iter().map(memory).max().unwrap_or(0);
        let needed = |threads: u64| {
            let blocks = if threads == 1 { 1 } else { threads + 1 };
            blocks * block + threads * codec
        };
        let fits = (1..=self.asked as u64).rev().find(|&t| needed(t) <= limit);
        match fits {
            Some(threads) => {
                // what is under way took its room before
                self.threads.set(self.threads.get().min(threads as usize));
                Ok(())
            }
            None => Err(Error::Memory { needed: needed(1), limit }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_threads_before_refusal() {
        let lanes = |memory_limit| {
            Lanes::new(&DecompressOptions { threads: 4, memory_limit, ..Default::default() })
        };
        let none: Codecs = [].into();
        let free = lanes(None);
        free.make_room(BlockKind::Coded, 1 << 28, &[], &none).unwrap();
        assert_eq!(free.threads.get(), 4);
        assert_eq!([0, 1, 2, 3, 9].map(|blocks| free.threads_for(blocks)), [4, 4, 2, 1, 1]);
        // one thread has one block under way, two have three
        for (limit, threads) in [(1000, 4), (999, 3), (600, 2), (599, 1), (200, 1)] {
            let lanes = lanes(Some(limit));
            lanes.make_room(BlockKind::Coded, 100, &[], &none).unwrap();
            assert_eq!(lanes.threads.get(), threads, "{limit}");
        }
        match lanes(Some(199)).make_room(BlockKind::Coded, 100, &[], &none) {
            Err(Error::Memory { needed: 200, limit: 199 }) => {}
            other => panic!("{other:?}"),
        }
    }
}
