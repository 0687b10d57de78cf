//! Adaptive probability maps (secondary symbol estimation): a probability refined
//! by what it turned out to be worth in a small context.

use super::memory::{Memory, prefetch};
use crate::engine::kernel::{Kernel, Pairs};
use crate::made::logistic::squash;

/// Buckets of the incoming logit from -8 nats to 8, a cache line of them.
const BUCKETS: usize = 32;
/// Fraction bits of a place between buckets.
const PLACE_BITS: u32 = 12;
const LIMIT: i32 = 2047;
/// A bucket moves by 2^-5 of its error.
const RATE: i32 = 5;

/// Most maps.
pub const APMS: usize = 3;
/// Contexts of a map.
const CONTEXTS: usize = 1 << 16;

/// The probabilities of a context, as they are in memory.
type Row = [[u8; 2]; BUCKETS];

/// Some maps of 65536 contexts × 32 probabilities, which refine one logit, interpolated
/// between neighbours.
#[derive(Clone, Debug)]
pub struct Apms {
    /// One map after the other.
    table: Memory,
    /// Contexts of the next or the last logit,
    contexts: [u16; APMS],
    /// the bucket below it,
    bucket: usize,
    /// and what is there and above.
    pairs: Pairs,
}

impl Apms {
    /// The first `count` maps, which start as the identity.
    pub fn new(count: usize) -> Self {
        let mut row = [[0; 2]; BUCKETS];
        for (i, p) in row.iter_mut().enumerate() {
            let logit = (i << PLACE_BITS) as i32 / (BUCKETS as i32 - 1) - LIMIT - 1;
            *p = squash(logit).to_ne_bytes();
        }
        let table = Memory::zeroed(size_of::<Row>() * CONTEXTS * count.min(APMS));
        let mut apms = Self { table, contexts: [0; APMS], bucket: 0, pairs: Pairs::default() };
        apms.rows_mut().fill(row);
        apms
    }

    #[inline(always)]
    fn rows(&self) -> &[Row] {
        self.table.bytes().as_chunks().0.as_chunks().0
    }

    #[inline(always)]
    fn rows_mut(&mut self) -> &mut [Row] {
        self.table.bytes_mut().as_chunks_mut().0.as_chunks_mut().0
    }

    /// The contexts of the first `count` maps for the next logit; fetches their rows into the
    /// cache.
    #[inline(always)]
    pub fn select(&mut self, contexts: [u16; APMS], count: usize) {
        self.contexts = contexts;
        for (i, &context) in contexts[..count].iter().enumerate() {
            prefetch(self.rows().as_ptr().wrapping_add(i * CONTEXTS + usize::from(context)));
        }
    }

    /// The sum of the first `count` maps' 16-bit probabilities for a logit.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn refine<K: Kernel>(&mut self, logit: i32, count: usize) -> u32 {
        let x = (logit.clamp(-LIMIT, LIMIT) + LIMIT + 1) as u32;
        let place = x * (BUCKETS as u32 - 1);
        // never more; the bound is then plain to see
        let bucket = ((place >> PLACE_BITS) as usize).min(BUCKETS - 2);
        let mut pairs = Pairs::default();
        for i in 0..count {
            let row = &self.rows()[i * CONTEXTS + usize::from(self.contexts[i])];
            pairs[i] = [row[bucket], row[bucket + 1]].map(u16::from_ne_bytes);
        }
        (self.bucket, self.pairs) = (bucket, pairs);
        // SAFETY: the caller's
        unsafe { K::interpolate(&pairs, place & ((1 << PLACE_BITS) - 1)) }
    }

    /// The contexts selected last.
    #[inline(always)]
    pub fn contexts(&self) -> [u16; APMS] {
        self.contexts
    }

    /// Makes contexts, one of each map, what they are in `start`, as many maps.
    #[inline(always)]
    pub fn restore(&mut self, start: &Self, contexts: &[u16]) {
        let maps = self.rows_mut().chunks_exact_mut(CONTEXTS);
        for ((map, start), &context) in maps.zip(start.rows().chunks_exact(CONTEXTS)).zip(contexts)
        {
            map[usize::from(context)] = start[usize::from(context)];
        }
    }

    /// Becomes `start`, as many maps.
    pub fn copy_from(&mut self, start: &Self) {
        self.table.clone_from(&start.table);
        (self.contexts, self.bucket, self.pairs) = (start.contexts, start.bucket, start.pairs);
    }

    /// Moves the buckets last read towards `bit`, those of the first `count` maps.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn learn<K: Kernel>(&mut self, bit: u32, count: usize) {
        // SAFETY: the caller's
        let pairs = unsafe { K::approach::<RATE>(&self.pairs, bit) };
        let (contexts, bucket) = (self.contexts, self.bucket.min(BUCKETS - 2));
        for i in 0..count {
            let row = &mut self.rows_mut()[i * CONTEXTS + usize::from(contexts[i])];
            [row[bucket], row[bucket + 1]] = pairs[i].map(u16::to_ne_bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernel::Isa;
    use crate::with_kernel;

    /// What is said of a logit in a context after so many bits, of which one of `every` is
    /// another than the rest, and in contexts that are new.
    #[inline(always)]
    fn learnt<K: Kernel>(logit: i32, rest: u32, every: u32) -> [u32; 2] {
        let mut apms = Apms::new(2);
        // SAFETY: `with_kernel` has the proof of the instruction set
        unsafe {
            for i in 1..=4000 {
                apms.select([2, 7, 0], 2);
                apms.refine::<K>(logit, 2);
                apms.learn::<K>(if i % every == 0 { 1 - rest } else { rest }, 2);
            }
            apms.select([2, 7, 0], 2);
            let known = apms.refine::<K>(logit, 2);
            apms.select([1, 2, 0], 2);
            [known, apms.refine::<K>(logit, 2)]
        }
    }

    fn on_every_processor(logit: i32, rest: u32, every: u32) -> [u32; 2] {
        let all: Vec<[u32; 2]> = Isa::available()
            .into_iter()
            .map(|isa| with_kernel!(isa, learnt(logit: i32, rest: u32, every: u32) -> [u32; 2]))
            .collect();
        assert!(all.iter().all(|got| got == &all[0]), "{all:?}");
        all[0]
    }

    #[test]
    fn they_learn_the_real_probability() {
        let [known, new] = on_every_processor(100, 0, 8);
        assert!((12_000..22_000).contains(&known), "{known}");
        // a logit between two buckets: nearly itself
        assert!(new.abs_diff(2 * u32::from(squash(100))) < 256, "{new}");
    }

    #[test]
    fn they_become_certain_of_either_bit() {
        for logit in [-5000, -700, 0, 5000] {
            assert_eq!(on_every_processor(logit, 0, u32::MAX)[0], 0);
            assert_eq!(on_every_processor(logit, 1, u32::MAX)[0], 2 * 65535);
        }
    }
}
