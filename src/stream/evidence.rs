//! The statistics of the block so far, bit by bit: the evidence that the network
//! and the online stage weigh.

use super::adaptive::{self, Entry, RATE, entry};
use super::contexts::{Context, Past, slot_hash};
use super::history::{FACTS, counts};
use super::matcher::Matcher;
use super::row::{ByteRow, ONE, RUN_CONTEXTS, Row};
use super::slots::{SlotTable, slot_bits};
use super::start::slots::PrimedSlots;
use crate::engine::kernel::Kernel;
use crate::made::logistic::{STRETCH, stretch};

/// The running errors move by 2^-6 of their difference a bit.
const COST_RATE: u32 = 6;

/// floor(8·log2(v)) with the fraction taken linearly between powers of two; 0 for 0.
#[inline(always)]
fn log_8(v: u16) -> u8 {
    let v = u32::from(v).max(1);
    let exponent = v.ilog2();
    (8 * exponent + ((v << 3 >> exponent) & 7)) as u8
}

/// The adaptive probabilities of the histories: `[context][history]`.
pub type Maps<const C: usize> = [[Entry; 256]; C];

/// Maps that know nothing but the counts of each history.
pub fn untrained_maps<const C: usize>() -> Box<Maps<C>> {
    let mut row = [entry(32768, 0); 256];
    for (s, e) in row.iter_mut().enumerate() {
        let (zeros, ones) = counts(s as u8);
        let (zeros, ones) = (u32::from(zeros), u32::from(ones));
        *e = entry(((ones * 4 + 1) * 65536 / ((zeros + ones) * 4 + 2)) as u16, 0);
    }
    Box::new([row; C])
}

/// The statistics over a block.
#[derive(Debug)]
pub struct Evidence<'m, const C: usize> {
    contexts: &'m [Context],
    limit: u32,
    past: Past,
    slots: SlotTable,
    hashes: [u32; C],
    positions: [u32; C],
    /// The slots of the present nibble, a history in each number.
    current: Box<[[u32; 16]; C]>,
    /// For the present bit: the place of each history in `current`, its
    /// [`FACTS`], the place of its map entry, and the entry.
    places: [u32; C],
    facts: [u32; C],
    map_places: [u32; C],
    entries: [Entry; C],
    maps: Box<Maps<C>>,
    matchers: [Matcher; 2],
    errors: [u16; C],
    match_errors: [u16; 2],
    partial: u32,
    bit_index: u32,
}

#[inline(always)]
fn moved(error: u16, target: i32, p: u16) -> u16 {
    let miss = (target - i32::from(p)).abs();
    let error = i32::from(error);
    (error + ((miss - error) >> COST_RATE)) as u16
}

impl<'m, const C: usize> Evidence<'m, C> {
    /// Statistics for a block of `block_len` bytes. `contexts` holds `C` of them;
    /// `limit` bounds the count of the maps; `primed` is where the slots start.
    pub fn new(
        contexts: &'m [Context],
        maps: &Maps<C>,
        limit: u32,
        primed: &PrimedSlots,
        block_len: usize,
    ) -> Self {
        assert_eq!(contexts.len(), C);
        let heads = block_len.max(256).next_power_of_two().ilog2();
        let mut slots = SlotTable::new(slot_bits(block_len, C, primed));
        primed.fill(&mut slots);
        let mut evidence = Self {
            contexts,
            limit,
            past: Past::default(),
            slots,
            hashes: [0; C],
            positions: [0; C],
            current: Box::new([[0; 16]; C]),
            places: [0; C],
            facts: [0; C],
            map_places: [0; C],
            entries: [0; C],
            maps: Box::new(*maps),
            matchers: [Matcher::new(7, heads.min(20)), Matcher::new(4, heads.min(18))],
            errors: [16384; C],
            match_errors: [16384; 2],
            partial: 1,
            bit_index: 0,
        };
        evidence.start_byte(&[]);
        evidence
    }

    /// The maps as they are now.
    pub fn maps(&self) -> &Maps<C> {
        &self.maps
    }

    /// Positions of the slots of the present nibble, which go back changed.
    #[inline(always)]
    pub fn positions(&self) -> &[u32; C] {
        &self.positions
    }

