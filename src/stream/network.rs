//! The network of the stream model: a MADE over the eight bits of a byte.
//!
//! Units carry degrees. Degree 0 is what is known before the byte: the previous
//! bytes and how well each statistic has been doing; its hidden units
//! (`context units`) are computed once a byte. Evidence about bit j has degree
//! j − 1 (it depends on the past and on bits 1…j−1), and so have the hidden units
//! that read it; output j reads only units of degree below j. The weights of the
//! eight groups are tied: the position in the byte, and the bits known so far,
//! enter through a table of 255 rows (`partial`). A byte costs one forward pass.
//!
//! Hidden units have degree 0, or with more than a few contexts 0 and 4 (see
//! [`unit_bits`](super::row::unit_bits)): they read the evidence for the first bit of the
//! byte, or of the nibble, and are computed once for all its bits.
//!
//! The output is not a logit but a gate for every logit of the evidence,
//! `logit = Σ gate·x`: the network learns how to weigh evidence. See [`Network::logit`]
//! for the arithmetic, in fixed point: evidence enters with 4 fraction bits,
//! weights have 8, table entries 12, activations 5 (0..=255), gates 10.

use super::row::{ByteRow, LANGUAGE_UNITS, MATCH_CLASSES, ONE, Row};
use crate::made::error::ModelError;
use crate::made::file::{Element, ModelFile, Tensor};
use crate::made::integer::{Linear, SUM_LIMIT, activate};
use crate::made::logistic::LOGIT_LIMIT;

/// Shift from a first-layer sum (12 fraction bits) to an activation.
pub const FIRST_SHIFT: u32 = 7;
/// Shift from a later sum (13 fraction bits) to an activation.
pub const LATER_SHIFT: u32 = 8;
/// Shift from a gate sum (13 fraction bits) to a gate.
pub const GATE_SHIFT: u32 = 3;
/// Largest activation.
pub const MAX_ACTIVATION: i16 = 255;
/// Largest |input| of the first layers.
pub const MAX_INPUT: i16 = 127;
/// Largest |gate|: ±8.
pub const MAX_GATE: i32 = 8191;
/// Fraction bits of a gate.
pub const GATE_BITS: u32 = 10;
/// Most units of a hidden layer.
pub const MAX_UNITS: usize = 128;

/// Rows of `units` entries, added to a layer's sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Entries, `[rows][units]`.
    pub entries: Vec<i16>,
    /// Length of a row.
    pub units: usize,
}

impl Table {
    /// One row.
    #[inline(always)]
    pub fn row(&self, index: usize) -> &[i16] {
        &self.entries[index * self.units..][..self.units]
    }

    fn bound(&self) -> i64 {
        self.entries.iter().map(|&e| i64::from(e).abs()).max().unwrap_or(0)
    }
}

/// The integer network for evidence from `C` contexts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Previous byte 1, 2, 3 → context units: `[256][context units]` each.
    pub previous: [Table; 3],
    /// Costs, and units of the language model → context units (with bias).
    pub costs: Linear,
    /// Context units → first layer (with its bias).
    pub context: Linear,
    /// Partial byte → first layer.
    pub partial: Table,
    /// Classes of the long and the recent match → first layer.
    pub matched: [Table; 2],
    /// Number of seen contexts → first layer.
    pub seen: Table,
    /// Evidence (logits, confidences) → first layer.
    pub first: Linear,
    /// First → second layer, if there is one.
    pub second: Option<Linear>,
    /// Last hidden layer → gates.
    pub gates: Linear,
    /// Partial byte → gates, in half units of the gate sum.
    pub gate_table: Table,
}

/// Number of gates: one for every logit of a row; that of the network's own logit
/// weighs zero.
pub const fn gate_count(contexts: usize) -> usize {
    2 * contexts
}

/// Number of evidence inputs of the first layer: all logits of a row, and the contexts'
/// confidences.
pub const fn input_count(contexts: usize) -> usize {
    3 * contexts
}

