//! The native engine of the stream model: one step of the network, in plain Rust
//! over a [`Kernel`].

use super::kernel::{Kernel, LANES, Packed};
use crate::made::integer::activate;
use crate::stream::network::{
    FIRST_SHIFT, LATER_SHIFT, MAX_ACTIVATION, MAX_UNITS, Network, Table, gate, inputs, weighed,
};
use crate::stream::row::{ByteRow, Row};

/// Room for the inputs of a layer.
const MAX_INPUTS: usize = 128;

/// A network laid out for the kernels.
#[derive(Clone, Debug)]
pub struct PackedNetwork {
    previous: [Table; 3],
    costs: Packed,
    context: Packed,
    partial: Table,
    matched: [Table; 2],
    seen: Table,
    first: Packed,
    second: Option<Packed>,
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
            matched: network.matched.each_ref().map(padded),
            seen: padded(&network.seen),
            first: Packed::new(&network.first),
            second: network.second.as_ref().map(Packed::new),
            gates: Packed::new(&network.gates),
            gate_table: padded(&network.gate_table),
        }
    }
}

/// The state of a forward pass: what the bits of a byte share, and room for the
/// layers (kept, so that it need not be cleared for every bit).
#[derive(Clone, Debug)]
pub struct Step {
    shared: [i32; MAX_UNITS],
    inputs: [i16; MAX_INPUTS],
    sums: [i32; MAX_UNITS],
    units: [i16; MAX_UNITS],
}

impl Default for Step {
    fn default() -> Self {
        Self {
            shared: [0; MAX_UNITS],
            inputs: [0; MAX_INPUTS],
            sums: [0; MAX_UNITS],
            units: [0; MAX_UNITS],
        }
    }
}

// The loops go over arrays of LANES, so that each is a few vector instructions.

#[inline(always)]
fn add(sums: &mut [i32], row: &[i16]) {
    for (s, r) in sums.as_chunks_mut::<LANES>().0.iter_mut().zip(row.as_chunks::<LANES>().0) {
        for i in 0..LANES {
            s[i] += i32::from(r[i]);
        }
    }
}

#[inline(always)]
fn activations(sums: &[i32], shift: u32, out: &mut [i16]) {
    for (a, s) in out.as_chunks_mut::<LANES>().0.iter_mut().zip(sums.as_chunks::<LANES>().0) {
        for i in 0..LANES {
            a[i] = activate(s[i], shift, MAX_ACTIVATION);
        }
    }
}

impl Step {
    /// Computes the units of degree 0, before the first bit of a byte.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn start_byte<K: Kernel, const C: usize>(
        &mut self,
        network: &PackedNetwork,
        row: &ByteRow<C>,
    ) {
        for (a, cost) in self.inputs.iter_mut().zip(row.all_costs()) {
            *a = cost.into();
        }
        let units = network.costs.outputs;
        self.sums[..units].copy_from_slice(&network.costs.bias);
        // SAFETY: the caller's
        unsafe { K::accumulate(&network.costs, &self.inputs, &mut self.sums) };
        for (table, &byte) in network.previous.iter().zip(&row.previous) {
            add(&mut self.sums[..units], table.row(byte.into()));
        }
        activations(&self.sums[..units], FIRST_SHIFT, &mut self.units);
        self.shared[..network.context.outputs].copy_from_slice(&network.context.bias);
        // SAFETY: the caller's
        unsafe { K::accumulate(&network.context, &self.units, &mut self.shared) };
    }

    /// The network's logit for a bit: exactly [`Network::logit`].
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn logit<K: Kernel, const C: usize>(
        &mut self,
        network: &PackedNetwork,
        row: &Row<C>,
    ) -> i16 {
        inputs(row, &mut self.inputs);
        let units = network.first.outputs;
        let tables = [
            network.partial.row(row.partial.into()),
            network.matched[0].row(row.matched[0].into()),
            network.matched[1].row(row.matched[1].into()),
            network.seen.row(row.seen.into()),
        ];
        let [partial, long, recent, seen] = tables.map(|row| row[..units].as_chunks::<LANES>().0);
        let shared = self.shared[..units].as_chunks::<LANES>().0;
        let sums = self.sums[..units].as_chunks_mut::<LANES>().0;
        for (g, s) in sums.iter_mut().enumerate() {
            for i in 0..LANES {
                s[i] = shared[g][i]
                    + i32::from(partial[g][i])
                    + i32::from(long[g][i])
                    + i32::from(recent[g][i])
                    + i32::from(seen[g][i]);
            }
        }
        // SAFETY: the caller's
        unsafe { K::accumulate(&network.first, &self.inputs, &mut self.sums) };
        activations(&self.sums[..units], FIRST_SHIFT, &mut self.units);

        if let Some(second) = &network.second {
            let units = second.outputs;
            self.sums[..units].copy_from_slice(&second.bias);
            // SAFETY: the caller's
            unsafe { K::accumulate(second, &self.units, &mut self.sums) };
            activations(&self.sums[..units], LATER_SHIFT, &mut self.units);
        }

        let gates = network.gates.outputs;
        let table = network.gate_table.row(row.partial.into()).as_chunks::<LANES>().0;
        let bias = network.gates.bias.as_chunks::<LANES>().0;
        for (g, s) in self.sums[..gates].as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            for i in 0..LANES {
                s[i] = bias[g][i] + 2 * i32::from(table[g][i]);
            }
        }
        // SAFETY: the caller's
        unsafe { K::accumulate(&network.gates, &self.units, &mut self.sums) };
        let mut gates = [[0i16; C]; 2];
        for (g, &s) in gates.as_flattened_mut().iter_mut().zip(&self.sums[..2 * C]) {
            *g = gate(s);
        }
        // SAFETY: the caller's
        weighed(unsafe { K::dot(gates.as_flattened(), row.x.as_flattened()) })
    }
}
