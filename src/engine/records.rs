//! What an engine does for records.

use super::EngineError;

/// Evaluates a records network over many rows at once.
///
/// Rows are given in **coding order**: entry `t` of a row is the bit of the
/// dimension with rank `t + 1`, and so are the probabilities.
pub trait RecordsEngine: Send + Sync {
    /// Bits of a row.
    fn dims(&self) -> usize;

    /// Probabilities of ones (16 bits) for whole rows: `bits` holds a 0 or 1 per
    /// dimension, row after row, and `p1` is as long.
    fn probabilities(&self, bits: &[u8], p1: &mut [u16]) -> Result<(), EngineError>;
}