/// Number of inputs of degree 0: the costs of contexts and match models, and units of
/// the language model.
pub const fn known_count(contexts: usize, language_units: usize) -> usize {
    contexts + 2 + language_units
}

/// Evidence as the first layer reads it: 4 fraction bits, within ±127.
#[inline(always)]
pub fn inputs<const C: usize>(row: &Row<C>, a: &mut [i16]) {
    let a = &mut a[..3 * C];
    for i in 0..2 * C {
        a[i] = ((row.x.as_flattened()[i] + 8) >> 4).clamp(-MAX_INPUT, MAX_INPUT);
    }
    for i in 0..C {
        a[2 * C + i] = i16::from(row.confidence[i]) * 2;
    }
}

/// A gate from its sum.
#[inline(always)]
pub fn gate(sum: i32) -> i16 {
    (sum >> GATE_SHIFT).clamp(-MAX_GATE, MAX_GATE) as i16
}

/// The network's logit from `Σ gate·x`: 2^-10 of it, clamped.
#[inline(always)]
pub fn weighed(sum: i32) -> i16 {
    (sum >> GATE_BITS).clamp(-LOGIT_LIMIT, LOGIT_LIMIT - 1) as i16
}

impl Network {
    /// Number of context units.
    pub fn context_units(&self) -> usize {
        self.costs.outputs
    }

    /// Sums of the first layer that a byte's bits share (`sums.len()` = first
    /// layer's units).
    pub fn byte_sums<const C: usize>(&self, row: &ByteRow<C>, sums: &mut [i32]) {
        let costs: Vec<i16> = row.inputs()[..self.costs.inputs].iter().map(|&i| i.into()).collect();
        let mut units = vec![0; self.context_units()];
        self.costs.apply(&costs, &mut units);
        for (table, &byte) in self.previous.iter().zip(&row.previous) {
            add(&mut units, table.row(byte.into()));
        }
        let a: Vec<i16> = units.iter().map(|&s| activate(s, FIRST_SHIFT, MAX_ACTIVATION)).collect();
        self.context.apply(&a, sums);
    }

    /// The scalar reference: the logits of a byte's bits.
    pub fn logits<const C: usize>(&self, byte: &ByteRow<C>, rows: &[Row<C>; 8]) -> [i16; 8] {
        let mut shared = vec![0; self.first.outputs];
        self.byte_sums(byte, &mut shared);
        let bits = Row::<C>::UNIT_BITS;
        std::array::from_fn(|i| self.logit(&shared, &rows[i / bits * bits], &rows[i]))
    }

    /// The scalar reference: the logit of one bit, given the byte's shared sums and the
    /// evidence `read` by its units, that for the first bit which they are computed for.
    pub fn logit<const C: usize>(&self, shared: &[i32], read: &Row<C>, row: &Row<C>) -> i16 {
        let mut a = vec![0; input_count(C)];
        inputs(read, &mut a);
        let mut sums = vec![0; self.first.outputs];
        self.first.apply(&a, &mut sums);
        for (s, &b) in sums.iter_mut().zip(shared) {
            *s += b;
        }
        add(&mut sums, self.partial.row(read.partial.into()));
        for (table, &class) in self.matched.iter().zip(&read.matched) {
            add(&mut sums, table.row(class.into()));
        }
        add(&mut sums, self.seen.row(read.seen.into()));
        let h: Vec<i16> = sums.iter().map(|&s| activate(s, FIRST_SHIFT, MAX_ACTIVATION)).collect();
        let h = match &self.second {
            None => h,
            Some(second) => {
                let mut sums = vec![0; second.outputs];
                second.apply(&h, &mut sums);
                sums.iter().map(|&s| activate(s, LATER_SHIFT, MAX_ACTIVATION)).collect()
            }
        };
        let mut sums = vec![0; gate_count(C)];
        self.gates.apply(&h, &mut sums);
        let table = self.gate_table.row(row.partial.into());
        // |gate| < 2^13, |x| < 2^12, at most 64 terms: below 2^31
        let sum = sums
            .iter()
            .zip(table)
            .zip(row.x.as_flattened())
            .map(|((&s, &t), &x)| i32::from(gate(s + 2 * i32::from(t))) * i32::from(x))
            .sum();
        weighed(sum)
    }

