//! A language model laid out for the kernels.

use crate::engine::kernel::Packed;
use crate::engine::nodes::Nodes;
use crate::engine::recurrent_native::PackedRecurrent;
use crate::made::integer::Linear;
use crate::stream::contexts::{Context, language_row};
use crate::stream::language::{
    Input, Language, MAX_INPUTS, MAX_UNITS, OUTPUT_SHIFT, ROW, input_hash,
};
use crate::stream::past::Recent;

/// Entries that are summed at a time.
pub(super) const WIDE: usize = ROW;
/// Parts of [`WIDE`] units that the first layer has at most.
pub(super) const PARTS: usize = MAX_UNITS[0] / WIDE;

/// [`WIDE`] entries of a table's row.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Part([i8; WIDE]);

#[derive(Clone, Debug)]
pub(super) struct PackedInput {
    pub(super) context: Context,
    /// Its place among the inputs.
    number: usize,
    hash: u32,
    rows: usize,
    width: usize,
    /// Where its table begins, in parts.
    pub(super) first: usize,
    /// Parts of a row.
    pub(super) parts: usize,
}

/// Some inputs, the widest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs {
    pub(super) all: Vec<PackedInput>,
    /// How many of them have each part.
    with_part: [usize; PARTS],
}

impl Inputs {
    fn push(&mut self, input: PackedInput) {
        self.with_part[..input.parts].iter_mut().for_each(|n| *n += 1);
        let place = self.all.partition_point(|other| other.parts >= input.parts);
        self.all.insert(place, input);
    }

    /// Adds part `p` of the rows that the inputs have chosen.
    #[inline(always)]
    pub(super) fn add(
        &self,
        p: usize,
        entries: &[Part],
        rows: &[u32; MAX_INPUTS],
        sums: &mut [i16; WIDE],
    ) {
        for &row in &rows[..self.with_part[p]] {
            let part = &entries[row as usize + p];
            for i in 0..WIDE {
                sums[i] += i16::from(part.0[i]);
            }
        }
    }
}

/// A language model laid out for the kernels.
#[derive(Clone, Debug)]
pub struct PackedLanguage {
    names: String,
    /// Inputs that are known one byte ahead: bytes but the last one,
    pub(super) early: Inputs,
    /// and the others, at most [`MAX_INPUTS`] together.
    pub(super) late: Inputs,
    pub(super) entries: Vec<Part>,
    pub(super) bias: Vec<[i16; WIDE]>,
    pub(super) second: Packed,
    pub(super) nodes: Nodes,
    /// Second layer and outputs as they were.
    layers: (Linear, Linear),
    pub(super) recurrent: Option<PackedRecurrent>,
}

impl PackedLanguage {
    /// Lays out a language model.
    pub fn new(language: &Language) -> Self {
        let units = language.bias.len();
        let mut entries = Vec::new();
        let (mut early, mut late) = (Inputs::default(), Inputs::default());
        for (i, input) in language.inputs.iter().enumerate() {
            let Input { context, rows, width, .. } = *input;
            let list = match context {
                Context::Byte(2..) if rows == 256 => &mut early,
                _ => &mut late,
            };
            list.push(PackedInput {
                context,
                number: i,
                hash: input_hash(i),
                rows,
                width,
                first: entries.len(),
                parts: width.div_ceil(WIDE),
            });
            for row in input.table.chunks_exact(input.width) {
                for some in row.chunks(WIDE) {
                    let mut part = Part([0; WIDE]);
                    part.0[..some.len()].copy_from_slice(some);
                    entries.push(part);
                }
            }
        }
        let mut bias = vec![[0; WIDE]; units.div_ceil(WIDE)];
        bias.as_flattened_mut()[..units].copy_from_slice(&language.bias);
        Self {
            names: language.names.clone(),
            early,
            late,
            entries,
            bias,
            second: Packed::new(&language.second),
            nodes: Nodes::new(&language.output, OUTPUT_SHIFT),
            layers: (language.second.clone(), language.output.clone()),
            recurrent: language.recurrent.as_ref().map(PackedRecurrent::new),
        }
    }

    /// Units of its second layer.
    pub fn units(&self) -> usize {
        self.layers.0.outputs
    }

    /// Units of its recurrent layer's second layer, if it has one.
    pub fn recurrent_units(&self) -> usize {
        self.recurrent.as_ref().map_or(0, PackedRecurrent::units)
    }

    /// The language model again: a second copy of its tables is not worth its memory.
    pub fn unpack(&self) -> Language {
        let mut all: Vec<_> = self.early.all.iter().chain(&self.late.all).collect();
        all.sort_by_key(|input| input.number);
        let inputs = all.into_iter().map(|input| {
            let row = |parts: &[Part]| -> Vec<i8> {
                parts.iter().flat_map(|p| p.0).take(input.width).collect()
            };
            let PackedInput { context, rows, width, first, parts, .. } = *input;
            let table =
                self.entries[first..].chunks_exact(parts).take(rows).flat_map(row).collect();
            Input { context, table, rows, width }
        });
        let (second, output) = self.layers.clone();
        let bias = self.bias.as_flattened()[..second.inputs].to_vec();
        let recurrent = self.recurrent.as_ref().map(PackedRecurrent::unpack);
        let (names, inputs) = (self.names.clone(), inputs.collect());
        Language { names, inputs, bias, second, output, recurrent }
    }
}

impl PackedInput {
    /// The row it chooses, in parts.
    #[inline(always)]
    pub(super) fn row(&self, past: &Recent) -> usize {
        self.first + language_row(past, self.context, self.hash, self.rows) * self.parts
    }
}
