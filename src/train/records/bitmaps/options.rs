//! What to train and how.

use crate::engine::torch::TorchDevice;
use crate::made::window::WindowArchitecture;
use crate::train::records::TrainError;
use std::path::PathBuf;

/// Most pixels that bitmaps are moved by: every way to move one has an input of its own.
const MAX_MOVES: usize = 8;

/// Training options of a convolutional MADE.
#[derive(Clone, Debug)]
pub struct BitmapOptions {
    /// Lines of a bitmap.
    pub height: usize,
    /// Pixels of a line.
    pub width: usize,
    /// Lines that the window reaches up.
    pub up: usize,
    /// Pixels that the window reaches to either side.
    pub side: usize,
    /// Units of each hidden layer, at least one layer.
    pub hidden: Vec<usize>,
    /// Bits of a hidden activation.
    pub activation_bits: u32,
    /// Bits of a weight, sign included.
    pub weight_bits: u32,
    /// Passes over the bitmaps.
    pub epochs: usize,
    /// Bitmaps of a batch.
    pub batch: usize,
    /// Least chance of a pixel to be looked at; 1 looks at all.
    pub least_chance: f64,
    /// How far bitmaps that are learned from are moved, each way; half of them stay where they
    /// are. The network is told how each was moved, so that it learns the unmoved ones as they
    /// are (Jun et al. 2020, "Distribution augmentation for generative modeling").
    pub moves: usize,
    /// Highest learning rate: it stays for half the epochs, then falls to zero.
    pub learning_rate: f64,
    /// Decoupled weight decay, per unit of learning rate.
    pub weight_decay: f64,
    /// Probability that a hidden unit is left out.
    pub dropout: f64,
    /// Decay of the running average of the weights, per batch.
    pub averaging: f64,
    /// Matrix products in bfloat16; weights stay in 32 bits.
    pub bf16: bool,
    /// Epochs without a better validation loss before training ends; 0: never.
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

impl BitmapOptions {
    /// Refuses options that make no sense together.
    pub fn check(&self, dims: usize) -> Result<(), TrainError> {
        let wrong = |text: String| Err(TrainError::Options(text));
        if self.height.checked_mul(self.width) != Some(dims) {
            let (h, w) = (self.height, self.width);
            return wrong(format!("--shape {h}x{w} does not fit rows of {dims} bits"));
        }
        if self.batch == 0 || self.epochs == 0 {
            return wrong("the batch and the number of epochs are at least 1".into());
        }
        let share = 0.0..1.0;
        if !(share.contains(&self.dropout) && share.contains(&self.averaging)) {
            return wrong("dropout and weight averaging are at least 0 and less than 1".into());
        }
        if !(self.least_chance > 0.0 && self.least_chance <= 1.0) {
            return wrong("the least chance of a pixel is above 0 and at most 1".into());
        }
        if self.moves > MAX_MOVES {
            return wrong(format!("bitmaps are moved by at most {MAX_MOVES} pixels"));
        }
        if !(self.learning_rate > 0.0 && self.weight_decay >= 0.0) {
            return wrong("the learning rate is above 0, the weight decay not below".into());
        }
        if !(4..=16).contains(&self.weight_bits) {
            return wrong("weights have 4 to 16 bits".into());
        }
        Ok(self.architecture().check()?)
    }

    /// The architecture, its shifts still zero.
    pub fn architecture(&self) -> WindowArchitecture {
        WindowArchitecture {
            height: self.height,
            width: self.width,
            up: self.up,
            side: self.side,
            hidden: self.hidden.clone(),
            activation_bits: self.activation_bits,
            hidden_shifts: vec![0; self.hidden.len()],
            output_shift: 0,
        }
    }

    /// What a checkpoint must have in common with the run that goes on from it.
    pub fn fingerprint(&self, rows: usize) -> String {
        let mut all = serde_json::json!({
            "architecture": self.architecture(),
            "seed": self.seed,
            "batch": self.batch,
            "rows": rows,
        });
        if self.moves > 0 {
            all["moves"] = self.moves.into();
        }
        all.to_string()
    }
}
