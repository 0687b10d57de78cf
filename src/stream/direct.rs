//! Direct probabilities: what a context itself was followed by, as an average and not
//! as a history. For the first [`DIRECT`] contexts of a model, one cache line for a
//! context and nibble, an [`Entry`] for each of its 15 nodes.
//!
//! Lines have no check: contexts that share one disturb each other a little. An entry
//! that was never used (its count is 0) stands for what the history is worth.

use super::adaptive::Entry;
use super::memory::{Memory, prefetch};

/// How many contexts have them.
pub const DIRECT: usize = 8;
/// Nodes of a line; the first is not used.
const NODES: usize = 16;
/// Bytes of a line.
pub const LINE: usize = 4 * NODES;

/// log₂ of the number of lines for a block: for half of what it can touch at most.
pub fn line_bits(block_len: usize) -> u32 {
    (block_len.max(256) * DIRECT).next_power_of_two().ilog2().clamp(11, 20)
}

/// The table. Its size is a power of two, chosen by the caller from the length of the
/// block.
#[derive(Debug)]
pub struct DirectTable {
    memory: Memory,
    mask: u32,
}

impl DirectTable {
    /// A table of `2^bits` lines, `bits` up to 20.
    pub fn new(bits: u32) -> Self {
        let lines = 1usize << bits.min(20);
        Self { memory: Memory::zeroed(lines * LINE), mask: lines as u32 - 1 }
    }

    /// The same table in a memory of its own.
    pub fn copy(&self) -> Self {
        Self { memory: self.memory.copy(), mask: self.mask }
    }

    /// Where the line of a slot's hash begins, in entries: its upper bits choose it.
    #[inline(always)]
    fn position(&self, hash: u32) -> u32 {
        (hash >> 12 & self.mask) * NODES as u32
    }

    #[inline(always)]
    fn entries(&self) -> &[[u8; 4]] {
        self.memory.bytes().as_chunks().0
    }

    /// Fetches the line of a hash into the cache ahead of [`Self::open`].
    #[inline(always)]
    pub fn prefetch(&self, hash: u32) {
        prefetch(self.entries().as_ptr().wrapping_add(self.position(hash) as usize));
    }

    /// Positions of the lines of some hashes.
    #[inline(always)]
    pub fn open(&self, hashes: &[u32]) -> [u32; DIRECT] {
        let mut positions = [0; DIRECT];
        for (position, &hash) in positions.iter_mut().zip(hashes) {
            *position = self.position(hash);
        }
        positions
    }

    /// The entries of a node in lines at positions that [`Self::open`] gave.
    #[inline(always)]
    pub fn read(&self, positions: &[u32; DIRECT], node: usize) -> [Entry; DIRECT] {
        let all = self.entries();
        let mut entries = [0; DIRECT];
        for i in 0..DIRECT {
            entries[i] = Entry::from_le_bytes(all[positions[i] as usize + node % NODES]);
        }
        entries
    }

    /// Writes them. Of contexts that share a line the last one prevails.
    #[inline(always)]
    pub fn write(&mut self, positions: &[u32; DIRECT], node: usize, entries: &[Entry; DIRECT]) {
        let all = self.memory.bytes_mut().as_chunks_mut().0;
        for i in 0..DIRECT {
            all[positions[i] as usize + node % NODES] = entries[i].to_le_bytes();
        }
    }

    /// Makes a line what it is in `start`, a table of the same size.
    pub fn restore(&mut self, start: &Self, position: u32) {
        let first = ((position / NODES as u32) & self.mask) as usize * LINE;
        let line = first..first + LINE;
        self.memory.bytes_mut()[line.clone()].copy_from_slice(&start.memory.bytes()[line]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_found_and_restored() {
        let start = DirectTable::new(line_bits(1));
        let mut table = start.copy();
        let hashes: [u32; DIRECT] = std::array::from_fn(|i| (i as u32).wrapping_mul(0x9e37_79b1));
        let positions = table.open(&hashes);
        assert_eq!(table.read(&positions, 3), [0; DIRECT]);
        let entries: [Entry; DIRECT] = std::array::from_fn(|i| 77 + i as u32);
        table.write(&positions, 3, &entries);
        assert_eq!(table.read(&table.open(&hashes), 3), entries);
        assert_eq!(table.read(&positions, 2), [0; DIRECT]);
        for position in positions {
            table.restore(&start, position);
        }
        assert_eq!(table.memory.bytes(), start.memory.bytes());
    }

    #[test]
    fn tables_grow_with_the_block() {
        assert_eq!([0, 1 << 12, 1 << 24].map(line_bits), [11, 15, 20]);
    }
}
