//! Direct probabilities: what a context itself was followed by, as an average and not
//! as a history. For the first [`DIRECT`] contexts of a model, one cache line for a
//! context and nibble, an [`Entry`] for each of its 15 nodes.
//!
//! A line belongs to one context at a time: its first word has that context's tag and
//! how much it is worth to keep. A context that is seen for the first time has no line,
//! and one that finds its line with another only makes that one worth less, until it
//! can have it. Entries that were never used (their count is 0), and those of a context
//! without a line, stand for what the history is worth.

use super::adaptive::Entry;
use super::memory::{Memory, prefetch};
use crate::engine::kernel::Kernel;

/// Contexts of a table.
pub const DIRECT: usize = 8;
/// Tables at most.
pub const TABLES: usize = 2;

/// How many of `contexts` contexts have direct probabilities.
pub const fn direct_count(contexts: usize) -> usize {
    match contexts {
        ..16 => 0,
        16..32 => DIRECT,
        _ => 2 * DIRECT,
    }
}
/// Nodes of a line; in the place of the first there is the line's word.
const NODES: usize = 16;
/// Bytes of a line.
pub const LINE: usize = 4 * NODES;
/// Bits of a tag, the lower ones of the word; those above are the worth.
const TAG_BITS: u32 = 12;
const TAG: u32 = (1 << TAG_BITS) - 1;
/// What a line is worth to begin with, and at most.
const WORTH: u32 = 2;
const MOST_WORTH: u32 = 8;

/// Bytes of the tables for a block.
pub fn memory(block_len: usize, contexts: usize) -> u64 {
    (direct_count(contexts).div_ceil(DIRECT) as u64 * LINE as u64) << line_bits(block_len)
}

/// log₂ of the number of lines of a table for a block: for half of what it can touch at most.
pub fn line_bits(block_len: usize) -> u32 {
    (block_len.max(256) as u64 * DIRECT as u64).next_power_of_two().ilog2().clamp(11, 20)
}

/// The tag of a slot's hash: the bits that do not choose the line.
#[inline(always)]
fn tag(hash: u32) -> u32 {
    hash & 0xff | hash >> 6 & 0xf00
}

/// The lines of a nibble.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lines {
    /// Where each context's line begins, in entries,
    starts: [u32; DIRECT],
    /// and where it is read and written: at the table's end if the context has none.
    used: [u32; DIRECT],
}

impl Lines {
    /// No lines.
    pub const NONE: Self = Self { starts: [0; DIRECT], used: [0; DIRECT] };

    /// Where each context's line begins, whether it has it or not.
    #[inline(always)]
    pub fn positions(&self) -> &[u32; DIRECT] {
        &self.starts
    }
}

/// The table. Its size is a power of two, chosen by the caller from the length of the
/// block; behind it there is a line that nobody reads.
#[derive(Debug)]
pub struct DirectTable {
    memory: Memory,
    mask: u32,
}

impl DirectTable {
    /// A table of `2^bits` lines, `bits` up to 20.
    pub fn new(bits: u32) -> Self {
        let lines = 1usize << bits.min(20);
        Self { memory: Memory::zeroed((lines + 1) * LINE), mask: lines as u32 - 1 }
    }

    /// The same table in a memory of its own.
    pub fn copy(&self) -> Self {
        Self { memory: self.memory.clone(), mask: self.mask }
    }

    /// Becomes `start`, a table of the same size.
    pub fn copy_from(&mut self, start: &Self) {
        self.memory.clone_from(&start.memory);
    }

    /// Where the line of a slot's hash begins, in entries: the hash's uppermost bits choose a
    /// page, bits 8 to 13 a line of it.
    #[inline(always)]
    fn position(&self, hash: u32) -> u32 {
        ((hash >> 18 << 6 | hash >> 8 & 63) & self.mask) * NODES as u32
    }

    /// Where the line behind the table begins.
    #[inline(always)]
    fn nowhere(&self) -> u32 {
        (self.mask + 1) * NODES as u32
    }

    #[inline(always)]
    fn entries(&self) -> &[[u8; 4]] {
        self.memory.bytes().as_chunks().0
    }

    #[inline(always)]
    fn entries_mut(&mut self) -> &mut [[u8; 4]] {
        self.memory.bytes_mut().as_chunks_mut().0
    }

    /// Fetches the line of a hash into the cache ahead of [`Self::open`].
    #[inline(always)]
    pub fn prefetch(&self, hash: u32) {
        prefetch(self.entries().as_ptr().wrapping_add(self.position(hash) as usize));
    }

