//! The recurrent layer of a language model: what all bytes before say about the next one, for
//! blocks that are too short to have statistics of their own, or are worth the time.
//!
//! A gated recurrent unit (Cho et al., "Learning Phrase Representations using RNN
//! Encoder-Decoder", 2014; the reset gate behind the product, as libraries have it) takes the
//! last byte, and what the language model's first layer makes of the last bytes and words, into
//! a state. A second layer is made of the state and of that first layer, and has weights for
//! every node of a byte: their sum is the logit in the place of the language model's own. In
//! MADE's terms its units, like all of the language model, have degree 0: they are computed
//! once a byte.
//!
//! Fixed point: table entries and weights have 6 fraction bits, the state 15, of which the
//! upper 8 bits (7 of them behind the point) are multiplied; the first layer's activations 5, as
//! everywhere. Sums over the state have 13, those over activations 11, gates and logits 8
//! (FORMAT §15.1). What is multiplied are bytes, and weights of the state and of the first layer
//! stay within ±[`MAX_WEIGHT`], so that two products together fit into 16 bits: a kernel makes
//! four at a time.

use super::language::{MAX_UNITS, NODES, node_logits};
use super::network::{MAX_ACTIVATION, layer_from_file, tensor_from_file, weights_from_file};
use crate::made::error::ModelError;
use crate::made::file::{ModelFile, Tensor};
use crate::made::integer::{Linear, SUM_LIMIT};
use crate::made::logistic::{LOGIT_BITS, squash};

/// The tensor of [`Recurrent::table`].
const TABLE: &str = "language.recurrent.table";
/// Most units of the state.
pub const MAX_STATE: usize = 512;
/// Fraction bits of table entries and weights.
pub const WEIGHT_BITS: u32 = 6;
/// Highest |weight| of a number of the state or of the first layer.
pub const MAX_WEIGHT: i16 = 1 << WEIGHT_BITS;
/// Fraction bits of sums over activations, those of the first layer or the second.
pub const ACTIVATION_SUM_BITS: u32 = 11;
/// Fraction bits of sums over the state.
const STATE_SUM_BITS: u32 = 13;
/// The largest |number| of the state that is multiplied.
const MAX_MULTIPLIED: i64 = 1 << 7;
/// Shift from a sum over the first layer to one over the state.
pub const FIRST_SHIFT: u32 = STATE_SUM_BITS - ACTIVATION_SUM_BITS;
/// Shift from an entry of the table to a sum over the state.
pub const TABLE_SHIFT: u32 = STATE_SUM_BITS - WEIGHT_BITS;
/// Shift from such a sum to a logit.
pub const GATE_SHIFT: u32 = STATE_SUM_BITS - LOGIT_BITS;
/// Shift from a sum over the second layer to a logit.
pub const OUTPUT_SHIFT: u32 = ACTIVATION_SUM_BITS - LOGIT_BITS;

/// The layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrent {
    /// What the last byte adds to the gates, `[256][3 · units]`: reset, update, new state.
    pub table: Vec<i8>,
    /// First layer of the language model → gates.
    pub input: Linear,
    /// State → gates, without bias: the reset gate lets these sums alone through.
    pub gates: Linear,
    /// First layer of the language model → second layer.
    pub skip: Linear,
    /// State → second layer, without bias.
    pub second: Linear,
    /// Second layer → logits of the [`NODES`].
    pub output: Linear,
}

/// What the reset gate lets through of a product, a logit of at most 2^17.
#[inline(always)]
pub fn let_through(reset: u16, product: i32) -> i32 {
    ((i32::from(reset) >> 4) * product) >> 12
}

/// A unit's next state from its present one and its update gate; tanh x of the new one, which is
/// 2 / (1 + e^(-2x)) - 1, from the squash of 2·x.
#[inline(always)]
pub fn next(state: i16, new: u16, update: u16) -> i16 {
    let (state, new) = (i32::from(state), i32::from(new) - (1 << 15));
    (new + (((state - new) * (i32::from(update) >> 2) + (1 << 13)) >> 14)) as i16
}

