//! The recurrent layer of a language model: what all bytes before say about the next one, for
//! blocks that are too short to have statistics of their own.
//!
//! A gated recurrent unit (Cho et al., "Learning Phrase Representations using RNN
//! Encoder-Decoder", 2014; the reset gate behind the product, as libraries have it) takes the
//! last byte, and what the language model's first layer makes of the last bytes and words, into
//! a state. A second layer is made of the state and of that first layer, and has weights for
//! every node of a byte: their sum is the logit in the place of the language model's own. In
//! MADE's terms its units, like all of the language model, have degree 0: they are computed
//! once a byte.
//!
//! Fixed point: table entries and weights have 6 fraction bits, the state 15, of which 12 are
//! multiplied, as many as the first layer's activations then have; their sums 18, gates 16,
//! activations 5, the weights of the nodes 8, their sums 13 (FORMAT §15.1).

use super::language::{MAX_UNITS, NODES, logit};
use super::network::{MAX_ACTIVATION, layer_from_file, layer_to_file, values};
use crate::made::error::ModelError;
use crate::made::file::{ModelFile, Tensor};
use crate::made::integer::{Linear, SUM_LIMIT, activate};
use crate::made::logistic::squash;

/// Metadata entry with the length of the longest block that it speaks in.
const MOST: &str = "language.recurrent.most";
/// Most units of the state.
pub const MAX_STATE: usize = 512;
/// Fraction bits of table entries and weights.
pub const WEIGHT_BITS: u32 = 6;
/// Fraction bits of sums over the state.
pub const SUM_BITS: u32 = 18;
/// Shift from a unit of the state to what is multiplied.
pub const STATE_SHIFT: u32 = 3;
/// Shift from an activation of the first layer to what is multiplied.
pub const FIRST_SHIFT: u32 = 7;
/// The largest |numbers| that are multiplied: of the state, and of the first layer.
const MAX_INPUTS: [i64; 2] = [1 << 12, (MAX_ACTIVATION as i64) << FIRST_SHIFT];
/// Shift from an entry of the table to a sum over the state.
pub const TABLE_SHIFT: u32 = SUM_BITS - WEIGHT_BITS;
/// Shift from such a sum to a logit.
const GATE_SHIFT: u32 = 10;
/// Shift from such a sum to an activation.
pub const SECOND_SHIFT: u32 = 13;

/// The layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrent {
    /// What the last byte adds to the gates, `[256][3 · units]`: reset, update, new state.
    pub table: Vec<i8>,
    /// First layer of the language model → gates.
    pub input: Linear,
    /// State → gates, without bias: the reset gate lets these sums alone through.
    pub gates: Linear,
    /// State, first layer of the language model → second layer.
    pub second: Linear,
    /// Second layer → logits of the [`NODES`].
    pub output: Linear,
    /// Bytes of the longest block that it speaks in, a model's text included.
    pub most: usize,
}

/// A unit's next state from its present one, what the byte and the first layer add to its
/// three gates, and the products of the state with their weights: below 2^28, as weights have 8
/// bits, so that no product here leaves 32.
#[inline(always)]
pub fn next(state: i16, added: [i32; 3], products: [i32; 3]) -> i16 {
    let gate = |i: usize| i32::from(squash((added[i] + products[i]) >> GATE_SHIFT));
    let (reset, update) = (gate(0), gate(1));
    let kept = ((reset >> 4) * (products[2] >> GATE_SHIFT)) >> 12;
    // tanh x = 2 / (1 + e^(-2x)) - 1
    let new = i32::from(squash(2 * ((added[2] >> GATE_SHIFT) + kept))) - (1 << 15);
    let state = i32::from(state);
    (new + (((state - new) * (update >> 2) + (1 << 13)) >> 14)) as i16
}

/// A layer's weights of its first inputs, with its bias, and those of the others.
pub fn split(layer: &Linear, at: usize) -> [Linear; 2] {
    let columns = |from: usize, to: usize, bias| Linear {
        inputs: to - from,
        outputs: layer.outputs,
        weights: layer
            .weights
            .chunks_exact(layer.inputs)
            .flat_map(|row| &row[from..to])
            .copied()
            .collect(),
        bias,
    };
    [columns(0, at, layer.bias.clone()), columns(at, layer.inputs, vec![0; layer.outputs])]
}

