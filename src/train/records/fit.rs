//! The training loop.

use super::TrainError;
use super::adam::Adam;
use super::checkpoint::{self, Position};
use super::export::export;
use super::network::{Dropout, FloatMade, cross_entropy};
use super::options::Options;
use super::quantize::Scales;
use crate::made::Made;
use crate::made::random::SplitMix64;
use crate::records::{Layout, RecordsCodec, Table};
use std::time::{Duration, Instant};
use tch::{Kind, Tensor};

/// Rows below which nothing sensible can be learned.
const LEAST_ROWS: usize = 10;
/// Rows that show how large activations get.
const CALIBRATION_ROWS: i64 = 1000;

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

/// A trained model. Losses are nats per row on the validation rows.
#[derive(Debug)]
pub struct Report {
    /// The integer model.
    pub made: Made,
    /// Of the network in floating point.
    pub float: f64,
    /// Of the integers it was rounded to.
    pub rounded: f64,
    /// Of the integers after training with rounding; the model is the better of
    /// the two.
    pub quantized: f64,
    /// Best epoch of the first phase.
    pub best_epoch: usize,
}

impl Report {
    /// Validation loss of the model.
    pub fn valid(&self) -> f64 {
        self.rounded.min(self.quantized)
    }
}

/// Rows as a tensor of 0 and 1, in the order of the data.
fn tensor(table: &Table, options: &Options) -> Result<Tensor, TrainError> {
    let mut bits = Vec::new();
    Layout::new(&crate::made::Ordering::natural(table.dims)).unpack(&table.rows, &mut bits);
    let shape = [table.len() as i64, table.dims as i64];
    let tensor = Tensor::f_from_slice(&bits)?.f_reshape(shape)?;
    Ok(tensor.f_to_device(options.device.device())?)
}

/// Refuses rows that cannot be trained on.
pub fn check_tables(train: &Table, valid: &Table) -> Result<(), TrainError> {
    if train.dims != valid.dims {
        return Err(TrainError::Data(format!(
            "training rows have {} bits, validation rows {}",
            train.dims, valid.dims
        )));
    }
    if train.len() < LEAST_ROWS || valid.is_empty() {
        return Err(TrainError::Data(format!(
            "{} training and {} validation rows: there must be at least {LEAST_ROWS} and 1",
            train.len(),
            valid.len()
        )));
    }
    Ok(())
}

/// A run under way.
struct Run<'a> {
    options: &'a Options,
    made: FloatMade,
    train: Tensor,
    valid: Tensor,
    position: Position,
    adam: Adam,
    /// Best averaged parameters of the phase.
    best: Vec<Tensor>,
    /// The parameters the second phase began with.
    start: Vec<Tensor>,
}

/// Fits a model to `train`, choosing by `valid`. `report` is called after each
/// epoch; when it returns false the phase ends there.
pub fn train(
    train: &Table,
    valid: &Table,
    options: &Options,
    report: &mut dyn FnMut(&Progress) -> bool,
) -> Result<Report, TrainError> {
    check_tables(train, valid)?;
    options.check(train.dims)?;
    let mut run = Run::new(train, valid, options)?;
    if !run.position.quantized {
        run.phase(None, options.epochs, options.learning_rate, report)?;
        run.start = run.best.iter().map(Tensor::copy).collect();
    }
    let float = run.made.evaluate(&run.start, &run.valid, None);
    let rows = run.train.size()[0].min(CALIBRATION_ROWS);
    let calibration = run.train.narrow(0, 0, rows).to_kind(Kind::Float);
    let scales = Scales::choose(&run.made, &run.start, &calibration, options);
    let rounded_made = export(&run.made, &run.start, &scales)?;
    let rounded = integer_loss(&rounded_made, valid)?;
    let best_epoch = run.position.best_epoch;
    if options.quantized_epochs == 0 {
        return Ok(Report { made: rounded_made, float, rounded, quantized: rounded, best_epoch });
    }
    if !run.position.quantized {
        run.begin_quantized(&scales);
    }
    run.phase(Some(&scales), options.quantized_epochs, options.learning_rate / 5.0, report)?;
    let made = export(&run.made, &run.best, &scales)?;
    let quantized = integer_loss(&made, valid)?;
    let made = if quantized < rounded { made } else { rounded_made };
    Ok(Report { made, float, rounded, quantized, best_epoch })
}

/// Nats per row of the integer model itself.
fn integer_loss(made: &Made, table: &Table) -> Result<f64, TrainError> {
    let codec = RecordsCodec::new(&made.clone().into(), [0; 32], 0);
    let costs = codec
        .costs(&table.rows)
        .map_err(|e| TrainError::Data(format!("evaluating the integer model: {e}")))?;
    Ok(costs.rows.iter().sum::<f64>() * std::f64::consts::LN_2 / table.len() as f64)
}

