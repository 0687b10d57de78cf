//! The online stage: the last integers between the network and the coder, which
//! adapt to the block as it is coded.

use super::apm::Apm;
use super::evidence::{MATCH_CLASSES, Row};
use super::mixer::{WEIGHT_BITS, WeightSet};
use crate::made::logistic::squash;

const ONE: i32 = 1 << WEIGHT_BITS;
/// Number of weight sets; the last mixer has this many inputs, padded to 8.
const SETS: usize = 4;

/// Mixer, last mixer, two APMs.
#[derive(Debug)]
pub struct Online<const X: usize> {
    sets: [WeightSet<X>; SETS],
    last: WeightSet<8>,
    logits: [i16; 8],
    apms: [Apm; 2],
    rate: i32,
}

impl<const X: usize> Online<X> {
    /// The stage at the start of a block: it trusts the network alone.
    pub fn new() -> Self {
        let mut start = [0; X];
        start[Row::<X>::NETWORK] = ONE;
        let set = |rows| WeightSet::new(rows, &start);
        let mut even = [0; 8];
        even[..SETS].fill(ONE / SETS as i32);
        Self {
            sets: [set(256), set(MATCH_CLASSES * 8), set(256), set(X * 8)],
            last: WeightSet::new(256, &even),
            logits: [0; 8],
            apms: [Apm::new(1 << 16, 6), Apm::new(1 << 16, 6)],
            rate: 400 << 8,
        }
    }

    /// The coder's 16-bit probability that the next bit is one. `row.x` includes
    /// the network's logit.
    #[inline(always)]
    pub fn predict(&mut self, row: &Row<X>) -> u16 {
        let partial = usize::from(row.partial);
        let bit_index = partial.ilog2() as usize;
        let contexts = [
            partial,
            usize::from(row.matched) * 8 + bit_index,
            usize::from(row.c1),
            usize::from(row.seen) * 8 + bit_index,
        ];
        for (i, set) in self.sets.iter_mut().enumerate() {
            self.logits[i] = set.mix(contexts[i], &row.x) as i16;
        }
        let logit = self.last.mix(partial, &self.logits);
        let order_1 = partial | usize::from(row.c1) << 8;
        let order_2 = (usize::from(row.c2) << 8 | usize::from(row.c1)).wrapping_mul(0x9e3b)
            ^ (partial * 0x1f35);
        let p = u32::from(squash(logit));
        let a = self.apms[0].refine(logit, order_1);
        let b = self.apms[1].refine(logit, order_2 & 0xffff);
        ((2 * p + a + b + 2) / 4).clamp(1, 65535) as u16
    }

    /// Learns the bit just predicted from `row`.
    #[inline(always)]
    pub fn update(&mut self, row: &Row<X>, bit: u32) {
        let rate = self.rate >> 8;
        for set in &mut self.sets {
            set.learn(bit, &row.x, rate);
        }
        self.last.learn(bit, &self.logits, 60);
        for apm in &mut self.apms {
            apm.learn(bit);
        }
        if self.rate > 100 << 8 {
            self.rate -= 1;
        }
    }
}

impl<const X: usize> Default for Online<X> {
    fn default() -> Self {
        Self::new()
    }
}
