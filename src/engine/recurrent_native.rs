//! The native engine of the language model's recurrent layer: its state and its second layer
//! once a byte.

use super::kernel::{ByteLine, Isa, Kernel, LANES, Packed, all_sums};
use super::nodes::{Nodes, Units};
use crate::made::integer::{Linear, activate};
use crate::stream::language::MAX_UNITS;
use crate::stream::network::{LATER_SHIFT, MAX_ACTIVATION};
use crate::stream::recurrent::{
    FIRST_SHIFT, GATE_SHIFT, MAX_STATE, MAX_WEIGHT, OUTPUT_SHIFT, Recurrent, TABLE_SHIFT,
    let_through, multiplied, next,
};
use crate::with_kernel;

/// Most groups of the state, and of the second layer.
const STATE_GROUPS: usize = MAX_STATE / LANES;
const SECOND_GROUPS: usize = MAX_UNITS[1] / LANES;
/// What the multiplied numbers of a state have more as bytes without a sign.
const OFFSET: i32 = 128;

/// A recurrent layer laid out for the kernels.
#[derive(Clone, Debug)]
pub struct PackedRecurrent {
    /// As it was.
    rest: Recurrent,
    /// Groups of the state: those of a gate.
    groups: usize,
    /// What a byte adds to the gates, `[256][3 · groups]`.
    table: Vec<[i8; LANES]>,
    input: Packed<ByteLine>,
    gates: Packed<ByteLine>,
    skip: Packed<ByteLine>,
    second: Packed<ByteLine>,
    pub(super) nodes: Nodes,
}

/// Three gates' rows, `[3 · units][width]`, with rows of zeros behind each so that it is whole
/// groups.
fn grouped<T: Copy + Default>(rows: &[T], units: usize, width: usize) -> Vec<T> {
    let mut all = Vec::with_capacity(3 * units.next_multiple_of(LANES) * width);
    for gate in rows.chunks_exact(units * width) {
        all.extend_from_slice(gate);
        all.resize(all.len() + (units.next_multiple_of(LANES) - units) * width, T::default());
    }
    all
}

/// Lays out a layer over the state, whose bytes have an [`OFFSET`].
fn over_state(mut layer: Linear) -> Packed<ByteLine> {
    for (bias, row) in layer.bias.iter_mut().zip(layer.weights.chunks_exact(layer.inputs)) {
        *bias -= OFFSET * row.iter().map(|&w| i32::from(w)).sum::<i32>();
    }
    Packed::new(&layer)
}

impl PackedRecurrent {
    /// Lays out a layer.
    pub fn new(recurrent: &Recurrent) -> Self {
        const { assert!(MAX_WEIGHT == ByteLine::MOST) };
        let units = recurrent.units();
        let gates = |layer: &Linear| Linear {
            inputs: layer.inputs,
            outputs: 3 * units.next_multiple_of(LANES),
            weights: grouped(&layer.weights, units, layer.inputs),
            bias: grouped(&layer.bias, units, 1),
        };
        let rows = recurrent.table.chunks_exact(3 * units);
        let table = rows.flat_map(|row| grouped(row, units, 1)).collect::<Vec<_>>();
        Self {
            groups: units.div_ceil(LANES),
            table: table.as_chunks().0.to_vec(),
            input: Packed::new(&gates(&recurrent.input)),
            gates: over_state(gates(&recurrent.gates)),
            skip: Packed::new(&recurrent.skip),
            second: over_state(recurrent.second.clone()),
            nodes: Nodes::new(&recurrent.output, OUTPUT_SHIFT),
            rest: recurrent.clone(),
        }
    }

    /// The layer again.
    pub fn unpack(&self) -> Recurrent {
        self.rest.clone()
    }

    /// Units of the second layer.
    pub fn units(&self) -> usize {
        self.rest.second.outputs
    }
}

/// The sums of a layer of bytes: one function for four layers.
fn sums(isa: Isa, layer: &Packed<ByteLine>, a: &[[u8; 4]], out: &mut [[i32; LANES]]) {
    with_kernel!(isa, layer_sums(
        layer: &Packed<ByteLine>, a: &[[u8; 4]], out: &mut [[i32; LANES]]
    ) -> ());
}

