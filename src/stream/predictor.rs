//! The whole stream model, one bit at a time: evidence, network, online stage.

use super::evidence::Evidence;
use super::model::StreamModel;
use super::online::{self, Online};
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

/// What a predictor has changed since it started: the slots' positions, and what the
/// bits changed in the online stage.
#[derive(Debug, Default)]
pub struct Touched {
    slots: Vec<u32>,
    online: Vec<online::Touched>,
}

/// What a predictor has learnt. It is no predictor, and belongs to no model's life.
#[derive(Debug)]
pub struct State<const C: usize> {
    evidence: Evidence<'static, C>,
    online: Online<C>,
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

    /// Notes what changes by bit number `bit` of a byte, from 0: after
    /// [`Self::predict`] and before [`Self::update`].
    #[inline(always)]
    pub fn note(&self, bit: usize, touched: &mut Touched) {
        touched.online.push(self.estimator.online.touched());
        if bit.is_multiple_of(4) {
            touched.slots.extend(self.evidence.positions());
        }
    }

    /// The state, to go back to.
    pub fn state(&self) -> State<C> {
        State { evidence: self.evidence.copy(&[]), online: self.estimator.online.clone() }
    }

    /// A predictor in a state of the same model.
    pub fn at(model: &'m StreamModel, state: &State<C>) -> Self {
        Self {
            evidence: state.evidence.copy(&model.contexts),
            estimator: Estimator {
                network: &model.packed,
                step: Step::default(),
                online: state.online.clone(),
            },
            row: Row::empty(),
            byte_row: ByteRow::empty(),
        }
    }

    /// Goes back to the state in which it was before the bits of `record`, each noted
    /// in `touched`. The time goes with the record, not with the tables.
    pub fn restore(&mut self, state: &State<C>, touched: &mut Touched, record: &[u8]) {
        self.evidence.restore(&state.evidence, &touched.slots, record);
        self.estimator.online.restore(&state.online, &touched.online);
        touched.slots.clear();
        touched.online.clear();
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
