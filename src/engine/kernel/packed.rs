//! Layers and tables laid out for the kernels, and their forward pass.

use super::Kernel;
use crate::made::integer::Linear;

/// Outputs are padded to a multiple of this: a group.
pub const LANES: usize = 16;
/// Steps of a layer's inputs are padded to a multiple of this.
const STEPS: usize = 8;
/// Groups whose sums a kernel keeps in registers at a time: a part of a layer.
pub const PART: usize = 4;

/// The weights of two inputs to [`LANES`] outputs: a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Line(pub [[i16; 2]; LANES]);

/// The weights of four inputs of 8 bits to [`LANES`] outputs, within ±64, so that two products
/// together fit into 16 bits.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct ByteLine(pub [[i8; 4]; LANES]);

impl ByteLine {
    /// Highest |weight|.
    pub const MOST: i16 = 64;
}

/// A line of weights of some kind.
pub trait Weights: Copy {
    /// The inputs of a step.
    type Inputs: Copy;

    /// How many these are.
    const INPUTS: usize;

    /// Without weights.
    const ZERO: Self;

    /// Sets the weight of an input of the step to an output.
    fn set(&mut self, lane: usize, input: usize, weight: i16);

    /// Whether a kernel makes the sums of all groups of a part together.
    fn together<K: Kernel>() -> bool;

    /// `sums[o] + Σ w[o][i]·a[i]`.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    unsafe fn multiply<K: Kernel>(&self, sums: K::Sums, a: Self::Inputs) -> K::Sums;
}

impl Weights for Line {
    type Inputs = [i16; 2];
    const INPUTS: usize = 2;
    const ZERO: Self = Self([[0; 2]; LANES]);

    fn set(&mut self, lane: usize, input: usize, weight: i16) {
        self.0[lane][input] = weight;
    }

    fn together<K: Kernel>() -> bool {
        // even of plain Rust: a layer of the network takes a sixth less time
        true
    }

    #[inline(always)]
    unsafe fn multiply<K: Kernel>(&self, sums: K::Sums, a: [i16; 2]) -> K::Sums {
        // SAFETY: the caller's
        unsafe { K::multiply(sums, self, a) }
    }
}

impl Weights for ByteLine {
    type Inputs = [u8; 4];
    const INPUTS: usize = 4;
    const ZERO: Self = Self([[0; 4]; LANES]);

    fn set(&mut self, lane: usize, input: usize, weight: i16) {
        // beyond, kernels would disagree
        assert!(weight.abs() <= Self::MOST, "a weight of {weight}");
        self.0[lane][input] = weight as i8;
    }

    fn together<K: Kernel>() -> bool {
        K::TOGETHER >= PART
    }

    #[inline(always)]
    unsafe fn multiply<K: Kernel>(&self, sums: K::Sums, a: [u8; 4]) -> K::Sums {
        // SAFETY: the caller's
        unsafe { K::multiply_bytes(sums, self, a) }
    }
}

/// Weights laid out for the kernels: steps of some inputs, groups of [`LANES`] outputs,
/// both padded with zeros.
#[derive(Clone, Debug)]
pub struct Packed<W = Line> {
    /// Number of steps, a multiple of 8.
    pub steps: usize,
    /// Number of groups of outputs.
    pub groups: usize,
    /// `[part][step][group of the part]`.
    weights: Vec<W>,
    /// One per output, by groups.
    pub bias: Vec<[i32; LANES]>,
}

impl<W: Weights> Packed<W> {
    /// Lays out a layer, whose weights fit.
    pub fn new(layer: &Linear) -> Self {
        let steps = layer.inputs.div_ceil(W::INPUTS).next_multiple_of(STEPS);
        let groups = layer.outputs.div_ceil(LANES);
        let mut weights = vec![W::ZERO; steps * groups];
        let mut bias = vec![[0; LANES]; groups];
        for o in 0..layer.outputs {
            let (group, lane) = (o / LANES, o % LANES);
            let first = group / PART * PART;
            let width = PART.min(groups - first);
            bias[group][lane] = layer.bias[o];
            for i in 0..layer.inputs {
                let line = first * steps + i / W::INPUTS * width + (group - first);
                weights[line].set(lane, i % W::INPUTS, layer.weights[o * layer.inputs + i]);
            }
        }
        Self { steps, groups, weights, bias }
    }
}

