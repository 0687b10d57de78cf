//! A small seeded generator for degrees, orderings and shuffles.
//!
//! SplitMix64 (Steele, Lea, Flood 2014): its sequence is part of no format, but
//! "same seed, same model" must not depend on a library's version.

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator; equal seeds give equal sequences.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// What the state grows by.
    pub(crate) const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    /// What it is multiplied by, each time after it was mixed with itself shifted by so many bits;
    /// at last by [`Self::LAST_SHIFT`].
    pub(crate) const ROUNDS: [(u32, u64); 2] =
        [(30, 0xbf58_476d_1ce4_e5b9), (27, 0x94d0_49bb_1331_11eb)];
    pub(crate) const LAST_SHIFT: u32 = 31;

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(Self::STEP);
        let mix = |z: u64, (shift, factor): (u32, u64)| (z ^ (z >> shift)).wrapping_mul(factor);
        let z = Self::ROUNDS.into_iter().fold(self.0, mix);
        z ^ (z >> Self::LAST_SHIFT)
    }

    /// Goes on as after so many numbers; the state that the first of them is made from.
    #[cfg(feature = "torch")]
    pub(crate) fn skip(&mut self, numbers: u64) -> u64 {
        let first = self.0.wrapping_add(Self::STEP);
        self.0 = self.0.wrapping_add(Self::STEP.wrapping_mul(numbers));
        first
    }

    /// A number in `0..bound` (`bound > 0`; bias below 2^-32 for bounds that fit
    /// in 32 bits).
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Fisher–Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        // First outputs for seed 1234567, as in the reference implementation.
        let mut rng = SplitMix64::new(1_234_567);
        assert_eq!(rng.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn below_reaches_every_value_and_no_other() {
        let mut rng = SplitMix64::new(1);
        let mut seen = [0; 5];
        (0..1000).for_each(|_| seen[rng.below(5)] += 1);
        assert!(seen.iter().all(|&n| n > 100), "{seen:?}");
    }
}
