//! One network of a model, under one ordering, with its engines.

use super::layout::Layout;
use super::on_demand::{OnDemand, Pass};
use super::payload::GROUP_ROWS;
use super::tiles::shares;
use crate::engine::EngineError;
use crate::engine::dot::LANES;
use crate::engine::records::{RecordsEngine, SteppingEngine};
use crate::parallel;
use std::sync::Arc;

/// Bits handed to an engine at once, if that are [`GROUP_ROWS`] or more rows.
const WINDOW_BITS: usize = 1 << 22;

/// Rows of so many bits that are handed to an engine at once.
fn window_rows(dims: usize) -> usize {
    (WINDOW_BITS / dims / GROUP_ROWS).max(1) * GROUP_ROWS
}

/// A network bound to its engines.
pub struct Component {
    /// The order in which it codes a row.
    pub layout: Layout,
    /// Makes single steps.
    pub native: Box<dyn SteppingEngine>,
    /// Makes the parallel pass of compression, if that is another engine's.
    pub bulk: Option<Bulk>,
}

/// Another engine.
pub enum Bulk {
    /// For everything.
    Always(Box<dyn RecordsEngine>),
    /// For much work: that of a component of such a number.
    OnDemand(Arc<OnDemand>, usize),
}

impl Component {
    /// The engine of the parallel pass, in words.
    pub fn parallel_engine(&self) -> String {
        let native = self.native.name();
        match &self.bulk {
            Some(Bulk::Always(engine)) => engine.name(),
            Some(Bulk::OnDemand(..)) => {
                format!("{native}, long ones libtorch on a CUDA device if there is one")
            }
            None => native,
        }
    }

    /// Unpacks and evaluates whole packed rows, a window at a time and with at most so many
    /// threads: `each` gets their bits in coding order and the probabilities that they are one.
    pub fn windows(
        &self,
        rows: &[u8],
        threads: usize,
        mut each: impl FnMut(&[u8], &[u16]),
    ) -> Result<(), EngineError> {
        let (mut bits, mut p1) = (Vec::new(), Vec::new());
        let pass = Pass {
            products: self.native.products(),
            bits: (rows.len() / self.layout.row_bytes() * self.layout.dims()) as u64,
            threads,
        };
        let mut bulk = match &self.bulk {
            Some(Bulk::Always(engine)) => Some(&**engine),
            Some(Bulk::OnDemand(engines, number)) => engines.engine(*number, pass)?,
            None => None,
        };
        for window in rows.chunks(window_rows(self.layout.dims()) * self.layout.row_bytes()) {
            bits.clear();
            self.layout.unpack(window, &mut bits);
            p1.resize(bits.len(), 0);
            let done = bulk.map(|b| self.evaluate_in_bulk(b, &bits, &mut p1, threads));
            match (done, &self.bulk) {
                // one that nobody asked for may have too little memory
                (Some(Err(EngineError::Torch(_))), Some(Bulk::OnDemand(engines, _))) => {
                    engines.give_up();
                    bulk = None;
                }
                (Some(done), _) => done?,
                (None, _) => {}
            }
            if bulk.is_none() {
                self.evaluate(&bits, &mut p1, threads)?;
            }
            each(&bits, &p1);
        }
        Ok(())
    }

    /// The probabilities of a window.
    fn evaluate(&self, bits: &[u8], p1: &mut [u16], threads: usize) -> Result<(), EngineError> {
        let (engine, d) = (&self.native, self.layout.dims());
        let tiles = (bits.len() / d).div_ceil(LANES);
        let shares = shares(threads, engine.products() * bits.len() as u64, tiles);
        let share = (tiles.div_ceil(shares) * LANES * d).max(1);
        let parts = bits.chunks(share).zip(p1.chunks_mut(share));
        parallel::for_each(shares, parts, |(bits, p1)| engine.probabilities(bits, p1))
    }

    /// The same by libtorch, which has threads of its own. The first and the last rows of the
    /// window also by the engine that decoding will take, beside it: libraries choose other
    /// kernels for other shapes, known answers are of one shape, and the last batch of an engine
    /// may be smaller than the others.
    fn evaluate_in_bulk(
        &self,
        bulk: &dyn RecordsEngine,
        bits: &[u8],
        p1: &mut [u16],
        threads: usize,
    ) -> Result<(), EngineError> {
        let sample = LANES * self.layout.dims();
        let last = bits.len().saturating_sub(sample);
        let samples = [0..sample.min(last), last..bits.len()];
        let [mut first, mut end] = samples.clone().map(|sample| vec![0; sample.len()]);
        let native = &*self.native as &dyn RecordsEngine;
        let parts = [
            (bulk, bits, &mut *p1),
            (native, &bits[samples[0].clone()], &mut first[..]),
            (native, &bits[samples[1].clone()], &mut end[..]),
        ];
        parallel::for_each(threads.min(parts.len()), parts.into_iter(), |(engine, bits, p1)| {
            engine.probabilities(bits, p1)
        })?;
        let agree = samples.into_iter().zip([first, end]).all(|(sample, p)| p == p1[sample]);
        if agree { Ok(()) } else { Err(EngineError::Sample) }
    }

    /// Tells `each(row, dimension, bits)` what every bit of whole packed rows costs.
    pub fn costs(
        &self,
        rows: &[u8],
        threads: usize,
        mut each: impl FnMut(usize, usize, f64),
    ) -> Result<(), EngineError> {
        let (d, sequence) = (self.layout.dims(), self.layout.sequence());
        let mut row = 0;
        self.windows(rows, threads, |bits, p1| {
            for (bits, p1) in bits.chunks_exact(d).zip(p1.chunks_exact(d)) {
                for (&dim, at) in sequence.iter().zip(bits.iter().zip(p1)) {
                    each(row, dim, 16.0 - f64::from(width(at)).log2());
                }
                row += 1;
            }
        })
    }
}

/// The probability, of 65536, of what the bit is.
pub fn width((&bit, &p1): (&u8, &u16)) -> u32 {
    if bit == 1 { p1.into() } else { 65536 - u32::from(p1) }
}
