//! The native engine of the language model's recurrent layer: its state and its second layer
//! once a byte, one sum a bit.

use super::kernel::{Kernel, LANES, Packed, all_sums};
use super::language_native::{Units, nodes};
use crate::made::integer::{Linear, activate};
use crate::stream::language::{MAX_UNITS, NODES, logit};
use crate::stream::network::MAX_ACTIVATION;
use crate::stream::recurrent::{
    MAX_NEAR, MAX_STATE, Recurrent, SECOND_SHIFT, STATE_SHIFT, TABLE_SHIFT, next,
};

/// Most groups of the gates and of the second layer.
const GATE_GROUPS: usize = 3 * MAX_STATE / LANES;
const SECOND_GROUPS: usize = MAX_UNITS[1] / LANES;

/// A recurrent layer laid out for the kernels.
#[derive(Clone, Debug)]
pub struct PackedRecurrent {
    /// As it was: its table is read there.
    rest: Recurrent,
    /// Without their bias, which is added with the table's entries.
    gates: Packed,
    second: Packed,
    output: Box<[Units; NODES]>,
}

impl PackedRecurrent {
    /// Lays out a layer.
    pub fn new(recurrent: &Recurrent) -> Self {
        let bare = Linear { bias: vec![0; recurrent.gates.outputs], ..recurrent.gates.clone() };
        Self {
            gates: Packed::new(&bare),
            second: Packed::new(&recurrent.second),
            output: nodes(&recurrent.output),
            rest: recurrent.clone(),
        }
    }

    /// The layer again.
    pub fn unpack(&self) -> Recurrent {
        self.rest.clone()
    }

    /// Bytes of the longest block that it speaks in.
    pub fn most(&self) -> usize {
        self.rest.most
    }
}

/// What the layer says about the present byte.
#[derive(Clone, Copy, Debug)]
pub struct RecurrentStep {
    state: [i16; MAX_STATE],
    units: Units,
}

impl RecurrentStep {
    /// For the start of a block.
    pub const START: Self = Self { state: [0; MAX_STATE], units: Units::ZERO };

    /// The state's numbers as they are multiplied, in pairs.
    #[inline(always)]
    fn inputs(&self) -> [[i16; 2]; MAX_STATE / 2] {
        let mut inputs = [[0; 2]; MAX_STATE / 2];
        for (input, state) in inputs.as_flattened_mut().iter_mut().zip(&self.state) {
            *input = state >> STATE_SHIFT;
        }
        inputs
    }

    /// Takes the last byte into the state and computes the second layer, after these bytes,
    /// the last one first.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn start_byte<K: Kernel>(
        &mut self,
        recurrent: &PackedRecurrent,
        bytes: [u8; MAX_NEAR],
    ) {
        let PackedRecurrent { rest, gates, second, .. } = recurrent;
        let units = rest.units().min(MAX_STATE);
        let mut products = [[0; LANES]; GATE_GROUPS];
        // SAFETY: the caller's
        unsafe { all_sums::<K>(gates, gates.groups, &self.inputs(), &mut products) };
        let products = products.as_flattened();
        for j in 0..units {
            let added = Recurrent::added(&rest.table, &rest.gates.bias, units, bytes[0], j);
            let products = [products[j], products[units + j], products[2 * units + j]];
            self.state[j] = next(self.state[j], added, products);
        }
        let mut sums = [[0; LANES]; SECOND_GROUPS];
        // SAFETY: the caller's
        unsafe { all_sums::<K>(second, second.groups, &self.inputs(), &mut sums) };
        let sums = sums.as_flattened_mut();
        for row in rest.rows(bytes) {
            for (sum, &entry) in sums.iter_mut().zip(row) {
                *sum += i32::from(entry) << TABLE_SHIFT;
            }
        }
        for (unit, &sum) in self.units.0.as_flattened_mut().iter_mut().zip(&*sums) {
            *unit = activate(sum, SECOND_SHIFT, MAX_ACTIVATION);
        }
    }

    /// The logit of a node.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn logit<K: Kernel>(&self, recurrent: &PackedRecurrent, node: usize) -> i16 {
        let weights = recurrent.output[node].0.as_flattened();
        // SAFETY: the caller's; the slices are of the same length, a multiple of 32
        let product = unsafe { K::dot(weights, self.units.0.as_flattened()) };
        logit(recurrent.rest.output.bias[node].wrapping_add(product))
    }
}
