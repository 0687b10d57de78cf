//! What an engine does for records.

use super::EngineError;
use super::dot::LANES;

/// Evaluates a records network over many rows at once.
///
/// Rows are given in **coding order**: entry `t` of a row is the bit of the
/// dimension with rank `t + 1`, and so are the probabilities.
pub trait RecordsEngine: Send + Sync {
    /// Bits of a row.
    fn dims(&self) -> usize;

    /// What computes, in words.
    fn name(&self) -> String;

    /// Probabilities of ones (16 bits) for whole rows: `bits` holds a 0 or 1 per
    /// dimension, row after row, and `p1` is as long.
    fn probabilities(&self, bits: &[u8], p1: &mut [u16]) -> Result<(), EngineError>;
}

/// An engine that can also go bit by bit, as decoding must.
pub trait SteppingEngine: RecordsEngine {
    /// Products of a step of one row, on average.
    fn products(&self) -> u64;

    /// A tile of rows of which nothing is known.
    fn rows(&self) -> Box<dyn Rows + '_>;
}

/// A tile of [`LANES`] rows under way.
pub trait Rows {
    /// Forgets everything about the rows.
    fn reset(&mut self);

    /// Probabilities (16 bits) that the next bit of each row is one; to be called
    /// once for each bit, before [`Rows::push`].
    ///
    /// # Panics
    /// When all bits of the rows are known.
    fn next(&mut self) -> [u16; LANES];

    /// Tells the next bits, 0 or 1 for each row.
    ///
    /// # Panics
    /// When all bits of the rows are known.
    fn push(&mut self, bits: &[i16; LANES]);
}

/// [`RecordsEngine::probabilities`] by steps.
pub(super) fn in_steps(engine: &dyn SteppingEngine, bits: &[u8], p1: &mut [u16]) {
    let d = engine.dims();
    let mut tile = engine.rows();
    for (bits, p1) in bits.chunks(LANES * d).zip(p1.chunks_mut(LANES * d)) {
        tile.reset();
        for t in 0..d {
            let p = tile.next();
            let mut column = [0i16; LANES];
            for (r, row) in bits.chunks_exact(d).enumerate() {
                column[r] = i16::from(row[t]);
                p1[r * d + t] = p[r];
            }
            tile.push(&column);
        }
    }
}
