//! The language model: what the bytes before alone say about the bits of the next
//! byte, learned beforehand from the files of the world.
//!
//! A feed-forward model of bytes (after Bengio et al., "A Neural Probabilistic Language
//! Model", 2003): every input chooses a row of its table, the rows' sum makes the first
//! layer, a second layer follows, and each of the 255 nodes of a byte (its bits so far
//! after a leading one) has a weighted sum of that as its logit. In MADE's terms all
//! hidden units have degree 0, and the masks of the outputs are the rows of the table
//! of nodes. The hidden layers are computed once a byte.
//!
//! Fixed point: table entries and the first bias have 6 fraction bits, activations 5
//! (0..=255), weights 8, sums of later layers 13, logits 8.

use super::contexts::{Context, language_row, start_hash};
use super::network::{LATER_SHIFT, MAX_ACTIVATION, layer_from_file, layer_to_file, values};
use super::past::Recent;
use super::recurrent::Recurrent;
use crate::made::error::ModelError;
use crate::made::file::{ModelFile, Tensor};
use crate::made::integer::{Linear, SUM_LIMIT, activate};
use crate::made::logistic::LOGIT_LIMIT;

/// Metadata entry with the inputs, written as contexts are.
pub(super) const INPUTS: &str = "language";
/// Most inputs.
pub const MAX_INPUTS: usize = 32;
/// Most units of the first layer, and of the second.
pub const MAX_UNITS: [usize; 2] = [512, 128];
/// Most rows of a table.
pub const MAX_ROWS: usize = 1 << 16;
/// Most bytes of all tables, every row counted as a multiple of [`ROW`] bytes: so much
/// memory do they take, however narrow they are in the file.
pub const MAX_TABLES: usize = 1 << 26;
/// See [`MAX_TABLES`].
pub const ROW: usize = 64;
/// Fraction bits of a table's entries.
pub const TABLE_BITS: u32 = 6;
/// Shift from a sum of the first layer to an activation.
pub const FIRST_SHIFT: u32 = 1;
/// Shift from an output's sum to a logit.
pub const OUTPUT_SHIFT: u32 = 5;
/// Bound of the first bias, so that first sums fit 16 bits.
pub const MAX_FIRST_BIAS: i16 = 1 << 14;
/// Outputs: the nodes of a byte; the first is not used.
pub const NODES: usize = 256;

/// An input: a view of the past and its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What of the past chooses the row.
    pub context: Context,
    /// `[rows][width]`.
    pub table: Vec<i8>,
    /// A power of two in 2..=[`MAX_ROWS`].
    pub rows: usize,
    /// The row is added to so many first units.
    pub width: usize,
}

/// The model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Language {
    /// The inputs as the model file names them.
    pub names: String,
    /// At most [`MAX_INPUTS`].
    pub inputs: Vec<Input>,
    /// One for each unit of the first layer, within ±[`MAX_FIRST_BIAS`].
    pub bias: Vec<i16>,
    /// First → second layer.
    pub second: Linear,
    /// Second layer → logits of the [`NODES`].
    pub output: Linear,
    /// What gives the logits in short blocks, if there is one.
    pub recurrent: Option<Recurrent>,
}

/// What the hash of input number `i` begins with.
pub fn input_hash(i: usize) -> u32 {
    start_hash(0x100 + i as u32)
}

/// Parses a list of inputs.
pub fn parse_inputs(names: &str) -> Result<Vec<Context>, ModelError> {
    let inputs: Result<Vec<Context>, _> = names.split(' ').map(str::parse).collect();
    let inputs = inputs.map_err(|e| ModelError::metadata(INPUTS, e.to_string()))?;
    if inputs.iter().any(|context| context.content().is_some()) {
        Err(ModelError::metadata(INPUTS, "contexts of code or samples are no inputs"))
    } else if (1..=MAX_INPUTS).contains(&inputs.len()) {
        Ok(inputs)
    } else {
        Err(ModelError::metadata(INPUTS, format!("not a list of 1 to {MAX_INPUTS} inputs")))
    }
}

/// The logit of an output's sum, after a shift.
#[inline(always)]
pub fn logit(sum: i32, shift: u32) -> i16 {
    (sum >> shift).clamp(-LOGIT_LIMIT, LOGIT_LIMIT - 1) as i16
}

/// The scalar reference of what is above the sums of a second layer: the logits of all nodes.
pub(super) fn node_logits(
    second: impl Iterator<Item = i32>,
    output: &Linear,
    shift: u32,
) -> Vec<i16> {
    let units: Vec<i16> = second.map(|s| activate(s, LATER_SHIFT, MAX_ACTIVATION)).collect();
    let mut sums = vec![0; NODES];
    output.apply(&units, &mut sums);
    sums.into_iter().map(|sum| logit(sum, shift)).collect()
}

impl Language {
    /// The scalar reference: the units of the first layer after `past`.
    pub fn first(&self, past: &Recent) -> Vec<i16> {
        let mut sums: Vec<i32> = self.bias.iter().map(|&b| b.into()).collect();
        for (i, input) in self.inputs.iter().enumerate() {
            let row = language_row(past, input.context, input_hash(i), input.rows);
            for (s, &e) in sums.iter_mut().zip(&input.table[row * input.width..][..input.width]) {
                *s += i32::from(e);
            }
        }
        sums.iter().map(|&s| activate(s, FIRST_SHIFT, MAX_ACTIVATION)).collect()
    }

    /// The scalar reference: the logits of all nodes after `past`, where the recurrent layer
    /// does not speak.
    pub fn logits(&self, past: &Recent) -> Vec<i16> {
        let mut sums = vec![0; self.second.outputs];
        self.second.apply(&self.first(past), &mut sums);
        node_logits(sums.into_iter(), &self.output, OUTPUT_SHIFT)
    }

