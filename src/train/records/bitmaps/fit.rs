//! Fitting the convolutional MADE.

use super::batches::{Batch, Bitmaps, Hardness};
use super::export::export;
use super::network::{Dropout, FloatWindow};
use super::options::BitmapOptions;
use crate::made::random::SplitMix64;
use crate::made::window::WindowMade;
use crate::records::Table;
use crate::train::records::TrainError;
use crate::train::records::adam::{Adam, Step};
use crate::train::records::fit::check_tables;
use crate::train::records::run::{Epochs, Phase, Progress, State, integer_loss};
use std::sync::mpsc::sync_channel;
use std::thread::Builder;
use tch::{Device, Kind, Tensor};

/// Bitmaps that are evaluated at once.
const EVALUATED: usize = 64;
/// Batches that are drawn ahead for a device.
const BATCHES: usize = 4;
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

/// The network and its bitmaps.
struct Fit<'a> {
    options: &'a BitmapOptions,
    network: FloatWindow,
    train: Bitmaps,
    hardness: Hardness,
    /// Drawn pixels of the validation rows.
    valid: Vec<Batch>,
    valid_rows: usize,
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
    let fit = Fit::new(train, valid, options)?;
    let initial = fit.network.initial(options.seed, &fit.train.frequencies());
    let path = options.checkpoint.as_deref();
    let resume = path.filter(|_| options.resume);
    let mut state = State::open(&initial, options.fingerprint(train.len()), resume)?;
    let phase = Phase { epochs: options.epochs, patience: options.patience, checkpoint: path };
    state.run(&phase, &fit, report)?;
    let made = export(&fit.network, &state.best, &fit.valid[0], options)?;
    let float = fit.loss(&state.best);
    let rounded = integer_loss(&made.clone().into(), valid)?;
    Ok(BitmapReport { made, float, rounded, best_epoch: state.position.best_epoch })
}

impl<'a> Fit<'a> {
    fn new(train: &Table, valid: &Table, options: &'a BitmapOptions) -> Result<Self, TrainError> {
        let architecture = options.architecture();
        let device = options.device.device();
        let network = FloatWindow::new(architecture.clone(), options);
        let [train, valid] = [train, valid].map(|t| Bitmaps::new(&architecture, t, options.moves));
        let hardness = train.hardness(options.least_chance);
        let mut rng = SplitMix64::new(options.seed ^ 0xba7c4);
        let rows: Vec<usize> = (0..valid.len()).collect();
        let drawn =
            rows.chunks(EVALUATED).map(|c| valid.draw(c, false, &hardness, &mut rng, device));
        let drawn = drawn.collect::<Result<Vec<_>, _>>()?;
        let valid_rows = valid.len();
        Ok(Self { options, network, train, hardness, valid: drawn, valid_rows })
    }
}

impl Fit<'_> {
    /// Draws batches one after the other and hands them on, with their number and their rows; a
    /// device learns from one while the next ones are drawn.
    fn batches(
        &self,
        order: &[usize],
        mut rng: SplitMix64,
        learn: &mut dyn FnMut(usize, &[usize], Batch),
    ) -> Result<(), TrainError> {
        let Self { options, train, hardness, .. } = self;
        let device = options.device.device();
        let chosen = order.chunks(options.batch).enumerate();
        let mut drawn = chosen.map(move |(b, chosen)| {
            Ok((b, chosen, train.draw(chosen, true, hardness, &mut rng, device)?))
        });
        let mut learn = |drawn: Result<_, TrainError>| {
            let (b, chosen, batch) = drawn?;
            learn(b, chosen, batch);
            Ok(())
        };
        if device == Device::Cpu {
            return drawn.try_for_each(learn);
        }
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel(BATCHES);
            // who learns has stopped if it takes no more
            let draw = move || drawn.map(|d| send.send(d)).take_while(Result::is_ok).count();
            Builder::new().spawn_scoped(scope, draw)?;
            receive.into_iter().try_for_each(&mut learn)
        })
    }
}

impl Epochs for Fit<'_> {
    fn train(&self, adam: &mut Adam, epoch: usize) -> Result<f64, TrainError> {
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
        let mut learn = |b: usize, chosen: &[usize], batch: Batch| {
            let nats = self.network.loss(&adam.parameters, &batch, dropout.as_mut());
            total += nats.detach();
            let along = (epoch as f64 + b as f64 / batches as f64) / options.epochs as f64;
            let rate = options.learning_rate * schedule(along);
            let loss = nats / chosen.len() as f64;
            let (decay, averaging) = (options.weight_decay, options.averaging);
            adam.descend(&loss, &Step { rate, decay, averaging, l1: 0.0, sparse: None });
        };
        self.batches(&order, rng, &mut learn)?;
        Ok(total.double_value(&[]) / order.len() as f64)
    }

    /// Estimated from the drawn pixels.
    fn loss(&self, parameters: &[Tensor]) -> f64 {
        let _guard = tch::no_grad_guard();
        let nats = |b: &Batch| self.network.loss(parameters, b, None).double_value(&[]);
        self.valid.iter().map(nats).sum::<f64>() / self.valid_rows as f64
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
