//! The statistics of the block so far, bit by bit: the evidence that the network
//! and the online stage weigh.
//!
//! The number `X` of logits is fixed at compile time, so that every loop over
//! them is unrolled and vectorized: `X - 4` contexts, two match models, a
//! constant, and a place for the network's own logit.

use super::adaptive::{self, Entry, entry};
use super::contexts::{Context, Past, slot_hash};
use super::history::{CONFIDENCE, NEXT, counts};
use super::matcher::{LENGTH_CLASSES, Matcher};
use super::slots::{Slot, SlotTable};
use crate::made::logistic::stretch;

/// The running errors move by 2^-6 of their difference a bit.
const COST_RATE: u32 = 6;

/// The constant input, in logit units.
pub const ONE: i16 = 256;
/// Number of match classes (see [`Matcher::predict`]).
pub const MATCH_CLASSES: usize = 2 * LENGTH_CLASSES;

/// Everything the probability of one bit depends on.
#[derive(Clone, Copy, Debug)]
pub struct Row<const X: usize> {
    /// Logits: contexts, two match models, [`ONE`], the network's logit (0 until
    /// the network has spoken).
    pub x: [i16; X],
    /// The 16-bit probabilities behind the logits of contexts and match models.
    pub p: [u16; X],
    /// Confidence of each context, 0..=45; 0 where the context is new.
    pub confidence: [u8; X],
    /// The bits of this byte so far, after a leading one: 1..=255.
    pub partial: u8,
    /// The byte before.
    pub c1: u8,
    /// The byte before that.
    pub c2: u8,
    /// Class of the long match and its expected bit, 0..32.
    pub matched: u8,
    /// Number of contexts that have been seen before.
    pub seen: u8,
}

/// What the bits of one byte share: evidence of degree 0.
#[derive(Clone, Copy, Debug)]
pub struct ByteRow<const X: usize> {
    /// How well each logit of [`Row::x`] has been doing lately: 0..=127, eight
    /// times the binary logarithm of its mean absolute error of 65536.
    pub costs: [u8; X],
    /// The last three bytes, the newest first.
    pub previous: [u8; 3],
}

impl<const X: usize> ByteRow<X> {
    /// A row of no evidence.
    pub fn empty() -> Self {
        Self { costs: [0; X], previous: [0; 3] }
    }
}

/// floor(8·log2(v)) with the fraction taken linearly between powers of two; 0 for 0.
#[inline(always)]
fn log_8(v: u16) -> u8 {
    let v = u32::from(v).max(1);
    let exponent = v.ilog2();
    (8 * exponent + ((v << 3 >> exponent) & 7)) as u8
}

impl<const X: usize> Row<X> {
    /// Number of contexts.
    pub const CONTEXTS: usize = X - 4;
    /// Place of the first match model's logit.
    pub const MATCH: usize = X - 4;
    /// Place of the constant.
    pub const CONSTANT: usize = X - 2;
    /// Place of the network's logit.
    pub const NETWORK: usize = X - 1;

    /// A row of no evidence.
    pub fn empty() -> Self {
        let mut x = [0; X];
        x[Self::CONSTANT] = ONE;
        Self { x, p: [32768; X], confidence: [0; X], partial: 1, c1: 0, c2: 0, matched: 0, seen: 0 }
    }
}

/// Where the adaptive probabilities of the histories start: `[context][history]`.
pub type Maps<const X: usize> = [[Entry; 256]; X];

/// Maps that know nothing but the counts of each history.
pub fn untrained_maps<const X: usize>() -> Box<Maps<X>> {
    let mut row = [entry(32768, 0); 256];
    for (s, e) in row.iter_mut().enumerate() {
        let (zeros, ones) = counts(s as u8);
        let (zeros, ones) = (u32::from(zeros), u32::from(ones));
        *e = entry(((ones * 4 + 1) * 65536 / ((zeros + ones) * 4 + 2)) as u16, 0);
    }
    Box::new([row; X])
}

/// The statistics over a block.
#[derive(Debug)]
pub struct Evidence<'m, const X: usize> {
    contexts: &'m [Context],
    limit: u32,
    past: Past,
    slots: SlotTable,
    hashes: [u32; X],
    positions: [u32; X],
    current: [Slot; X],
    /// The history and its map entry of each context, for the present bit.
    histories: [u8; X],
    entries: [Entry; X],
    maps: Box<Maps<X>>,
    matchers: [Matcher; 2],
    errors: [u16; X],
    partial: u32,
    bit_index: u32,
}

impl<'m, const X: usize> Evidence<'m, X> {
    /// Statistics for a block of `block_len` bytes. `contexts` holds `X - 4`
    /// of them; `limit` bounds the count of the maps.
    pub fn new(contexts: &'m [Context], maps: &Maps<X>, limit: u32, block_len: usize) -> Self {
        assert_eq!(contexts.len(), Row::<X>::CONTEXTS);
        // each context touches at most two slots a byte
        let needed = (block_len.max(256) * contexts.len()).next_power_of_two().ilog2();
        let heads = block_len.max(256).next_power_of_two().ilog2();
        let mut evidence = Self {
            contexts,
            limit,
            past: Past::default(),
            slots: SlotTable::new(needed.clamp(12, 23)),
            hashes: [0; X],
            positions: [0; X],
            current: [[0; 16]; X],
            histories: [0; X],
            entries: [0; X],
            maps: Box::new(*maps),
            matchers: [Matcher::new(7, heads.min(20)), Matcher::new(4, heads.min(18))],
            errors: [16384; X],
            partial: 1,
            bit_index: 0,
        };
        evidence.start_byte(&[]);
        evidence
    }

