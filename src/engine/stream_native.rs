//! The native engine of the stream model: one step of the network, in plain Rust
//! over a [`Kernel`].

use super::kernel::{Kernel, LANES, Packed, PackedTable, activations, all_sums, begun};
use crate::for_parts;
use crate::stream::network::{
    FIRST_SHIFT, GATE_SHIFT, LATER_SHIFT, MAX_ACTIVATION, MAX_GATE, MAX_UNITS, Network, Table,
    inputs, weighed,
};
use crate::stream::row::{ByteRow, KNOWN, Row};

/// Groups of [`LANES`] units that the widest layer has.
const GROUPS: usize = MAX_UNITS.div_ceil(LANES);
/// Gates of the largest part.
const MOST_GATES: usize = 64;

/// A network laid out for the kernels.
#[derive(Clone, Debug)]
pub struct PackedNetwork {
    previous: [PackedTable; 3],
    costs: Packed,
    context: Packed,
    partial: PackedTable,
    matched: [PackedTable; 2],
    seen: PackedTable,
    first: Packed,
    second: Option<Packed>,
    gates: Packed,
    gate_table: PackedTable,
}

impl PackedNetwork {
    /// Lays out a network.
    pub fn new(network: &Network) -> Self {
        let table = |table: &Table| PackedTable::new(&table.entries, table.units);
        // the first layer starts from the byte's sums: its own bias is among them
        let mut context = network.context.clone();
        for (bias, more) in context.bias.iter_mut().zip(&network.first.bias) {
            *bias += more;
        }
        Self {
            previous: network.previous.each_ref().map(table),
            costs: Packed::new(&network.costs),
            context: Packed::new(&context),
            partial: table(&network.partial),
            matched: network.matched.each_ref().map(table),
            seen: table(&network.seen),
            first: Packed::new(&network.first),
            second: network.second.as_ref().map(Packed::new),
            gates: Packed::new(&network.gates),
            gate_table: table(&network.gate_table),
        }
    }
}

/// Activations of a layer, or the inputs of one.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Units([[i16; LANES]; GROUPS]);

impl Units {
    #[inline(always)]
    fn pairs(&self) -> &[[i16; 2]] {
        self.0.as_flattened().as_chunks().0
    }
}

/// The state of a forward pass: what bits share, and room for the layers (kept, so that it
/// need not be cleared for every bit).
#[derive(Clone, Debug)]
pub struct Step {
    /// Sums of the first layer that a byte's bits share,
    shared: [[i32; LANES]; GROUPS],
    /// whether they are made.
    has_shared: bool,
    /// What the units read of the evidence: inputs, and rows of tables.
    inputs: Units,
    rows: [u8; 4],
    units: Units,
    more_units: Units,
    /// Sums of the gates,
    gates: [[i32; LANES]; MOST_GATES / LANES],
    /// whether units and sums are made.
    has_units: bool,
}

impl Default for Step {
    fn default() -> Self {
        let zero = Units([[0; LANES]; GROUPS]);
        Self {
            shared: [[0; LANES]; GROUPS],
            has_shared: false,
            inputs: zero,
            rows: [0; 4],
            units: zero,
            more_units: zero,
            gates: [[0; LANES]; MOST_GATES / LANES],
            has_units: false,
        }
    }
}

impl Step {
    /// Before the first bit of a byte.
    #[inline(always)]
    pub fn start_byte(&mut self) {
        self.has_shared = false;
    }

    /// Takes in the evidence for a bit that units are computed for ([`Row::has_units`]). They
    /// are not, as long as nobody asks for a logit.
    #[inline(always)]
    pub fn read<const C: usize>(&mut self, row: &Row<C>) {
        inputs(row, self.inputs.0.as_flattened_mut());
        self.rows = [row.partial, row.matched[0], row.matched[1], row.seen];
        self.has_units = false;
    }

    /// Computes what the bits of a byte share.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn share<K: Kernel, const C: usize>(
        &mut self,
        network: &PackedNetwork,
        byte_row: &ByteRow<C>,
    ) {
        let mut inputs = [0; KNOWN];
        for (wide, input) in inputs.iter_mut().zip(byte_row.inputs()) {
            *wide = input.into();
        }
        let [one, two, three] = &network.previous;
        let [b1, b2, b3] = byte_row.previous.map(usize::from);
        let tables = [(one, b1), (two, b2), (three, b3)];
        let (costs, context) = (&network.costs, &network.context);
        let units = &mut self.units;
        // SAFETY: the caller's
        unsafe {
            activations::<K, FIRST_SHIFT, 3>(
                costs,
                &costs.bias,
                tables,
                inputs.as_chunks().0,
                MAX_ACTIVATION,
                &mut units.0,
            );
            all_sums::<K, _>(context, context.groups, units.pairs(), &mut self.shared);
        }
        self.has_shared = true;
    }

    /// Computes the units, from what was read.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn make_units<K: Kernel, const C: usize>(&mut self, network: &PackedNetwork) {
        let [partial, long, recent, seen] = self.rows.map(usize::from);
        let tables = [
            (&network.partial, partial),
            (&network.matched[0], long),
            (&network.matched[1], recent),
            (&network.seen, seen),
        ];
        // SAFETY: the caller's
        unsafe {
            activations::<K, FIRST_SHIFT, 4>(
                &network.first,
                &self.shared,
                tables,
                self.inputs.pairs(),
                MAX_ACTIVATION,
                &mut self.units.0,
            );
            if let Some(second) = &network.second {
                activations::<K, LATER_SHIFT, 0>(
                    second,
                    &second.bias,
                    [],
                    self.units.pairs(),
                    MAX_ACTIVATION,
                    &mut self.more_units.0,
                );
            }
            let last = if network.second.is_some() { &self.more_units } else { &self.units };
            let groups = const { 2 * C / LANES };
            all_sums::<K, _>(&network.gates, groups, last.pairs(), &mut self.gates);
        }
        self.has_units = true;
    }

    /// The network's logit for a bit, after [`Self::read`]: exactly [`Network::logit`].
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn logit<K: Kernel, const C: usize>(
        &mut self,
        network: &PackedNetwork,
        byte_row: &ByteRow<C>,
        row: &Row<C>,
    ) -> i16 {
        // SAFETY: the caller's
        unsafe {
            if !self.has_shared {
                self.share::<K, C>(network, byte_row);
            }
            if !self.has_units {
                self.make_units::<K, C>(network);
            }
        }
        let mut gates = [[0i16; C]; 2];
        // table entries are in half units
        let tables = [(&network.gate_table, row.partial.into()); 2];
        let out = gates.as_flattened_mut().as_chunks_mut::<LANES>().0;
        for_parts!(const { 2 * C / LANES }, |G, first| {
            // SAFETY: the caller's
            unsafe {
                let sums = begun::<K, G, 2>(first, &self.gates, tables);
                for g in 0..G {
                    out[first + g] =
                        K::scale::<GATE_SHIFT>(sums[g], -MAX_GATE as i16, MAX_GATE as i16);
                }
            }
        });
        // SAFETY: the caller's
        weighed(unsafe { K::dot(gates.as_flattened(), row.x.as_flattened()) })
    }
}
