//! Which statistics a model brings along: the slots that most documents have in
//! common.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::stream::contexts::{Context, slot_hash, start_hash};
use crate::stream::history::FACTS;
use crate::stream::past::Past;
use crate::stream::slots::{SLOT, Slot};
use crate::stream::start::slots::{PrimedSlot, PrimedSlots, choose_levels};

/// Bytes of a piece of a document, and most pieces taken of one.
const PIECE: usize = 1 << 14;
const PIECES: usize = 12;
/// A slot must occur in so many documents.
const FEWEST: u32 = 3;
/// Histories that occur in the slots of a model.
const LEVELS: usize = 20;

/// Keys are hashes already.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &b in bytes {
            self.write_u32(b.into());
        }
    }
    fn write_u32(&mut self, key: u32) {
        self.0 = u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[derive(Default)]
struct Seen {
    histories: Slot,
    document: u32,
    documents: u32,
}

/// Slots of one context that occur in [`FEWEST`] documents, with their number.
fn learn_one(context: Context, salt: u32, documents: &[Vec<u8>]) -> Vec<(u32, PrimedSlot)> {
    let mut slots: HashMap<u32, Seen, BuildHasherDefault<Spread>> = HashMap::default();
    for (d, document) in documents.iter().enumerate() {
        // pieces from all over a long document
        let pieces = document.chunks(PIECE);
        let stride = pieces.len().div_ceil(PIECES).max(1);
        for piece in pieces.step_by(stride) {
            let mut past = Past::default();
            for n in 0..piece.len() {
                past.push(&piece[..n]);
                let hash = past.recent().hash(context, start_hash(salt));
                let byte = u32::from(piece[n]);
                for (nibble, bits) in [(0, byte >> 4), (16 | byte >> 4, byte & 15)] {
                    let seen = slots.entry(slot_hash(hash, nibble)).or_default();
                    if seen.document != d as u32 + 1 {
                        seen.document = d as u32 + 1;
                        seen.documents += 1;
                    }
                    let mut node = 1;
                    for k in (0..4).rev() {
                        let bit = bits >> k & 1;
                        let history = &mut seen.histories[node % SLOT];
                        *history = (FACTS[usize::from(*history)] >> (8 * bit)) as u8;
                        node = node << 1 | bit as usize;
                    }
                }
            }
        }
    }
    slots
        .into_iter()
        .filter(|(_, seen)| seen.documents >= FEWEST)
        .map(|(hash, seen)| (seen.documents, PrimedSlot { hash, histories: seen.histories }))
        .collect()
}

/// The `most` slots that occur in most documents, of those `contexts` that
/// `chosen` lists.
pub fn learn_primed(
    contexts: &[Context],
    chosen: &[Context],
    documents: &[Vec<u8>],
    most: usize,
) -> PrimedSlots {
    if most == 0 || documents.is_empty() {
        return PrimedSlots::default();
    }
    let todo: Vec<(u32, Context)> = (0..)
        .zip(contexts)
        .filter(|(_, c)| chosen.contains(c))
        .map(|(salt, &c)| (salt, c))
        .collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut found: Vec<(u32, PrimedSlot)> = std::thread::scope(|scope| {
        let work = || {
            let mut found = Vec::new();
            loop {
                let i = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some(&(salt, context)) = todo.get(i) else { return found };
                found.append(&mut learn_one(context, salt, documents));
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|w| w.join().unwrap_or_default()).collect()
    });
    found.sort_by_key(|&(documents, slot)| (std::cmp::Reverse(documents), slot.hash));
    found.truncate(most);
    let mut uses = [0; 256];
    for (_, slot) in &found {
        for &history in &slot.histories[1..] {
            uses[usize::from(history)] += 1;
        }
    }
    let levels = choose_levels(&uses, LEVELS);
    PrimedSlots::new(found.into_iter().map(|(_, slot)| slot).collect(), &levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_documents_share_is_kept() {
        let contexts: Vec<Context> = ["o1", "o2"].map(|c| c.parse().unwrap()).to_vec();
        let documents: Vec<Vec<u8>> =
            (0..8u8).map(|d| format!("the cat {} sat {d}", (b'a' + d) as char).into()).collect();
        let all = learn_primed(&contexts, &contexts, &documents, 10_000);
        let some = learn_primed(&contexts, &contexts[1..], &documents, 10_000);
        let has = |slots: &PrimedSlots, context: usize, text: &[u8]| {
            let mut past = Past::default();
            for n in 0..=text.len() {
                past.push(&text[..n]);
            }
            let hash =
                slot_hash(past.recent().hash(contexts[context], start_hash(context as u32)), 0);
            slots.as_slice().iter().any(|s| s.hash == hash)
        };
        assert!(has(&all, 0, b"ca") && has(&all, 1, b"ca") && has(&some, 1, b"ca"));
        assert!(!has(&some, 0, b"ca"), "not a chosen context");
        assert!(!has(&all, 1, b" c "), "in one document only");
        assert_eq!(learn_primed(&contexts, &contexts, &documents, 5).as_slice().len(), 5);
        assert!(learn_primed(&contexts, &contexts, &documents, 0).as_slice().is_empty());
    }
}
