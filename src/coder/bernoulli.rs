//! A binary distribution for `constriction`, leakily quantized to 16 bits.

use std::borrow::Borrow;
use std::num::NonZeroU32;

use constriction::stream::model::{DecoderModel, EncoderModel, EntropyModel};

use crate::made::logistic::PROBABILITY_BITS;

const PRECISION: usize = PROBABILITY_BITS as usize;
const TOTAL: u32 = 1 << PROBABILITY_BITS;

/// The probability of one bit. Ones take the cumulative interval `0..p1`,
/// zeros take `p1..65536`.
#[derive(Clone, Copy, Debug)]
pub struct Bernoulli(u16);

impl Bernoulli {
    /// `p1`: probability of a one in units of 1/65536. Zero is taken as 1, so
    /// that both symbols always have an interval.
    #[inline(always)]
    pub fn new(p1: u16) -> Self {
        Self(p1.max(1))
    }

    #[inline(always)]
    fn interval(self, bit: bool) -> (u32, NonZeroU32) {
        let p1 = u32::from(self.0);
        let (left, width) = if bit { (0, p1) } else { (p1, TOTAL - p1) };
        // 1 <= p1 <= 65535, so neither width is zero
        (left, NonZeroU32::new(width).unwrap_or(NonZeroU32::MIN))
    }
}

impl EntropyModel<PRECISION> for Bernoulli {
    type Symbol = bool;
    type Probability = u32;
}

impl EncoderModel<PRECISION> for Bernoulli {
    #[inline(always)]
    fn left_cumulative_and_probability(&self, bit: impl Borrow<bool>) -> Option<(u32, NonZeroU32)> {
        Some(self.interval(*bit.borrow()))
    }
}

impl DecoderModel<PRECISION> for Bernoulli {
    #[inline(always)]
    fn quantile_function(&self, quantile: u32) -> (bool, u32, NonZeroU32) {
        let bit = quantile < u32::from(self.0);
        let (left, width) = self.interval(bit);
        (bit, left, width)
    }
}