    /// The maps as they are now.
    pub fn maps(&self) -> &Maps<X> {
        &self.maps
    }

    #[inline(always)]
    fn start_byte(&mut self, block: &[u8]) {
        self.past.push(block);
        for (i, &context) in self.contexts.iter().enumerate() {
            self.hashes[i] = self.past.hash(context, i as u32);
            self.slots.prefetch(slot_hash(self.hashes[i], 0));
        }
        for m in &mut self.matchers {
            m.next_byte(block, self.past.last);
        }
        self.partial = 1;
        self.bit_index = 0;
        self.open_slots(0);
    }

    #[inline(always)]
    fn open_slots(&mut self, nibble: u32) {
        for i in 0..Row::<X>::CONTEXTS {
            let at = self.slots.find(slot_hash(self.hashes[i], nibble));
            self.positions[i] = at;
            self.current[i] = *self.slots.get(at);
        }
    }

    #[inline(always)]
    fn close_slots(&mut self) {
        for i in 0..Row::<X>::CONTEXTS {
            self.slots.put(self.positions[i], &self.current[i]);
        }
    }

    /// Node within the nibble, 1..=15.
    #[inline(always)]
    fn node(&self) -> usize {
        let within = self.bit_index & 3;
        (1 << within | self.partial & ((1 << within) - 1)) as usize
    }

    /// The evidence that the next byte's bits share; to be taken before its
    /// first bit.
    #[inline(always)]
    pub fn byte_row(&self, row: &mut ByteRow<X>) {
        for i in 0..X - 2 {
            row.costs[i] = log_8(self.errors[i]);
        }
        let last = self.past.last;
        row.previous = [last as u8, (last >> 8) as u8, (last >> 16) as u8];
    }

    /// The evidence for the next bit.
    #[inline(always)]
    pub fn row(&mut self, row: &mut Row<X>) {
        let node = self.node();
        for i in 0..Row::<X>::CONTEXTS {
            let history = self.current[i][node & 15];
            self.histories[i] = history;
            self.entries[i] = self.maps[i][history as usize];
            row.confidence[i] = CONFIDENCE[history as usize];
            row.x[i] = stretch(adaptive::probability(self.entries[i]));
        }
        let mut seen = 0;
        for i in 0..X {
            row.p[i] = adaptive::probability(self.entries[i]);
            seen += u8::from(self.histories[i] != 0);
        }
        for (i, matcher) in self.matchers.iter().enumerate().rev() {
            let (p, matched) = matcher.predict(self.partial, self.bit_index);
            row.p[Row::<X>::MATCH + i] = p;
            row.x[Row::<X>::MATCH + i] = if matched == 0 { 0 } else { stretch(p) };
            row.matched = matched;
        }
        row.x[Row::<X>::CONSTANT] = ONE;
        row.x[Row::<X>::NETWORK] = 0;
        row.partial = self.partial as u8;
        row.c1 = self.past.last as u8;
        row.c2 = (self.past.last >> 8) as u8;
        row.seen = seen;
    }

    /// Takes in the bit that `row` was the evidence for. After the last bit of a
    /// byte, `block` must end in that byte.
    #[inline(always)]
    pub fn update(&mut self, row: &Row<X>, bit: u32, block: &[u8]) {
        let node = self.node();
        let target = if bit == 1 { 65535i32 } else { 0 };
        for i in 0..X {
            let miss = (target - i32::from(row.p[i])).abs();
            let error = i32::from(self.errors[i]);
            self.errors[i] = (error + ((miss - error) >> COST_RATE)) as u16;
        }
        // in three loops, so that the arithmetic of the second is vectorized
        let mut rates = [0u32; X];
        for i in 0..Row::<X>::CONTEXTS {
            rates[i] = adaptive::rate(self.entries[i]);
        }
        for i in 0..X {
            self.entries[i] = adaptive::updated_at(self.entries[i], rates[i], bit, self.limit);
        }
        for i in 0..Row::<X>::CONTEXTS {
            let history = self.histories[i] as usize;
            self.maps[i][history] = self.entries[i];
            self.current[i][node & 15] = NEXT[history][(bit & 1) as usize];
        }
        for m in &mut self.matchers {
            m.update(self.partial, self.bit_index, bit);
        }
        self.partial = self.partial << 1 | bit;
        self.bit_index += 1;
        match self.bit_index {
            4 => {
                self.close_slots();
                for i in 0..Row::<X>::CONTEXTS {
                    self.slots.prefetch(slot_hash(self.hashes[i], self.partial));
                }
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
