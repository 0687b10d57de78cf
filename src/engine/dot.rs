//! Dot products of one unit's weights with a tile of rows, in exact integers.
//!
//! A [`Plane`] holds the activations of [`LANES`] rows side by side, two units
//! (a pair) together, so that one multiply-add instruction does both where there is one. It also
//! keeps the list of pairs that are not zero in all rows: the others cost nothing.

pub use super::kernel::LANES;
use super::kernel::{Isa, Kernel, Line};
use crate::made::integer::Linear;
use crate::with_kernel;

/// A pair of units in every row of a tile: what a kernel takes for weights, whose part the
/// layer's real ones take as the pair of inputs.
pub type Pair = Line;
/// Chains of products of a kernel that is not [`Kernel::PATIENT`].
const WAYS: usize = 4;
/// Sums of one unit for every row of a tile.
pub type Sums = [i32; LANES];

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
        Self { pairs: vec![Line([[0; 2]; LANES]); pairs], active: Vec::with_capacity(pairs) }
    }

    /// All zeros again.
    pub fn clear(&mut self) {
        for &p in &self.active {
            self.pairs[p as usize] = Line([[0; 2]; LANES]);
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
        for (lane, &v) in self.pairs[pair].0.iter_mut().zip(values) {
            lane[half] = v;
        }
        if is_new {
            self.active.push(pair as u32);
        }
    }

    /// Sets a pair of units that are still zero, in every row.
    #[inline]
    pub fn set_pair(&mut self, pair: usize, values: &Pair) {
        if values.0.iter().any(|v| *v != [0, 0]) {
            self.pairs[pair] = *values;
            self.active.push(pair as u32);
        }
    }

    /// All pairs, and which of them are not zero (each below the number of pairs).
    #[inline]
    pub fn pairs(&self) -> (&[Pair], &[u32]) {
        (&self.pairs, &self.active)
    }
}

/// A layer whose units are wanted one at a time, its units and inputs in any order.
#[derive(Debug)]
pub struct PairedLayer {
    pairs: usize,
    /// `[unit][pair]`.
    weights: Vec<[i16; 2]>,
    bias: Vec<i32>,
    isa: Isa,
}

impl PairedLayer {
    /// The layer with these of its inputs and these of its units.
    pub fn new(linear: &Linear, inputs: &[usize], units: &[usize]) -> Self {
        Self::with(linear, inputs, units, Isa::best())
    }

    fn with(linear: &Linear, inputs: &[usize], units: &[usize], isa: Isa) -> Self {
        let pairs = inputs.len().div_ceil(2);
        let mut weights = vec![[0; 2]; pairs * units.len()];
        for (row, &unit) in weights.chunks_exact_mut(pairs.max(1)).zip(units) {
            for (i, &input) in inputs.iter().enumerate() {
                row[i / 2][i % 2] = linear.weights[unit * linear.inputs + input];
            }
        }
        Self { pairs, weights, bias: units.iter().map(|&u| linear.bias[u]).collect(), isa }
    }

    /// Sums of one unit.
    ///
    /// # Panics
    /// When the plane has another number of pairs than the layer.
    #[inline]
    pub fn sums(&self, unit: usize, plane: &Plane) -> Sums {
        let weights = &self.weights[unit * self.pairs..(unit + 1) * self.pairs];
        assert!(plane.pairs.len() == self.pairs);
        let (bias, isa) = (self.bias[unit], self.isa);
        with_kernel!(isa, dot(plane: &Plane, weights: &[[i16; 2]], bias: i32) -> Sums)
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

    /// Products of all units for one row.
    pub fn products(&self) -> u64 {
        2 * self.weights.len() as u64
    }
}

/// `bias + Σ weights[unit] · plane[unit][r]` for every row.
#[inline(always)]
fn dot<K: Kernel>(plane: &Plane, weights: &[[i16; 2]], bias: i32) -> Sums {
    let (fours, rest) = plane.active.as_chunks::<WAYS>();
    // SAFETY: `with_kernel` has the proof of the instruction set
    unsafe {
        let mut ways = [K::load(&[0; LANES]); WAYS];
        ways[0] = K::load(&[bias; LANES]);
        for four in fours {
            for (i, &p) in four.iter().enumerate() {
                let way = if K::PATIENT { 0 } else { i };
                ways[way] = K::multiply(ways[way], &plane.pairs[p as usize], weights[p as usize]);
            }
        }
        for &p in rest {
            ways[0] = K::multiply(ways[0], &plane.pairs[p as usize], weights[p as usize]);
        }
        let mut sums = ways[0];
        for way in &ways[1..] {
            sums = K::plus(sums, *way);
        }
        K::store(sums)
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
                let linear = Linear {
                    inputs: units,
                    outputs: 2,
                    weights: (0..2 * units).map(|_| rng.below(200) as i16 - 100).collect(),
                    bias: vec![7, -8],
                };
                let inputs: Vec<usize> = (0..units).collect();
                for isa in Isa::available() {
                    let layer = PairedLayer::with(&linear, &inputs, &[1, 0], isa);
                    for r in 0..LANES {
                        let a: Vec<i16> = values.iter().map(|v| v[r]).collect();
                        let mut want = [0; 2];
                        linear.apply(&a, &mut want);
                        let got = [1, 0].map(|unit| layer.sums(unit, &plane)[r]);
                        assert_eq!(got, want, "{isa} {units}");
                    }
                }
            }
        }
    }
}
