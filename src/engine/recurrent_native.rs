//! The native engine of the language model's recurrent layer: its state and its second layer
//! once a byte.

use super::kernel::{ByteLine, Isa, Kernel, LANES, Packed, all_sums, sums_of_rows};
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

    /// Moves the state on by the last byte and what the first layer after it adds to the gates.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn advance<K: Kernel>(
        &mut self,
        recurrent: &PackedRecurrent,
        last: u8,
        added: &[[i32; LANES]],
    ) {
        let groups = recurrent.groups.min(STATE_GROUPS);
        if !self.is_multiplied {
            // SAFETY: the caller's
            self.multiply(unsafe { Isa::of::<K>() }, recurrent);
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
        first: &FirstLayer,
    ) {
        let mut added = [[0; LANES]; 3 * STATE_GROUPS];
        let (mut own, mut skipped) = ([[0; LANES]; SECOND_GROUPS], [[0; LANES]; SECOND_GROUPS]);
        // SAFETY: the caller's
        let isa = unsafe { Isa::of::<K>() };
        sums(isa, &recurrent.input, first, &mut added);
        // SAFETY: the caller's
        unsafe { self.advance::<K>(recurrent, last, &added) };
        sums(isa, &recurrent.second, &self.inputs(), &mut own);
        sums(isa, &recurrent.skip, first, &mut skipped);
        self.units = second_layer(&own, &skipped);
    }

    /// [`Self::start_byte`] of some bytes in turn; the second layer for each. Weights that only
    /// the state before a byte is multiplied with are loaded for each of them, and others for
    /// several together.
    pub fn bytes(&mut self, isa: Isa, recurrent: &PackedRecurrent, room: &mut Room) {
        let step = self;
        with_kernel!(isa, some_bytes(
            step: &mut RecurrentStep, recurrent: &PackedRecurrent, room: &mut Room
        ) -> ());
    }
}

/// The first layer of the language model, by fours, padded with zeros.
pub type FirstLayer = [[u8; 4]; MAX_UNITS[0] / 4];

/// The second layer, from its sums over the state and those over the first layer.
#[inline(always)]
fn second_layer(own: &[[i32; LANES]], skipped: &[[i32; LANES]]) -> Units {
    let mut units = Units::ZERO;
    let sums = own.as_flattened().iter().zip(skipped.as_flattened());
    for (unit, (of_state, of_first)) in units.0.as_flattened_mut().iter_mut().zip(sums) {
        *unit = activate(of_state + (of_first << FIRST_SHIFT), LATER_SHIFT, MAX_ACTIVATION);
    }
    units
}

/// Some bytes that are known, and room for what is made of them.
#[derive(Debug, Default)]
pub struct Room {
    /// The bytes before them,
    pub last: Vec<u8>,
    /// their first layers,
    pub first: Vec<FirstLayer>,
    /// and their second ones, when these are made.
    pub(super) units: Vec<Units>,
    states: Vec<[[u8; 4]; MAX_STATE / 4]>,
    sums: [Vec<[i32; LANES]>; 2],
}

impl Room {
    /// Takes all bytes out.
    pub fn clear(&mut self) {
        self.last.clear();
        self.first.clear();
        self.units.clear();
        self.states.clear();
    }
}

/// [`RecurrentStep::bytes`].
#[inline(always)]
fn some_bytes<K: Kernel>(step: &mut RecurrentStep, recurrent: &PackedRecurrent, room: &mut Room) {
    let Room { last, first, units, states, sums: [some, others] } = room;
    let PackedRecurrent { input, skip, second, .. } = recurrent;
    let width = input.groups.max(second.groups);
    for sums in [&mut *some, &mut *others] {
        sums.resize(first.len() * width, [0; LANES]);
    }
    // SAFETY: `with_kernel` has the proof of the instruction set
    unsafe {
        sums_of_rows::<K, _, _>(input, first, some);
        for (&last, added) in last.iter().zip(some.chunks_exact(input.groups)) {
            step.advance::<K>(recurrent, last, added);
            states.push(step.inputs());
        }
        sums_of_rows::<K, _, _>(second, states, some);
        sums_of_rows::<K, _, _>(skip, first, others);
    }
    let both = some.chunks_exact(second.groups).zip(others.chunks_exact(skip.groups));
    units.extend(both.take(first.len()).map(|(own, skipped)| second_layer(own, skipped)));
}
