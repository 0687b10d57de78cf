//! From evidence to a probability: network and online stage.

use super::online::{Online, Touched};
use super::part::Part;
use super::row::{ByteRow, Row};
use crate::engine::kernel::{Isa, Kernel};
use crate::engine::stream_native::{PackedNetwork, Step};
use crate::with_kernel;

/// Makes a probability of evidence: network and online stage.
#[derive(Debug)]
pub struct Estimator<'m, const C: usize> {
    network: &'m PackedNetwork,
    step: Step,
    online: Online<C>,
}

impl<'m, const C: usize> Estimator<'m, C> {
    /// With an online stage as it is.
    pub fn new(part: &'m Part, online: Online<C>) -> Self {
        Self { network: &part.packed, step: Step::default(), online }
    }

    /// Its online stage.
    pub(crate) fn online(&self) -> &Online<C> {
        &self.online
    }

    /// Its online stage, for logits from elsewhere.
    pub(super) fn online_mut(&mut self) -> &mut Online<C> {
        &mut self.online
    }

    /// Its online stage is as it was at `start`, before bits that touched it.
    pub(super) fn restore(&mut self, start: &Online<C>, touched: &[Touched]) {
        self.online.restore(start, touched);
    }

    /// Its online stage is as it was at `start`, whatever was touched.
    pub(super) fn become_again(&mut self, start: &Online<C>) {
        self.online.copy_from(start);
    }

    /// The probabilities of the bits of a byte that is known.
    #[inline(never)]
    pub fn byte(
        &mut self,
        isa: Isa,
        byte_row: &ByteRow<C>,
        rows: &mut [Row<C>; 8],
        byte: u8,
    ) -> [u16; 8] {
        let estimator = self;
        with_kernel!(isa, known_byte::<C>(
            estimator: &mut Estimator<'_, C>, byte_row: &ByteRow<C>, rows: &mut [Row<C>; 8],
            byte: u8
        ) -> [u16; 8])
    }

    /// Before the first bit of a byte.
    #[inline(always)]
    pub fn start_byte(&mut self) {
        self.step.start_byte();
    }

    /// The 16-bit probability that the next bit is one; the network's logit is put
    /// into the row, or a substitute where the network is not asked.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn predict<K: Kernel>(&mut self, byte_row: &ByteRow<C>, row: &mut Row<C>) -> u16 {
        // SAFETY: the caller's
        unsafe {
            self.online.prepare::<K>(row);
            if row.has_units() {
                self.step.read(row);
            }
            let logit = match self.online.substitute() {
                Some(logit) => logit,
                None => self.step.logit::<K, C>(self.network, byte_row, row),
            };
            row.x[1][Row::<C>::NETWORK] = logit;
            self.online.predict::<K>(row, logit)
        }
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

/// [`Estimator::byte`].
#[inline(always)]
fn known_byte<K: Kernel, const C: usize>(
    estimator: &mut Estimator<'_, C>,
    byte_row: &ByteRow<C>,
    rows: &mut [Row<C>; 8],
    byte: u8,
) -> [u16; 8] {
    let mut p1 = [0; 8];
    // SAFETY: `with_kernel` has the proof of the instruction set
    unsafe {
        estimator.start_byte();
        for (k, row) in rows.iter_mut().enumerate() {
            p1[k] = estimator.predict::<K>(byte_row, row);
            estimator.update::<K>(row, u32::from(byte >> (7 - k) & 1));
        }
    }
    p1
}
