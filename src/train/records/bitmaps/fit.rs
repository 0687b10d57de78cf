//! The training loop.

use super::batches::{Batch, Bitmaps, Hardness};
use super::export::export;
use super::network::{Dropout, FloatWindow};
use super::options::BitmapOptions;
use crate::made::random::SplitMix64;
use crate::made::window::WindowMade;
use crate::records::{RecordsCodec, Table};
use crate::train::records::adam::Adam;
use crate::train::records::checkpoint::{self, Position};
use crate::train::records::fit::check_tables;
use crate::train::records::{Progress, TrainError};
use std::time::Instant;
use tch::{Kind, Tensor};

/// Bitmaps that are evaluated at once.
const EVALUATED: usize = 64;
/// Share of the steps in which the learning rate rises.
const WARM_UP: f64 = 0.01;
/// Share of the steps after which it begins to fall.
const FALL: f64 = 0.5;

/// A trained model. Losses are nats per bitmap on the validation rows.
#[derive(Debug)]
pub struct BitmapReport {
    /// The integer model.
    pub made: WindowMade,
    /// Of the network in floating point, estimated from drawn pixels.
    pub float: f64,
    /// Of the integers.
    pub rounded: f64,
    /// Best epoch.
    pub best_epoch: usize,
}

struct Run<'a> {
    options: &'a BitmapOptions,
    network: FloatWindow,
    train: Bitmaps,
    hardness: Hardness,
    valid: Vec<Batch>,
    valid_rows: usize,
    position: Position,
    adam: Adam,
    best: Vec<Tensor>,
}

/// Fits a model to `train`, choosing by `valid`. `report` is called after each
/// epoch; when it returns false training ends there.
pub fn train_bitmaps(
    train: &Table,
    valid: &Table,
    options: &BitmapOptions,
    report: &mut dyn FnMut(&Progress) -> bool,
) -> Result<BitmapReport, TrainError> {
    check_tables(train, valid)?;
    options.check(train.dims)?;
    let mut run = Run::new(train, valid, options)?;
    run.phase(report)?;
    let made = export(&run.network, &run.best, &run.valid[0], options)?;
    let float = run.evaluate(&run.best);
    let rounded = integer_loss(&made, valid)?;
    Ok(BitmapReport { made, float, rounded, best_epoch: run.position.best_epoch })
}

/// Nats per bitmap of the integer model itself.
fn integer_loss(made: &WindowMade, table: &Table) -> Result<f64, TrainError> {
    let codec = RecordsCodec::new(&made.clone().into(), [0; 32], 0);
    let costs = codec
        .costs(&table.rows)
        .map_err(|e| TrainError::Data(format!("evaluating the integer model: {e}")))?;
    Ok(costs.rows.iter().sum::<f64>() * std::f64::consts::LN_2 / table.len() as f64)
}

impl<'a> Run<'a> {
    fn new(train: &Table, valid: &Table, options: &'a BitmapOptions) -> Result<Self, TrainError> {
        let architecture = options.architecture();
        let device = options.device.device();
        let network = FloatWindow::new(architecture.clone(), options.bf16, device);
        let (train, valid) =
            (Bitmaps::new(&architecture, train), Bitmaps::new(&architecture, valid));
        let hardness = train.hardness(options.least_chance);
        let mut rng = SplitMix64::new(options.seed ^ 0xba7c4);
        let rows: Vec<usize> = (0..valid.len()).collect();
        let drawn = rows.chunks(EVALUATED).map(|c| valid.draw(c, &hardness, &mut rng, device));
        let drawn = drawn.collect::<Result<Vec<_>, _>>()?;
        let initial = network.initial(options.seed, &train.frequencies());
        let fingerprint = options.fingerprint(train.len());
        let valid_rows = valid.len();
        let saved = match &options.checkpoint {
            Some(path) if options.resume && path.exists() => {
                Some(checkpoint::load(path, &initial, &fingerprint)?)
            }
            _ => None,
        };
        let (position, adam, best) = match saved {
            Some(saved) => (saved.position, saved.adam, saved.best),
            None => {
                let position = Position {
                    fingerprint,
                    quantized: false,
                    epoch: 0,
                    best: f64::INFINITY,
                    best_epoch: 0,
                    step: 0,
                };
                let best = initial.iter().map(Tensor::copy).collect();
                (position, Adam::new(&initial), best)
            }
        };
        Ok(Self {
            options,
            network,
            train,
            hardness,
            valid: drawn,
            valid_rows,
            position,
            adam,
            best,
        })
    }

