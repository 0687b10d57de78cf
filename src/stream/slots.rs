//! A hash table of bit histories: one slot of 16 bytes for a context and nibble.
//!
//! Byte 0 of a slot is a check, bytes 1..=15 are the histories of the 15 binary
//! decisions of a nibble (a node is 1, then twice the node plus the bit). Four
//! slots share a cache line; a context is looked for in three of them and
//! replaces the one whose first node has seen least.

use super::history::CONFIDENCE;
use super::memory::{Memory, prefetch};
use super::start::slots::PrimedSlots;

/// Bytes of a slot.
pub const SLOT: usize = 16;
/// Slots of a cache line.
const LINE: usize = 4;

/// log₂ of the number of slots for a block: a byte touches at most two a context.
pub fn slot_bits(block_len: usize, contexts: usize, primed: &PrimedSlots) -> u32 {
    let needed = (block_len.max(256) * contexts).next_power_of_two().ilog2();
    needed.max(primed.table_bits()).clamp(12, 24)
}

/// One slot, copied out of the table for the time of a nibble.
pub type Slot = [u8; SLOT];

/// The table. Its size is a power of two, chosen by the caller from the length
/// of the block, so that encoder and decoder agree.
#[derive(Debug)]
pub struct SlotTable {
    memory: Memory,
    mask: u32,
}

impl SlotTable {
    /// A table of `2^bits` slots, `bits` in 4..=30.
    pub fn new(bits: u32) -> Self {
        let lines = 1usize << bits.clamp(4, 30).saturating_sub(2);
        Self { memory: Memory::zeroed(lines * LINE * SLOT), mask: lines as u32 - 1 }
    }

    /// The same table in a memory of its own.
    pub fn copy(&self) -> Self {
        Self { memory: self.memory.copy(), mask: self.mask }
    }

    #[inline(always)]
    fn lines(&self) -> &[[Slot; LINE]] {
        self.memory.bytes().as_chunks().0.as_chunks().0
    }

    #[inline(always)]
    fn lines_mut(&mut self) -> &mut [[Slot; LINE]] {
        self.memory.bytes_mut().as_chunks_mut().0.as_chunks_mut().0
    }

    /// Fetches the line of a hash into the cache ahead of [`Self::find`].
    #[inline(always)]
    pub fn prefetch(&self, hash: u32) {
        let line = (hash >> 8) & self.mask;
        prefetch(self.lines().as_ptr().wrapping_add(line as usize));
    }

    /// Position of the slot for a context hash, made (zeroed) if it is not there.
    /// The low eight bits are the check, the rest chooses the line.
    #[inline(always)]
    pub fn find(&mut self, hash: u32) -> u32 {
        let check = hash as u8;
        let line = (hash >> 8) & self.mask;
        // two further bits choose where in the line to look first
        let first = (hash >> 30) as usize;
        let slots = &mut self.lines_mut()[line as usize];
        let tries = [first, first ^ 1, first ^ 2];
        for i in tries {
            if slots[i][0] == check && slots[i][1] != 0 {
                return line << 2 | i as u32;
            }
        }
        let mut worst = tries[0];
        for i in tries {
            if CONFIDENCE[slots[i][1] as usize] < CONFIDENCE[slots[worst][1] as usize] {
                worst = i;
            }
        }
        slots[worst] = [0; SLOT];
        slots[worst][0] = check;
        line << 2 | worst as u32
    }

    /// The slot at a position that [`Self::find`] returned.
    #[inline(always)]
    pub fn get(&self, position: u32) -> &Slot {
        &self.lines()[(position >> 2 & self.mask) as usize][(position & 3) as usize]
    }

    /// Makes a slot what it is in `start`, a table of the same size.
    #[inline(always)]
    pub fn restore(&mut self, start: &Self, position: u32) {
        self.put(position, start.get(position));
    }

    /// Puts a slot back.
    #[inline(always)]
    pub fn put(&mut self, position: u32, slot: &Slot) {
        let line = (position >> 2 & self.mask) as usize;
        self.lines_mut()[line][(position & 3) as usize] = *slot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_finds_its_slot_again() {
        let mut table = SlotTable::new(10);
        let position = table.find(0xdead_beef);
        let mut slot = *table.get(position);
        slot[1] = 5;
        table.put(position, &slot);
        assert_eq!(table.find(0xdead_beef), position);
        assert_eq!(table.get(position)[1], 5);
        assert_eq!(table.get(position)[0], 0xef);
    }

    #[test]
    fn the_least_seen_of_three_is_replaced() {
        let mut table = SlotTable::new(4);
        // same line, same first place, four different checks
        for check in 1..=4u32 {
            let position = table.find(check);
            let mut slot = *table.get(position);
            slot[1] = if check == 2 { 1 } else { 31 + 20 };
            table.put(position, &slot);
        }
        let kept = |t: &mut SlotTable, check: u32| {
            let p = t.find(check);
            t.get(p)[1] != 0
        };
        assert!(kept(&mut table, 1));
        assert!(kept(&mut table, 3));
        assert!(!kept(&mut table, 2), "the weakest gave way");
    }
}
