//! What to train and how.

use super::TrainError;
use crate::engine::torch::TorchDevice;
use crate::made::architecture::MAX_MASKS;
use crate::made::degrees::DegreeRule;
use crate::made::{Architecture, Ordering};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where the order of the dimensions comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderingChoice {
    /// As in the data.
    Natural,
    /// Drawn with the seed.
    Random,
    /// Dimensions in the order in which they are to be coded.
    Sequence(Vec<usize>),
}

/// Training options; [`Options::default`] suits tables of some ten thousand rows.
#[derive(Clone, Debug)]
pub struct Options {
    /// Units of each hidden layer; none makes an FVSBN.
    pub hidden: Vec<usize>,
    /// Order of the dimensions.
    pub ordering: OrderingChoice,
    /// Orderings under which rows are mixed: the one above, and random ones.
    pub orderings: usize,
    /// Masks whose probabilities are averaged, under each ordering. Training goes
    /// through all of them batch after batch.
    pub masks: usize,
    /// How degrees are chosen; several masks need [`DegreeRule::Sampled`].
    pub degrees: DegreeRule,
    /// Links from inputs straight to outputs.
    pub direct: bool,
    /// Hidden units share their weights over the dimensions, as in NADE; the one
    /// hidden layer then has so many units for each dimension.
    pub tied: bool,
    /// Bits of a hidden activation.
    pub activation_bits: u32,
    /// Bits of a weight, sign included.
    pub weight_bits: u32,
    /// Epochs in floating point.
    pub epochs: usize,
    /// Epochs with rounded weights and activations.
    pub quantized_epochs: usize,
    /// Rows of a batch.
    pub batch: usize,
    /// Highest learning rate; it falls to zero along a cosine.
    pub learning_rate: f64,
    /// Decoupled weight decay, per unit of learning rate.
    pub weight_decay: f64,
    /// Shrinking of the links from inputs straight to outputs (the direct ones, or
    /// all of an FVSBN): one whose gradient, as a mean over the rows, is not this
    /// many standard errors from zero is left out. For tables of few rows, in which
    /// most dimensions know nothing of each other.
    pub l1: f64,
    /// Probability that a hidden unit is left out in training.
    pub dropout: f64,
    /// Matrix products in bfloat16 while there is no rounding; weights stay in 32
    /// bits.
    pub bf16: bool,
    /// Decay of the running average of the weights, per batch.
    pub averaging: f64,
    /// Epochs without a better validation loss before the phase ends; 0: never.
    pub patience: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Where training is done.
    pub device: TorchDevice,
    /// State is written here after each epoch.
    pub checkpoint: Option<PathBuf>,
    /// Whether to go on from the checkpoint, if there is one.
    pub resume: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hidden: vec![500],
            ordering: OrderingChoice::Natural,
            orderings: 1,
            masks: 1,
            degrees: DegreeRule::Sampled,
            direct: false,
            tied: false,
            activation_bits: 8,
            weight_bits: 12,
            epochs: 100,
            quantized_epochs: 5,
            batch: 100,
            learning_rate: 1e-3,
            weight_decay: 0.0,
            l1: 0.0,
            dropout: 0.0,
            bf16: false,
            averaging: 0.999,
            patience: 20,
            seed: 0,
            device: TorchDevice::cpu(),
            checkpoint: None,
            resume: false,
        }
    }
}

impl Options {
    /// Refuses options that make no sense together.
    pub fn check(&self, dims: usize) -> Result<(), TrainError> {
        let wrong = |text: &str| Err(TrainError::Options(text.into()));
        if self.batch == 0 || self.epochs == 0 {
            return wrong("the batch and the number of epochs are at least 1");
        }
        if !(0.0..1.0).contains(&self.dropout) || !(0.0..1.0).contains(&self.averaging) {
            return wrong("dropout and weight averaging are at least 0 and less than 1");
        }
        if !(self.learning_rate > 0.0 && self.weight_decay >= 0.0 && self.l1 >= 0.0) {
            return wrong("the learning rate is above 0, the weight decay and L1 not below");
        }
        if !(4..=16).contains(&self.weight_bits) {
            return wrong("weights have 4 to 16 bits");
        }
        if self.masks > 1 && self.degrees == DegreeRule::Even {
            return wrong("several masks need sampled degrees: even ones are always the same");
        }
        let networks = self.orderings.saturating_mul(self.masks);
        if !(1..=MAX_MASKS).contains(&networks) {
            return wrong("orderings times masks are 1 to 64");
        }
        if self.tied && (self.hidden.len() != 1 || networks != 1 || dims < 2) {
            return wrong("tied weights need one hidden layer, one mask and rows of two bits");
        }
        Ok(self.architecture(dims).check()?)
    }

    /// L1 as the optimizer takes it, with so many rows to train on: in units of a
    /// batch's gradient, which strays √(rows / batch) times as far as that of all
    /// rows.
    pub(super) fn shrinking(&self, rows: usize) -> f64 {
        self.l1 * (self.batch.min(rows) as f64 / rows as f64).sqrt()
    }

    /// The architecture, its shifts still zero.
    pub fn architecture(&self, dims: usize) -> Architecture {
        let groups = if self.tied { dims.saturating_sub(1) } else { 1 };
        Architecture {
            dims,
            hidden: self.hidden.iter().map(|units| units.saturating_mul(groups)).collect(),
            masks: self.masks,
            direct: self.direct,
            activation_bits: self.activation_bits,
            hidden_shifts: vec![0; self.hidden.len()],
            output_shift: 0,
            direct_shift: 0,
        }
    }

    /// The orderings of `dims` dimensions.
    pub fn make_orderings(&self, dims: usize) -> Result<Vec<Ordering>, TrainError> {
        let random = |o: u64| Ordering::random(dims, self.seed.wrapping_add(o << 32));
        let first = match &self.ordering {
            OrderingChoice::Natural => Ordering::natural(dims),
            OrderingChoice::Random => random(0),
            OrderingChoice::Sequence(sequence) => Ordering::from_sequence(sequence)?,
        };
        if first.dims() != dims {
            return Err(TrainError::Options(format!(
                "the ordering has {} dimensions, the rows have {dims}",
                first.dims()
            )));
        }
        Ok(std::iter::once(first).chain((1..self.orderings as u64).map(random)).collect())
    }

    /// What a checkpoint must have in common with the run that goes on from it.
    pub fn fingerprint(&self, dims: usize, rows: usize) -> String {
        serde_json::json!({
            "architecture": self.architecture(dims),
            "ordering": self.ordering,
            "orderings": self.orderings,
            "degrees": self.degrees,
            "tied": self.tied,
            "seed": self.seed,
            "batch": self.batch,
            "rows": rows,
        })
        .to_string()
    }
}
