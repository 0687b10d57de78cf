//! The native engine of the stream model: one step of the network, in plain Rust
//! over a [`Kernel`].

use super::kernel::{Kernel, LANES, Packed, accumulate};
use crate::stream::network::{
    FIRST_SHIFT, GATE_SHIFT, LATER_SHIFT, MAX_ACTIVATION, MAX_GATE, MAX_UNITS, Network, Table,
    inputs, weighed,
};
use crate::stream::row::{ByteRow, Row};

/// Groups of [`LANES`] units that the widest layer has.
const GROUPS: usize = MAX_UNITS.div_ceil(LANES);
/// Groups of sums that a kernel keeps in registers at a time.
const AT_ONCE: usize = 4;

/// [`LANES`] entries of a table's row.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(super) struct Group([i16; LANES]);

/// A table whose rows are padded to groups.
#[derive(Clone, Debug)]
struct PaddedTable {
    groups: usize,
    entries: Vec<Group>,
}

impl PaddedTable {
    fn new(table: &Table) -> Self {
        let groups = table.units.div_ceil(LANES);
        let mut entries = Vec::with_capacity(table.entries.len() / table.units * groups);
        for row in table.entries.chunks_exact(table.units) {
            for part in row.chunks(LANES) {
                let mut group = [0; LANES];
                group[..part.len()].copy_from_slice(part);
                entries.push(Group(group));
            }
        }
        Self { groups, entries }
    }

    /// One row.
    #[inline(always)]
    fn row(&self, index: usize) -> &[Group] {
        &self.entries[index * self.groups..][..self.groups]
    }
}

/// A network laid out for the kernels.
#[derive(Clone, Debug)]
pub struct PackedNetwork {
    previous: [PaddedTable; 3],
    costs: Packed,
    context: Packed,
    partial: PaddedTable,
    matched: [PaddedTable; 2],
    seen: PaddedTable,
    first: Packed,
    second: Option<Packed>,
    gates: Packed,
    gate_table: PaddedTable,
}

impl PackedNetwork {
    /// Lays out a network.
    pub fn new(network: &Network) -> Self {
        Self {
            previous: network.previous.each_ref().map(PaddedTable::new),
            costs: Packed::new(&network.costs),
            context: Packed::new(&network.context),
            partial: PaddedTable::new(&network.partial),
            matched: network.matched.each_ref().map(PaddedTable::new),
            seen: PaddedTable::new(&network.seen),
            first: Packed::new(&network.first),
            second: network.second.as_ref().map(Packed::new),
            gates: Packed::new(&network.gates),
            gate_table: PaddedTable::new(&network.gate_table),
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

/// The state of a forward pass: what the bits of a byte share, and room for the
/// layers (kept, so that it need not be cleared for every bit).
#[derive(Clone, Debug)]
pub struct Step {
    shared: [[i32; LANES]; GROUPS],
    inputs: Units,
    units: Units,
    more_units: Units,
}

impl Default for Step {
    fn default() -> Self {
        let zero = Units([[0; LANES]; GROUPS]);
        Self { shared: [[0; LANES]; GROUPS], inputs: zero, units: zero, more_units: zero }
    }
}

/// The sums of `G` groups of a layer's outputs from `first` on: `start`, rows of
/// tables, and products.
///
/// # Safety
/// The processor has the kernel's instruction set.
#[inline(always)]
unsafe fn sums<K: Kernel, const G: usize>(
    layer: &Packed,
    first: usize,
    start: &[[i32; LANES]],
    tables: &[&[Group]],
    a: &[[i16; 2]],
) -> [K::Sums; G] {
    // SAFETY: the caller's
    unsafe {
        let start = &start[first..first + G];
        let mut sums = [K::load(&start[0]); G];
        for g in 1..G {
            sums[g] = K::load(&start[g]);
        }
        for row in tables {
            let row = &row[first..first + G];
            for g in 0..G {
                sums[g] = K::add(sums[g], &row[g].0);
            }
        }
        accumulate::<K, G>(layer, first, a, &mut sums);
        sums
    }
}

/// Calls `$part::<K, G>(first, …)` for all groups of a layer, some at a time.
macro_rules! in_parts {
    ($groups:expr, |$g:ident, $first:ident| $part:expr) => {
        let groups = $groups;
        let mut $first = 0;
        while $first < groups {
            match groups - $first {
                1 => {
                    const $g: usize = 1;
                    $part
                }
                2 => {
                    const $g: usize = 2;
                    $part
                }
                3 => {
                    const $g: usize = 3;
                    $part
                }
                _ => {
                    const $g: usize = AT_ONCE;
                    $part
                }
            }
            $first += AT_ONCE;
        }
    };
}

/// The activations of a layer, by groups of units, given pairs of inputs.
///
/// # Safety
/// The processor has the kernel's instruction set.
#[inline(always)]
pub(super) unsafe fn activations<K: Kernel, const S: u32>(
    layer: &Packed,
    start: &[[i32; LANES]],
    tables: &[&[Group]],
    a: &[[i16; 2]],
    out: &mut [[i16; LANES]],
) {
    in_parts!(layer.groups, |G, first| {
        // SAFETY: the caller's
        unsafe {
            let sums = sums::<K, G>(layer, first, start, tables, a);
            for g in 0..G {
                out[first + g] = K::scale::<S>(sums[g], 0, MAX_ACTIVATION);
            }
        }
    });
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
        for (a, cost) in self.inputs.0.as_flattened_mut().iter_mut().zip(row.all_costs()) {
            *a = cost.into();
        }
        let [one, two, three] = &network.previous;
        let [b1, b2, b3] = row.previous.map(usize::from);
        let tables = [one.row(b1), two.row(b2), three.row(b3)];
        let costs = &network.costs;
        let context = &network.context;
        // SAFETY: the caller's
        unsafe {
            activations::<K, FIRST_SHIFT>(
                costs,
                &costs.bias,
                &tables,
                self.inputs.pairs(),
                &mut self.units.0,
            );
            in_parts!(context.groups, |G, first| {
                let sums = sums::<K, G>(context, first, &context.bias, &[], self.units.pairs());
                for g in 0..G {
                    self.shared[first + g] = K::store(sums[g]);
                }
            });
        }
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
        inputs(row, self.inputs.0.as_flattened_mut());
        let tables = [
            network.partial.row(row.partial.into()),
            network.matched[0].row(row.matched[0].into()),
            network.matched[1].row(row.matched[1].into()),
            network.seen.row(row.seen.into()),
        ];
        let mut units = &mut self.units;
        // SAFETY: the caller's
        unsafe {
            activations::<K, FIRST_SHIFT>(
                &network.first,
                &self.shared,
                &tables,
                self.inputs.pairs(),
                &mut units.0,
            );
            if let Some(second) = &network.second {
                let more = &mut self.more_units;
                activations::<K, LATER_SHIFT>(
                    second,
                    &second.bias,
                    &[],
                    units.pairs(),
                    &mut more.0,
                );
                units = more;
            }
        }

        let mut gates = [[0i16; C]; 2];
        let table = network.gate_table.row(row.partial.into());
        let out = gates.as_flattened_mut().as_chunks_mut::<LANES>().0;
        in_parts!(const { 2 * C / LANES }, |G, first| {
            // SAFETY: the caller's
            unsafe {
                // table entries are in half units
                let tables = [table, table];
                let bias = &network.gates.bias;
                let sums = sums::<K, G>(&network.gates, first, bias, &tables, units.pairs());
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
