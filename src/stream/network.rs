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
//! The output is not a logit but a gate for every logit of the evidence,
//! `logit = Σ gate·x`: the network learns how to weigh evidence. See [`Network::logit`]
//! for the arithmetic, in fixed point: evidence enters with 4 fraction bits,
//! weights have 8, table entries 12, activations 5 (0..=255), gates 10.

use super::evidence::{ByteRow, MATCH_CLASSES, ONE, Row};
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

/// The integer network for evidence of `X` logits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Previous byte 1, 2, 3 → context units: `[256][context units]` each.
    pub previous: [Table; 3],
    /// Costs → context units (with bias).
    pub costs: Linear,
    /// Context units → first layer (with its bias).
    pub context: Linear,
    /// Partial byte → first layer.
    pub partial: Table,
    /// Match class → first layer.
    pub matched: Table,
    /// Number of seen contexts → first layer.
    pub seen: Table,
    /// Evidence (logits, confidences) → first layer; its bias is zero.
    pub first: Linear,
    /// First → second layer.
    pub second: Linear,
    /// Second layer → gates.
    pub gates: Linear,
    /// Partial byte → gates, in half units of the gate sum.
    pub gate_table: Table,
}

/// Number of weighed logits: all but the network's own place.
pub const fn gate_count(x: usize) -> usize {
    x - 1
}

/// Number of evidence inputs of the first layer: the logits of contexts and match
/// models, and the contexts' confidences.
pub const fn input_count(x: usize) -> usize {
    (x - 2) + (x - 4)
}

/// Evidence as the first layer reads it: 4 fraction bits, within ±127.
#[inline(always)]
pub fn inputs<const X: usize>(row: &Row<X>, a: &mut [i16]) {
    for i in 0..X - 2 {
        a[i] = ((row.x[i] + 8) >> 4).clamp(-MAX_INPUT, MAX_INPUT);
    }
    for i in 0..X - 4 {
        a[X - 2 + i] = i16::from(row.confidence[i]) * 2;
    }
}

/// A logit from gates and evidence: `Σ gate·x / 2^10` over all but the network's
/// own place, clamped.
#[inline(always)]
pub fn weigh<const X: usize>(row: &Row<X>, gates: &[i32; X]) -> i16 {
    // |gate| < 2^13, |x| < 2^12, at most 32 terms: below 2^30
    let mut sum = 0i32;
    for i in 0..X {
        sum += gates[i] * i32::from(row.x[i]);
    }
    sum -= gates[X - 1] * i32::from(row.x[X - 1]);
    (sum >> GATE_BITS).clamp(-LOGIT_LIMIT, LOGIT_LIMIT - 1) as i16
}

impl Network {
    /// Number of context units.
    pub fn context_units(&self) -> usize {
        self.costs.outputs
    }

    /// Sums of the first layer that a byte's bits share (`sums.len()` = first
    /// layer's units).
    pub fn byte_sums<const X: usize>(&self, row: &ByteRow<X>, sums: &mut [i32]) {
        let costs: Vec<i16> = row.costs[..X - 2].iter().map(|&c| i16::from(c)).collect();
        let mut units = vec![0; self.context_units()];
        self.costs.apply(&costs, &mut units);
        for (table, &byte) in self.previous.iter().zip(&row.previous) {
            add(&mut units, table.row(byte.into()));
        }
        let a: Vec<i16> = units.iter().map(|&s| activate(s, FIRST_SHIFT, MAX_ACTIVATION)).collect();
        self.context.apply(&a, sums);
    }