    /// The same statistics in a memory of their own, for a predictor of the model that
    /// has these contexts; with none, they are only a state to go back to.
    pub fn copy<'n>(&self, contexts: &'n [Context]) -> Evidence<'n, C> {
        Evidence {
            contexts,
            limit: self.limit,
            past: self.past.clone(),
            slots: self.slots.copy(),
            hashes: self.hashes,
            positions: self.positions,
            current: self.current.clone(),
            places: self.places,
            facts: self.facts,
            map_places: self.map_places,
            entries: self.entries,
            maps: self.maps.clone(),
            matchers: self.matchers.clone(),
            errors: self.errors,
            match_errors: self.match_errors,
            partial: self.partial,
            bit_index: self.bit_index,
        }
    }

    /// Becomes `start` again, after `record` was coded from there and changed the
    /// slots at `positions`.
    pub fn restore(&mut self, start: &Evidence<'_, C>, positions: &[u32], record: &[u8]) {
        // every field by name, so that none is forgotten
        let Evidence {
            contexts: _,
            limit: _,
            past,
            slots,
            hashes,
            positions: start_positions,
            current,
            places,
            facts,
            map_places,
            entries,
            maps,
            matchers,
            errors,
            match_errors,
            partial,
            bit_index,
        } = start;
        for &position in positions {
            self.slots.restore(slots, position);
        }
        for (matcher, start) in self.matchers.iter_mut().zip(matchers) {
            matcher.restore(start, past.last, record);
        }
        self.past.restore(past, record);
        self.current.copy_from_slice(&current[..]);
        self.maps.copy_from_slice(&maps[..]);
        (self.hashes, self.positions, self.places) = (*hashes, *start_positions, *places);
        (self.facts, self.map_places, self.entries) = (*facts, *map_places, *entries);
        (self.errors, self.match_errors) = (*errors, *match_errors);
        (self.partial, self.bit_index) = (*partial, *bit_index);
    }

    #[inline(always)]
    fn start_byte(&mut self, block: &[u8]) {
        self.past.push(block);
        for m in &self.matchers {
            m.prefetch(self.past.last);
        }
        for (i, &context) in self.contexts.iter().enumerate() {
            self.hashes[i] = self.past.hash(context, i as u32);
            self.slots.prefetch(slot_hash(self.hashes[i], 0));
        }
        for m in &mut self.matchers {
            m.next_byte(block, self.past.last);
        }
        self.partial = 1;
        self.bit_index = 0;
    }

    #[inline(always)]
    fn open_slots(&mut self, nibble: u32) {
        for i in 0..C {
            let at = self.slots.find(slot_hash(self.hashes[i], nibble));
            self.positions[i] = at;
            self.current[i] = self.slots.get(at).map(u32::from);
        }
    }

    #[inline(always)]
    fn close_slots(&mut self) {
        for i in 0..C {
            self.slots.put(self.positions[i], &self.current[i].map(|h| h as u8));
        }
    }

    /// Node within the nibble, 1..=15.
    #[inline(always)]
    fn node(&self) -> u32 {
        let within = self.bit_index & 3;
        1 << within | self.partial & ((1 << within) - 1)
    }

    /// The evidence that the next byte's bits share; to be taken before its
    /// first bit.
    #[inline(always)]
    pub fn byte_row(&self, row: &mut ByteRow<C>) {
        for i in 0..C {
            row.costs[i] = log_8(self.errors[i]);
        }
        row.match_costs = self.match_errors.map(log_8);
        let last = self.past.last;
        row.previous = [last as u8, (last >> 8) as u8, (last >> 16) as u8];
    }

    /// The evidence of all bits of a byte that is known: the last of `block`.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn byte<K: Kernel>(
        &mut self,
        byte_row: &mut ByteRow<C>,
        rows: &mut [Row<C>; 8],
        block: &[u8],
    ) {
        let byte = block.last().copied().unwrap_or(0);
        self.byte_row(byte_row);
        for (k, row) in rows.iter_mut().enumerate() {
            // SAFETY: the caller's
            unsafe {
                self.row::<K>(row);
                self.update::<K>(row, u32::from(byte >> (7 - k) & 1), block);
            }
        }
    }

    /// The evidence for the next bit.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn row<K: Kernel>(&mut self, row: &mut Row<C>) {
        // not before, so that the fetched lines have time to come
        if self.bit_index == 0 {
            self.open_slots(0);
        }
        let node = self.node() & 15;
        for i in 0..C {
            self.places[i] = i as u32 * 16 + node;
        }
        // SAFETY: places < 16·C
        let mut histories = unsafe { K::gather(self.current.as_flattened(), &self.places) };
        for (i, h) in histories.iter_mut().enumerate() {
            *h &= 255;
            self.map_places[i] = i as u32 * 256 + *h;
        }
        let mut places = [0; C];
        // SAFETY: histories < 256, map places < 256·C; a probability is 16 bits, of
        // which 12 choose the logit
        unsafe {
            self.entries = K::gather(self.maps.as_flattened(), &self.map_places);
            for i in 0..C {
                places[i] = self.entries[i] >> 20;
            }
            row.x[0] = K::gather_i16(&STRETCH, &places);
            self.facts = K::gather(&FACTS, &histories);
        }
        let mut seen = 0;
        for i in 0..C {
            row.p[i] = adaptive::probability(self.entries[i]);
            row.confidence[i] = (self.facts[i] >> 16) as u8;
            seen += u32::from(self.facts[i] >> 24 != 0);
        }
        for i in 0..C {
            row.x[1][i] = ((i32::from(row.p[i]) - 32768) >> 5) as i16;
        }
        let mut runs = 0;
        for (i, &context) in RUN_CONTEXTS.iter().enumerate() {
            runs |= self.facts[context % C] >> 24 << (2 * i);
        }
        for (i, matcher) in self.matchers.iter().enumerate() {
            let (p, matched) = matcher.predict(self.partial, self.bit_index);
            row.match_p[i] = p;
            row.x[1][Row::<C>::MATCH + i] = if matched == 0 { 0 } else { stretch(p) };
            row.matched[i] = matched;
        }
        row.x[1][Row::<C>::CONSTANT] = ONE;
        row.x[1][Row::<C>::NETWORK] = 0;
        row.partial = self.partial as u8;
        row.c1 = self.past.last as u8;
        row.c2 = (self.past.last >> 8) as u8;
        row.seen = seen as u8;
        row.runs = runs as u16;
        row.classes = self.past.classes();
    }

    /// Takes in the bit that `row` was the evidence for. After the last bit of a
    /// byte, `block` must end in that byte.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn update<K: Kernel>(&mut self, row: &Row<C>, bit: u32, block: &[u8]) {
        let target = if bit == 1 { 65535i32 } else { 0 };
        let mut counts = [0; C];
        let mut next = [0; C];
        for i in 0..C {
            self.errors[i] = moved(self.errors[i], target, row.p[i]);
            counts[i] = self.entries[i] & adaptive::MAX_LIMIT as u32;
            next[i] = self.facts[i] >> (8 * (bit & 1)) & 255;
        }
        // SAFETY: counts are 10 bits, the others are the places last read
        unsafe {
            let rates = K::gather(&RATE, &counts);
            for i in 0..C {
                self.entries[i] = adaptive::updated_at(self.entries[i], rates[i], bit, self.limit);
            }
            K::scatter(self.maps.as_flattened_mut(), &self.map_places, &self.entries);
            K::scatter(self.current.as_flattened_mut(), &self.places, &next);
        }
        for (i, m) in self.matchers.iter_mut().enumerate() {
            self.match_errors[i] = moved(self.match_errors[i], target, row.match_p[i]);
            m.update(self.partial, self.bit_index, bit);
        }
        self.partial = self.partial << 1 | bit;
        self.bit_index += 1;
        match self.bit_index {
            // both nibbles that are still possible, while the last bit is coded
            3 => {
                for hash in self.hashes {
                    self.slots.prefetch(slot_hash(hash, self.partial << 1));
                    self.slots.prefetch(slot_hash(hash, self.partial << 1 | 1));
                }
            }
            4 => {
                self.close_slots();
                self.open_slots(self.partial);
            }
            8 => {
                self.close_slots();
                self.start_byte(block);
            }
            _ => {}
        }
    }
}
