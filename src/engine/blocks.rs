//! A whole layer for a tile of rows, in exact integers.
//!
//! Where every unit of a layer is wanted at once, units go in blocks: a pair of
//! activations is loaded once for all units of a block, whose sums stay in
//! registers. Pairs that are zero in all rows cost nothing, as in [`super::dot`].

use super::dot::{LANES, Pair, Plane};
use super::kernel::Isa;
#[cfg(target_arch = "x86_64")]
use super::kernel::Set;
use crate::made::integer::Linear;

/// Units of a block.
const BLOCK: usize = 8;
/// Sums of one unit for every row of a tile.
pub type Sums = [i32; LANES];
/// A pair of weights of each unit of a block.
type Weights = [[i16; 2]; BLOCK];

/// A layer laid out for [`BlockedLayer::sums`].
#[derive(Debug)]
pub struct BlockedLayer {
    pairs: usize,
    units: usize,
    /// `[block][pair]`.
    weights: Vec<Weights>,
    /// One per unit, zeros up to a whole block.
    bias: Vec<i32>,
    isa: Isa,
}

impl BlockedLayer {
    /// Lays out a layer.
    pub fn new(linear: &Linear) -> Self {
        Self::with(linear, Isa::best())
    }

    fn with(linear: &Linear, isa: Isa) -> Self {
        let (pairs, blocks) = (linear.inputs.div_ceil(2), linear.outputs.div_ceil(BLOCK));
        let mut weights = vec![[[0; 2]; BLOCK]; pairs * blocks];
        for (u, row) in linear.weights.chunks_exact(linear.inputs.max(1)).enumerate() {
            for (i, &w) in row.iter().enumerate() {
                weights[u / BLOCK * pairs + i / 2][u % BLOCK][i % 2] = w;
            }
        }
        let mut bias = linear.bias.clone();
        bias.resize(blocks * BLOCK, 0);
        Self { pairs, units: linear.outputs, weights, bias, isa }
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Number of sums: the units, rounded up to whole blocks.
    pub fn padded(&self) -> usize {
        self.bias.len()
    }

    /// Sums of every unit for every row.
    ///
    /// # Panics
    /// When `sums` does not have [`BlockedLayer::padded`] entries or the plane has
    /// another number of units than the layer inputs.
    pub fn sums(&self, plane: &Plane, sums: &mut [Sums]) {
        let (pairs, active) = plane.pairs();
        assert!(sums.len() == self.padded() && pairs.len() == self.pairs);
        for (b, sums) in sums.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
            let weights = &self.weights[b * self.pairs..(b + 1) * self.pairs];
            for (s, &bias) in sums.iter_mut().zip(&self.bias[b * BLOCK..]) {
                *s = [bias; LANES];
            }
            match self.isa.set() {
                // SAFETY: entries of `active` are below `pairs.len()` (`Plane` sees to
                // it), which `weights` is as long as; an `Isa` proves the instruction set.
                #[cfg(target_arch = "x86_64")]
                Set::Avx2 => unsafe { avx2(pairs, active, weights, sums) },
                // SAFETY: as above
                #[cfg(target_arch = "x86_64")]
                Set::Avx512 => unsafe { avx512(pairs, active, weights, sums) },
                _ => portable(pairs, active, weights, sums),
            }
        }
    }
}