/// What is multiplied of a unit of the state: its upper 8 bits, rounded.
#[inline(always)]
pub fn multiplied(unit: i16) -> i16 {
    unit.saturating_add(1 << 7) >> 8
}

impl Recurrent {
    /// Units of the state.
    pub fn units(&self) -> usize {
        self.gates.inputs
    }

    /// The layers, with their names and the highest |weight|.
    fn layers(&self) -> [(&'static str, &Linear, i16); 5] {
        [
            ("input", &self.input, MAX_WEIGHT),
            ("gates", &self.gates, MAX_WEIGHT),
            ("skip", &self.skip, MAX_WEIGHT),
            ("second", &self.second, MAX_WEIGHT),
            ("output", &self.output, i8::MAX.into()),
        ]
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
        let (mut products, mut added) = (vec![0; 3 * units], vec![0; 3 * units]);
        let before: Vec<_> = state.iter().map(|&unit| multiplied(unit)).collect();
        self.gates.apply(&before, &mut products);
        self.input.apply(first, &mut added);
        for (gate, sum) in added.iter_mut().enumerate() {
            *sum = (*sum << FIRST_SHIFT) + self.entry(last, gate);
        }
        for (j, unit) in state.iter_mut().enumerate() {
            let [reset, update] =
                [j, units + j].map(|i| squash((added[i] + products[i]) >> GATE_SHIFT));
            let [added, product] =
                [&added, &products].map(|sums| sums[2 * units + j] >> GATE_SHIFT);
            let new = squash(2 * (added + let_through(reset, product)));
            *unit = next(*unit, new, update);
        }
    }

    /// The scalar reference: the logits of all nodes.
    pub fn logits(&self, state: &[i16], first: &[i16]) -> Vec<i16> {
        let mut sums = [vec![0; self.second.outputs], vec![0; self.second.outputs]];
        let state: Vec<_> = state.iter().map(|&unit| multiplied(unit)).collect();
        self.second.apply(&state, &mut sums[0]);
        self.skip.apply(first, &mut sums[1]);
        let sums = sums[0].iter().zip(&sums[1]).map(|(s, f)| s + (f << FIRST_SHIFT));
        node_logits(sums, &self.output, OUTPUT_SHIFT)
    }

    /// Reads that of a model file, for so many units of the first layer, and proves its sums;
    /// `None` if it has none.
    pub fn from_file(file: &ModelFile, first: usize) -> Result<Option<Self>, ModelError> {
        if !file.tensors.contains_key(TABLE) {
            return Ok(None);
        }
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
        let second_units = units("language.recurrent.skip.bias", MAX_UNITS[1], 1)?;
        let gates = 3 * state_units;
        let over_first = |name: &str, outputs| {
            layer_from_file::<i8>(file, &format!("language.recurrent.{name}"), first, outputs)
        };
        let over_state = |name: &str, outputs| {
            let name = format!("language.recurrent.{name}");
            weights_from_file::<i8>(file, &name, state_units, outputs)
        };
        let recurrent = Self {
            table: tensor_from_file(file, TABLE, &[256, gates])?,
            input: over_first("input", gates)?,
            gates: over_state("gates", gates)?,
            skip: over_first("skip", second_units)?,
            second: over_state("second", second_units)?,
            output: layer_from_file::<i8>(file, "language.recurrent.output", second_units, NODES)?,
        };
        for (name, layer, most) in recurrent.layers() {
            if layer.weights.iter().any(|w| w.abs() > most) {
                let name = format!("language.recurrent.{name}.weight");
                return Err(ModelError::tensor(name, format!("not within ±{most}")));
            }
        }
        let over_first = |layer: &Linear| layer.sum_bound(MAX_ACTIVATION.into()) << FIRST_SHIFT;
        let over_state = |layer: &Linear| layer.sum_bound(MAX_MULTIPLIED);
        let Self { input, gates, skip, second, output, .. } = &recurrent;
        let entries = i64::from(i8::MIN).abs() << TABLE_SHIFT;
        for (name, bound) in [
            ("gates", over_first(input) + over_state(gates) + entries),
            ("second", over_first(skip) + over_state(second)),
            ("output", output.sum_bound(MAX_ACTIVATION.into())),
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
        let mut put = |name: &str, tensor| {
            file.tensors.insert(format!("language.recurrent.{name}"), tensor);
        };
        put("table", Tensor::from_values(&[256, self.gates.outputs], &self.table));
        for (name, layer, _) in self.layers() {
            let weights: Vec<i8> = layer.weights.iter().map(|&w| w as i8).collect();
            let weights = Tensor::from_values(&[layer.outputs, layer.inputs], &weights);
            put(&format!("{name}.weight"), weights);
        }
        let with_bias = [("input", &self.input), ("skip", &self.skip), ("output", &self.output)];
        for (name, layer) in with_bias {
            put(&format!("{name}.bias"), Tensor::from_values(&[layer.outputs], &layer.bias));
        }
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
        for name in file().tensors.keys() {
            if name != TABLE {
                bad(&|f| drop(f.tensors.remove(name)));
            }
            bad(&|f| drop(f.tensors.insert(name.clone(), Tensor::from_values::<i8>(&[0], &[]))));
            let many = Tensor::from_values(&[256, 2048], &vec![0i8; 256 * 2048]);
            bad(&|f| drop(f.tensors.insert(name.clone(), many.clone())));
        }
        for (name, n) in [("input", 36), ("skip", 7), ("output", 256)] {
            let name = format!("language.recurrent.{name}.bias");
            let far = Tensor::from_values(&[n], &vec![i32::MAX; n]);
            bad(&|f| drop(f.tensors.insert(name.clone(), far.clone())));
        }
        for (name, shape, most) in [
            ("input", [36, 5], 64),
            ("gates", [36, 12], 64),
            ("skip", [7, 5], 64),
            ("second", [7, 12], 64),
            ("output", [256, 7], 127i8),
        ] {
            let name = format!("language.recurrent.{name}.weight");
            let with = |weight: i8| {
                let mut weights = vec![0; shape[0] * shape[1]];
                weights[5] = weight;
                Tensor::from_values(&shape, &weights)
            };
            bad(&|f| drop(f.tensors.insert(name.clone(), with(-most - 1))));
            if most < i8::MAX {
                bad(&|f| drop(f.tensors.insert(name.clone(), with(most + 1))));
            }
            for weight in [most, -most] {
                let mut file = file();
                file.tensors.insert(name.clone(), with(weight));
                assert!(Recurrent::from_file(&file, 5).is_ok(), "{name} {weight}");
            }
        }
        let long = Tensor::from_values(&[257], &[0i32; 257]);
        bad(&|f| drop(f.tensors.insert("language.recurrent.output.bias".into(), long.clone())));
        assert!(Recurrent::from_file(&file(), 6).is_err());
    }

    #[test]
    fn a_unit_stays_between_its_state_and_the_new_one() {
        // the update gate open, half open and shut; the new state at either end and at zero
        for state in [i16::MIN + 1, -1, 0, 1, 12_345, i16::MAX] {
            for new in [1, 1 << 15, u16::MAX] {
                let (s, n) = (i32::from(state), i32::from(new) - (1 << 15));
                let kept = n + (((s - n) * 16383 + 8192) >> 14);
                assert_eq!(i32::from(next(state, new, u16::MAX)), kept);
                assert!((kept - s).abs() <= 4);
                assert_eq!(i32::from(next(state, new, 1)), n);
                let half = i32::from(next(state, new, 1 << 15));
                assert!((half - i32::midpoint(s, n)).abs() <= 1);
            }
        }
        assert_eq!(let_through(1, -5), 0);
        assert_eq!(let_through(1 << 15, -5), -3);
        assert_eq!(let_through(u16::MAX, 100_000), 99_975);
    }
}
