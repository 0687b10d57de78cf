//! One of several possibilities as a `constriction` distribution of 16 bits.

use std::borrow::Borrow;
use std::num::NonZeroU32;

use constriction::stream::model::{DecoderModel, EncoderModel, EntropyModel};

use crate::made::logistic::PROBABILITY_BITS;

const PRECISION: usize = PROBABILITY_BITS as usize;
const TOTAL: u32 = 1 << PROBABILITY_BITS;

/// Probabilities of 0, 1, … as intervals of 0..65536.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// `(left end, width)`.
    intervals: Vec<(u32, NonZeroU32)>,
}

impl Choice {
    /// `n` possibilities, 1 to 65536, as equal as 16 bits allow: number k has the
    /// interval from ⌊65536·k/n⌋ to ⌊65536·(k+1)/n⌋.
    pub fn uniform(n: usize) -> Self {
        let n = n.clamp(1, TOTAL as usize) as u32;
        let end = |k: u32| (u64::from(TOTAL) * u64::from(k) / u64::from(n)) as u32;
        let width = |k| NonZeroU32::new(end(k + 1) - end(k)).unwrap_or(NonZeroU32::MIN);
        Self { intervals: (0..n).map(|k| (end(k), width(k))).collect() }
    }

    /// Probabilities in proportion to `weights` (1 to 65536, sum below 2⁴⁷), each at least
    /// 1/65536. The first of the largest ones gets what rounding leaves, and its
    /// interval begins at 0: a stack that holds nothing gives that one. The others
    /// follow in their order.
    pub fn weighted(weights: &[u64]) -> Self {
        let n = weights.len();
        let sum = weights.iter().sum::<u64>().max(1);
        let spread = u64::from(TOTAL) - (n as u64).min(u64::from(TOTAL));
        let mut widths: Vec<u32> = weights.iter().map(|w| 1 + (w * spread / sum) as u32).collect();
        let largest = weights.iter().max().and_then(|m| weights.iter().position(|w| w == m));
        let Some(largest) = largest else { return Self::uniform(1) };
        widths[largest] += TOTAL - widths.iter().sum::<u32>();
        let mut intervals = vec![(0, NonZeroU32::MIN); n];
        let mut left = 0;
        for k in std::iter::once(largest).chain((0..n).filter(|&k| k != largest)) {
            intervals[k] = (left, NonZeroU32::new(widths[k]).unwrap_or(NonZeroU32::MIN));
            left += widths[k];
        }
        Self { intervals }
    }

    /// The probability of `k`, of 65536.
    pub fn width(&self, k: usize) -> u32 {
        self.intervals[k].1.get()
    }
}

impl EntropyModel<PRECISION> for &Choice {
    type Symbol = usize;
    type Probability = u32;
}

impl EncoderModel<PRECISION> for &Choice {
    fn left_cumulative_and_probability(&self, k: impl Borrow<usize>) -> Option<(u32, NonZeroU32)> {
        self.intervals.get(*k.borrow()).copied()
    }
}

impl DecoderModel<PRECISION> for &Choice {
    fn quantile_function(&self, quantile: u32) -> (usize, u32, NonZeroU32) {
        let within = |&(left, width): &(u32, NonZeroU32)| quantile.wrapping_sub(left) < width.get();
        let k = self.intervals.iter().position(within).unwrap_or(0);
        (k, self.intervals[k].0, self.intervals[k].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn covers_everything(choice: &Choice) {
        let mut intervals = choice.intervals.clone();
        intervals.sort();
        let mut left = 0;
        for (l, width) in intervals {
            assert_eq!(l, left);
            left += width.get();
        }
        assert_eq!(left, TOTAL);
    }

    #[test]
    fn uniform_ones_are_equal() {
        assert_eq!((0..4).map(|k| Choice::uniform(4).width(k)).collect::<Vec<_>>(), [16384; 4]);
        for n in [1, 2, 3, 7, 64] {
            covers_everything(&Choice::uniform(n));
        }
        let third = Choice::uniform(3);
        assert!((0..3).all(|k| third.width(k).abs_diff(21845) <= 1));
    }

    proptest! {
        #[test]
        fn weights_become_intervals(weights in prop::collection::vec(0u64..1 << 40, 1..64)) {
            let choice = Choice::weighted(&weights);
            covers_everything(&choice);
            let sum = weights.iter().sum::<u64>().max(1) as f64;
            let largest = weights.iter().max().and_then(|m| weights.iter().position(|w| w == m));
            prop_assert_eq!((&choice).quantile_function(0).0, largest.unwrap_or(0));
            for (k, &w) in weights.iter().enumerate() {
                let off = f64::from(choice.width(k)) - w as f64 / sum * 65536.0;
                // one each is kept for those of no weight
                prop_assert!(off.abs() <= 66.0, "{} {:?}", k, choice);
            }
        }
    }
}
