//! A hash table of bit histories: one slot of 16 bytes for a context and nibble.
//!
//! Byte 0 of a slot is a check, bytes 1..=15 are the histories of the 15 binary
//! decisions of a nibble (a node is 1, then twice the node plus the bit). Four
//! slots share a cache line; a context is looked for in three of them and
//! replaces the one whose first node has seen least.

use super::history::CONFIDENCE;
use super::memory::{Memory, prefetch};
use super::start::slots::PrimedSlots;
use crate::engine::kernel::{Kernel, Scalar};

/// Bytes of a slot.
pub const SLOT: usize = 16;
/// Slots of a cache line.
const LINE: usize = 4;

/// log₂ of the slots of a table that begins with the primed ones in it; in a smaller one
/// they would take the room of the block's own, which looks them up instead.
pub const FILLED_BITS: u32 = 22;

/// log₂ of the number of slots for a block: a byte touches at most two a context. Small
/// tables have more room than that.
pub fn slot_bits(block_len: usize, contexts: usize) -> u32 {
    let most = match contexts {
        ..16 => 22,
        16..32 => 24,
        _ => 25,
    };
    let slots = block_len.max(256) as u64 * contexts as u64;
    let needed = slots.next_power_of_two().ilog2();
    if needed < FILLED_BITS { (needed + 2).min(FILLED_BITS - 1) } else { needed.min(most) }
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
        Self { memory: self.memory.clone(), mask: self.mask }
    }

    #[inline(always)]
    fn lines(&self) -> &[[Slot; LINE]] {
        self.memory.bytes().as_chunks().0.as_chunks().0
    }

    #[inline(always)]
    fn lines_mut(&mut self) -> &mut [[Slot; LINE]] {
        self.memory.bytes_mut().as_chunks_mut().0.as_chunks_mut().0
    }

    /// Becomes `start`, a table of the same size.
    pub fn copy_from(&mut self, start: &Self) {
        self.memory.clone_from(&start.memory);
    }

    /// Fetches the line of a hash into the cache ahead of [`Self::open`].
    #[inline(always)]
    pub fn prefetch(&self, hash: u32) {
        let line = (hash >> 8) & self.mask;
        prefetch(self.lines().as_ptr().wrapping_add(line as usize));
    }

    /// Whether primed slots are put into it at the start.
    pub fn is_filled(&self) -> bool {
        self.lines().len() * LINE >= 1 << FILLED_BITS
    }

    /// The slots of some context hashes in turn, and their positions. One that is not there
    /// is made: the primed one of that hash, else zeros. The low eight bits of a hash are
    /// the check, the rest chooses the line.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn open<K: Kernel, const C: usize>(
        &mut self,
        hashes: &[u32; C],
        primed: Option<&PrimedSlots>,
    ) -> ([u32; C], [Slot; C]) {
        let mut positions = [0; C];
        for i in 0..C {
            // two further bits choose where in the line to look first
            positions[i] = (hashes[i] >> 8 & self.mask) << 2 | hashes[i] >> 30;
        }
        // SAFETY: the caller's; lines of this mask are inside the table
        let (words, mut opened) =
            unsafe { K::gather_slots(self.lines().as_flattened(), &positions) };
        let mut there = [0; C];
        for i in 0..C {
            let word = u32::from_le(words[i]);
            there[i] = u32::from(((word ^ hashes[i]) & 0xff == 0) & (word & 0xff00 != 0));
        }
        // SAFETY: the caller's
        let mut missing = !unsafe { K::nonzero(&there) } & (u32::MAX >> (32 - C));
        while missing != 0 {
            let i = missing.trailing_zeros() as usize % C;
            missing &= missing - 1;
            let (position, slot, is_new) = self.search(hashes[i], primed);
            (positions[i], opened[i]) = (position, slot);
            if is_new {
                // what a later one has found may be no more
                for (j, &other) in positions.iter().enumerate().skip(i + 1) {
                    missing |= u32::from(other == position) << j;
                }
            }
        }
        (positions, opened)
    }

    /// Looks for a slot that was not where it is looked for first; position, histories,
    /// and whether it had to be made.
    #[inline(always)]
    fn search(&mut self, hash: u32, primed: Option<&PrimedSlots>) -> (u32, Slot, bool) {
        let line = (hash >> 8) & self.mask;
        let slots = &mut self.lines_mut()[line as usize];
        let first = hash >> 30;
        // no branches: they could not be foreseen
        let tries = [first, first ^ 1, first ^ 2];
        let there = tries.map(|t| {
            let [check, seen, ..] = slots[t as usize];
            (check == hash as u8) & (seen != 0)
        });
        let worth = tries.map(|t| CONFIDENCE[usize::from(slots[t as usize][1])]);
        let worst = if worth[1] < worth[0] { tries[1] } else { tries[0] };
        let worst = if worth[2] < worth[0].min(worth[1]) { tries[2] } else { worst };
        let at = if there[2] { tries[2] } else { worst };
        let at = if there[1] { tries[1] } else { at };
        // another context may have made it just now
        let at = if there[0] { tries[0] } else { at };
        let found = there[0] | there[1] | there[2];
        let slot = &mut slots[at as usize];
        let keep = if found { 0xff } else { 0 };
        let mut value = slot.map(|b| b & keep);
        if !found && let Some(primed) = primed.and_then(|primed| primed.find(hash)) {
            value = *primed;
        }
        value[0] = hash as u8;
        *slot = value;
        (line << 2 | at, value, !found)
    }

    /// [`Self::open`] of one hash, with no primed slots.
    pub fn open_one(&mut self, hash: u32) -> (u32, Slot) {
        // SAFETY: every processor has the reference's instruction set
        let ([position], [slot]) = unsafe { self.open::<Scalar, 1>(&[hash], None) };
        (position, slot)
    }

    /// Gives the slot of a hash its histories, of which index 0 is not used.
    pub fn store(&mut self, hash: u32, histories: &Slot) {
        let (position, opened) = self.open_one(hash);
        let slot = &mut self.lines_mut().as_flattened_mut()[position as usize];
        *slot = *histories;
        slot[0] = opened[0];
    }

    /// Makes a slot what it is in `start`, a table of the same size.
    #[inline(always)]
    pub fn restore(&mut self, start: &Self, position: u32) {
        let (line, place) = ((position >> 2 & self.mask) as usize, (position & 3) as usize);
        self.lines_mut()[line][place] = start.lines()[line][place];
    }

    /// Puts slots back to positions that [`Self::open`] gave, in turn.
    #[inline(always)]
    pub fn put<const C: usize>(&mut self, positions: &[u32; C], slots: &[Slot; C]) {
        let all = self.lines_mut().as_flattened_mut();
        for i in 0..C {
            all[positions[i] as usize] = slots[i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernel::Isa;
    use crate::stream::start::slots::PrimedSlot;
    use crate::stream::testing::Random;
    use crate::with_kernel;

    #[test]
    fn tables_grow_with_the_block() {
        let lengths = [0, 1 << 12, 1 << 20, (1 << 28) + 1];
        assert_eq!(lengths.map(|n| slot_bits(n, 16)), [14, 18, 24, 24]);
        assert_eq!(lengths.map(|n| slot_bits(n, 8)), [13, 17, 22, 22]);
        assert_eq!(lengths.map(|n| slot_bits(n, 32)), [15, 19, 25, 25]);
    }

    /// Opens the slot of a hash, and puts back a first history.
    fn visit(table: &mut SlotTable, hash: u32, first: u8) -> (u32, u8) {
        let (position, slot) = table.open_one(hash);
        let mut back = slot;
        back[1] = first;
        table.put(&[position], &[back]);
        assert_eq!(slot[0], hash as u8);
        (position, slot[1])
    }

    #[test]
    fn a_context_finds_its_slot_again() {
        let mut table = SlotTable::new(10);
        let (position, first) = visit(&mut table, 0xdead_beef, 5);
        assert_eq!(first, 0);
        assert_eq!(visit(&mut table, 0xdead_beef, 6), (position, 5));
        assert_eq!(visit(&mut table, 0xdead_beef, 6), (position, 6));
    }

    type Crowd = (Vec<u32>, Vec<Slot>, Vec<u8>);

    /// Opens slots of few lines, all together or in turn, and puts histories back, again
    /// and again: positions, slots, and the table in the end.
    #[inline(always)]
    fn crowd<K: Kernel, const N: usize>(in_turn: bool) -> Crowd {
        let primed = (0..20u32).map(|i| PrimedSlot {
            hash: i.wrapping_mul(0x9e37_79b1) & 0xc000_0103,
            histories: [60 + i as u8; SLOT],
        });
        let primed = &PrimedSlots::new(primed.collect(), &[60, 65, 75]);
        assert!(primed.as_slice().len() > 4);
        let mut table = SlotTable::new(4);
        let mut random = Random(5);
        let (mut positions, mut slots) = (Vec::new(), Vec::new());
        for _ in 0..2000 {
            // few different ones, so that they meet, and some twice
            let hashes: [u32; N] =
                std::array::from_fn(|_| random.below(40).wrapping_mul(0x9e37_79b1) & 0xc000_0103);
            let (at, opened) = if in_turn {
                // SAFETY: every processor has the reference's instruction set
                let found =
                    hashes.map(|hash| unsafe { table.open::<Scalar, 1>(&[hash], Some(primed)) });
                (found.map(|f| f.0[0]), found.map(|f| f.1[0]))
            } else {
                // SAFETY: `with_kernel` has the proof of the instruction set
                unsafe { table.open::<K, N>(&hashes, Some(primed)) }
            };
            let back = opened.map(|slot| {
                let history = 1 + random.below(90) as u8;
                std::array::from_fn(|node| if node == 0 { slot[0] } else { history })
            });
            table.put(&at, &back);
            positions.extend(at);
            slots.extend(opened);
        }
        (positions, slots, table.memory.bytes().to_vec())
    }

    #[test]
    fn together_is_as_in_turn() {
        fn check<const N: usize>() {
            let (positions, slots, table) = crowd::<Scalar, N>(true);
            for isa in Isa::available() {
                let in_turn = false;
                let got = with_kernel!(isa, crowd::<N>(in_turn: bool) -> Crowd);
                assert!(got.0 == positions && got.1 == slots, "{isa}");
                assert_eq!(got.2, table, "{isa}");
            }
        }
        check::<8>();
        check::<16>();
        check::<32>();
    }

    #[test]
    fn a_new_slot_begins_as_the_primed_one() {
        let mut random = Random(9);
        let slots: Vec<PrimedSlot> = (0..500)
            .map(|_| PrimedSlot { hash: random.below(u32::MAX), histories: [60; SLOT] })
            .chain([0, u32::MAX].map(|hash| PrimedSlot { hash, histories: [60; SLOT] }))
            .collect();
        let primed = &PrimedSlots::new(slots.clone(), &[60]);
        let mut table = SlotTable::new(18);
        let mut open = |hash: u32| {
            // SAFETY: every processor has the reference's instruction set
            let ([position], [slot]) = unsafe { table.open::<Scalar, 1>(&[hash], Some(primed)) };
            assert_eq!(slot[0], hash as u8);
            let mut back = slot;
            back[1] += 1;
            table.put(&[position], &[back]);
            slot[1]
        };
        for PrimedSlot { hash, .. } in slots {
            assert_eq!([open(hash), open(hash)], [60, 61], "{hash:x}");
            assert_eq!(open(hash ^ 1), 0, "another of the same line");
        }
    }

    #[test]
    fn the_least_seen_of_three_is_replaced() {
        let mut table = SlotTable::new(4);
        // same line, same first place, four different checks
        for check in 1..=4u32 {
            visit(&mut table, check, if check == 2 { 1 } else { 31 + 20 });
        }
        let mut kept = |check: u32| visit(&mut table, check, 0).1 != 0;
        assert!(kept(1));
        assert!(kept(3));
        assert!(!kept(2), "the weakest gave way");
    }
}
