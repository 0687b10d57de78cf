//! Online logistic mixers: sets of weights, one of each chosen by a context, each
//! trained after every bit on its own coding error.

use super::memory::Rows;
use super::row::{Row, has_runs};
use super::start::weights::{self, LAST_ROWS};
use super::surprise::CLASSES;
use crate::engine::kernel::Kernel;
use crate::made::logistic::{LOGIT_LIMIT, squash};

/// Fraction bits of a weight of [`WeightSets`]: weights are within ±2.
pub const WEIGHT_BITS: u32 = 14;

/// Weights of the inputs of a row (see [`super::row::Row::x`]).
pub type Weights<const C: usize> = [[i16; C]; 2];

/// Most sets.
pub const SETS: usize = 7;
/// Rows of each: for every class of surprise, or pair of them, as many as a model has weights
/// for; then the sets that a model has none for.
pub const SET_ROWS: [usize; SETS] = {
    let [partial, matched, c1, runs, classes] = weights::SET_ROWS;
    [
        partial * CLASSES * CLASSES,
        matched * CLASSES,
        c1 * CLASSES,
        runs,
        classes,
        256 * CLASSES,
        8 * CLASSES.pow(4),
    ]
};

/// The sets that a part of so many contexts has, counted with those that it leaves out.
pub const fn set_count(contexts: usize) -> usize {
    if contexts < 32 { weights::SETS } else { SETS }
}

/// The set that goes by [`Row::runs`].
const RUNS_SET: usize = 3;

/// Whether a part of so many contexts has a set.
const fn has_set(contexts: usize, set: usize) -> bool {
    set < set_count(contexts) && (set != RUNS_SET || has_runs(contexts))
}

/// Does something for each set that a part of `$contexts` contexts has, without a loop.
macro_rules! for_each_set {
    ($contexts:ident, $set:ident => $body:block) => {
        for_each_set!($contexts, $set => $body, 0 1 2 3 4 5 6)
    };
    ($contexts:ident, $set:ident => $body:block, $($number:literal)*) => {
        $({
            let $set: usize = $number;
            if has_set($contexts, $set) $body
        })*
    };
}

/// Sets of weight rows, of each of which a context selects one.
#[derive(Clone, Debug)]
pub struct WeightSets<const C: usize> {
    /// One set after the other.
    rows: Rows<C>,
    selected: [usize; SETS],
    /// The selected rows' weighted sums without the network's logit, and its weights.
    sums: [i32; LAST_INPUTS],
    network: [i32; LAST_INPUTS],
    logits: [i32; LAST_INPUTS],
}

impl<const C: usize> WeightSets<C> {
    /// Rows of each; none of a set that is not there, whose logit is 0.
    const ROWS: [usize; SETS] = {
        let (mut rows, mut set) = ([0; SETS], 0);
        while set < SETS {
            rows[set] = if has_set(C, set) { SET_ROWS[set] } else { 0 };
            set += 1;
        }
        rows
    };
    /// Where each begins.
    const STARTS: [usize; SETS] = {
        let (mut starts, mut set) = ([0; SETS], 1);
        while set < SETS {
            starts[set] = starts[set - 1] + Self::ROWS[set - 1];
            set += 1;
        }
        starts
    };

    /// `given`: weights of the first sets, row by row, which are repeated for each class of
    /// surprise. The other sets start as the mean of the first set's rows.
    pub fn new(given: &[Vec<i16>; weights::SETS]) -> Self {
        let width = 2 * C;
        let mut numbers = Vec::with_capacity(Self::ROWS.iter().sum::<usize>() * width);
        for (i, &count) in Self::ROWS.iter().enumerate() {
            let mean;
            let set: &[i16] = match given.get(i) {
                Some(set) => set,
                None => {
                    mean = mean_of(&given[0], width);
                    &mean
                }
            };
            numbers.extend(set.iter().cycle().take(count * width));
        }
        Self {
            rows: Rows::new(&numbers),
            selected: [0; SETS],
            sums: [0; LAST_INPUTS],
            network: [0; LAST_INPUTS],
            logits: [0; LAST_INPUTS],
        }
    }

    /// The weights of the first sets as they are now where nothing was surprising, row by row.
    pub fn weights(&self) -> [Vec<i16>; weights::SETS] {
        std::array::from_fn(|i| {
            if Self::ROWS[i] == 0 {
                return vec![0; 2 * C];
            }
            let rows = &self.rows.rows()[Self::STARTS[i]..][..weights::SET_ROWS[i]];
            rows.iter().flat_map(|row| row.concat()).collect()
        })
    }

