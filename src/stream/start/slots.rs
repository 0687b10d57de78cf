//! Primed statistics: slots of contexts that are common in the files of the world.

use crate::stream::history::{CONFIDENCE, STATES, counts};
use crate::stream::slots::{SLOT, Slot, SlotTable};

/// Most slots a model brings along.
pub const MAX_PRIMED: usize = 1 << 21;
/// Most histories that occur in them.
pub const MAX_LEVELS: usize = 32;

/// A slot and the hash it is found under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrimedSlot {
    /// See [`crate::stream::contexts::slot_hash`].
    pub hash: u32,
    /// The histories of its 15 nodes, from index 1 on; index 0 is not used.
    pub histories: Slot,
}

/// Upper bits of a hash that say whether there may be a slot,
const MARK_BITS: u32 = 23;
/// and those that say where to look.
const BUCKET_BITS: u32 = 16;

/// Slots in ascending order of their hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrimedSlots {
    slots: Vec<PrimedSlot>,
    /// A bit for each value of [`MARK_BITS`]: most hashes have no slot, and it is these
    /// that are looked up most. Empty if there are no slots.
    marks: Vec<u64>,
    /// Where the slots of each value of [`BUCKET_BITS`] begin, and their number.
    buckets: Vec<u32>,
}

/// How often a branch was taken, as far as it matters to what follows: 0 never,
/// then 1–2, 3–5, 6–12, 13–24 and more times.
pub(super) const CLASSES: usize = 6;

const fn class(count: u8) -> u8 {
    match count {
        0 => 0,
        1..=2 => 1,
        3..=5 => 2,
        6..=12 => 3,
        13..=24 => 4,
        _ => 5,
    }
}

/// Class of how often a history's context was followed by each bit.
pub(super) fn branches() -> [[u8; 2]; 256] {
    std::array::from_fn(|h| {
        let (zeros, ones) = counts(h as u8);
        [class(zeros), class(ones)]
    })
}

impl PrimedSlots {
    /// Sorts the slots, rounds their histories to `levels` (histories, at most
    /// [`MAX_LEVELS`]) and drops what is then empty. Of two slots with one hash the
    /// first stays; at most [`MAX_PRIMED`] are kept.
    pub fn new(mut slots: Vec<PrimedSlot>, levels: &[u8]) -> Self {
        let branches = branches();
        let nearest: [u8; 256] = std::array::from_fn(|h| nearest_level(h as u8, levels));
        slots.sort_by_key(|s| s.hash);
        slots.dedup_by_key(|s| s.hash);
        for slot in &mut slots {
            slot.histories[0] = 0;
            for node in 1..SLOT {
                let parent = usize::from(slot.histories[node / 2]);
                let reached = node == 1 || branches[parent][node & 1] != 0;
                slot.histories[node] =
                    if reached { nearest[usize::from(slot.histories[node])] } else { 0 };
            }
        }
        slots.retain(|s| s.histories[1] != 0);
        slots.truncate(MAX_PRIMED);
        Self::from_sorted(slots)
    }

    pub(super) fn from_sorted(slots: Vec<PrimedSlot>) -> Self {
        if slots.is_empty() {
            return Self::default();
        }
        let mut marks = vec![0; 1 << (MARK_BITS - 6)];
        let mut buckets = Vec::with_capacity((1 << BUCKET_BITS) + 1);
        for (i, slot) in slots.iter().enumerate() {
            let mark = slot.hash >> (32 - MARK_BITS);
            marks[mark as usize / 64] |= 1 << (mark % 64);
            let bucket = slot.hash >> (32 - BUCKET_BITS);
            while buckets.len() <= bucket as usize {
                buckets.push(i as u32);
            }
        }
        buckets.resize((1 << BUCKET_BITS) + 1, slots.len() as u32);
        Self { slots, marks, buckets }
    }

    /// The slots.
    pub fn as_slice(&self) -> &[PrimedSlot] {
        &self.slots
    }

    /// The histories of the slot of a hash.
    #[inline]
    pub fn find(&self, hash: u32) -> Option<&Slot> {
        let mark = hash >> (32 - MARK_BITS);
        if self.marks.get(mark as usize / 64)? >> (mark % 64) & 1 == 0 {
            return None;
        }
        let bucket = (hash >> (32 - BUCKET_BITS)) as usize;
        let slots = &self.slots[self.buckets[bucket] as usize..self.buckets[bucket + 1] as usize];
        let place = slots.binary_search_by_key(&hash, |slot| slot.hash).ok()?;
        Some(&slots[place].histories)
    }

    /// Puts the slots into a table, in order.
    pub fn fill(&self, table: &mut SlotTable) {
        /// Slots between the fetch of a line and its use.
        const AHEAD: usize = 16;
        for (i, slot) in self.slots.iter().enumerate() {
            if let Some(later) = self.slots.get(i + AHEAD) {
                table.prefetch(later.hash);
            }
            table.store(slot.hash, &slot.histories);
        }
    }
}

/// The level that costs least in a history's place: histories of one or two bits
/// are forgotten (0), and no bit that was seen becomes unseen or the reverse.
fn nearest_level(history: u8, levels: &[u8]) -> u8 {
    levels
        .iter()
        .filter(|&&l| l != 0)
        .filter_map(|&l| Some((distance(history, l)?, l)))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(0, |(_, l)| l)
}

/// What a prediction from the history `level` costs more (in nats, roughly) on
/// what `history` saw; `None` if one cannot stand for the other.
pub fn distance(history: u8, level: u8) -> Option<f64> {
    let ((z, o), (zeros, ones)) = (counts(history), counts(level));
    let few = u32::from(z) + u32::from(o) <= 2;
    if few || usize::from(level) >= STATES || (z == 0) != (zeros == 0) || (o == 0) != (ones == 0) {
        return None;
    }
    let [z, o, zeros, ones] = [z, o, zeros, ones].map(f64::from);
    let (n, m) = (z + o, zeros + ones);
    let (p, q) = ((o + 0.4) / (n + 0.8), (ones + 0.4) / (m + 0.8));
    let divergence = p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln();
    Some((n + 0.8).min(12.0) * divergence + 0.1 * (n / m).ln().abs())
}

/// Chooses `n` levels (at most [`MAX_LEVELS`]) for histories that occur
/// `uses[history]` times: the one that saves most, again and again.
pub fn choose_levels(uses: &[u64; 256], n: usize) -> Vec<u8> {
    /// Cost of a history that no level can stand for.
    const LOST: f64 = 1e6;
    let mut cost = [LOST; 256];
    let mut levels = Vec::new();
    let candidates = || (1..STATES as u16).map(|l| l as u8).filter(|&l| CONFIDENCE[l as usize] > 0);
    for _ in 0..n.min(MAX_LEVELS) {
        let saved = |level: u8| -> f64 {
            (1..STATES)
                .filter_map(|h| {
                    let d = distance(h as u8, level)?;
                    Some(uses[h] as f64 * (cost[h] - d).max(0.0))
                })
                .sum()
        };
        let best = candidates().map(|l| (saved(l), l)).max_by(|a, b| a.0.total_cmp(&b.0));
        match best {
            Some((gain, level)) if gain > 0.0 => {
                for (h, c) in cost.iter_mut().enumerate() {
                    *c = distance(h as u8, level).map_or(*c, |d| c.min(d));
                }
                levels.push(level);
            }
            _ => break,
        }
    }
    levels.sort_unstable();
    levels
}
