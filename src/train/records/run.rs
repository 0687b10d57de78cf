//! What runs have in common, whatever the network: their state, their epochs,
//! and the judgement of the integers that come out.

use super::TrainError;
use super::adam::Adam;
use super::checkpoint;
use crate::records::{RecordsCodec, RecordsModel, Table};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, Instant};
use tch::Tensor;

/// What an epoch brought. Losses are nats per row.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Whether weights and activations are rounded.
    pub quantized: bool,
    /// Epochs done in this phase.
    pub epoch: usize,
    /// Epochs of this phase.
    pub epochs: usize,
    /// Mean training loss of the epoch (with dropout, single masks).
    pub train: f64,
    /// Validation loss of the averaged weights.
    pub valid: f64,
    /// Best validation loss so far.
    pub best: f64,
    /// Time the rest of the phase will take, at most.
    pub left: Duration,
}

/// Where a run stands, beside its tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Position {
    /// What the run must have in common with the one that wrote this.
    pub fingerprint: String,
    /// Whether the second phase is under way.
    pub quantized: bool,
    /// Epochs of the phase that are done.
    pub epoch: usize,
    /// Best validation loss of the phase, nats per row.
    pub best: f64,
    /// Its epoch, from 1; 0 is the state the phase began with.
    pub best_epoch: usize,
    /// Steps of the optimizer.
    pub step: i64,
}

/// A run under way, as a checkpoint keeps it.
pub struct State {
    pub position: Position,
    pub adam: Adam,
    /// Best averaged parameters of the phase.
    pub best: Vec<Tensor>,
    /// The parameters the second phase began with.
    pub start: Vec<Tensor>,
}

/// The epochs of a phase.
pub trait Epochs {
    /// One pass over the training rows by `adam`; its mean loss, nats per row.
    fn train(&self, adam: &mut Adam, epoch: usize) -> Result<f64, TrainError>;

    /// Nats per validation row under these parameters.
    fn loss(&self, parameters: &[Tensor]) -> f64;
}

/// How long a phase may take, and where its state goes.
pub struct Phase<'a> {
    pub epochs: usize,
    /// Epochs without a better loss before the phase ends; 0: never.
    pub patience: usize,
    /// State is written here after each epoch.
    pub checkpoint: Option<&'a Path>,
}

pub fn copies(tensors: &[Tensor]) -> Vec<Tensor> {
    tensors.iter().map(|t| t.detach().copy()).collect()
}

impl State {
    /// The beginning of a run, or what `resume` holds of it.
    pub fn open(
        initial: &[Tensor],
        fingerprint: String,
        resume: Option<&Path>,
    ) -> Result<Self, TrainError> {
        if let Some(path) = resume.filter(|path| path.exists()) {
            return checkpoint::load(path, initial, &fingerprint);
        }
        let position = Position {
            fingerprint,
            quantized: false,
            epoch: 0,
            best: f64::INFINITY,
            best_epoch: 0,
            step: 0,
        };
        let adam = Adam::new(initial);
        Ok(Self { position, adam, best: copies(initial), start: copies(initial) })
    }

    /// Begins the second phase with `start`, whose validation loss is `loss`.
    pub fn begin_quantized(&mut self, loss: f64) {
        self.adam = Adam::new(&self.start);
        self.best = copies(&self.start);
        self.position.quantized = true;
        self.position.epoch = 0;
        self.position.best_epoch = 0;
        self.position.best = loss;
    }

    /// Runs the rest of a phase. `report` is called after each epoch; when it
    /// returns false the phase ends there.
    pub fn run(
        &mut self,
        phase: &Phase,
        epochs: &dyn Epochs,
        report: &mut dyn FnMut(&Progress) -> bool,
    ) -> Result<(), TrainError> {
        let begun = Instant::now();
        let first = self.position.epoch;
        for epoch in first..phase.epochs {
            let train = epochs.train(&mut self.adam, epoch)?;
            let valid = epochs.loss(&self.adam.average);
            if !(train.is_finite() && valid.is_finite()) {
                return Err(TrainError::Diverged(epoch + 1));
            }
            self.position.epoch = epoch + 1;
            self.position.step = self.adam.step;
            if valid < self.position.best {
                self.position.best = valid;
                self.position.best_epoch = epoch + 1;
                self.best = copies(&self.adam.average);
            }
            if let Some(path) = phase.checkpoint {
                checkpoint::save(path, self)?;
            }
            let done = (epoch + 1 - first) as u32;
            let go_on = report(&Progress {
                quantized: self.position.quantized,
                epoch: epoch + 1,
                epochs: phase.epochs,
                train,
                valid,
                best: self.position.best,
                left: begun.elapsed() / done * (phase.epochs - epoch - 1) as u32,
            });
            let waited = epoch + 1 - self.position.best_epoch;
            if !go_on || (phase.patience > 0 && waited >= phase.patience) {
                break;
            }
        }
        Ok(())
    }
}

/// Nats per row of an integer model itself.
pub fn integer_loss(model: &RecordsModel, table: &Table) -> Result<f64, TrainError> {
    let codec = RecordsCodec::new(model, [0; 32], 0);
    let costs = codec
        .costs(&table.rows)
        .map_err(|e| TrainError::Data(format!("evaluating the integer model: {e}")))?;
    Ok(costs.rows.iter().sum::<f64>() * std::f64::consts::LN_2 / table.len() as f64)
}
