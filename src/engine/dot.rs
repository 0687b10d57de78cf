//! Dot products of one unit's weights with a tile of rows, in exact integers.
//!
//! A [`Plane`] holds the activations of [`LANES`] rows side by side, two units
//! (a pair) together, so that one multiply-add instruction does both. It also
//! keeps the list of pairs that are not zero in all rows: the others cost nothing.

use crate::made::integer::Linear;

/// Rows of a tile.
pub const LANES: usize = 16;
/// A pair of units in every row of a tile.
pub type Pair = [[i16; 2]; LANES];

/// Activations of one layer for a tile of rows, filled as units become final.
#[derive(Clone, Debug)]
pub struct Plane {
    pairs: Vec<Pair>,
    /// Pairs with a nonzero element, in the order they were set.
    active: Vec<u32>,
}

impl Plane {
    /// A plane of `units` zeros.
    pub fn new(units: usize) -> Self {
        let pairs = units.div_ceil(2);
        Self { pairs: vec![[[0; 2]; LANES]; pairs], active: Vec::with_capacity(pairs) }
    }

    /// All zeros again.
    pub fn clear(&mut self) {
        for &p in &self.active {
            self.pairs[p as usize] = [[0; 2]; LANES];
        }
        self.active.clear();
    }

    /// Sets a unit that is still zero, in every row.
    #[inline]
    pub fn set(&mut self, unit: usize, values: &[i16; LANES]) {
        if values.iter().all(|&v| v == 0) {
            return;
        }
        let (pair, half) = (unit / 2, unit % 2);
        // An odd unit shares the entry of its even neighbour, which came just
        // before it or, if it was zero, is not listed.
        let is_new = half == 0
            || !self.active[self.active.len().saturating_sub(1)..].contains(&(pair as u32));
        // first what may panic: the entries of `active` are inside
        for (lane, &v) in self.pairs[pair].iter_mut().zip(values) {
            lane[half] = v;
        }
        if is_new {
            self.active.push(pair as u32);
        }
    }

    /// Sets a pair of units that are still zero, in every row.
    #[inline]
    pub fn set_pair(&mut self, pair: usize, values: &Pair) {
        if values.iter().any(|v| *v != [0, 0]) {
            // first what may panic: the entries of `active` are inside
            self.pairs[pair] = *values;
            self.active.push(pair as u32);
        }
    }

    /// All pairs, and which of them are not zero (each below the number of pairs).
    #[inline]
    pub fn pairs(&self) -> (&[Pair], &[u32]) {
        (&self.pairs, &self.active)
    }

    /// `sums[r] += Σ weights[unit] · plane[unit][r]`; `weights` has one entry per
    /// pair.
    ///
    /// # Panics
    /// When `weights` has fewer pairs than the plane.
    #[inline]
    pub fn dot(&self, weights: &[[i16; 2]], sums: &mut [i32; LANES]) {
        assert!(weights.len() >= self.pairs.len());
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the CPU has AVX2; every entry of `active` is below
            // `pairs.len()`, which `set` guarantees, and `weights` is as long.
            unsafe { dot_avx2(&self.pairs, &self.active, weights, sums) };
            return;
        }
        dot_portable(&self.pairs, &self.active, weights, sums);
    }
}

/// A layer laid out for [`Plane::dot`], its units and inputs in any order.
#[derive(Debug)]
pub struct PairedLayer {
    pairs: usize,
    /// `[unit][pair]`.
    weights: Vec<[i16; 2]>,
    bias: Vec<i32>,
}

impl PairedLayer {
    /// The layer with these of its inputs and these of its units.
    pub fn new(linear: &Linear, inputs: &[usize], units: &[usize]) -> Self {
        let pairs = inputs.len().div_ceil(2);
        let mut weights = vec![[0; 2]; pairs * units.len()];
        for (row, &unit) in weights.chunks_exact_mut(pairs.max(1)).zip(units) {
            for (i, &input) in inputs.iter().enumerate() {
                row[i / 2][i % 2] = linear.weights[unit * linear.inputs + input];
            }
        }
        Self { pairs, weights, bias: units.iter().map(|&u| linear.bias[u]).collect() }
    }

    /// Sums of one unit.
    #[inline]
    pub fn sums(&self, unit: usize, plane: &Plane) -> [i32; LANES] {
        let mut sums = [self.bias[unit]; LANES];
        plane.dot(&self.weights[unit * self.pairs..(unit + 1) * self.pairs], &mut sums);
        sums
    }

    /// The layer as it is.
    pub fn plain(linear: &Linear) -> Self {
        let inputs: Vec<usize> = (0..linear.inputs).collect();
        let units: Vec<usize> = (0..linear.outputs).collect();
        Self::new(linear, &inputs, &units)
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.bias.len()
    }
}

fn dot_portable(pairs: &[Pair], active: &[u32], weights: &[[i16; 2]], sums: &mut [i32; LANES]) {
    for &p in active {
        let [w0, w1] = weights[p as usize].map(i32::from);
        for (sum, a) in sums.iter_mut().zip(&pairs[p as usize]) {
            *sum += w0 * i32::from(a[0]) + w1 * i32::from(a[1]);
        }
    }
}

/// The same with AVX2.
///
/// # Safety
/// The CPU must have AVX2; entries of `active` must be below the lengths of
/// `pairs` and `weights`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn dot_avx2(pairs: &[Pair], active: &[u32], weights: &[[i16; 2]], sums: &mut [i32; LANES]) {
    use std::arch::x86_64::*;
    // SAFETY: bounds are the caller's promise; a pair is 64 bytes and `sums` is
    // 64 bytes, read and written without alignment.
    unsafe {
        let out = sums.as_mut_ptr().cast::<__m256i>();
        let mut low = _mm256_loadu_si256(out);
        let mut high = _mm256_loadu_si256(out.add(1));
        for &p in active {
            let w = weights.as_ptr().add(p as usize).cast::<i32>().read_unaligned();
            let w = _mm256_set1_epi32(w);
            let a = pairs.as_ptr().add(p as usize).cast::<__m256i>();
            low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_loadu_si256(a), w));
            high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_loadu_si256(a.add(1)), w));
        }
        _mm256_storeu_si256(out, low);
        _mm256_storeu_si256(out.add(1), high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::random::SplitMix64;

    #[test]
    fn tiles_give_the_plain_sums() {
        let mut rng = SplitMix64::new(1);
        for units in [1, 2, 3, 10, 33] {
            let mut plane = Plane::new(units);
            for round in 0..3 {
                plane.clear();
                let mut values = vec![[0i16; LANES]; units];
                for (unit, v) in values.iter_mut().enumerate() {
                    if rng.below(3) > 0 {
                        v.iter_mut()
                            .for_each(|x| *x = (rng.below(1 << 15) as i16).wrapping_mul(round));
                    }
                    plane.set(unit, v);
                }
                let weights: Vec<[i16; 2]> = (0..units.div_ceil(2))
                    .map(|_| [0; 2].map(|_: i16| rng.below(200) as i16 - 100))
                    .collect();
                let mut sums = [7; LANES];
                plane.dot(&weights, &mut sums);
                let mut portable = [7; LANES];
                dot_portable(&plane.pairs, &plane.active, &weights, &mut portable);
                for r in 0..LANES {
                    let want: i32 = values
                        .iter()
                        .enumerate()
                        .map(|(u, v)| i32::from(v[r]) * i32::from(weights[u / 2][u % 2]))
                        .sum();
                    assert_eq!(sums[r], want + 7);
                    assert_eq!(portable[r], want + 7);
                }
            }
        }
    }
}