    /// The rows selected last, counted over all sets.
    #[inline(always)]
    pub fn selected(&self) -> [u16; SETS] {
        self.selected.map(|row| row as u16)
    }

    /// Makes a row (counted over all sets) what it is in `start`.
    #[inline(always)]
    pub fn restore(&mut self, start: &Self, row: u16) {
        let row = usize::from(row);
        self.rows.rows_mut()[row] = start.rows.rows()[row];
    }

    /// Selects a row of each set (taken modulo the number of rows) and weighs the
    /// inputs `x`, in which the network's logit is still 0.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn select<K: Kernel>(&mut self, rows: [usize; SETS], x: &Weights<C>) {
        let mut selected: [&[i16]; SETS] = [&[]; SETS];
        let all = self.rows.rows();
        for_each_set!(C, i => {
            self.selected[i] = Self::STARTS[i] + (rows[i] & (Self::ROWS[i] - 1));
            let weights = &all[self.selected[i]];
            self.network[i] = weights[1][Row::<C>::NETWORK].into();
            selected[i] = weights.as_flattened();
        });
        // the first set goes by the bits of the byte, so that its next row is one of two
        let next = self.selected[0] & !0xff | (self.selected[0] << 1 & 0xff);
        self.rows.prefetch(next);
        if C > 8 {
            self.rows.prefetch(next + 1);
        }
        // taken modulo 2^32, which only weights that no learning makes could notice
        // SAFETY: the caller's
        self.sums = unsafe {
            match selected {
                [a, b, c, _, e, ..] if !has_runs(C) => {
                    let [a, b, c, e, ..] = K::dots([a, b, c, e], x.as_flattened());
                    [a, b, c, 0, e, 0, 0, 0]
                }
                [a, b, c, d, e, ..] if C < 32 => K::dots([a, b, c, d, e], x.as_flattened()),
                _ => K::dots(selected, x.as_flattened()),
            }
        };
    }

    /// The sum of the selected rows' logits without the network's by four: of five sets about
    /// what the mean is with it.
    #[inline(always)]
    pub fn mean(&self) -> i32 {
        // parts of the sum are below 2^28, so that it fits
        let mut sum = 0;
        for i in 0..weights::SETS {
            sum += self.sums[i] >> 3;
        }
        sum >> (WEIGHT_BITS - 1)
    }

    /// The selected rows' logits, clamped to ±LOGIT_LIMIT, given the network's; zeros
    /// for the inputs of a last mixer that no set gives.
    #[inline(always)]
    pub fn mix(&mut self, network: i16) -> [i32; LAST_INPUTS] {
        for i in 0..LAST_INPUTS {
            let sum = self.sums[i].wrapping_add(self.network[i] * i32::from(network));
            self.logits[i] = (sum >> WEIGHT_BITS).clamp(-LOGIT_LIMIT, LOGIT_LIMIT);
        }
        self.logits
    }

    /// Moves the selected rows along the gradient: `rate`/2^13 of the error (16
    /// bits) times the input, 2^-15 of it, rounded; weights saturate. `x` has the
    /// network's logit.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn learn<K: Kernel>(&mut self, bit: u32, x: &Weights<C>, rate: i32) {
        // SAFETY: the caller's
        let p = unsafe { K::squash::<LAST_INPUTS>(&self.logits) };
        let mut errors = [0; LAST_INPUTS];
        for i in 0..LAST_INPUTS {
            errors[i] = (((bit << 16) as i32 - i32::from(p[i])) * rate) >> 13;
        }
        let all = self.rows.rows_mut();
        for_each_set!(C, i => {
            let weights = all[self.selected[i]].as_flattened_mut();
            // SAFETY: the caller's
            unsafe { K::learn(weights, x.as_flattened(), errors[i] as i16) };
        });
    }
}

/// The mean of rows of weights, rounded down.
fn mean_of(rows: &[i16], width: usize) -> Vec<i16> {
    let mut sums = vec![0i32; width];
    for row in rows.chunks_exact(width) {
        for (sum, &weight) in sums.iter_mut().zip(row) {
            *sum += i32::from(weight);
        }
    }
    let count = (rows.len() / width).max(1) as i32;
    sums.iter().map(|sum| sum.div_euclid(count) as i16).collect()
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
    rows: Box<[[i32; LAST_INPUTS]; LAST_ROWS]>,
    selected: u8,
    logit: i32,
}