impl<'a> Run<'a> {
    fn new(train: &Table, valid: &Table, options: &'a Options) -> Result<Self, TrainError> {
        let (train_rows, valid) = (tensor(train, options)?, tensor(valid, options)?);
        let made = FloatMade::new(options, options.make_ordering(train.dims)?);
        let rows = train.len() as f64;
        let ones = train_rows.sum_dim_intlist(0, false, Kind::Double).to_device(tch::Device::Cpu);
        let ones = Vec::<f64>::try_from(ones)?;
        let frequencies: Vec<f64> = ones.iter().map(|n| (n + 0.5) / (rows + 1.0)).collect();
        let initial = made.initial(options.seed, &frequencies);
        let fingerprint = options.fingerprint(train.dims, train.len());
        if let (true, Some(path)) = (options.resume, &options.checkpoint)
            && path.exists()
        {
            let saved = checkpoint::load(path, &initial, &fingerprint)?;
            return Ok(Self {
                options,
                made,
                train: train_rows,
                valid,
                position: saved.position,
                adam: saved.adam,
                best: saved.best,
                start: saved.start,
            });
        }
        let adam = Adam::new(&initial);
        let position = Position {
            fingerprint,
            quantized: false,
            epoch: 0,
            best: f64::INFINITY,
            best_epoch: 0,
            step: 0,
        };
        let best = adam.average.iter().map(Tensor::copy).collect();
        Ok(Self { options, made, train: train_rows, valid, position, adam, best, start: initial })
    }

    fn begin_quantized(&mut self, scales: &Scales) {
        self.adam = Adam::new(&self.start);
        self.best = self.start.iter().map(Tensor::copy).collect();
        self.position.quantized = true;
        self.position.epoch = 0;
        self.position.best_epoch = 0;
        self.position.best = self.made.evaluate(&self.start, &self.valid, Some(scales));
    }

    /// Runs the rest of a phase.
    fn phase(
        &mut self,
        scales: Option<&Scales>,
        epochs: usize,
        rate: f64,
        report: &mut dyn FnMut(&Progress) -> bool,
    ) -> Result<(), TrainError> {
        let begun = Instant::now();
        let first = self.position.epoch;
        for epoch in first..epochs {
            let train = self.epoch(scales, epoch, epochs, rate)?;
            let valid = self.made.evaluate(&self.adam.average, &self.valid, scales);
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
                checkpoint::save(path, &self.position, &self.adam, &self.best, &self.start)?;
            }
            let done = (epoch + 1 - first) as u32;
            let go_on = report(&Progress {
                quantized: scales.is_some(),
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

    /// One pass over the training rows; its mean loss.
    fn epoch(
        &mut self,
        scales: Option<&Scales>,
        epoch: usize,
        epochs: usize,
        rate: f64,
    ) -> Result<f64, TrainError> {
        let options = self.options;
        // Each epoch has its own seeds, so that a resumed run repeats the rest.
        let phase = if scales.is_some() { 1 << 40 } else { 0 };
        let mut rng = SplitMix64::new(options.seed ^ (epoch as u64 + phase) << 8);
        let mut dropout = Dropout::new(options.dropout, rng.next_u64());
        let rows = self.train.size()[0] as usize;
        let mut order: Vec<i64> = (0..rows as i64).collect();
        rng.shuffle(&mut order);
        let order = Tensor::f_from_slice(&order)?.f_to_device(options.device.device())?;
        let batches = rows.div_ceil(options.batch);
        let mut total = Tensor::zeros([], (Kind::Double, options.device.device()));
        for b in 0..batches {
            let start = b * options.batch;
            let n = options.batch.min(rows - start);
            let index = order.narrow(0, start as i64, n as i64);
            let x = self.train.index_select(0, &index).to_kind(Kind::Float);
            let k = (epoch * batches + b) % options.masks;
            let dropping = (options.dropout > 0.0).then_some(&mut dropout);
            let logits = self.made.logits(&self.adam.parameters, &x, k, scales, dropping);
            let nats = cross_entropy(&logits, &x);
            total += nats.detach();
            let along = (epoch as f64 + b as f64 / batches as f64) / epochs as f64;
            let rate = rate * 0.5 * (1.0 + (std::f64::consts::PI * along).cos());
            let loss = nats / n as f64;
            self.adam.descend(&loss, rate, options.weight_decay, options.averaging);
        }
        Ok(total.double_value(&[]) / rows as f64)
    }
}