/// What is multiplied of a state and of the first layer's activations.
fn multiplied(state: &[i16], first: &[i16]) -> [Vec<i16>; 2] {
    [
        state.iter().map(|&s| s >> STATE_SHIFT).collect(),
        first.iter().map(|&a| a << FIRST_SHIFT).collect(),
    ]
}

impl Recurrent {
    /// Units of the state.
    pub fn units(&self) -> usize {
        self.gates.inputs
    }

    /// What a byte adds to a gate.
    #[inline(always)]
    pub fn entry(&self, byte: u8, gate: usize) -> i32 {
        i32::from(self.table[usize::from(byte) * self.gates.outputs + gate]) << TABLE_SHIFT
    }

    /// The scalar reference: moves the state on by the last byte (0 at the start of a block,
    /// where the state is zeros) and the first layer after it.
    pub fn step(&self, state: &mut [i16], last: u8, first: &[i16]) {
        let units = self.units();
        let [before, first] = multiplied(state, first);
        let (mut products, mut added) = (vec![0; 3 * units], vec![0; 3 * units]);
        self.gates.apply(&before, &mut products);
        self.input.apply(&first, &mut added);
        for (gate, sum) in added.iter_mut().enumerate() {
            *sum += self.entry(last, gate);
        }
        for (j, unit) in state.iter_mut().enumerate() {
            let of = |sums: &[i32]| std::array::from_fn(|gate| sums[gate * units + j]);
            *unit = next(*unit, of(&added), of(&products));
        }
    }

    /// The scalar reference: the logits of all nodes.
    pub fn logits(&self, state: &[i16], first: &[i16]) -> Vec<i16> {
        let mut sums = vec![0; self.second.outputs];
        self.second.apply(&multiplied(state, first).concat(), &mut sums);
        let second: Vec<i16> =
            sums.iter().map(|&s| activate(s, SECOND_SHIFT, MAX_ACTIVATION)).collect();
        let mut sums = vec![0; NODES];
        self.output.apply(&second, &mut sums);
        sums.into_iter().map(logit).collect()
    }

    /// Reads that of a model file, for so many units of the first layer, and proves its sums;
    /// `None` if it has none.
    pub fn from_file(file: &ModelFile, first: usize) -> Result<Option<Self>, ModelError> {
        let Some(most) = file.metadata.get(MOST) else { return Ok(None) };
        let most = most
            .parse()
            .ok()
            .filter(|&most: &u32| most >= 1)
            .ok_or_else(|| ModelError::metadata(MOST, "not a number from 1 to 4294967295"))?;
        let units = |name: &str, limit: usize, times: usize| match file
            .tensors
            .get(name)
            .map(Tensor::shape)
        {
            Some(&[n]) if n.is_multiple_of(times) && (1..=limit).contains(&(n / times)) => {
                Ok(n / times)
            }
            _ => Err(ModelError::tensor(name, format!("not for 1 to {limit} units"))),
        };
        let state_units = units("language.recurrent.input.bias", MAX_STATE, 3)?;
        let second_units = units("language.recurrent.second.bias", MAX_UNITS[1], 1)?;
        let bytes = |name: &str, wanted: [usize; 2]| match values::<i8>(file, name)? {
            (shape, values) if shape == wanted => Ok(values),
            (shape, _) => {
                Err(ModelError::tensor(name, format!("shape {shape:?}, wanted {wanted:?}")))
            }
        };
        let weights = |name: &str, [outputs, inputs]: [usize; 2]| -> Result<Linear, ModelError> {
            let weights = bytes(&format!("language.recurrent.{name}.weight"), [outputs, inputs])?;
            let weights = weights.into_iter().map(i16::from).collect();
            Ok(Linear { inputs, outputs, weights, bias: vec![0; outputs] })
        };
        let layer = |name: &str, shape: [usize; 2]| -> Result<Linear, ModelError> {
            let bias = values::<i32>(file, &format!("language.recurrent.{name}.bias"))?.1;
            Ok(Linear { bias, ..weights(name, shape)? })
        };
        let gates = 3 * state_units;
        let recurrent = Self {
            table: bytes("language.recurrent.table", [256, gates])?,
            input: layer("input", [gates, first])?,
            gates: weights("gates", [gates, state_units])?,
            second: layer("second", [second_units, state_units + first])?,
            output: layer_from_file(file, "language.recurrent.output", second_units, NODES)?,
            most: most as usize,
        };
        let [state, activation] = MAX_INPUTS;
        let entries = i64::from(i8::MIN).abs() << TABLE_SHIFT;
        let gates = recurrent.input.sum_bound(activation) + recurrent.gates.sum_bound(state);
        let second = split(&recurrent.second, state_units);
        for (name, bound) in [
            ("gates", gates + entries),
            ("second", second[0].sum_bound(state) + second[1].sum_bound(activation)),
            ("output", recurrent.output.sum_bound(MAX_ACTIVATION.into())),
        ] {
            if bound >= SUM_LIMIT {
                let reason = format!("sums reach {bound}, the limit is {SUM_LIMIT}");
                return Err(ModelError::tensor(format!("language.recurrent.{name}"), reason));
            }
        }
        Ok(Some(recurrent))
    }

