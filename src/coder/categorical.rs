//! Distributions over small alphabets for `constriction`, 12 bits each, with a
//! table that finds a symbol in one step: for what is read at every start.

use std::borrow::Borrow;
use std::num::NonZeroU32;

use constriction::stream::model::{DecoderModel, EncoderModel, EntropyModel};

/// Bits of a probability.
pub const SYMBOL_BITS: usize = 12;
const TOTAL: usize = 1 << SYMBOL_BITS;

/// A fixed distribution over at most 256 symbols.
#[derive(Clone, Debug)]
pub struct Categorical {
    /// Where each symbol's interval begins; one more than there are symbols.
    left: Vec<u16>,
    /// The symbol of every quantile.
    symbols: Box<[u8; TOTAL]>,
}

impl Categorical {
    /// From frequencies that sum to 4096; `None` if they do not, or if there are
    /// more than 256. A symbol of frequency zero cannot be coded.
    pub fn new(frequencies: &[u16]) -> Option<Self> {
        let sum: usize = frequencies.iter().map(|&f| usize::from(f)).sum();
        if sum != TOTAL || frequencies.len() > 256 {
            return None;
        }
        let mut left = vec![0];
        let mut symbols = Box::new([0; TOTAL]);
        let mut at = 0;
        for (s, &f) in frequencies.iter().enumerate() {
            symbols[at..at + usize::from(f)].fill(s as u8);
            at += usize::from(f);
            left.push(at as u16);
        }
        Some(Self { left, symbols })
    }

    /// Frequencies near the proportions of `counts` that sum to 4096; whatever was
    /// counted keeps at least 1. At most 256 counts.
    pub fn frequencies(counts: &[u64]) -> Vec<u16> {
        let total: u64 = counts.iter().sum::<u64>().max(1);
        let share = |&c: &u64| {
            let f = u128::from(c) * TOTAL as u128 / u128::from(total);
            if c > 0 { (f as u16).max(1) } else { 0 }
        };
        let mut frequencies: Vec<u16> = counts.iter().map(share).collect();
        let Some(largest) = (0..counts.len()).max_by_key(|&i| frequencies[i]) else {
            return frequencies;
        };
        // at most 256 roundings, and the largest of 256 shares is at least 16
        let mut sum: usize = frequencies.iter().map(|&f| usize::from(f)).sum();
        while sum > TOTAL {
            let most = (0..counts.len()).max_by_key(|&i| frequencies[i]).unwrap_or(largest);
            frequencies[most] -= 1;
            sum -= 1;
        }
        frequencies[largest] += (TOTAL - sum) as u16;
        frequencies
    }

    #[inline(always)]
    fn interval(&self, symbol: u8) -> Option<(u32, NonZeroU32)> {
        let left = u32::from(*self.left.get(usize::from(symbol))?);
        let right = u32::from(*self.left.get(usize::from(symbol) + 1)?);
        Some((left, NonZeroU32::new(right - left)?))
    }
}

impl EntropyModel<SYMBOL_BITS> for Categorical {
    type Symbol = u8;
    type Probability = u32;
}

impl EncoderModel<SYMBOL_BITS> for Categorical {
    #[inline(always)]
    fn left_cumulative_and_probability(
        &self,
        symbol: impl Borrow<u8>,
    ) -> Option<(u32, NonZeroU32)> {
        self.interval(*symbol.borrow())
    }
}

impl DecoderModel<SYMBOL_BITS> for Categorical {
    #[inline(always)]
    fn quantile_function(&self, quantile: u32) -> (u8, u32, NonZeroU32) {
        let symbol = self.symbols[quantile as usize % TOTAL];
        // a symbol that a quantile belongs to has an interval
        let (left, width) = self.interval(symbol).unwrap_or((0, NonZeroU32::MIN));
        (symbol, left, width)
    }
}

/// `bits` raw bits (at most 12), all values alike.
#[derive(Clone, Copy, Debug)]
pub struct Uniform(pub u32);

impl EntropyModel<SYMBOL_BITS> for Uniform {
    type Symbol = u32;
    type Probability = u32;
}

impl Uniform {
    #[inline(always)]
    fn width(self) -> NonZeroU32 {
        NonZeroU32::new(1 << (SYMBOL_BITS as u32 - self.0.min(12))).unwrap_or(NonZeroU32::MIN)
    }
}

impl EncoderModel<SYMBOL_BITS> for Uniform {
    #[inline(always)]
    fn left_cumulative_and_probability(
        &self,
        value: impl Borrow<u32>,
    ) -> Option<(u32, NonZeroU32)> {
        let left = *value.borrow() * self.width().get();
        (left < TOTAL as u32).then_some((left, self.width()))
    }
}

impl DecoderModel<SYMBOL_BITS> for Uniform {
    #[inline(always)]
    fn quantile_function(&self, quantile: u32) -> (u32, u32, NonZeroU32) {
        let value = quantile / self.width().get();
        (value, value * self.width().get(), self.width())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frequencies_always_sum_up(counts in prop::collection::vec(0u64..1 << 40, 1..256)) {
            prop_assume!(counts.iter().any(|&c| c > 0));
            let f = Categorical::frequencies(&counts);
            prop_assert!(counts.iter().zip(&f).all(|(&c, &f)| (c > 0) == (f > 0)));
            let model = Categorical::new(&f).unwrap();
            for q in 0..TOTAL as u32 {
                let (s, left, width) = model.quantile_function(q);
                prop_assert!(left <= q && q < left + width.get());
                prop_assert_eq!(model.left_cumulative_and_probability(s), Some((left, width)));
            }
        }
    }

    #[test]
    fn wrong_sums_are_refused() {
        assert!(Categorical::new(&[4095]).is_none());
        assert!(Categorical::new(&[4096, 1]).is_none());
        assert!(Categorical::new(&[]).is_none());
        assert!(Categorical::new(&[0, 4096]).is_some());
    }
}
