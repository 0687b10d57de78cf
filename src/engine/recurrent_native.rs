//! The native engine of the language model's recurrent layer: its state and its second layer
//! once a byte, one sum a bit.

use super::kernel::{Kernel, LANES, NarrowLine, Packed, all_sums};
use super::language_native::{Units, nodes};
use crate::made::integer::activate;
use crate::stream::language::{MAX_UNITS, NODES, logit};
use crate::stream::network::MAX_ACTIVATION;
use crate::stream::recurrent::{
    FIRST_SHIFT, MAX_STATE, Recurrent, SECOND_SHIFT, STATE_SHIFT, next, split,
};

/// Most groups of the gates and of the second layer.
const GATE_GROUPS: usize = 3 * MAX_STATE / LANES;
const SECOND_GROUPS: usize = MAX_UNITS[1] / LANES;

/// A recurrent layer laid out for the kernels.
#[derive(Clone, Debug)]
pub struct PackedRecurrent {
    /// As it was: its table is read there.
    rest: Recurrent,
    input: Packed<NarrowLine>,
    gates: Packed<NarrowLine>,
    /// The second layer's weights of the state, with its bias, and of the first layer.
    second: [Packed<NarrowLine>; 2],
    output: Box<[Units; NODES]>,
}

impl PackedRecurrent {
    /// Lays out a layer.
    pub fn new(recurrent: &Recurrent) -> Self {
        Self {
            input: Packed::new(&recurrent.input),
            gates: Packed::new(&recurrent.gates),
            second: split(&recurrent.second, recurrent.units()).map(|part| Packed::new(&part)),
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

    /// Takes the last byte and the first layer after it, padded with zeros, into the state and
    /// computes the second layer.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn start_byte<K: Kernel>(
        &mut self,
        recurrent: &PackedRecurrent,
        last: u8,
        first: &[[i16; 2]],
    ) {
        let PackedRecurrent { rest, input, gates, second, .. } = recurrent;
        let units = rest.units().min(MAX_STATE);
        let mut scaled = [[0; 2]; MAX_UNITS[0] / 2];
        for (scaled, pair) in scaled.iter_mut().zip(first) {
            *scaled = pair.map(|a| a << FIRST_SHIFT);
        }
        let first = &scaled;
        let (mut added, mut products) = ([[0; LANES]; GATE_GROUPS], [[0; LANES]; GATE_GROUPS]);
        // SAFETY: the caller's
        unsafe {
            all_sums::<K, _>(input, input.groups, first, &mut added);
            all_sums::<K, _>(gates, gates.groups, &self.inputs(), &mut products);
        }
        let (added, products) = (added.as_flattened(), products.as_flattened());
        for j in 0..units {
            let gate = |i: usize| i * units + j;
            self.state[j] = next(
                self.state[j],
                std::array::from_fn(|i| added[gate(i)] + rest.entry(last, gate(i))),
                std::array::from_fn(|i| products[gate(i)]),
            );
        }
        let mut sums = [[[0; LANES]; SECOND_GROUPS]; 2];
        let [of_state, of_first] = &mut sums;
        // SAFETY: the caller's
        unsafe {
            all_sums::<K, _>(&second[0], second[0].groups, &self.inputs(), of_state);
            all_sums::<K, _>(&second[1], second[1].groups, first, of_first);
        }
        let sums = sums[0].as_flattened().iter().zip(sums[1].as_flattened());
        for (unit, (a, b)) in self.units.0.as_flattened_mut().iter_mut().zip(sums) {
            *unit = activate(a + b, SECOND_SHIFT, MAX_ACTIVATION);
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