    /// Reads the network for `c` contexts from a model file and proves its sums.
    pub fn from_file(file: &ModelFile, c: usize) -> Result<Self, ModelError> {
        let table = |name: &str, rows: usize| -> Result<Table, ModelError> {
            let (shape, entries) = values::<i16>(file, name)?;
            match shape[..] {
                [r, units] if r == rows && (1..=MAX_UNITS).contains(&units) => {
                    Ok(Table { entries, units })
                }
                _ => Err(ModelError::tensor(
                    name,
                    format!("shape {shape:?}, wanted [{rows}, units]"),
                )),
            }
        };
        let linear =
            |name: &str, inputs, outputs| layer_from_file::<i16>(file, name, inputs, outputs);
        let previous =
            [table("previous.1", 256)?, table("previous.2", 256)?, table("previous.3", 256)?];
        let context_units = previous[0].units;
        let partial = table("partial", 256)?;
        let units = partial.units;
        let language_units = match file.tensors.get("costs.weight").map(Tensor::shape) {
            Some(&[_, inputs]) => inputs.saturating_sub(known_count(c, 0)).min(LANGUAGE_UNITS),
            _ => 0,
        };
        let second = match file.tensors.get("second.bias").map(Tensor::shape) {
            None if !file.tensors.contains_key("second.weight") => None,
            Some(&[n]) if (1..=MAX_UNITS).contains(&n) => Some(linear("second", units, n)?),
            _ => return Err(ModelError::tensor("second.bias", "wanted 1..=128 units")),
        };
        let last_units = second.as_ref().map_or(units, |l| l.outputs);
        let network = Self {
            costs: linear("costs", known_count(c, language_units), context_units)?,
            context: linear("context", context_units, units)?,
            matched: [table("matched.1", MATCH_CLASSES)?, table("matched.2", MATCH_CLASSES)?],
            seen: table("seen", c + 1)?,
            first: linear("first", input_count(c), units)?,
            gates: linear("gates", last_units, gate_count(c))?,
            second,
            gate_table: table("gate_table", 256)?,
            previous,
            partial,
        };
        let same = |name: &str, table: &Table, units: usize| {
            if table.units == units {
                Ok(())
            } else {
                Err(ModelError::tensor(name, format!("{} units, wanted {units}", table.units)))
            }
        };
        same("previous.2", &network.previous[1], context_units)?;
        same("previous.3", &network.previous[2], context_units)?;
        same("matched.1", &network.matched[0], units)?;
        same("matched.2", &network.matched[1], units)?;
        same("seen", &network.seen, units)?;
        same("gate_table", &network.gate_table, gate_count(c))?;
        for (name, bound) in network.bounds() {
            if bound >= SUM_LIMIT {
                return Err(ModelError::tensor(
                    name,
                    format!("sums reach {bound}, the limit is {SUM_LIMIT}"),
                ));
            }
        }
        Ok(network)
    }