fn portable(pairs: &[Pair], active: &[u32], weights: &[Weights], sums: &mut [Sums; BLOCK]) {
    for &p in active {
        let pair = &pairs[p as usize];
        for (sums, w) in sums.iter_mut().zip(&weights[p as usize]) {
            let [w0, w1] = w.map(i32::from);
            for (sum, a) in sums.iter_mut().zip(pair) {
                *sum += w0 * i32::from(a[0]) + w1 * i32::from(a[1]);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256i, __m512i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32,
    _mm256_setzero_si256, _mm256_storeu_si256,
};

/// # Safety
/// The processor has AVX2; entries of `active` are below the lengths of `pairs`
/// and `weights`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn avx2(pairs: &[Pair], active: &[u32], weights: &[Weights], sums: &mut [Sums; BLOCK]) {
    const HALF: usize = BLOCK / 2;
    for (half, sums) in sums.chunks_exact_mut(HALF).enumerate() {
        // SAFETY: bounds are the caller's promise; a pair and a unit's sums are 64
        // bytes each, read and written without alignment.
        unsafe {
            let out = sums.as_mut_ptr().cast::<__m256i>();
            let mut acc = [_mm256_setzero_si256(); BLOCK];
            for (i, acc) in acc.iter_mut().enumerate() {
                *acc = _mm256_loadu_si256(out.add(i));
            }
            for &p in active {
                let a = pairs.as_ptr().add(p as usize).cast::<__m256i>();
                let (low, high) = (_mm256_loadu_si256(a), _mm256_loadu_si256(a.add(1)));
                let w = weights.as_ptr().add(p as usize).cast::<i32>().add(half * HALF);
                for u in 0..HALF {
                    let w = _mm256_set1_epi32(w.add(u).read_unaligned());
                    acc[2 * u] = _mm256_add_epi32(acc[2 * u], _mm256_madd_epi16(low, w));
                    acc[2 * u + 1] = _mm256_add_epi32(acc[2 * u + 1], _mm256_madd_epi16(high, w));
                }
            }
            for (i, &acc) in acc.iter().enumerate() {
                _mm256_storeu_si256(out.add(i), acc);
            }
        }
    }
}

/// # Safety
/// The processor has AVX-512 with VNNI; entries of `active` are below the lengths of
/// `pairs` and `weights`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[cfg_attr(not(avx512_in_software), target_feature(enable = "avx512f,avx512bw,avx512vnni"))]
unsafe fn avx512(pairs: &[Pair], active: &[u32], weights: &[Weights], sums: &mut [Sums; BLOCK]) {
    use super::kernel::instructions::{
        _mm512_dpwssd_epi32, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_si512,
        _mm512_storeu_si512,
    };
    // SAFETY: as in `avx2`
    unsafe {
        let out = sums.as_mut_ptr().cast::<__m512i>();
        let mut acc = [_mm512_setzero_si512(); BLOCK];
        for (i, acc) in acc.iter_mut().enumerate() {
            *acc = _mm512_loadu_si512(out.add(i));
        }
        for &p in active {
            let a = _mm512_loadu_si512(pairs.as_ptr().add(p as usize).cast());
            let w = weights.as_ptr().add(p as usize).cast::<i32>();
            for (u, acc) in acc.iter_mut().enumerate() {
                let w = _mm512_set1_epi32(w.add(u).read_unaligned());
                *acc = _mm512_dpwssd_epi32(*acc, a, w);
            }
        }
        for (i, &acc) in acc.iter().enumerate() {
            _mm512_storeu_si512(out.add(i), acc);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::random::SplitMix64;

    #[test]
    fn every_kernel_gives_the_plain_sums() {
        let mut rng = SplitMix64::new(1);
        for (inputs, outputs) in [(1, 1), (3, 8), (10, 9), (33, 40)] {
            for largest in [100, 32767] {
                let max = 2 * largest + 1;
                let linear = Linear {
                    inputs,
                    outputs,
                    weights: (0..inputs * outputs)
                        .map(|_| (rng.below(max) as i32 - largest as i32) as i16)
                        .collect(),
                    bias: (0..outputs).map(|_| rng.below(2000) as i32 - 1000).collect(),
                };
                let mut plane = Plane::new(inputs);
                let mut values = vec![[0i16; LANES]; inputs];
                for (unit, v) in values.iter_mut().enumerate() {
                    if rng.below(3) > 0 {
                        v.iter_mut().for_each(|x| *x = rng.below(1000) as i16);
                    }
                    plane.set(unit, v);
                }
                for isa in Isa::available() {
                    let layer = BlockedLayer::with(&linear, isa);
                    let mut sums = vec![[7; LANES]; layer.padded()];
                    layer.sums(&plane, &mut sums);
                    for r in 0..LANES {
                        let a: Vec<i16> = values.iter().map(|v| v[r]).collect();
                        let mut want = vec![0; outputs];
                        linear.apply(&a, &mut want);
                        let got: Vec<i32> = sums[..outputs].iter().map(|s| s[r]).collect();
                        assert_eq!(got, want, "{isa} {inputs} {outputs}");
                    }
                }
            }
        }
    }
}