/// [`sums`].
#[inline(always)]
fn layer_sums<K: Kernel>(layer: &Packed<ByteLine>, a: &[[u8; 4]], out: &mut [[i32; LANES]]) {
    // SAFETY: `with_kernel` has the proof of the instruction set
    unsafe { all_sums::<K, _>(layer, layer.groups, a, out) };
}

/// What the layer says about the present byte.
#[derive(Clone, Copy, Debug)]
pub struct RecurrentStep {
    state: [[i16; LANES]; STATE_GROUPS],
    /// Its products with the weights of the gates, once they are made.
    products: [[i32; LANES]; 3 * STATE_GROUPS],
    is_multiplied: bool,
    pub(super) units: Units,
}

impl RecurrentStep {
    /// For the start of a block.
    pub const START: Self = Self {
        state: [[0; LANES]; STATE_GROUPS],
        products: [[0; LANES]; 3 * STATE_GROUPS],
        is_multiplied: false,
        units: Units::ZERO,
    };

    /// The state's numbers as they are multiplied, by fours.
    #[inline(always)]
    fn inputs(&self) -> [[u8; 4]; MAX_STATE / 4] {
        let mut inputs = [[0; 4]; MAX_STATE / 4];
        for (input, &unit) in inputs.as_flattened_mut().iter_mut().zip(self.state.as_flattened()) {
            *input = (i32::from(multiplied(unit)) + OFFSET) as u8;
        }
        inputs
    }

    /// Multiplies the state for the next byte, which need not be known.
    pub fn multiply(&mut self, isa: Isa, recurrent: &PackedRecurrent) {
        sums(isa, &recurrent.gates, &self.inputs(), &mut self.products);
        self.is_multiplied = true;
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
        first: &[i16],
    ) {
        let PackedRecurrent { groups, input, skip, second, .. } = recurrent;
        let groups = (*groups).min(STATE_GROUPS);
        let mut of_first = [[0; 4]; MAX_UNITS[0] / 4];
        for (byte, &a) in of_first.as_flattened_mut().iter_mut().zip(first) {
            *byte = a as u8;
        }
        let mut added = [[0; LANES]; 3 * STATE_GROUPS];
        // SAFETY: the caller's
        let isa = unsafe { Isa::of::<K>() };
        sums(isa, input, &of_first, &mut added);
        if !self.is_multiplied {
            self.multiply(isa, recurrent);
        }
        self.is_multiplied = false;
        let products = &self.products;
        let row = &recurrent.table[usize::from(last) * 3 * groups..][..3 * groups];
        for (g, state) in self.state[..groups].iter_mut().enumerate() {
            let mut logits = [[0; LANES]; 3];
            for gate in 0..3 {
                let at = gate * groups + g;
                for i in 0..LANES {
                    let entry = i32::from(row[at][i]) << TABLE_SHIFT;
                    let sum = (added[at][i] << FIRST_SHIFT) + entry;
                    let product = if gate < 2 { products[at][i] } else { 0 };
                    logits[gate][i] = (sum + product) >> GATE_SHIFT;
                }
            }
            let [reset, update, mut new] = logits;
            // SAFETY: the caller's
            let (reset, update) = unsafe { (K::squash(&reset), K::squash(&update)) };
            for i in 0..LANES {
                let product = products[2 * groups + g][i] >> GATE_SHIFT;
                new[i] = 2 * (new[i] + let_through(reset[i], product));
            }
            // SAFETY: the caller's
            let new = unsafe { K::squash(&new) };
            for i in 0..LANES {
                state[i] = next(state[i], new[i], update[i]);
            }
        }
        let (mut own, mut skipped) = ([[0; LANES]; SECOND_GROUPS], [[0; LANES]; SECOND_GROUPS]);
        sums(isa, second, &self.inputs(), &mut own);
        sums(isa, skip, &of_first, &mut skipped);
        let sums = own.as_flattened().iter().zip(skipped.as_flattened());
        for (unit, (of_state, of_first)) in self.units.0.as_flattened_mut().iter_mut().zip(sums) {
            *unit = activate(of_state + (of_first << FIRST_SHIFT), LATER_SHIFT, MAX_ACTIVATION);
        }
    }
}
