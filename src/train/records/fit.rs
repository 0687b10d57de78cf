//! Fitting the masked autoencoder, in its two phases.

use super::TrainError;
use super::adam::{Adam, Step};
use super::export::export;
use super::network::{Dropout, FloatMade, cross_entropy};
use super::options::Options;
use super::quantize::Scales;
use super::run::{Epochs, Phase, Progress, State, copies, integer_loss};
use crate::made::random::SplitMix64;
use crate::records::{Layout, RecordsModel, Table};
use tch::{Kind, Tensor};

/// Rows below which nothing sensible can be learned.
const LEAST_ROWS: usize = 10;
/// Rows that show how large activations get.
const CALIBRATION_ROWS: i64 = 1000;

/// A trained model. Losses are nats per row on the validation rows.
#[derive(Debug)]
pub struct Report {
    /// The integer model.
    pub model: RecordsModel,
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

/// The network and its rows.
struct Fit<'a> {
    options: &'a Options,
    made: FloatMade,
    train: Tensor,
    valid: Tensor,
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
    let fit = Fit::new(train, valid, options)?;
    let initial = fit.made.initial(options.seed, &frequencies(&fit.train)?);
    let path = options.checkpoint.as_deref();
    let resume = path.filter(|_| options.resume);
    let mut state = State::open(&initial, options.fingerprint(train.dims, train.len()), resume)?;
    let mut phase = Phase { epochs: options.epochs, patience: options.patience, checkpoint: path };
    if !state.position.quantized {
        let (epochs, rate) = (options.epochs, options.learning_rate);
        state.run(&phase, &Pass { fit: &fit, scales: None, epochs, rate }, report)?;
        state.start = copies(&state.best);
    }
    let float = fit.made.evaluate(&state.start, &fit.valid, None);
    let rows = fit.train.size()[0].min(CALIBRATION_ROWS);
    let calibration = fit.train.narrow(0, 0, rows).to_kind(Kind::Float);
    let scales = Scales::choose(&fit.made, &state.start, &calibration, options);
    let rounded_model = export(&fit.made, &state.start, &scales)?;
    let rounded = integer_loss(&rounded_model, valid)?;
    let best_epoch = state.position.best_epoch;
    if options.quantized_epochs == 0 {
        return Ok(Report { model: rounded_model, float, rounded, quantized: rounded, best_epoch });
    }
    if !state.position.quantized {
        state.begin_quantized(fit.made.evaluate(&state.start, &fit.valid, Some(&scales)));
    }
    let (epochs, rate) = (options.quantized_epochs, options.learning_rate / 5.0);
    phase.epochs = epochs;
    state.run(&phase, &Pass { fit: &fit, scales: Some(&scales), epochs, rate }, report)?;
    let model = export(&fit.made, &state.best, &scales)?;
    let quantized = integer_loss(&model, valid)?;
    let model = if quantized < rounded { model } else { rounded_model };
    Ok(Report { model, float, rounded, quantized, best_epoch })
}

/// Shares of ones, never 0 or 1.
fn frequencies(rows: &Tensor) -> Result<Vec<f64>, TrainError> {
    let n = rows.size()[0] as f64;
    let ones = rows.sum_dim_intlist(0, false, Kind::Double).to_device(tch::Device::Cpu);
    Ok(Vec::<f64>::try_from(ones)?.iter().map(|ones| (ones + 0.5) / (n + 1.0)).collect())
}

impl<'a> Fit<'a> {
    fn new(train: &Table, valid: &Table, options: &'a Options) -> Result<Self, TrainError> {
        let made = FloatMade::new(options, options.make_orderings(train.dims)?);
        let (train, valid) = (tensor(train, options)?, tensor(valid, options)?);
        Ok(Self { options, made, train, valid })
    }
}

/// The epochs of either phase: with `scales`, everything is rounded.
struct Pass<'a> {
    fit: &'a Fit<'a>,
    scales: Option<&'a Scales>,
    epochs: usize,
    /// Highest learning rate.
    rate: f64,
}

impl Epochs for Pass<'_> {
    fn train(&self, adam: &mut Adam, epoch: usize) -> Result<f64, TrainError> {
        let Fit { options, made, train, .. } = self.fit;
        // Each epoch has its own seeds, so that a resumed run repeats the rest.
        let phase = if self.scales.is_some() { 1 << 40 } else { 0 };
        let mut rng = SplitMix64::new(options.seed ^ (epoch as u64 + phase) << 8);
        let mut dropout = Dropout::new(options.dropout, rng.next_u64());
        let rows = train.size()[0] as usize;
        let mut order: Vec<i64> = (0..rows as i64).collect();
        rng.shuffle(&mut order);
        let order = Tensor::f_from_slice(&order)?.f_to_device(options.device.device())?;
        let batches = rows.div_ceil(options.batch);
        let mut total = Tensor::zeros([], (Kind::Double, options.device.device()));
        for b in 0..batches {
            let start = b * options.batch;
            let n = options.batch.min(rows - start);
            let index = order.narrow(0, start as i64, n as i64);
            let x = train.index_select(0, &index).to_kind(Kind::Float);
            let k = (epoch * batches + b) % made.networks();
            let logits = made.logits(&adam.parameters, &x, k, self.scales, Some(&mut dropout));
            let nats = cross_entropy(&logits, &x);
            total += nats.detach();
            let along = (epoch as f64 + b as f64 / batches as f64) / self.epochs as f64;
            let rate = self.rate * 0.5 * (1.0 + (std::f64::consts::PI * along).cos());
            let loss = nats / n as f64;
            let (decay, averaging) = (options.weight_decay, options.averaging);
            let (l1, sparse) = (options.shrinking(rows), Some(made.links()));
            adam.descend(&loss, &Step { rate, decay, averaging, l1, sparse });
        }
        Ok(total.double_value(&[]) / rows as f64)
    }

    fn loss(&self, parameters: &[Tensor]) -> f64 {
        self.fit.made.evaluate(parameters, &self.fit.valid, self.scales)
    }
}
