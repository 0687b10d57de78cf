//! The nodes of a byte on the native engine: one sum a bit over the units of a second layer.

use super::kernel::Kernel;
use crate::made::integer::Linear;
use crate::stream::language::{MAX_UNITS, NODES, logit};

/// Units that are multiplied at a time.
const SOME: usize = 32;

/// Units of a second layer, or the weights of a node; padded with zeros.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Units(pub [[i16; SOME]; MAX_UNITS[1] / SOME]);

impl Units {
    pub const ZERO: Self = Self([[0; SOME]; MAX_UNITS[1] / SOME]);

    /// Writes half of each unit, as many as there is room for.
    #[inline(always)]
    pub fn put_halves(&self, out: &mut [u8]) {
        for (out, &unit) in out.iter_mut().zip(self.0.as_flattened()) {
            *out = (unit >> 1) as u8;
        }
    }
}

/// A layer of nodes laid out for the kernels.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    /// A row for each.
    weights: Box<[Units; NODES]>,
    bias: Vec<i32>,
    /// [`SOME`] units, so many times.
    widths: usize,
    /// From a sum to a logit.
    shift: u32,
}

impl Nodes {
    pub fn new(layer: &Linear, shift: u32) -> Self {
        let mut weights = vec![Units::ZERO; NODES].into_boxed_slice();
        for (units, row) in weights.iter_mut().zip(layer.weights.chunks_exact(layer.inputs)) {
            units.0.as_flattened_mut()[..row.len()].copy_from_slice(row);
        }
        Self {
            weights: weights.try_into().unwrap_or_else(|_| unreachable!("as many nodes")),
            bias: layer.bias.clone(),
            widths: layer.inputs.div_ceil(SOME),
            shift,
        }
    }

    /// The logit of a node.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn logit<K: Kernel>(&self, units: &Units, node: usize) -> i16 {
        let weights = self.weights[node].0[..self.widths].as_flattened();
        let units = units.0[..self.widths].as_flattened();
        // SAFETY: the caller's; the slices are of the same length, a multiple of 32
        let product = unsafe { K::dot(weights, units) };
        logit(self.bias[node].wrapping_add(product), self.shift)
    }
}
