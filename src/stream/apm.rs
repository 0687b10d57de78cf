//! Adaptive probability maps (secondary symbol estimation): a probability refined
//! by what it turned out to be worth in a small context.

use super::memory::{Memory, prefetch};
use crate::made::logistic::squash;

/// Buckets of the incoming logit from -8 nats to 8, a cache line of them.
const BUCKETS: usize = 32;
/// Fraction bits of a place between buckets.
const PLACE_BITS: u32 = 12;
const LIMIT: i32 = 2047;

/// The probabilities of a context, as they are in memory.
type Row = [[u8; 2]; BUCKETS];

/// A map of 65536 contexts × 32 probabilities, interpolated between neighbours.
#[derive(Clone, Debug)]
pub struct Apm {
    table: Memory,
    context: u16,
    bucket: usize,
    weight: u32,
    rate: u32,
}

impl Apm {
    /// Starts as the identity. A bucket moves by 2^-rate of its error.
    pub fn new(rate: u32) -> Self {
        let mut row = [[0; 2]; BUCKETS];
        for (i, p) in row.iter_mut().enumerate() {
            let logit = (i << PLACE_BITS) as i32 / (BUCKETS as i32 - 1) - LIMIT - 1;
            *p = squash(logit).to_ne_bytes();
        }
        let table = Memory::zeroed(size_of::<Row>() << 16);
        let mut apm = Self { table, context: 0, bucket: 0, weight: 0, rate };
        apm.rows_mut().fill(row);
        apm
    }

    /// A map of no contexts, for where one is not used.
    pub fn none() -> Self {
        Self { table: Memory::zeroed(0), context: 0, bucket: 0, weight: 0, rate: 0 }
    }

    #[inline(always)]
    fn rows(&self) -> &[Row] {
        self.table.bytes().as_chunks().0.as_chunks().0
    }

    #[inline(always)]
    fn rows_mut(&mut self) -> &mut [Row] {
        self.table.bytes_mut().as_chunks_mut().0.as_chunks_mut().0
    }

    /// Fetches a context's row into the cache ahead of [`Self::refine`].
    #[inline(always)]
    pub fn prefetch(&self, context: u16) {
        prefetch(self.rows().as_ptr().wrapping_add(context.into()));
    }

    /// The refined 16-bit probability of a logit in a context.
    #[inline(always)]
    pub fn refine(&mut self, logit: i32, context: u16) -> u32 {
        let x = (logit.clamp(-LIMIT, LIMIT) + 2048) as u32;
        self.context = context;
        let place = x * (BUCKETS as u32 - 1);
        self.bucket = (place >> PLACE_BITS) as usize;
        self.weight = place & ((1 << PLACE_BITS) - 1);
        let row = &self.rows()[usize::from(context)];
        let [a, b] = [row[self.bucket], row[self.bucket + 1]];
        let [a, b] = [a, b].map(|p| u32::from(u16::from_ne_bytes(p)));
        (a * ((1 << PLACE_BITS) - self.weight) + b * self.weight) >> PLACE_BITS
    }

    /// The context refined last.
    pub fn context(&self) -> u16 {
        self.context
    }

    /// Makes a context what it is in `start`, a map of as many.
    #[inline(always)]
    pub fn restore(&mut self, start: &Self, context: u16) {
        let context = usize::from(context);
        self.rows_mut()[context] = start.rows()[context];
    }

    /// Becomes `start`, a map of as many contexts.
    pub fn copy_from(&mut self, start: &Self) {
        self.table.clone_from(&start.table);
        (self.context, self.bucket, self.weight) = (start.context, start.bucket, start.weight);
    }

    /// Moves the two buckets last read towards `bit`.
    #[inline(always)]
    pub fn learn(&mut self, bit: u32) {
        let target = if bit == 1 { 65535i32 } else { 0 };
        let (context, rate) = (usize::from(self.context), self.rate);
        let bucket = self.bucket.min(BUCKETS - 2);
        let row = &mut self.rows_mut()[context];
        for p in [bucket, bucket + 1] {
            let old = i32::from(u16::from_ne_bytes(row[p]));
            row[p] = ((old + ((target - old) >> rate)) as u16).to_ne_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_learns_the_real_probability() {
        let mut apm = Apm::new(6);
        // a logit between two buckets: nearly itself
        assert!((apm.refine(0, 9) as i32 - 32768).abs() < 64);
        for i in 0..4000u32 {
            apm.refine(100, 2);
            apm.learn(u32::from(i % 8 == 0));
        }
        let p = apm.refine(100, 2);
        assert!((6000..11_000).contains(&p), "{p}");
        let other = apm.refine(100, 1);
        assert!(other > 36_000, "{other}");
    }
}
