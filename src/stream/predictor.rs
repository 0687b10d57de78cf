//! The whole stream model, one bit at a time: evidence, network, online stage.

use super::evidence::Evidence;
use super::model::StreamModel;
use super::online::Online;
use super::row::{ByteRow, Row};
use crate::engine::kernel::Kernel;
use crate::engine::stream_native::{PackedNetwork, Step};

/// Makes a probability of evidence: network and online stage.
#[derive(Debug)]
pub struct Estimator<'m, const C: usize> {
    network: &'m PackedNetwork,
    step: Step,
    online: Online<C>,
}

impl<'m, const C: usize> Estimator<'m, C> {
    /// At the start of a block.
    pub fn new(model: &'m StreamModel) -> Self {
        Self { network: &model.packed, step: Step::default(), online: Online::new(&model.weights) }
    }

    /// With another online stage.
    #[cfg(feature = "torch")]
    pub(crate) fn with_online(mut self, online: Online<C>) -> Self {
        self.online = online;
        self
    }

    /// Its online stage.
    #[cfg(feature = "torch")]
    pub(crate) fn online(&self) -> &Online<C> {
        &self.online
    }

    /// Before the first bit of a byte.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn start_byte<K: Kernel>(&mut self, row: &ByteRow<C>) {
        // SAFETY: the caller's
        unsafe { self.step.start_byte::<K, C>(self.network, row) };
    }

    /// The 16-bit probability that the next bit is one; the network's logit is put
    /// into the row.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn predict<K: Kernel>(&mut self, row: &mut Row<C>) -> u16 {
        // SAFETY: the caller's
        let logit = unsafe {
            self.online.prepare::<K>(row);
            self.step.logit::<K, C>(self.network, row)
        };
        row.x[1][Row::<C>::NETWORK] = logit;
        self.online.predict(row, logit)
    }

    /// Learns the bit just predicted from `row`.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn update<K: Kernel>(&mut self, row: &Row<C>, bit: u32) {
        // SAFETY: the caller's
        unsafe { self.online.update::<K>(row, bit) };
    }
}

/// Predicts the bits of a block in turn.
#[derive(Debug)]
pub struct Predictor<'m, const C: usize> {
    evidence: Evidence<'m, C>,
    estimator: Estimator<'m, C>,
    row: Row<C>,
    byte_row: ByteRow<C>,
}

impl<'m, const C: usize> Predictor<'m, C> {
    /// At the start of a block of `block_len` bytes.
    #[inline(always)]
    pub fn new(model: &'m StreamModel, block_len: usize) -> Self {
        Self {
            evidence: model.evidence(block_len),
            estimator: Estimator::new(model),
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
        unsafe { self.estimator.start_byte::<K>(&self.byte_row) };
    }

    /// Takes in a text that a block's bytes come after.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn read<K: Kernel>(&mut self, text: &[u8]) {
        for (n, byte) in text.iter().enumerate() {
            // SAFETY: the caller's
            unsafe {
                self.start_byte::<K>();
                for k in (0..8).rev() {
                    self.predict::<K>();
                    self.update::<K>(u32::from(byte >> k & 1), &text[..n + 1]);
                }
            }
        }
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
            self.estimator.predict::<K>(&mut self.row)
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
            self.estimator.update::<K>(&self.row, bit);
            self.evidence.update::<K>(&self.row, bit, block);
        }
    }
}
