//! The native engine of the stream model: one step of the network, in plain Rust
//! over a [`Kernel`].

use super::kernel::{Kernel, LANES, Packed};
use crate::made::integer::activate;
use crate::stream::evidence::{ByteRow, Row};
use crate::stream::network::{
    FIRST_SHIFT, GATE_SHIFT, LATER_SHIFT, MAX_ACTIVATION, MAX_GATE, MAX_UNITS, Network, Table,
    inputs, weigh,
};

/// Room for the inputs of a layer.
const MAX_INPUTS: usize = 64;

/// A network laid out for the kernels.
#[derive(Clone, Debug)]
pub struct PackedNetwork {
    previous: [Table; 3],
    costs: Packed,
    context: Packed,
    partial: Table,
    matched: Table,
    seen: Table,
    first: Packed,
    second: Packed,
    gates: Packed,
    gate_table: Table,
}

fn padded(table: &Table) -> Table {
    let units = table.units.next_multiple_of(LANES);
    let mut entries = Vec::with_capacity(table.entries.len() / table.units * units);
    for row in table.entries.chunks_exact(table.units) {
        entries.extend_from_slice(row);
        entries.resize(entries.len().next_multiple_of(units), 0);
    }
    Table { entries, units }
}

impl PackedNetwork {
    /// Lays out a network.
    pub fn new(network: &Network) -> Self {
        Self {
            previous: network.previous.each_ref().map(padded),
            costs: Packed::new(&network.costs),
            context: Packed::new(&network.context),
            partial: padded(&network.partial),
            matched: padded(&network.matched),
            seen: padded(&network.seen),
            first: Packed::new(&network.first),
            second: Packed::new(&network.second),
            gates: Packed::new(&network.gates),
            gate_table: padded(&network.gate_table),
        }
    }
}

/// The state of a forward pass: what the bits of a byte share.
#[derive(Clone, Debug)]
pub struct Step {
    shared: [i32; MAX_UNITS],
}

impl Default for Step {
    fn default() -> Self {
        Self { shared: [0; MAX_UNITS] }
    }
}

#[inline(always)]
fn add(sums: &mut [i32], row: &[i16]) {
    for (s, &r) in sums.iter_mut().zip(row) {
        *s += i32::from(r);
    }
}

#[inline(always)]
fn activations(sums: &[i32], shift: u32, out: &mut [i16]) {
    for (a, &s) in out.iter_mut().zip(sums) {
        *a = activate(s, shift, MAX_ACTIVATION);
    }
}

impl Step {
    /// Computes the units of degree 0, before the first bit of a byte.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn start_byte<K: Kernel, const X: usize>(
        &mut self,
        network: &PackedNetwork,
        row: &ByteRow<X>,
    ) {
        let mut costs = [0i16; MAX_INPUTS];
        for i in 0..X - 2 {
            costs[i] = i16::from(row.costs[i]);
        }
        let units = network.costs.outputs;
        let mut sums = [0i32; MAX_UNITS];
        sums[..units].copy_from_slice(&network.costs.bias);
        // SAFETY: the caller's
        unsafe { K::accumulate(&network.costs, &costs, &mut sums) };
        for (table, &byte) in network.previous.iter().zip(&row.previous) {
            add(&mut sums[..units], table.row(byte.into()));
        }
        let mut a = [0i16; MAX_UNITS];
        activations(&sums[..units], FIRST_SHIFT, &mut a);
        self.shared[..network.context.outputs].copy_from_slice(&network.context.bias);
        // SAFETY: the caller's
        unsafe { K::accumulate(&network.context, &a, &mut self.shared) };
    }

    /// The network's logit for a bit: exactly [`Network::logit`].
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn logit<K: Kernel, const X: usize>(
        &self,
        network: &PackedNetwork,
        row: &Row<X>,
    ) -> i16 {
        let mut a = [0i16; MAX_INPUTS];
        inputs(row, &mut a);
        let mut sums = [0i32; MAX_UNITS];
        let units = network.first.outputs;
        let (partial, matched, seen) = (
            network.partial.row(row.partial.into()),
            network.matched.row(row.matched.into()),
            network.seen.row(row.seen.into()),
        );
        for (i, s) in sums[..units].iter_mut().enumerate() {
            *s =
                self.shared[i] + i32::from(partial[i]) + i32::from(matched[i]) + i32::from(seen[i]);
        }
        // SAFETY: the caller's
        unsafe { K::accumulate(&network.first, &a, &mut sums) };
        let mut h = [0i16; MAX_UNITS];
        activations(&sums[..units], FIRST_SHIFT, &mut h);

        let units = network.second.outputs;
        let mut sums = [0i32; MAX_UNITS];
        sums[..units].copy_from_slice(&network.second.bias);
        // SAFETY: the caller's
        unsafe { K::accumulate(&network.second, &h, &mut sums) };
        let mut h = [0i16; MAX_UNITS];
        activations(&sums[..units], LATER_SHIFT, &mut h);

        let mut gates = [0i32; MAX_INPUTS];
        let bias = network.gate_table.row(row.partial.into());
        for (g, (&b, &t)) in gates.iter_mut().zip(network.gates.bias.iter().zip(bias)) {
            *g = b + 2 * i32::from(t);
        }
        // SAFETY: the caller's
        unsafe { K::accumulate(&network.gates, &h, &mut gates) };
        for g in &mut gates[..X] {
            *g = (*g >> GATE_SHIFT).clamp(-MAX_GATE, MAX_GATE);
        }
        weigh(row, &gates)
    }
}
