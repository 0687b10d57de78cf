//! The weights of the online stage at the start of a block.

use crate::made::error::ModelError;
use crate::made::file::{ModelFile, Tensor};
use crate::stream::mixer::{LAST_INPUTS, LAST_WEIGHT_BITS, WEIGHT_BITS, WEIGHT_LIMIT};
use crate::stream::network::values;
use crate::stream::row::{CLASSES, MATCH_CLASSES, RUNS};
#[cfg(doc)]
use crate::stream::surprise::Surprise;

/// Number of weight sets that a model has weights for.
pub const SETS: usize = 5;
/// Rows of each: one for each number, without the classes of [`Surprise`].
pub const SET_ROWS: [usize; SETS] = [256, MATCH_CLASSES * 8, 256, RUNS, CLASSES];
/// Number of last mixers.
pub const LASTS: usize = 2;
/// Rows of each.
pub const LAST_ROWS: usize = 256;
/// The sets' tensors.
const NAMES: [&str; SETS] =
    ["weights.partial", "weights.match", "weights.c1", "weights.runs", "weights.classes"];
/// The last mixers'.
const LAST: [&str; LASTS] = ["weights.last.partial", "weights.last.classes"];

/// Weight of the contexts' and match models' logits where a model says nothing,
const START: i16 = 1 << WEIGHT_BITS >> 4;
/// and of the network's.
const NETWORK_START: i16 = ((5i32 << WEIGHT_BITS) >> 3) as i16;

/// The weights of the online stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlineWeights {
    /// Of each set, `[SET_ROWS[set]][2C]`.
    pub sets: [Vec<i16>; SETS],
    /// Of each last mixer, `[LAST_ROWS][LAST_INPUTS]`.
    pub last: [Vec<i32>; LASTS],
}

impl OnlineWeights {
    /// Weights that trust the network most, for `contexts` contexts.
    pub fn untrained(contexts: usize) -> Self {
        let mut row = vec![0; 2 * contexts];
        row[..contexts].fill(START);
        row[2 * contexts - 4..][..2].fill(START);
        row[2 * contexts - 1] = NETWORK_START;
        let mut last = [0; LAST_INPUTS];
        last[..SETS].fill((1 << LAST_WEIGHT_BITS) / SETS as i32);
        let last = std::array::from_fn(|_| last.repeat(LAST_ROWS));
        Self { sets: SET_ROWS.map(|rows| row.repeat(rows)), last }
    }

    /// Puts the weights into a model file.
    pub fn to_file(&self, contexts: usize, file: &mut ModelFile) {
        for ((name, set), rows) in NAMES.iter().zip(&self.sets).zip(SET_ROWS) {
            let tensor = Tensor::from_values(&[rows, 2 * contexts], set);
            file.tensors.insert((*name).into(), tensor);
        }
        for (name, last) in LAST.iter().zip(&self.last) {
            let tensor = Tensor::from_values(&[LAST_ROWS, LAST_INPUTS], last);
            file.tensors.insert((*name).into(), tensor);
        }
    }

    /// Reads the weights of a model file, all or none: then those of [`Self::untrained`].
    pub fn from_file(file: &ModelFile, contexts: usize) -> Result<Self, ModelError> {
        if !NAMES.iter().chain(&LAST).any(|&name| file.tensors.contains_key(name)) {
            return Ok(Self::untrained(contexts));
        }
        let mut weights = Self::untrained(contexts);
        for ((name, set), rows) in NAMES.iter().zip(&mut weights.sets).zip(SET_ROWS) {
            let (shape, read) = values::<i16>(file, name)?;
            if shape != [rows, 2 * contexts] {
                let reason = format!("shape {shape:?}, wanted [{rows}, {}]", 2 * contexts);
                return Err(ModelError::tensor(*name, reason));
            }
            *set = read;
        }
        for (name, last) in LAST.iter().zip(&mut weights.last) {
            let (shape, read) = values::<i32>(file, name)?;
            if shape != [LAST_ROWS, LAST_INPUTS]
                || read.iter().any(|w| w.unsigned_abs() > WEIGHT_LIMIT as u32)
            {
                let reason = "a weight is too large, or the shape is wrong";
                return Err(ModelError::tensor(*name, reason));
            }
            *last = read;
        }
        Ok(weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_come_back_from_a_file() {
        let mut weights = OnlineWeights::untrained(8);
        weights.sets[3][77] = -30_000;
        weights.last[1][9] = 1234;
        let mut file = ModelFile::default();
        assert!(OnlineWeights::from_file(&file, 8).unwrap() == OnlineWeights::untrained(8));
        weights.to_file(8, &mut file);
        assert!(OnlineWeights::from_file(&file, 8).unwrap() == weights);
        assert!(OnlineWeights::from_file(&file, 16).is_err());
        let mut some = file.clone();
        some.tensors.remove(LAST[0]);
        assert!(OnlineWeights::from_file(&some, 8).is_err(), "all or none");
        weights.last[1][9] = i32::MIN;
        weights.to_file(8, &mut file);
        assert!(OnlineWeights::from_file(&file, 8).is_err());
    }
}
