//! The online stage: the last integers between the network and the coder, which
//! adapt to the block as it is coded.

use super::apm::Apm;
use super::mixer::{LAST_INPUTS, LastMixer, WeightSet};
use super::row::Row;
use super::start::weights::{OnlineWeights, SETS};
use crate::engine::kernel::Kernel;
use crate::made::logistic::squash;

/// Learning rate of the weight sets at the start; it falls by 2^-8 a bit,
const RATE: i32 = 1500;
/// to this.
const LAST_RATE: i32 = 900;
/// Learning rate of the last mixer.
const MIXER_RATE: i32 = 500;

/// A row of each weight set and a context of each APM.
pub type Touched = [u16; SETS + 2];

/// Weight sets, last mixer, two APMs.
#[derive(Clone, Debug)]
pub struct Online<const C: usize> {
    sets: [WeightSet<C>; SETS],
    last: LastMixer,
    logits: [i16; LAST_INPUTS],
    apms: [Apm; 2],
    rate: i32,
    last_rate: i32,
}

impl<const C: usize> Online<C> {
    /// The stage at the start of a block, with weights for `C` contexts.
    pub fn new(weights: &OnlineWeights) -> Self {
        Self {
            sets: weights.sets.each_ref().map(|set| WeightSet::new(set)),
            last: LastMixer::new(&weights.last),
            logits: [0; LAST_INPUTS],
            apms: [Apm::new(1 << 16, 5), Apm::new(1 << 16, 5)],
            rate: RATE << 8,
            last_rate: LAST_RATE << 8,
        }
    }

    /// With a learning rate that stays: for learning where to start.
    pub fn at_rate(mut self, rate: i32) -> Self {
        self.rate = rate << 8;
        self.last_rate = rate << 8;
        self
    }

    /// The weights as they are now.
    pub fn weights(&self) -> OnlineWeights {
        OnlineWeights {
            sets: self.sets.each_ref().map(|set| set.weights().to_vec()),
            last: self.last.weights().to_vec(),
        }
    }

    /// Contexts of the two APMs.
    #[inline(always)]
    fn apm_contexts(row: &Row<C>) -> [usize; 2] {
        let partial = usize::from(row.partial);
        let order_2 = (usize::from(row.c2) << 8 | usize::from(row.c1)).wrapping_mul(0x9e3b)
            ^ (partial * 0x1f35);
        [partial | usize::from(row.c1) << 8, order_2 & 0xffff]
    }

    /// Fetches what [`Self::predict`] will need.
    #[inline(always)]
    pub fn prefetch(&self, row: &Row<C>) {
        for (apm, context) in self.apms.iter().zip(Self::apm_contexts(row)) {
            apm.prefetch(context);
        }
    }

    /// The coder's 16-bit probability that the next bit is one. `row.x` includes
    /// the network's logit.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn predict<K: Kernel>(&mut self, row: &Row<C>) -> u16 {
        let partial = usize::from(row.partial);
        let bit_index = partial.ilog2() as usize;
        let contexts = [
            partial,
            usize::from(row.matched[0]) * 8 + bit_index,
            usize::from(row.c1),
            usize::from(row.runs),
            usize::from(row.classes),
        ];
        for (i, set) in self.sets.iter_mut().enumerate() {
            // SAFETY: the caller's
            self.logits[i] = unsafe { set.mix::<K>(contexts[i], &row.x) } as i16;
        }
        let logit = self.last.mix(partial, &self.logits);
        let [order_1, order_2] = Self::apm_contexts(row);
        let p = u32::from(squash(logit));
        let a = self.apms[0].refine(logit, order_1);
        let b = self.apms[1].refine(logit, order_2);
        ((2 * p + a + b + 2) / 4).clamp(1, 65535) as u16
    }

    /// What the bit predicted last will change: a row of each set, a context of each
    /// APM.
    #[inline(always)]
    pub fn touched(&self) -> Touched {
        let [a, b, c, d, e] = &self.sets;
        let [f, g] = &self.apms;
        [
            a.selected(),
            b.selected(),
            c.selected(),
            d.selected(),
            e.selected(),
            f.context(),
            g.context(),
        ]
        .map(|i| i as u16)
    }

    /// Becomes `start` again, after bits that touched this.
    pub fn restore(&mut self, start: &Self, touched: &[Touched]) {
        let Self { sets, last, logits, apms, rate, last_rate: _ } = start;
        for places in touched {
            let (rows, contexts) = places.split_at(SETS);
            for ((set, start), &row) in self.sets.iter_mut().zip(sets).zip(rows) {
                set.restore(start, row.into());
            }
            for ((apm, start), &context) in self.apms.iter_mut().zip(apms).zip(contexts) {
                apm.restore(start, context.into());
            }
        }
        self.last.restore(last);
        (self.logits, self.rate) = (*logits, *rate);
    }

    /// Learns the bit just predicted from `row`.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn update<K: Kernel>(&mut self, row: &Row<C>, bit: u32) {
        let rate = self.rate >> 8;
        for set in &mut self.sets {
            // SAFETY: the caller's
            unsafe { set.learn::<K>(bit, &row.x, rate) };
        }
        self.last.learn(bit, &self.logits, MIXER_RATE);
        for apm in &mut self.apms {
            apm.learn(bit);
        }
        if self.rate > self.last_rate {
            self.rate -= 1;
        }
    }
}
