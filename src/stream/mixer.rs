//! Online logistic mixers: sets of weights, one of each chosen by a context, each
//! trained after every bit on its own coding error.

use crate::engine::kernel::Kernel;
use crate::made::logistic::{LOGIT_LIMIT, squash};

/// Fraction bits of a weight of [`WeightSet`]: weights are within ±2.
pub const WEIGHT_BITS: u32 = 14;

/// Weight rows selected by a context, `2·C` inputs each (see
/// [`super::row::Row::x`]).
#[derive(Clone, Debug)]
pub struct WeightSet<const C: usize> {
    rows: Vec<[[i16; C]; 2]>,
    selected: usize,
    logit: i32,
}

impl<const C: usize> WeightSet<C> {
    /// `weights`: a row for each context, whose number is a power of two.
    pub fn new(weights: &[i16]) -> Self {
        let rows = weights.as_chunks().0.as_chunks().0.to_vec();
        assert!(rows.len().is_power_of_two());
        Self { rows, selected: 0, logit: 0 }
    }

    /// The weights as they are now, row by row.
    pub fn weights(&self) -> &[i16] {
        self.rows.as_flattened().as_flattened()
    }

    /// The row selected last.
    pub fn selected(&self) -> usize {
        self.selected
    }

    /// Makes a row what it is in `start`, a set of as many.
    #[inline(always)]
    pub fn restore(&mut self, start: &Self, row: usize) {
        self.rows[row] = start.rows[row];
    }

    /// Selects a row (taken modulo the number of rows) and returns its weighted
    /// sum of the logits `x`, a logit clamped to ±LOGIT_LIMIT.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn mix<K: Kernel>(&mut self, row: usize, x: &[[i16; C]; 2]) -> i32 {
        self.selected = row & (self.rows.len() - 1);
        let weights = &self.rows[self.selected];
        // the sum is taken modulo 2^32; sixteen contexts cannot reach 2^31
        // SAFETY: the caller's
        let sum = unsafe { K::dot(weights.as_flattened(), x.as_flattened()) };
        self.logit = (sum >> WEIGHT_BITS).clamp(-LOGIT_LIMIT, LOGIT_LIMIT);
        self.logit
    }

    /// Moves the selected row along the gradient: `rate`/2^13 of the error (16
    /// bits) times the input, 2^-15 of it, rounded; weights saturate.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn learn<K: Kernel>(&mut self, bit: u32, x: &[[i16; C]; 2], rate: i32) {
        let error = (((bit << 16) as i32 - i32::from(squash(self.logit))) * rate) >> 13;
        let weights = &mut self.rows[self.selected];
        // SAFETY: the caller's
        unsafe { K::learn(weights.as_flattened_mut(), x.as_flattened(), error as i16) };
    }
}

/// Fraction bits of a weight of [`LastMixer`].
pub const LAST_WEIGHT_BITS: u32 = 16;
/// Bound of a weight of [`LastMixer`]: ±16.
pub const WEIGHT_LIMIT: i32 = 16 << LAST_WEIGHT_BITS;
/// Number of inputs of [`LastMixer`].
pub const LAST_INPUTS: usize = 8;

/// The mixer that weighs what the weight sets say.
#[derive(Clone, Debug)]
pub struct LastMixer {
    rows: Vec<[i32; LAST_INPUTS]>,
    selected: usize,
    logit: i32,
}

impl LastMixer {
    /// `weights`: a row for each context, whose number is a power of two.
    pub fn new(weights: &[i32]) -> Self {
        let rows = weights.as_chunks().0.to_vec();
        assert!(rows.len().is_power_of_two());
        Self { rows, selected: 0, logit: 0 }
    }

    /// The weights as they are now, row by row.
    pub fn weights(&self) -> &[i32] {
        self.rows.as_flattened()
    }

    /// Becomes `start` again.
    pub fn restore(&mut self, start: &Self) {
        self.rows.copy_from_slice(&start.rows);
        (self.selected, self.logit) = (start.selected, start.logit);
    }

    /// Selects a row (taken modulo the number of rows) and returns its weighted
    /// sum of the logits `x`, clamped to ±LOGIT_LIMIT.
    #[inline(always)]
    pub fn mix(&mut self, row: usize, x: &[i16; LAST_INPUTS]) -> i32 {
        self.selected = row & (self.rows.len() - 1);
        let weights = &self.rows[self.selected];
        // |x| <= 2^12, |w| <= 2^20: after the shift a term is below 2^22
        let mut sum = 0i32;
        for i in 0..LAST_INPUTS {
            sum += (i32::from(x[i]) * (weights[i] >> 2)) >> 8;
        }
        self.logit = (sum >> (LAST_WEIGHT_BITS - 10)).clamp(-LOGIT_LIMIT, LOGIT_LIMIT);
        self.logit
    }

    /// Moves the selected row along the gradient: `rate`/2^12 of the error (16
    /// bits) times the input, 2^-14 of it, rounded.
    #[inline(always)]
    pub fn learn(&mut self, bit: u32, x: &[i16; LAST_INPUTS], rate: i32) {
        let error = (((bit << 16) as i32 - i32::from(squash(self.logit))) * rate) >> 12;
        let weights = &mut self.rows[self.selected];
        for i in 0..LAST_INPUTS {
            let step = (i32::from(x[i]) * error + (1 << 13)) >> 14;
            weights[i] = (weights[i] + step).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernel::{Isa, Kernel};
    use crate::with_kernel;

    #[inline(always)]
    fn costs<K: Kernel>() -> [f64; 2] {
        let mut set = WeightSet::<8>::new(&[5_000; 16]);
        let mut seed = 1u32;
        let mut cost = [0.0f64; 2];
        for i in 0..20_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let bit = seed >> 31;
            let noise = ((seed >> 8) & 1023) as i16 - 512;
            // the first input knows the bit nine times of ten
            let right = !(seed >> 20).is_multiple_of(10);
            let mut x = [[0; 8]; 2];
            x[0][0] = if (bit == 1) == right { 562 } else { -562 };
            x[1][0] = noise;
            x[1][7] = 256;
            // SAFETY: with_kernel checked the instruction set
            unsafe {
                let p = f64::from(squash(set.mix::<K>(0, &x))) / 65536.0;
                cost[usize::from(i >= 10_000)] -=
                    if bit == 1 { p.log2() } else { (1.0 - p).log2() };
                set.learn::<K>(bit, &x, 40);
            }
        }
        cost
    }

    #[test]
    fn the_informative_input_wins() {
        let all: Vec<[f64; 2]> = Isa::available()
            .into_iter()
            .map(|isa| with_kernel!(isa, costs() -> [f64; 2]))
            .collect();
        let entropy = 10_000.0 * 0.469; // H(0.1)
        assert!(all[0][1] < entropy * 1.08, "{all:?}");
        assert!(all.iter().all(|c| c == &all[0]), "{all:?}");
    }

    #[test]
    fn extreme_inputs_stay_in_range() {
        let mut last = LastMixer::new(&[WEIGHT_LIMIT; 4 * LAST_INPUTS]);
        for i in 0..1000 {
            let x = [if i % 2 == 0 { 3071 } else { -3072 }; LAST_INPUTS];
            let logit = last.mix(i, &x);
            assert!(logit.abs() <= LOGIT_LIMIT);
            last.learn((i / 7 % 2) as u32, &x, 1 << 12);
        }
    }
}
