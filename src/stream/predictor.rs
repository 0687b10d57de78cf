//! The whole stream model, one bit at a time: evidence, network, online stage.

use super::evidence::{ByteRow, Evidence, Row};
use super::model::StreamModel;
use super::online::Online;
use crate::engine::kernel::Kernel;
use crate::engine::stream_native::{PackedNetwork, Step};

/// Predicts the bits of a block in turn.
#[derive(Debug)]
pub struct Predictor<'m, const X: usize> {
    network: &'m PackedNetwork,
    evidence: Evidence<'m, X>,
    online: Online<X>,
    step: Step,
    row: Row<X>,
    byte_row: ByteRow<X>,
}

impl<'m, const X: usize> Predictor<'m, X> {
    /// At the start of a block of `block_len` bytes.
    #[inline(always)]
    pub fn new(model: &'m StreamModel, block_len: usize) -> Self {
        Self {
            network: &model.packed,
            evidence: model.evidence(block_len),
            online: Online::new(),
            step: Step::default(),
            row: Row::empty(),
            byte_row: ByteRow::empty(),
        }
    }

    /// Before the first bit of a byte.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn start_byte<K: Kernel>(&mut self) {
        self.evidence.byte_row(&mut self.byte_row);
        // SAFETY: the caller's
        unsafe { self.step.start_byte::<K, X>(self.network, &self.byte_row) };
    }

    /// The 16-bit probability that the next bit is one.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn predict<K: Kernel>(&mut self) -> u16 {
        self.evidence.row(&mut self.row);
        // SAFETY: the caller's
        self.row.x[Row::<X>::NETWORK] = unsafe { self.step.logit::<K, X>(self.network, &self.row) };
        self.online.predict(&self.row)
    }

    /// Takes in the bit. After the last of a byte, `block` ends in that byte.
    #[inline(always)]
    pub fn update(&mut self, bit: u32, block: &[u8]) {
        self.online.update(&self.row, bit);
        self.evidence.update(&self.row, bit, block);
    }
}
