//! A whole layer for a tile of rows, in exact integers.
//!
//! Where every unit of a layer is wanted at once, units go in blocks: a pair of
//! activations is loaded once for as many units as have their sums in registers. Pairs that are zero in all rows cost nothing, as in [`super::dot`].

use super::dot::{LANES, Pair, Plane, Sums};
use super::kernel::{Isa, Kernel};
use crate::made::integer::Linear;
use crate::with_kernel;

/// Units of a block.
const BLOCK: usize = 8;
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

    /// Products of all units for one row.
    pub fn products(&self) -> u64 {
        2 * self.weights.as_flattened().len() as u64
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
            let isa = self.isa;
            with_kernel!(isa, add_products(
                pairs: &[Pair], active: &[u32], weights: &[Weights], sums: &mut [Sums; BLOCK]
            ) -> ());
        }
    }
}

/// `sums[u][r] += Σ weights[pair][u] · pairs[pair][r]`, over those that are `active`.
#[inline(always)]
fn add_products<K: Kernel>(
    pairs: &[Pair],
    active: &[u32],
    weights: &[Weights],
    sums: &mut [Sums; BLOCK],
) {
    match K::TOGETHER {
        8.. => some_products::<K, 8>(pairs, active, weights, sums),
        4.. => some_products::<K, 4>(pairs, active, weights, sums),
        _ => some_products::<K, 1>(pairs, active, weights, sums),
    }
}

/// [`add_products`], so many units at a time.
#[inline(always)]
fn some_products<K: Kernel, const UNITS: usize>(
    pairs: &[Pair],
    active: &[u32],
    weights: &[Weights],
    sums: &mut [Sums; BLOCK],
) {
    for (part, out) in sums.as_chunks_mut::<UNITS>().0.iter_mut().enumerate() {
        // SAFETY: `with_kernel` has the proof of the instruction set
        unsafe {
            let mut sums = [K::load(&[0; LANES]); UNITS];
            for u in 0..UNITS {
                sums[u] = K::load(&out[u]);
            }
            for &p in active {
                let (pair, weights) = (&pairs[p as usize], &weights[p as usize]);
                for u in 0..UNITS {
                    sums[u] = K::multiply(sums[u], pair, weights[part * UNITS + u]);
                }
            }
            for u in 0..UNITS {
                out[u] = K::store(sums[u]);
            }
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
