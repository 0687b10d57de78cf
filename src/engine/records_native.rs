//! The native engine for records: degree-ordered evaluation.
//!
//! Units of every layer are sorted by degree. A hidden unit of degree m is final
//! as soon as the bit of rank m is known, so it is computed once, at step m, from
//! the units that are final by then: these are exactly the ones its mask lets
//! through. Step t then gives the probabilities of the bit of rank t+1 for a tile
//! of rows side by side. Decoding a row costs one forward pass, half of a dense
//! one, and compressing runs the very same steps with the bits known.

use super::EngineError;
use super::dot::{LANES, PairedLayer, Plane};
use super::records::{RecordsEngine, Rows, SteppingEngine, in_steps};
use crate::made::Made;
use crate::made::integer::{activate, requantize};
use crate::made::logistic::squash;
use crate::made::network::{MaskedMade, mean_probability};

/// The network under one mask.
#[derive(Debug)]
struct SortedMade {
    hidden: Vec<PairedLayer>,
    /// `ends[layer][m]`: number of units of degree ≤ m.
    ends: Vec<Vec<usize>>,
    output: PairedLayer,
    direct: Option<PairedLayer>,
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
            hidden.push(PairedLayer::new(linear, &inputs, &units));
            ends.push(counts);
            inputs = units;
        }
        Self {
            hidden,
            ends,
            output: PairedLayer::new(&made.output, &inputs, sequence),
            direct: made.direct.as_ref().map(|d| PairedLayer::new(d, sequence, sequence)),
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
struct Tile<'a> {
    engine: &'a NativeRecords,
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
}

impl Rows for Tile<'_> {
    fn reset(&mut self) {
        self.inputs.clear();
        self.hidden.iter_mut().flatten().for_each(Plane::clear);
        self.known = 0;
    }

    fn next(&mut self) -> [u16; LANES] {
        let (engine, t) = (self.engine, self.known);
        let mut total = [0u32; LANES];
        for (mask, planes) in engine.masks.iter().zip(&mut self.hidden) {
            for (l, layer) in mask.hidden.iter().enumerate() {
                let (below, rest) = planes.split_at_mut(l);
                let source = below.last().unwrap_or(&self.inputs);
                // The units that the last bit made final.
                let first = if t == 0 { 0 } else { mask.ends[l][t - 1] };
                for unit in first..mask.ends[l][t] {
                    let sums = layer.sums(unit, source);
                    let (shift, max) = (engine.shifts[l], engine.max_activation);
                    rest[0].set(unit, &sums.map(|s| activate(s, shift, max)));
                }
            }
            let mut sums = mask.output.sums(t, planes.last().unwrap_or(&self.inputs));
            if let Some(direct) = &mask.direct {
                let links = direct.sums(t, &self.inputs);
                sums.iter_mut().zip(links).for_each(|(s, d)| *s += d << engine.direct_shift);
            }
            for (total, sum) in total.iter_mut().zip(sums) {
                *total += u32::from(squash(requantize(sum, engine.output_shift)));
            }
        }
        total.map(|p| mean_probability(p, engine.masks.len()))
    }

    fn push(&mut self, bits: &[i16; LANES]) {
        self.inputs.set(self.known, bits);
        self.known += 1;
    }
}

impl RecordsEngine for NativeRecords {
    fn dims(&self) -> usize {
        self.dims
    }

    fn name(&self) -> String {
        "native".into()
    }

    fn probabilities(&self, bits: &[u8], p1: &mut [u16]) -> Result<(), EngineError> {
        in_steps(self, bits, p1);
        Ok(())
    }
}

impl SteppingEngine for NativeRecords {
    fn products(&self) -> u64 {
        // masks and steps leave some half of them
        let of = |m: &SortedMade| {
            let layers = m.hidden.iter().chain([&m.output]).chain(&m.direct);
            layers.map(PairedLayer::products).sum::<u64>()
        };
        self.masks.iter().map(of).sum::<u64>() / 2 / self.dims as u64
    }

    fn rows(&self) -> Box<dyn Rows + '_> {
        let planes = |m: &SortedMade| m.hidden.iter().map(|l| Plane::new(l.units())).collect();
        Box::new(Tile {
            engine: self,
            inputs: Plane::new(self.dims),
            hidden: self.masks.iter().map(planes).collect(),
            known: 0,
        })
    }
}