    /// Nats per bitmap of the validation rows, estimated from the drawn pixels.
    fn evaluate(&self, parameters: &[Tensor]) -> f64 {
        let _guard = tch::no_grad_guard();
        let nats = |b: &Batch| self.network.loss(parameters, b, None).double_value(&[]);
        self.valid.iter().map(nats).sum::<f64>() / self.valid_rows as f64
    }

    fn phase(&mut self, report: &mut dyn FnMut(&Progress) -> bool) -> Result<(), TrainError> {
        let begun = Instant::now();
        let (first, epochs) = (self.position.epoch, self.options.epochs);
        for epoch in first..epochs {
            let train = self.epoch(epoch)?;
            let valid = self.evaluate(&self.adam.average);
            if !(train.is_finite() && valid.is_finite()) {
                return Err(TrainError::Diverged(epoch + 1));
            }
            self.position.epoch = epoch + 1;
            self.position.step = self.adam.step;
            if valid < self.position.best {
                self.position.best = valid;
                self.position.best_epoch = epoch + 1;
                self.best = self.adam.average.iter().map(Tensor::copy).collect();
            }
            if let Some(path) = &self.options.checkpoint {
                checkpoint::save(path, &self.position, &self.adam, &self.best, &self.best)?;
            }
            let done = (epoch + 1 - first) as u32;
            let go_on = report(&Progress {
                quantized: false,
                epoch: epoch + 1,
                epochs,
                train,
                valid,
                best: self.position.best,
                left: begun.elapsed() / done * (epochs - epoch - 1) as u32,
            });
            let waited = epoch + 1 - self.position.best_epoch;
            if !go_on || (self.options.patience > 0 && waited >= self.options.patience) {
                break;
            }
        }
        Ok(())
    }

    /// One pass over the bitmaps; its mean loss.
    fn epoch(&mut self, epoch: usize) -> Result<f64, TrainError> {
        let options = self.options;
        // Each epoch has its own seeds, so that a resumed run repeats the rest.
        let mut rng = SplitMix64::new(options.seed ^ (epoch as u64 + 1) << 8);
        let mut order: Vec<usize> = (0..self.train.len()).collect();
        rng.shuffle(&mut order);
        let widest = options.hidden.iter().copied().max().unwrap_or(1);
        let most = options.batch * self.network.architecture.dims();
        let mut dropout = (options.dropout > 0.0).then(|| {
            Dropout::new(options.dropout, most, widest, rng.next_u64(), self.network.kind())
        });
        let batches = order.len().div_ceil(options.batch);
        let mut total = Tensor::zeros([], (Kind::Double, options.device.device()));
        for (b, chosen) in order.chunks(options.batch).enumerate() {
            let batch =
                self.train.draw(chosen, &self.hardness, &mut rng, options.device.device())?;
            let nats = self.network.loss(&self.adam.parameters, &batch, dropout.as_mut());
            total += nats.detach();
            let along = (epoch as f64 + b as f64 / batches as f64) / options.epochs as f64;
            let rate = options.learning_rate * schedule(along);
            let loss = nats / chosen.len() as f64;
            self.adam.descend(&loss, rate, options.weight_decay, options.averaging);
        }
        Ok(total.double_value(&[]) / order.len() as f64)
    }
}

/// The learning rate's factor after a share of the steps: up, level, down.
fn schedule(along: f64) -> f64 {
    if along < WARM_UP {
        (along / WARM_UP).max(0.01)
    } else if along < FALL {
        1.0
    } else {
        let fallen = (along - FALL) / (1.0 - FALL);
        (0.5 * (1.0 + (std::f64::consts::PI * fallen).cos())).max(0.002)
    }
}
