//! The native engine for records: degree-ordered evaluation.
//!
//! Units of every layer are sorted by degree. A hidden unit of degree m is final
//! as soon as the bit of rank m is known, so it is computed once, at step m, from
//! the units that are final by then: these are exactly the ones its mask lets
//! through. Step t then gives the probabilities of the bit of rank t+1 for a tile
//! of rows side by side. Decoding a row costs one forward pass, half of a dense
//! one, and compressing runs the very same steps with the bits known.

use super::EngineError;
use super::dot::{LANES, Plane};
use super::records::RecordsEngine;
use crate::made::Made;
use crate::made::integer::{Linear, activate, requantize};
use crate::made::logistic::squash;
use crate::made::network::{MaskedMade, mean_probability};

/// A layer with units and inputs sorted by degree.
#[derive(Debug)]
struct SortedLayer {
    pairs: usize,
    /// `[unit][pair]`.
    weights: Vec<[i16; 2]>,
    bias: Vec<i32>,
}

impl SortedLayer {
    fn new(linear: &Linear, inputs: &[usize], units: &[usize]) -> Self {
        let pairs = inputs.len().div_ceil(2);
        let mut weights = vec![[0; 2]; pairs * units.len()];
        for (row, &unit) in weights.chunks_exact_mut(pairs.max(1)).zip(units) {
            for (i, &input) in inputs.iter().enumerate() {
                row[i / 2][i % 2] = linear.weights[unit * linear.inputs + input];
            }
        }
        Self { pairs, weights, bias: units.iter().map(|&u| linear.bias[u]).collect() }
    }

    fn sums(&self, unit: usize, plane: &Plane) -> [i32; LANES] {
        let mut sums = [self.bias[unit]; LANES];
        plane.dot(&self.weights[unit * self.pairs..(unit + 1) * self.pairs], &mut sums);
        sums
    }
}

/// The network under one mask.
#[derive(Debug)]
struct SortedMade {
    hidden: Vec<SortedLayer>,
    /// `ends[layer][m]`: number of units of degree ≤ m.
    ends: Vec<Vec<usize>>,
    output: SortedLayer,
    direct: Option<SortedLayer>,
}

impl SortedMade {
    fn new(made: &MaskedMade, sequence: &[usize]) -> Self {
        let mut inputs = sequence.to_vec();
        let (mut hidden, mut ends) = (Vec::new(), Vec::new());
        for (linear, degrees) in made.hidden.iter().zip(&made.degrees) {
            let mut units: Vec<usize> = (0..degrees.len()).collect();
            units.sort_by_key(|&u| degrees[u]);
            let mut counts = vec![0; sequence.len() + 1];
            degrees.iter().for_each(|&m| counts[m as usize] += 1);
            for m in 1..counts.len() {
                counts[m] += counts[m - 1];
            }
            hidden.push(SortedLayer::new(linear, &inputs, &units));
            ends.push(counts);
            inputs = units;
        }
        Self {
            hidden,
            ends,
            output: SortedLayer::new(&made.output, &inputs, sequence),
            direct: made.direct.as_ref().map(|d| SortedLayer::new(d, sequence, sequence)),
        }
    }
}

/// The native engine of one records model.
#[derive(Debug)]
pub struct NativeRecords {
    dims: usize,
    masks: Vec<SortedMade>,
    shifts: Vec<u32>,
    output_shift: u32,
    direct_shift: u32,
    max_activation: i16,
}

/// A tile of rows under way: everything that is known about them so far.
#[derive(Clone, Debug)]
pub struct Tile {
    inputs: Plane,
    /// `[mask][layer]`.
    hidden: Vec<Vec<Plane>>,
    known: usize,
}

impl NativeRecords {
    /// Sorts the network's units.
    pub fn new(made: &Made) -> Self {
        let a = made.architecture();
        let sequence = made.ordering().sequence();
        Self {
            dims: a.dims,
            masks: (0..a.masks).map(|k| SortedMade::new(&made.masked(k), &sequence)).collect(),
            shifts: a.hidden_shifts.clone(),
            output_shift: a.output_shift,
            direct_shift: a.direct_shift,
            max_activation: a.max_activation(),
        }
    }

    /// A tile of [`LANES`] rows of which nothing is known.
    pub fn tile(&self) -> Tile {
        let planes = |m: &SortedMade| m.hidden.iter().map(|l| Plane::new(l.bias.len())).collect();
        Tile {
            inputs: Plane::new(self.dims),
            hidden: self.masks.iter().map(planes).collect(),
            known: 0,
        }
    }

    /// Forgets a tile's rows.
    pub fn reset(&self, tile: &mut Tile) {
        tile.inputs.clear();
        tile.hidden.iter_mut().flatten().for_each(Plane::clear);
        tile.known = 0;
    }

    /// Probabilities that the next bit of each row is one. To be called once for
    /// each bit, before [`NativeRecords::push`]: it computes the hidden units
    /// that the last bit made final.
    ///
    /// # Panics
    /// When all bits of the rows are known.
    pub fn next(&self, tile: &mut Tile) -> [u16; LANES] {
        let t = tile.known;
        let mut total = [0u32; LANES];
        for (mask, planes) in self.masks.iter().zip(&mut tile.hidden) {
            for (l, layer) in mask.hidden.iter().enumerate() {
                let (below, rest) = planes.split_at_mut(l);
                let source = below.last().unwrap_or(&tile.inputs);
                let first = if t == 0 { 0 } else { mask.ends[l][t - 1] };
                for unit in first..mask.ends[l][t] {
                    let sums = layer.sums(unit, source);
                    let max = self.max_activation;
                    rest[0].set(unit, &sums.map(|s| activate(s, self.shifts[l], max)));
                }
            }
            let mut sums = mask.output.sums(t, planes.last().unwrap_or(&tile.inputs));
            if let Some(direct) = &mask.direct {
                let links = direct.sums(t, &tile.inputs);
                sums.iter_mut().zip(links).for_each(|(s, d)| *s += d << self.direct_shift);
            }
            for (total, sum) in total.iter_mut().zip(sums) {
                *total += u32::from(squash(requantize(sum, self.output_shift)));
            }
        }
        total.map(|p| mean_probability(p, self.masks.len()))
    }

    /// Tells the tile its next bits, 0 or 1 for each row.
    ///
    /// # Panics
    /// When all bits of the rows are known.
    pub fn push(&self, tile: &mut Tile, bits: &[i16; LANES]) {
        assert!(tile.known < self.dims);
        tile.inputs.set(tile.known, bits);
        tile.known += 1;
    }
}

impl RecordsEngine for NativeRecords {
    fn dims(&self) -> usize {
        self.dims
    }

    fn probabilities(&self, bits: &[u8], p1: &mut [u16]) -> Result<(), EngineError> {
        let d = self.dims;
        let mut tile = self.tile();
        for (bits, p1) in bits.chunks(LANES * d).zip(p1.chunks_mut(LANES * d)) {
            self.reset(&mut tile);
            for t in 0..d {
                let p = self.next(&mut tile);
                let mut column = [0i16; LANES];
                for (r, row) in bits.chunks_exact(d).enumerate() {
                    column[r] = i16::from(row[t]);
                    p1[r * d + t] = p[r];
                }
                self.push(&mut tile, &column);
            }
        }
        Ok(())
    }
}
