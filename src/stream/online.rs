//! The online stage: the last integers between the network and the coder, which
//! adapt to the block as it is coded.

use super::apm::{APMS, Apms};
use super::effort::Effort;
use super::mixer::{LAST_INPUTS, LastMixer, SETS, WeightSets};
use super::row::{Row, has_few, node};
use super::start::weights::{self, LASTS, OnlineWeights};
use super::surprise::{CLASSES, Surprise};
use crate::engine::kernel::{Isa, Kernel};
use crate::made::logistic::squash;
use crate::with_kernel;

/// Learning rate of the weight sets at the start; it falls by 2^-8 a bit,
const RATE: i32 = 1500;
/// to this: more inputs make more noise.
const fn last_rate(contexts: usize) -> i32 {
    if contexts < 32 { 900 } else { 600 }
}
/// Learning rate of the last mixers.
const MIXER_RATE: i32 = 500;

/// A row of each weight set and a context of each APM.
pub type Touched = [u16; SETS + APMS];

/// The APMs of a part of so many contexts: the first ones.
const fn apm_count(contexts: usize) -> usize {
    if has_few(contexts) { 1 } else { APMS }
}

/// Weight sets, two last mixers, up to three APMs.
#[derive(Clone, Debug)]
pub struct Online<const C: usize> {
    sets: WeightSets<C>,
    last: [LastMixer; LASTS],
    logits: [i32; LAST_INPUTS],
    apms: Apms,
    /// The probability that was given last.
    p1: u16,
    surprise: Surprise,
    /// Whether nothing is told apart by surprise, nor weighed by sets that no model has
    /// weights for.
    plain: bool,
    rate: i32,
    last_rate: i32,
    sure: i32,
}

impl<const C: usize> Online<C> {
    const APMS: usize = apm_count(C);

    /// The stage at the start of a block, with weights for `C` contexts and what to leave out.
    pub fn new(weights: &OnlineWeights, effort: Effort) -> Self {
        Self {
            sets: WeightSets::new(&weights.sets),
            last: weights.last.each_ref().map(|last| LastMixer::new(last).with_sets(C)),
            logits: [0; LAST_INPUTS],
            apms: Apms::new(Self::APMS),
            p1: 0,
            surprise: Surprise::default(),
            plain: false,
            rate: RATE << 8,
            last_rate: last_rate(C) << 8,
            sure: effort.sure,
        }
    }

    /// For learning where to start: at a rate that stays, and with nothing that a model has
    /// no weights for.
    pub fn learning(weights: &OnlineWeights, effort: Effort, rate: i32) -> Self {
        Self {
            last: weights.last.each_ref().map(|last| LastMixer::new(last)),
            plain: true,
            rate: rate << 8,
            last_rate: rate << 8,
            ..Self::new(weights, effort)
        }
    }

    /// The weights as they are now.
    pub fn weights(&self) -> OnlineWeights {
        OnlineWeights {
            sets: self.sets.weights(),
            last: self.last.each_ref().map(|last| last.weights().to_vec()),
        }
    }

    /// The classes of surprise that tell weights apart.
    #[inline(always)]
    fn classes(&self) -> [usize; 4] {
        if self.plain { [0; 4] } else { self.surprise.classes() }
    }

    /// Contexts of the APMs.
    #[inline(always)]
    fn apm_contexts(row: &Row<C>, classes: [usize; 4]) -> [u16; APMS] {
        let partial = u16::from(row.partial);
        // the nodes of a nibble are neighbours in memory
        let bit_index = partial.ilog2();
        let node = node(partial.into(), bit_index) as u16;
        let nibble = if bit_index < 4 { 0 } else { partial >> (bit_index - 4) };
        let before = u32::from_le_bytes([row.c1, row.c2, nibble as u8, 0]);
        let order_2 = (before.wrapping_mul(0x9e37_79b1) >> 16) as u16 & !15 | node;
        let [now, last, before, _] = classes;
        let surprise = ((now * CLASSES + last) * CLASSES + before) / 2;
        [order_2, u16::from_le_bytes([row.partial, row.c1]), (surprise as u16) << 8 | partial]
    }

    /// The rows of the weight sets.
    #[inline(always)]
    fn rows(row: &Row<C>, classes: [usize; 4]) -> [usize; SETS] {
        let partial = usize::from(row.partial);
        let bit_index = partial.ilog2() as usize;
        let [now, last, before, first] = classes;
        let before = if has_few(C) { 0 } else { before };
        let all = ((first * CLASSES + now) * CLASSES + last) * CLASSES + before;
        [
            (last * CLASSES + before) << 8 | partial,
            now << 8 | usize::from(row.matched[0]) << 3 | bit_index,
            now << 8 | usize::from(row.c1),
            row.runs.into(),
            row.classes.into(),
            now << 8 | usize::from(row.c2),
            all * 8 + bit_index,
        ]
    }