    /// Reads the language model of a model file and proves its sums; `None` if it has
    /// none.
    pub fn from_file(file: &ModelFile) -> Result<Option<Self>, ModelError> {
        let Some(names) = file.metadata.get(INPUTS) else { return Ok(None) };
        let shaped = |name: &str, got: &[usize], wanted: &str| {
            ModelError::tensor(name, format!("shape {got:?}, wanted {wanted}"))
        };
        let (shape, bias) = values::<i16>(file, "language.bias")?;
        let units = bias.len();
        if shape.len() != 1 || !(1..=MAX_UNITS[0]).contains(&units) {
            return Err(shaped("language.bias", &shape, "[units]"));
        }
        if bias.iter().any(|b| b.unsigned_abs() > MAX_FIRST_BIAS as u16) {
            return Err(ModelError::tensor("language.bias", "beyond its bound"));
        }
        let mut inputs = Vec::new();
        let mut room = MAX_TABLES;
        for (i, context) in parse_inputs(names)?.into_iter().enumerate() {
            let name = format!("language.table.{}", i + 1);
            let (shape, table) = values::<i8>(file, &name)?;
            let fits = |rows: usize, width| {
                rows.is_power_of_two()
                    && (2..=MAX_ROWS).contains(&rows)
                    && (1..=units).contains(&width)
            };
            match shape[..] {
                [rows, width] if fits(rows, width) => {
                    let taken = rows * width.next_multiple_of(ROW);
                    room = room.checked_sub(taken).ok_or_else(|| {
                        ModelError::tensor(&name, format!("tables take over {MAX_TABLES} bytes"))
                    })?;
                    inputs.push(Input { context, table, rows, width });
                }
                _ => return Err(shaped(&name, &shape, "[a power of two, units at most]")),
            }
        }
        let second_units = match file.tensors.get("language.second.bias").map(Tensor::shape) {
            Some(&[n]) if (1..=MAX_UNITS[1]).contains(&n) => n,
            _ => return Err(ModelError::tensor("language.second.bias", "a number of units")),
        };
        let layer = |name: &str, inputs: usize, outputs: usize| -> Result<Linear, ModelError> {
            let layer = layer_from_file::<i16>(file, name, inputs, outputs)?;
            let bound = layer.sum_bound(MAX_ACTIVATION.into());
            if bound >= SUM_LIMIT {
                let reason = format!("sums reach {bound}, the limit is {SUM_LIMIT}");
                return Err(ModelError::tensor(name, reason));
            }
            Ok(layer)
        };
        let second = layer("language.second", units, second_units)?;
        let output = layer("language.output", second_units, NODES)?;
        let recurrent = Recurrent::from_file(file, units)?;
        Ok(Some(Self { names: names.clone(), inputs, bias, second, output, recurrent }))
    }

    /// Puts the language model into a model file.
    pub fn to_file(&self, file: &mut ModelFile) {
        file.metadata.insert(INPUTS.into(), self.names.clone());
        let units = self.bias.len();
        for (i, input) in self.inputs.iter().enumerate() {
            let tensor = Tensor::from_values(&[input.rows, input.width], &input.table);
            file.tensors.insert(format!("language.table.{}", i + 1), tensor);
        }
        let bias = Tensor::from_values(&[units], &self.bias);
        file.tensors.insert("language.bias".into(), bias);
        layer_to_file(file, "language.second", &self.second);
        layer_to_file(file, "language.output", &self.output);
        if let Some(recurrent) = &self.recurrent {
            recurrent.to_file(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::Random;

    fn file() -> ModelFile {
        let mut file = ModelFile::default();
        Random(4).language("b1 b2 word", [20, 10]).to_file(&mut file);
        file
    }

    #[test]
    fn a_file_gives_the_model_back() {
        let language = Language::from_file(&file()).unwrap().unwrap();
        assert_eq!(language, Random(4).language("b1 b2 word", [20, 10]));
        assert_eq!(Language::from_file(&ModelFile::default()).unwrap(), None);
    }

    #[test]
    fn hostile_files_are_refused() {
        let bad = |change: &dyn Fn(&mut ModelFile)| {
            let mut file = file();
            change(&mut file);
            assert!(Language::from_file(&file).is_err());
        };
        for names in ["", "b1 b2 word word", "b1 b2 b0", "b1 b2 \u{0}"] {
            bad(&|f| drop(f.metadata.insert(INPUTS.into(), names.into())));
        }
        for name in file().tensors.keys() {
            bad(&|f| drop(f.tensors.remove(name)));
            // no values, and too many
            bad(&|f| drop(f.tensors.insert(name.clone(), Tensor::from_values::<i8>(&[0], &[]))));
            let many = Tensor::from_values(&[70_000, 20], &vec![0i8; 1_400_000]);
            bad(&|f| drop(f.tensors.insert(name.clone(), many.clone())));
        }
        let odd = Tensor::from_values(&[255, 20], &vec![0i8; 5100]);
        bad(&|f| drop(f.tensors.insert("language.table.1".into(), odd.clone())));
        let far = Tensor::from_values(&[20], &[MAX_FIRST_BIAS + 1; 20]);
        bad(&|f| drop(f.tensors.insert("language.bias".into(), far.clone())));
        let far = Tensor::from_values(&[20], &[i16::MIN; 20]);
        bad(&|f| drop(f.tensors.insert("language.bias".into(), far.clone())));
        let far = Tensor::from_values(&[256], &[i32::MAX; 256]);
        bad(&|f| drop(f.tensors.insert("language.output.bias".into(), far.clone())));
    }
}