    /// The lines of some slots' hashes, given the slots' first histories. All words are
    /// read before any is written, and are written in the order of the contexts.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn open<K: Kernel>(
        &mut self,
        hashes: &[u32; DIRECT],
        histories: &[u8; DIRECT],
    ) -> Lines {
        let nowhere = self.nowhere();
        let mut starts = [0; DIRECT];
        for i in 0..DIRECT {
            starts[i] = self.position(hashes[i]);
        }
        // SAFETY: the caller's; positions are inside the table
        let mut words = unsafe { K::gather_entries(self.entries(), &starts) };
        let (mut used, mut written) = (starts, starts);
        let mut seen = [0; DIRECT];
        for i in 0..DIRECT {
            seen[i] = u32::from(histories[i]);
        }
        let mut emptied = [0; DIRECT];
        // no branches, so that all are done at once
        for i in 0..DIRECT {
            let (word, worth) = (words[i], words[i] >> TAG_BITS);
            let own = (worth != 0) & ((word ^ tag(hashes[i])) & TAG == 0);
            let free = worth <= 1;
            let take = !own & free;
            let more = if worth < MOST_WORTH { worth + 1 } else { worth };
            let left = if own { more } else { worth.wrapping_sub(1) } << TAG_BITS;
            words[i] = if take { WORTH << TAG_BITS | tag(hashes[i]) } else { left | word & TAG };
            let new = seen[i] == 0;
            used[i] = if new | !(own | free) { nowhere } else { starts[i] };
            written[i] = if new { nowhere } else { starts[i] };
            emptied[i] = u32::from(take & !new);
        }
        // SAFETY: the caller's
        let mut taken = unsafe { K::nonzero(&emptied) };
        while taken != 0 {
            let first = starts[taken.trailing_zeros() as usize % DIRECT] as usize;
            self.entries_mut()[first..first + NODES].fill([0; 4]);
            taken &= taken - 1;
        }
        // SAFETY: as above; the line behind the table is there too
        unsafe { K::scatter_entries(self.entries_mut(), &written, &words) };
        Lines { starts, used }
    }

    /// Where the entries of a node are.
    #[inline(always)]
    fn places(&self, lines: &Lines, node: usize) -> [u32; DIRECT] {
        let most = self.nowhere();
        let mut places = [0; DIRECT];
        for i in 0..DIRECT {
            // lines of this table are not beyond it; that they are not is then plain to see
            places[i] = lines.used[i].min(most) + (node % NODES) as u32;
        }
        places
    }

    /// The entries of a node in lines that [`Self::open`] gave; 0 for a context without
    /// one.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn read<K: Kernel>(&self, lines: &Lines, node: usize) -> [Entry; DIRECT] {
        let places = self.places(lines, node);
        // SAFETY: the caller's; a line has its nodes inside the table
        let mut entries = unsafe { K::gather_entries(self.entries(), &places) };
        let nowhere = self.nowhere();
        for i in 0..DIRECT {
            entries[i] = if lines.used[i] == nowhere { 0 } else { entries[i] };
        }
        entries
    }

    /// Writes them. Of contexts that share a line the last one prevails.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn write<K: Kernel>(
        &mut self,
        lines: &Lines,
        node: usize,
        entries: &[Entry; DIRECT],
    ) {
        let places = self.places(lines, node);
        // SAFETY: as in `read`
        unsafe { K::scatter_entries(self.entries_mut(), &places, entries) };
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
    use crate::engine::kernel::Scalar;

    const SEEN: [u8; DIRECT] = [1; DIRECT];

    fn open(table: &mut DirectTable, hashes: &[u32; DIRECT], histories: [u8; DIRECT]) -> Lines {
        // SAFETY: every processor has the reference's instruction set
        unsafe { table.open::<Scalar>(hashes, &histories) }
    }

    fn read(table: &DirectTable, lines: &Lines, node: usize) -> [Entry; DIRECT] {
        // SAFETY: as above
        unsafe { table.read::<Scalar>(lines, node) }
    }

    #[test]
    fn what_is_put_is_found_and_restored() {
        let start = DirectTable::new(line_bits(1));
        let mut table = start.copy();
        let hashes: [u32; DIRECT] = std::array::from_fn(|i| (i as u32).wrapping_mul(0x9e37_79b1));
        let lines = open(&mut table, &hashes, SEEN);
        assert_eq!(read(&table, &lines, 3), [0; DIRECT]);
        let entries: [Entry; DIRECT] = std::array::from_fn(|i| 77 + i as u32);
        // SAFETY: as above
        unsafe { table.write::<Scalar>(&lines, 3, &entries) };
        let lines = open(&mut table, &hashes, SEEN);
        assert_eq!(read(&table, &lines, 3), entries);
        assert_eq!(read(&table, &lines, 2), [0; DIRECT]);
        for &position in lines.positions() {
            table.restore(&start, position);
        }
        let all = (table.mask as usize + 1) * LINE;
        assert_eq!(table.memory.bytes()[..all], start.memory.bytes()[..all]);
    }

    #[test]
    fn a_line_has_one_owner() {
        let mut table = DirectTable::new(line_bits(1));
        // bits 8 to 13 choose the line
        let hashes: [u32; DIRECT] = std::array::from_fn(|i| (i as u32) << 8 | 5);
        let others = hashes.map(|h| h + 1);
        let entries = [7 << 10 | 1; DIRECT];
        let new = open(&mut table, &hashes, [0; DIRECT]);
        // SAFETY: as above
        unsafe { table.write::<Scalar>(&new, 1, &entries) };
        assert_eq!(read(&table, &new, 1), [0; DIRECT], "no line the first time");
        let lines = open(&mut table, &hashes, SEEN);
        // SAFETY: as above
        unsafe { table.write::<Scalar>(&lines, 1, &entries) };
        let without = open(&mut table, &others, SEEN);
        assert_eq!(read(&table, &without, 1), [0; DIRECT], "the owner keeps it");
        assert_eq!(read(&table, &lines, 1), entries);
        let lines = open(&mut table, &others, SEEN);
        assert_eq!(read(&table, &lines, 1), [0; DIRECT], "the new owner's is empty");
        let lines = open(&mut table, &hashes, SEEN);
        assert_eq!(read(&table, &lines, 1), [0; DIRECT]);
        assert_eq!(lines.used, [table.nowhere(); DIRECT]);
    }

    #[test]
    fn tables_grow_with_the_block() {
        assert_eq!([0, 1 << 12, 1 << 24, (1 << 28) + 1].map(line_bits), [11, 15, 20, 20]);
    }
}
