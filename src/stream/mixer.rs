//! The online logistic mixer: sets of weights, one of each chosen by a context,
//! each trained after every bit on its own coding error; a last small mixer
//! weighs the sets.

use crate::made::logistic::{LOGIT_LIMIT, squash};

/// Fraction bits of a weight.
pub const WEIGHT_BITS: u32 = 16;
/// Bound of a weight: ±16.
pub const WEIGHT_LIMIT: i32 = 16 << WEIGHT_BITS;

/// Weight rows selected by a context, `X` inputs each.
#[derive(Clone, Debug)]
pub struct WeightSet<const X: usize> {
    rows: Vec<[i32; X]>,
    selected: usize,
    logit: i32,
}

impl<const X: usize> WeightSet<X> {
    /// `rows` contexts (rounded up to a power of two), each starting from the same
    /// weights.
    pub fn new(rows: usize, start: &[i32; X]) -> Self {
        Self { rows: vec![*start; rows.next_power_of_two()], selected: 0, logit: 0 }
    }

    /// Selects a row (taken modulo the number of rows) and returns its weighted sum of the logits
    /// `x`, a logit clamped to ±LOGIT_LIMIT.
    #[inline(always)]
    pub fn mix(&mut self, row: usize, x: &[i16; X]) -> i32 {
        self.selected = row & (self.rows.len() - 1);
        let weights = &self.rows[self.selected];
        // |x| < 2^12, |w| <= 2^20: after the shift a term is below 2^22
        let mut sum = 0i32;
        for i in 0..X {
            sum += (i32::from(x[i]) * (weights[i] >> 2)) >> 8;
        }
        self.logit = (sum >> (WEIGHT_BITS - 10)).clamp(-LOGIT_LIMIT, LOGIT_LIMIT);
        self.logit
    }

    /// Moves the selected row along the gradient: `rate`/2^14 of error times input.
    #[inline(always)]
    pub fn learn(&mut self, bit: u32, x: &[i16; X], rate: i32) {
        let error = (((bit << 16) as i32 - i32::from(squash(self.logit))) * rate) >> 12;
        let weights = &mut self.rows[self.selected];
        for i in 0..X {
            let step = (i32::from(x[i]) * error + (1 << 13)) >> 14;
            weights[i] = (weights[i] + step).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_informative_input_wins() {
        let mut set = WeightSet::<4>::new(1, &[20_000; 4]);
        let mut seed = 1u32;
        let mut cost = [0.0f64; 2];
        for i in 0..20_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let bit = seed >> 31;
            let noise = ((seed >> 8) & 1023) as i16 - 512;
            // the first input knows the bit nine times of ten
            let right = !(seed >> 20).is_multiple_of(10);
            let x = [if (bit == 1) == right { 562 } else { -562 }, noise, -noise / 2, 256];
            let p = f64::from(squash(set.mix(0, &x))) / 65536.0;
            cost[usize::from(i >= 10_000)] -= if bit == 1 { p.log2() } else { (1.0 - p).log2() };
            set.learn(bit, &x, 40);
        }
        let entropy = 10_000.0 * 0.469; // H(0.1)
        assert!(cost[1] < entropy * 1.08, "{cost:?}");
    }

    #[test]
    fn extreme_inputs_stay_in_range() {
        let mut set = WeightSet::<32>::new(3, &[WEIGHT_LIMIT; 32]);
        for i in 0..1000 {
            let x = [if i % 2 == 0 { 3071 } else { -3072 }; 32];
            let logit = set.mix(i, &x);
            assert!(logit.abs() <= LOGIT_LIMIT);
            set.learn((i / 7 % 2) as u32, &x, 1 << 12);
        }
    }
}