    /// The largest |sum| each layer can reach, from the real weights.
    pub fn bounds(&self) -> [(&'static str, i64); 4] {
        let activation = i64::from(MAX_ACTIVATION);
        let previous: i64 = self.previous.iter().map(Table::bound).sum();
        [
            ("costs", self.costs.sum_bound(MAX_INPUT.into()) + previous),
            (
                "first",
                self.first.sum_bound(MAX_INPUT.into())
                    + self.context.sum_bound(activation)
                    + self.partial.bound()
                    + self.matched.iter().map(Table::bound).sum::<i64>()
                    + self.seen.bound(),
            ),
            ("second", self.second.as_ref().map_or(0, |l| l.sum_bound(activation))),
            ("gates", self.gates.sum_bound(activation) + 2 * self.gate_table.bound()),
        ]
    }

    /// Puts the network into a model file.
    pub fn to_file(&self, file: &mut ModelFile) {
        let mut table = |name: &str, t: &Table| {
            let tensor = Tensor::from_values(&[t.entries.len() / t.units, t.units], &t.entries);
            file.tensors.insert(name.into(), tensor);
        };
        table("previous.1", &self.previous[0]);
        table("previous.2", &self.previous[1]);
        table("previous.3", &self.previous[2]);
        table("partial", &self.partial);
        table("matched.1", &self.matched[0]);
        table("matched.2", &self.matched[1]);
        table("seen", &self.seen);
        table("gate_table", &self.gate_table);
        for (name, l) in [
            ("costs", &self.costs),
            ("context", &self.context),
            ("first", &self.first),
            ("gates", &self.gates),
        ]
        .into_iter()
        .chain(self.second.as_ref().map(|l| ("second", l)))
        {
            layer_to_file(file, name, l);
        }
    }
}

fn add(sums: &mut [i32], row: &[i16]) {
    for (s, &r) in sums.iter_mut().zip(row) {
        *s += i32::from(r);
    }
}

/// A layer's tensors: `name.weight` (of type `W`, `[outputs, inputs]`) and `name.bias` (I32
/// `[outputs]`).
pub(super) fn layer_from_file<W: Element + Into<i16>>(
    file: &ModelFile,
    name: &str,
    inputs: usize,
    outputs: usize,
) -> Result<Linear, ModelError> {
    let layer = weights_from_file::<W>(file, name, inputs, outputs)?;
    let bias = tensor_from_file(file, &format!("{name}.bias"), &[outputs])?;
    Ok(Linear { bias, ..layer })
}

/// A layer without bias: `name.weight` alone.
pub(super) fn weights_from_file<W: Element + Into<i16>>(
    file: &ModelFile,
    name: &str,
    inputs: usize,
    outputs: usize,
) -> Result<Linear, ModelError> {
    let weights = tensor_from_file::<W>(file, &format!("{name}.weight"), &[outputs, inputs])?;
    let weights = weights.into_iter().map(Into::into).collect();
    Ok(Linear { inputs, outputs, weights, bias: vec![0; outputs] })
}

/// Puts a layer's tensors into a model file.
pub(super) fn layer_to_file(file: &mut ModelFile, name: &str, l: &Linear) {
    let weights = Tensor::from_values(&[l.outputs, l.inputs], &l.weights);
    file.tensors.insert(format!("{name}.weight"), weights);
    file.tensors.insert(format!("{name}.bias"), Tensor::from_values(&[l.outputs], &l.bias));
}

/// A tensor's values, if it is there with the right type and shape.
pub(super) fn tensor_from_file<T: Element>(
    file: &ModelFile,
    name: &str,
    wanted: &[usize],
) -> Result<Vec<T>, ModelError> {
    match values(file, name)? {
        (shape, values) if shape == wanted => Ok(values),
        (shape, _) => Err(ModelError::tensor(name, format!("shape {shape:?}, wanted {wanted:?}"))),
    }
}

/// A tensor's shape and values, if it is there with the right type.
pub(super) fn values<T: Element>(
    file: &ModelFile,
    name: &str,
) -> Result<(Vec<usize>, Vec<T>), ModelError> {
    let tensor = file.tensors.get(name).ok_or_else(|| ModelError::tensor(name, "missing"))?;
    let values = tensor
        .values()
        .ok_or_else(|| ModelError::tensor(name, format!("wrong type {}", tensor.dtype().name())))?;
    Ok((tensor.shape().to_vec(), values))
}

/// The values of a tensor of one dimension, if it is there with the right type.
pub(super) fn flat_values<T: Element>(file: &ModelFile, name: &str) -> Result<Vec<T>, ModelError> {
    match values(file, name)? {
        (shape, values) if shape.len() == 1 => Ok(values),
        (shape, _) => {
            Err(ModelError::tensor(name, format!("shape {shape:?}, wanted one dimension")))
        }
    }
}

const _: () = assert!(ONE == 256);
