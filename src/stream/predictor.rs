//! The whole stream model, one bit at a time: evidence, network, online stage.

use super::evidence::Evidence;
use super::model::StreamModel;
use super::online::Online;
use super::row::{ByteRow, Row};
use crate::engine::kernel::Kernel;
use crate::engine::stream_native::{PackedNetwork, Step};

/// Predicts the bits of a block in turn.
#[derive(Debug)]
pub struct Predictor<'m, const C: usize> {
    network: &'m PackedNetwork,
    evidence: Evidence<'m, C>,
    online: Online<C>,
    step: Step,
    row: Row<C>,
    byte_row: ByteRow<C>,
}

impl<'m, const C: usize> Predictor<'m, C> {
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
        unsafe { self.step.start_byte::<K, C>(self.network, &self.byte_row) };
    }

    /// The 16-bit probability that the next bit is one.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn predict<K: Kernel>(&mut self) -> u16 {
        // SAFETY: the caller's
        unsafe {
            self.evidence.row::<K>(&mut self.row);
            self.online.prefetch(&self.row);
            self.row.x[1][Row::<C>::NETWORK] = self.step.logit::<K, C>(self.network, &self.row);
            self.online.predict::<K>(&self.row)
        }
    }

    /// Takes in the bit. After the last of a byte, `block` ends in that byte.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn update<K: Kernel>(&mut self, bit: u32, block: &[u8]) {
        // SAFETY: the caller's
        unsafe {
            self.online.update::<K>(&self.row, bit);
            self.evidence.update::<K>(&self.row, bit, block);
        }
    }
}