    /// All that can be done before the network has spoken: weighs the other
    /// inputs, and fetches what [`Self::predict`] will need.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn prepare<K: Kernel>(&mut self, row: &Row<C>) {
        let classes = self.classes();
        self.apms.select(Self::apm_contexts(row, classes), Self::APMS);
        // SAFETY: the caller's
        unsafe { self.sets.select::<K>(Self::rows(row, classes), &row.x) };
    }

    /// What stands for the network's logit if the bit is so nearly certain that the
    /// network is not asked; after [`Self::prepare`].
    #[inline(always)]
    pub fn substitute(&self) -> Option<i16> {
        let mean = self.sets.mean();
        (!(-self.sure..self.sure).contains(&mean)).then(|| mean.clamp(-2047, 2047) as i16)
    }

    /// The coder's 16-bit probability that the next bit is one, after
    /// [`Self::prepare`], given the network's logit or its [`Self::substitute`].
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn predict<K: Kernel>(&mut self, row: &Row<C>, network: i16) -> u16 {
        self.logits = self.sets.mix(network);
        if self.plain {
            self.logits[weights::SETS..].fill(0);
        }
        let rows = [row.partial, row.classes as u8];
        // SAFETY: the caller's
        let [first, second] = unsafe { LastMixer::mix::<K>(&mut self.last, rows, &self.logits) };
        let logit = (first + second + 1) >> 1;
        let squashed = u32::from(squash(logit));
        // SAFETY: the caller's
        let p = unsafe { self.apms.refine::<K>(logit, Self::APMS) };
        let p = if has_few(C) { 2 * (squashed + p) } else { squashed + p };
        self.p1 = ((p + 2) / 4).clamp(1, 65535) as u16;
        self.p1
    }

    /// The probabilities of the bits of a byte that is known, given the network's
    /// logits, which are put into the rows, or substitutes for them.
    #[inline(never)]
    pub fn byte(
        &mut self,
        isa: Isa,
        rows: &mut [Row<C>; 8],
        logits: &[i16; 8],
        byte: u8,
    ) -> [u16; 8] {
        let online = self;
        with_kernel!(isa, known_byte::<C>(
            online: &mut Online<C>, rows: &mut [Row<C>; 8], logits: &[i16; 8], byte: u8
        ) -> [u16; 8])
    }

    /// What the bit predicted last will change: a row of each set, a context of each
    /// APM.
    #[inline(always)]
    pub fn touched(&self) -> Touched {
        let [a, b, c, d, e, f, g] = self.sets.selected();
        let [h, i, j] = self.apms.contexts();
        [a, b, c, d, e, f, g, h, i, j]
    }

    /// Becomes `start` again, after bits that touched this.
    pub fn restore(&mut self, start: &Self, touched: &[Touched]) {
        // every field by name, so that none is forgotten
        let Self { sets, last, logits, apms, p1, surprise, plain: _, rate, last_rate: _, sure: _ } =
            start;
        for places in touched {
            let (rows, contexts) = places.split_at(SETS);
            for &row in rows {
                self.sets.restore(sets, row);
            }
            self.apms.restore(apms, contexts);
        }
        for (last, start) in self.last.iter_mut().zip(last) {
            last.restore(start);
        }
        (self.logits, self.rate) = (*logits, *rate);
        (self.p1, self.surprise) = (*p1, *surprise);
    }

    /// Becomes `start` again, whatever was touched.
    pub fn copy_from(&mut self, start: &Self) {
        self.sets.clone_from(&start.sets);
        self.apms.copy_from(&start.apms);
        self.restore(start, &[]);
    }

    /// Learns the bit just predicted from `row`, whose logits now have the network's.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn update<K: Kernel>(&mut self, row: &Row<C>, bit: u32) {
        let rate = self.rate >> 8;
        // SAFETY: the caller's
        unsafe { self.sets.learn::<K>(bit, &row.x, rate) };
        for last in &mut self.last {
            last.learn(bit, &self.logits, MIXER_RATE);
        }
        // SAFETY: as above
        unsafe { self.apms.learn::<K>(bit, Self::APMS) };
        self.surprise.learn(row.partial, self.p1, bit);
        if self.rate > self.last_rate {
            self.rate -= 1;
        }
    }
}

/// [`Online::byte`].
#[inline(always)]
fn known_byte<K: Kernel, const C: usize>(
    online: &mut Online<C>,
    rows: &mut [Row<C>; 8],
    logits: &[i16; 8],
    byte: u8,
) -> [u16; 8] {
    let mut p1 = [0; 8];
    for (k, row) in rows.iter_mut().enumerate() {
        // SAFETY: `with_kernel` has the proof of the instruction set
        unsafe {
            online.prepare::<K>(row);
            let logit = online.substitute().unwrap_or(logits[k]);
            p1[k] = online.predict::<K>(row, logit);
            row.x[1][Row::<C>::NETWORK] = logit;
            online.update::<K>(row, u32::from(byte >> (7 - k) & 1));
        }
    }
    p1
}