    /// The scalar reference: the logit of one bit, given the byte's shared sums.
    pub fn logit<const X: usize>(&self, shared: &[i32], row: &Row<X>) -> i16 {
        let mut a = vec![0; input_count(X)];
        inputs(row, &mut a);
        let mut sums = vec![0; self.first.outputs];
        self.first.apply(&a, &mut sums);
        for (s, &b) in sums.iter_mut().zip(shared) {
            *s += b;
        }
        add(&mut sums, self.partial.row(row.partial.into()));
        add(&mut sums, self.matched.row(row.matched.into()));
        add(&mut sums, self.seen.row(row.seen.into()));
        let h: Vec<i16> = sums.iter().map(|&s| activate(s, FIRST_SHIFT, MAX_ACTIVATION)).collect();
        let mut sums = vec![0; self.second.outputs];
        self.second.apply(&h, &mut sums);
        let h: Vec<i16> = sums.iter().map(|&s| activate(s, LATER_SHIFT, MAX_ACTIVATION)).collect();
        let mut gates = [0; X];
        self.gates.apply(&h, &mut gates[..X - 1]);
        for (g, &t) in gates.iter_mut().zip(self.gate_table.row(row.partial.into())) {
            *g = ((*g + 2 * i32::from(t)) >> GATE_SHIFT).clamp(-MAX_GATE, MAX_GATE);
        }
        weigh(row, &gates)
    }

    /// Reads the network of `x` logits from a model file and proves its sums.
    pub fn from_file(file: &ModelFile, x: usize) -> Result<Self, ModelError> {
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
        let linear = |name: &str, inputs: usize, outputs: usize| -> Result<Linear, ModelError> {
            let weight = format!("{name}.weight");
            let (shape, weights) = values::<i16>(file, &weight)?;
            if shape != [outputs, inputs] {
                let reason = format!("shape {shape:?}, wanted [{outputs}, {inputs}]");
                return Err(ModelError::tensor(weight, reason));
            }
            let bias_name = format!("{name}.bias");
            let (shape, bias) = values::<i32>(file, &bias_name)?;
            if shape != [outputs] {
                return Err(ModelError::tensor(
                    bias_name,
                    format!("shape {shape:?}, wanted [{outputs}]"),
                ));
            }
            Ok(Linear { inputs, outputs, weights, bias })
        };
        let previous =
            [table("previous.1", 256)?, table("previous.2", 256)?, table("previous.3", 256)?];
        let context_units = previous[0].units;
        let partial = table("partial", 256)?;
        let units = partial.units;
        let second_units = match values::<i32>(file, "second.bias")?.0[..] {
            [n] if (1..=MAX_UNITS).contains(&n) => n,
            _ => return Err(ModelError::tensor("second.bias", "wanted 1..=128 units")),
        };
        let network = Self {
            costs: linear("costs", x - 2, context_units)?,
            context: linear("context", context_units, units)?,
            matched: table("matched", MATCH_CLASSES)?,
            seen: table("seen", x)?,
            first: linear("first", input_count(x), units)?,
            second: linear("second", units, second_units)?,
            gates: linear("gates", second_units, gate_count(x))?,
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
        same("matched", &network.matched, units)?;
        same("seen", &network.seen, units)?;
        same("gate_table", &network.gate_table, gate_count(x))?;
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
                    + self.matched.bound()
                    + self.seen.bound(),
            ),
            ("second", self.second.sum_bound(activation)),
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
        table("matched", &self.matched);
        table("seen", &self.seen);
        table("gate_table", &self.gate_table);
        for (name, l) in [
            ("costs", &self.costs),
            ("context", &self.context),
            ("first", &self.first),
            ("second", &self.second),
            ("gates", &self.gates),
        ] {
            let weights = Tensor::from_values(&[l.outputs, l.inputs], &l.weights);
            file.tensors.insert(format!("{name}.weight"), weights);
            file.tensors.insert(format!("{name}.bias"), Tensor::from_values(&[l.outputs], &l.bias));
        }
    }
}

fn add(sums: &mut [i32], row: &[i16]) {
    for (s, &r) in sums.iter_mut().zip(row) {
        *s += i32::from(r);
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

const _: () = assert!(ONE == 256);