/// [`LANES`] entries of a table's row.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
struct Group([i16; LANES]);

/// Rows of numbers that are added to a layer's sums, padded to groups.
#[derive(Clone, Debug)]
pub struct PackedTable {
    groups: usize,
    entries: Vec<Group>,
}

impl PackedTable {
    /// Lays out rows of `units` numbers.
    pub fn new(entries: &[i16], units: usize) -> Self {
        let groups = units.div_ceil(LANES);
        let mut packed = Vec::with_capacity(entries.len() / units * groups);
        for row in entries.chunks_exact(units) {
            for part in row.chunks(LANES) {
                let mut group = [0; LANES];
                group[..part.len()].copy_from_slice(part);
                packed.push(Group(group));
            }
        }
        Self { groups, entries: packed }
    }

    /// `G` groups of a row, from `first` on.
    #[inline(always)]
    fn part<const G: usize>(&self, row: usize, first: usize) -> &[Group; G] {
        let Some(part) = self.entries[row * self.groups + first..].first_chunk() else {
            unreachable!("tables have as many groups as their layers")
        };
        part
    }
}

/// Calls `$part` for the parts of a layer of so many groups: `$g` groups from `$first`
/// on.
#[macro_export]
macro_rules! for_parts {
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
                    const $g: usize = $crate::engine::kernel::PART;
                    $part
                }
            }
            $first += $crate::engine::kernel::PART;
        }
    };
}

/// What sums of a part of a layer begin with, `G` groups from `first` on: `start` and rows of
/// tables.
///
/// # Safety
/// The processor has the kernel's instruction set.
#[inline(always)]
pub unsafe fn begun<K: Kernel, const G: usize, const T: usize>(
    first: usize,
    start: &[[i32; LANES]],
    tables: [(&PackedTable, usize); T],
) -> [K::Sums; G] {
    let start = &start[first..first + G];
    // SAFETY: the caller's
    unsafe {
        let mut sums = [K::load(&[0; LANES]); G];
        for g in 0..G {
            sums[g] = K::load(&start[g]);
        }
        for (table, row) in tables {
            let row = table.part::<G>(row, first);
            for g in 0..G {
                sums[g] = K::add(sums[g], &row[g].0);
            }
        }
        sums
    }
}

/// The sums of a part of a layer, `G` groups from `first` on: `start`, rows of tables
/// and products, `Σ_i w[o][i]·a[i]`. They wrap nowhere because the model's sums are
/// proven to fit.
///
/// # Safety
/// The processor has the kernel's instruction set.
///
/// # Panics
/// If there is no such part, or `a` has fewer steps than the layer.
#[inline(always)]
unsafe fn sums<K: Kernel, W: Weights, const G: usize, const T: usize>(
    layer: &Packed<W>,
    first: usize,
    start: &[[i32; LANES]],
    tables: [(&PackedTable, usize); T],
    a: &[W::Inputs],
) -> [K::Sums; G] {
    /// Sums of every so manieth step: a product that has to wait for the one before
    /// it has only these to wait for.
    const WAYS: usize = 4;
    assert!(first.is_multiple_of(PART) && (G == PART || first + G == layer.groups));
    let lines = &layer.weights[first * layer.steps..(first + G) * layer.steps];
    let lines = lines.as_chunks::<G>().0.as_chunks::<STEPS>().0;
    let a = a[..layer.steps].as_chunks::<STEPS>().0;
    // SAFETY: the caller's
    unsafe {
        let mut ways = [[K::load(&[0; LANES]); G]; WAYS];
        ways[0] = begun::<K, G, T>(first, start, tables);
        if !W::together::<K>() {
            let mut all = ways[0];
            for g in 0..G {
                let mut sums = all[g];
                for (lines, inputs) in lines.iter().zip(a) {
                    for s in 0..STEPS {
                        sums = lines[s][g].multiply::<K>(sums, inputs[s]);
                    }
                }
                all[g] = sums;
            }
            return all;
        }
        for (lines, inputs) in lines.iter().zip(a) {
            for s in 0..STEPS {
                let way = if K::PATIENT { 0 } else { s % WAYS };
                for g in 0..G {
                    ways[way][g] = lines[s][g].multiply::<K>(ways[way][g], inputs[s]);
                }
            }
        }
        let mut sums = ways[0];
        for way in &ways[1..] {
            for g in 0..G {
                sums[g] = K::plus(sums[g], way[g]);
            }
        }
        sums
    }
}

