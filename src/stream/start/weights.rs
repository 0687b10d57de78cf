//! The weights of the online stage at the start of a block.

use crate::made::error::ModelError;
use crate::made::file::{ModelFile, Tensor};
use crate::stream::mixer::{LAST_INPUTS, LAST_WEIGHT_BITS, WEIGHT_BITS, WEIGHT_LIMIT};
use crate::stream::network::values;
use crate::stream::row::{CLASSES, MATCH_CLASSES, RUNS, has_runs};
#[cfg(doc)]
use crate::stream::surprise::Surprise;

/// Number of weight sets that a model has weights for.
pub const SETS: usize = 5;
/// Rows of each, at most: one for each number, without the classes of [`Surprise`].
pub const SET_ROWS: [usize; SETS] = [256, MATCH_CLASSES * 8, 256, RUNS, CLASSES];
/// The one chosen by [`Row::runs`](crate::stream::row::Row::runs).
const RUNS_SET: usize = 3;
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
    /// Of each set, `[rows][2C]`: a power of two of rows, at most `SET_ROWS[set]`, which are
    /// repeated for the numbers beyond them.
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

    /// The weights with so many rows, powers of two, of the sets chosen by `runs` and by
    /// `classes`, whose numbers are the most: each is the mean of those that have learned of the
    /// rows that it stands for. A set that is not used ([`has_runs`]) has one row.
    pub fn folded(mut self, contexts: usize, runs: usize, classes: usize) -> Self {
        let width = 2 * contexts;
        let untrained = &Self::untrained(contexts).sets[0][..width];
        for (set, rows) in [(RUNS_SET, runs), (SETS - 1, classes)] {
            self.sets[set] = fold(&self.sets[set], rows, untrained);
        }
        if !has_runs(contexts) {
            self.sets[RUNS_SET].truncate(width);
        }
        self
    }

    /// The names of their tensors.
    pub fn names() -> [&'static str; SETS + LASTS] {
        std::array::from_fn(|i| if i < SETS { NAMES[i] } else { LAST[i - SETS] })
    }

    /// Puts the weights into a model file.
    pub fn to_file(&self, contexts: usize, file: &mut ModelFile) {
        let width = 2 * contexts;
        for (name, set) in NAMES.iter().zip(&self.sets) {
            let tensor = Tensor::from_values(&[set.len() / width, width], set);
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
            let width = 2 * contexts;
            let fits = |n: usize| n.is_power_of_two() && n <= rows;
            if !matches!(shape[..], [n, w] if fits(n) && w == width) {
                let reason =
                    format!("shape {shape:?}, wanted [a power of two up to {rows}, {width}]");
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

/// So many rows instead of those of a set, of which some are as they were before training.
fn fold(set: &[i16], rows: usize, untrained: &[i16]) -> Vec<i16> {
    let width = untrained.len();
    let mut folded = Vec::with_capacity(rows * width);
    for first in 0..rows {
        let all = set.chunks_exact(width).skip(first).step_by(rows);
        let learned: Vec<&[i16]> = all.filter(|row| *row != untrained).collect();
        for i in 0..width {
            let sum: i32 = learned.iter().map(|row| i32::from(row[i])).sum();
            let mean = sum.checked_div(learned.len() as i32).map(|mean| mean as i16);
            folded.push(mean.unwrap_or(untrained[i]));
        }
    }
    folded
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

    #[test]
    fn folded_rows_are_means_of_what_was_learned() {
        let mut weights = OnlineWeights::untrained(8);
        let set = weights.sets.last_mut().unwrap();
        // numbers 3 and 3 + 256 have learned
        set[3 * 16 + 5] = 100;
        set[(3 + 256) * 16 + 5] = 300;
        let folded = weights.clone().folded(8, 1024, 256);
        let row = |i: usize| folded.sets.last().unwrap()[i * 16 + 5];
        assert_eq!((folded.sets.last().unwrap().len(), row(3), row(4)), (256 * 16, 200, START));
        assert!(folded.sets[..RUNS_SET] == weights.sets[..RUNS_SET]);
        assert_eq!(folded.sets[RUNS_SET].len(), 16, "eight contexts do without");
        let more = OnlineWeights::untrained(16);
        assert!(more.clone().folded(16, 1024, 4096) == more);
        assert_eq!(more.folded(16, 64, 256).sets[RUNS_SET].len(), 64 * 32);
        let mut file = ModelFile::default();
        folded.to_file(8, &mut file);
        assert!(OnlineWeights::from_file(&file, 8).unwrap() == folded);
        let odd = Tensor::from_values(&[3, 16], &[0i16; 48]);
        file.tensors.insert(NAMES[SETS - 1].into(), odd);
        assert!(OnlineWeights::from_file(&file, 8).is_err());
    }
}