    /// Puts the layer into a model file.
    pub fn to_file(&self, file: &mut ModelFile) {
        file.metadata.insert(MOST.into(), self.most.to_string());
        let mut put = |name: &str, tensor| {
            file.tensors.insert(format!("language.recurrent.{name}"), tensor);
        };
        put("table", Tensor::from_values(&[256, self.gates.outputs], &self.table));
        for (name, layer) in [("input", &self.input), ("second", &self.second)] {
            put(&format!("{name}.bias"), Tensor::from_values(&[layer.outputs], &layer.bias));
        }
        for (name, layer) in
            [("input", &self.input), ("gates", &self.gates), ("second", &self.second)]
        {
            let weights: Vec<i8> = layer.weights.iter().map(|&w| w as i8).collect();
            let shape = [layer.outputs, layer.inputs];
            put(&format!("{name}.weight"), Tensor::from_values(&shape, &weights));
        }
        layer_to_file(file, "language.recurrent.output", &self.output);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::Random;

    fn file() -> ModelFile {
        let mut file = ModelFile::default();
        Random(4).recurrent(5, [12, 7]).to_file(&mut file);
        file
    }

    #[test]
    fn a_file_gives_the_layer_back() {
        let read = Recurrent::from_file(&file(), 5).unwrap().unwrap();
        assert_eq!(read, Random(4).recurrent(5, [12, 7]));
        assert_eq!(Recurrent::from_file(&ModelFile::default(), 5).unwrap(), None);
    }

    #[test]
    fn hostile_files_are_refused() {
        let bad = |change: &dyn Fn(&mut ModelFile)| {
            let mut file = file();
            change(&mut file);
            assert!(Recurrent::from_file(&file, 5).is_err());
        };
        for most in ["", "0", "-1", "4294967296", "1e3"] {
            bad(&|f| drop(f.metadata.insert(MOST.into(), most.into())));
        }
        for name in file().tensors.keys() {
            bad(&|f| drop(f.tensors.remove(name)));
            bad(&|f| drop(f.tensors.insert(name.clone(), Tensor::from_values::<i8>(&[0], &[]))));
            let many = Tensor::from_values(&[256, 2048], &vec![0i8; 256 * 2048]);
            bad(&|f| drop(f.tensors.insert(name.clone(), many.clone())));
        }
        for (name, n) in [("input", 36), ("second", 7), ("output", 256)] {
            let name = format!("language.recurrent.{name}.bias");
            let far = Tensor::from_values(&[n], &vec![i32::MAX; n]);
            bad(&|f| drop(f.tensors.insert(name.clone(), far.clone())));
        }
        assert!(Recurrent::from_file(&file(), 6).is_err());
    }

    #[test]
    fn a_unit_stays_between_its_state_and_the_new_one() {
        // the update gate open, half open and shut; the new state at either end and at zero
        let far = 1 << 29;
        for state in [i16::MIN + 1, -1, 0, 1, 12_345, i16::MAX] {
            for (n, new) in [(-far, -32767), (0, 0), (far, 32767)] {
                assert_eq!(next(state, [0, far, n], [0; 3]), {
                    let s = i32::from(state);
                    (new + (((s - new) * 16383 + 8192) >> 14)) as i16
                });
                assert_eq!(i32::from(next(state, [0, -far, n], [0; 3])), new);
                let half = next(state, [0, 0, n], [0; 3]);
                assert!((i32::from(half) - i32::midpoint(state.into(), new)).abs() <= 1);
            }
        }
        // the reset gate lets the product through, or not
        assert_eq!(next(0, [-far, -far, 0], [0, 0, 1 << 20]), 0);
        assert!(next(0, [far, -far, 0], [0, 0, 1 << 20]) > 32_000);
    }
}