impl LastMixer {
    /// `weights`: 256 rows.
    pub fn new(weights: &[i32]) -> Self {
        let mut rows = Box::new([[0; LAST_INPUTS]; LAST_ROWS]);
        for (row, &weights) in rows.iter_mut().zip(weights.as_chunks().0) {
            *row = weights;
        }
        Self { rows, selected: 0, logit: 0 }
    }

    /// As many sets as a part of `contexts` contexts has: those that a model has no weights
    /// for get the mean share of all, and the others that much less.
    pub fn with_sets(mut self, contexts: usize) -> Self {
        let (given, all) = (weights::SETS, set_count(contexts));
        if all > given {
            for row in self.rows.iter_mut() {
                for weight in &mut row[..given] {
                    *weight = (*weight * given as i32).div_euclid(all as i32);
                }
                row[given..all].fill((1 << LAST_WEIGHT_BITS) / all as i32);
            }
        }
        self
    }

    /// The weights as they are now, row by row.
    pub fn weights(&self) -> &[i32] {
        self.rows.as_flattened()
    }

    /// Becomes `start` again.
    pub fn restore(&mut self, start: &Self) {
        self.rows.copy_from_slice(&start.rows[..]);
        (self.selected, self.logit) = (start.selected, start.logit);
    }

    /// Selects a row of each of two mixers and returns the weighted sums of the logits
    /// `x`, clamped to ±LOGIT_LIMIT.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn mix<K: Kernel>(
        [a, b]: &mut [Self; 2],
        rows: [u8; 2],
        x: &[i32; LAST_INPUTS],
    ) -> [i32; 2] {
        (a.selected, b.selected) = (rows[0], rows[1]);
        let weights = [&a.rows[usize::from(rows[0])], &b.rows[usize::from(rows[1])]];
        // |x| <= 2^12, |w| <= 2^20: after the shift a term is below 2^22
        // SAFETY: the caller's
        let sums = unsafe { K::weigh(weights, x) };
        let logits = sums.map(|s| (s >> (LAST_WEIGHT_BITS - 10)).clamp(-LOGIT_LIMIT, LOGIT_LIMIT));
        (a.logit, b.logit) = (logits[0], logits[1]);
        logits
    }

    /// Moves the selected row along the gradient: `rate`/2^12 of the error (16
    /// bits) times the input, 2^-14 of it, rounded.
    #[inline(always)]
    pub fn learn(&mut self, bit: u32, x: &[i32; LAST_INPUTS], rate: i32) {
        let error = (((bit << 16) as i32 - i32::from(squash(self.logit))) * rate) >> 12;
        let weights = &mut self.rows[usize::from(self.selected)];
        for i in 0..LAST_INPUTS {
            let step = (x[i] * error + (1 << 13)) >> 14;
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
        let mut set = WeightSets::<8>::new(&weights::SET_ROWS.map(|rows| vec![5_000; 16 * rows]));
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
            x[1][6] = 256;
            // SAFETY: `with_kernel` has the proof of the instruction set
            unsafe {
                set.select::<K>([0; SETS], &x);
                let network = noise / 3;
                let logit = set.mix(network)[weights::SETS - 1];
                x[1][7] = network;
                let p = f64::from(squash(logit)) / 65536.0;
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

    /// The logits of two mixers with extreme weights and inputs.
    #[inline(always)]
    fn extremes<K: Kernel>() -> Vec<[i32; 2]> {
        let weights = [WEIGHT_LIMIT, -WEIGHT_LIMIT + 1];
        let mut last = weights.map(|w| LastMixer::new(&[w; LAST_ROWS * LAST_INPUTS]));
        let mut all = Vec::new();
        for i in 0..1000u32 {
            let mut x = [if i % 2 == 0 { 3071 } else { -3072 }; LAST_INPUTS];
            x[i as usize % LAST_INPUTS] = i as i32 - 500;
            // SAFETY: `with_kernel` has the proof of the instruction set
            all.push(unsafe { LastMixer::mix::<K>(&mut last, [i as u8, (i / 3) as u8], &x) });
            for last in &mut last {
                last.learn(i / 7 % 2, &x, 1 << 12);
            }
        }
        all
    }

    #[test]
    fn extreme_inputs_stay_in_range() {
        let want = extremes::<crate::engine::kernel::Scalar>();
        assert!(want.as_flattened().iter().all(|logit| logit.abs() <= LOGIT_LIMIT));
        for isa in Isa::available() {
            assert_eq!(with_kernel!(isa, extremes() -> Vec<[i32; 2]>), want, "{isa}");
        }
    }
}