/// The sums of a layer that begin with its bias, by groups of units; `groups` is their number,
/// which a caller may know when it is compiled. The rest as in `sums`.
///
/// # Safety
/// The processor has the kernel's instruction set.
#[inline(always)]
pub unsafe fn all_sums<K: Kernel, W: Weights>(
    layer: &Packed<W>,
    groups: usize,
    a: &[W::Inputs],
    out: &mut [[i32; LANES]],
) {
    for_parts!(groups, |G, first| {
        let out = &mut out[first..first + G];
        // SAFETY: the caller's
        unsafe {
            let sums = sums::<K, W, G, 0>(layer, first, &layer.bias, [], a);
            for g in 0..G {
                out[g] = K::store(sums[g]);
            }
        }
    });
}

/// Rows whose sums are made together.
const ROWS: usize = 4;

/// The sums of a layer for some rows of inputs, `layer.groups` for each in turn: weights may
/// be loaded once for four of them. The rest as in [`all_sums`].
///
/// # Safety
/// The processor has the kernel's instruction set.
///
/// # Panics
/// If there is no room for the sums.
#[inline(always)]
pub unsafe fn sums_of_rows<K: Kernel, W: Weights, const N: usize>(
    layer: &Packed<W>,
    rows: &[[W::Inputs; N]],
    out: &mut [[i32; LANES]],
) {
    let groups = layer.groups;
    let (fours, rest) = rows.as_chunks::<ROWS>();
    // there are registers for a part of so many rows, or they are read one by one
    let (fours, rest) = if K::TOGETHER > PART { (fours, rest) } else { (&[][..], rows) };
    let (of_fours, of_rest) = out.split_at_mut(fours.len() * ROWS * groups);
    // SAFETY: the caller's
    unsafe {
        for (rows, out) in fours.iter().zip(of_fours.chunks_exact_mut(ROWS * groups)) {
            for_parts!(groups, |G, first| {
                let mut sums = [begun::<K, G, 0>(first, &layer.bias, []); ROWS];
                let lines = &layer.weights[first * layer.steps..(first + G) * layer.steps];
                let lines = lines.as_chunks::<G>().0;
                for (s, lines) in lines.iter().enumerate() {
                    for (of_row, row) in sums.iter_mut().zip(rows) {
                        for g in 0..G {
                            of_row[g] = lines[g].multiply::<K>(of_row[g], row[s]);
                        }
                    }
                }
                for (of_row, out) in sums.iter().zip(out.chunks_exact_mut(groups)) {
                    for g in 0..G {
                        out[first + g] = K::store(of_row[g]);
                    }
                }
            });
        }
        for (row, out) in rest.iter().zip(of_rest.chunks_exact_mut(groups)) {
            all_sums::<K, _>(layer, groups, row, out);
        }
    }
}

/// The activations of a layer, by groups of units: `clamp(sum >> S, 0, most)`. The rest
/// as in `sums`.
///
/// # Safety
/// The processor has the kernel's instruction set.
#[inline(always)]
pub unsafe fn activations<K: Kernel, const S: u32, const T: usize>(
    layer: &Packed,
    start: &[[i32; LANES]],
    tables: [(&PackedTable, usize); T],
    a: &[[i16; 2]],
    most: i16,
    out: &mut [[i16; LANES]],
) {
    for_parts!(layer.groups, |G, first| {
        let out = &mut out[first..first + G];
        // SAFETY: the caller's
        unsafe {
            let sums = sums::<K, Line, G, T>(layer, first, start, tables, a);
            for g in 0..G {
                out[g] = K::scale::<S>(sums[g], 0, most);
            }
        }
    });
}
