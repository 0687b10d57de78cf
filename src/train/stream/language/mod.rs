//! Training the language model ([`crate::stream::language`]), with its recurrent layer
//! ([`crate::stream::recurrent`]) if it is to have one: documents side by side, Adam for the
//! layers, row-wise Adagrad (Duchi et al. 2011, one rate for a row) for the tables, since a
//! batch touches few of their rows. The first layer learns from what both have to say.

mod cell;
mod checkpoint;
mod integers;
mod lanes;
mod layers;
mod tables;
mod worker;

use std::path::PathBuf;
use std::slice;
use std::time::{Duration, Instant};

use tch::nn::{self, OptimizerConfig, VarStore};
use tch::{Device, Kind, Tensor};

use self::lanes::Lanes;
use self::layers::Layers;
use self::tables::Tables;
use self::worker::{STEPS, Worker, work};
use super::corpus::TrainError;
use crate::made::random::SplitMix64;
use crate::stream::contexts::Context;
use crate::stream::language::{Language, parse_inputs};

/// What to train, and for how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// The inputs, written as contexts are.
    pub inputs: String,
    /// Rows of the tables of inputs that are not a byte, a power of two,
    pub rows: usize,
    /// and how many units they are added to.
    pub width: usize,
    /// Units of both layers.
    pub units: [usize; 2],
    /// Units of the state of its recurrent layer and of the layer above that, if there is to be
    /// one.
    pub recurrent: Option<[usize; 2]>,
    /// Bytes to learn from, counted as often as they are seen; 0: no language model;
    /// `None`: three times those of the documents, 20 million at most.
    pub bytes: Option<u64>,
    /// Highest learning rate of the layers.
    pub rate: f64,
    /// Highest learning rate of the tables.
    pub table_rate: f64,
    /// Matrix products in bfloat16.
    pub bf16: bool,
    /// Threads.
    pub threads: usize,
    /// Seed of every random choice.
    pub seed: u64,
    /// Checkpoints of earlier trainings to begin with: their mean.
    pub from: Vec<PathBuf>,
    /// Where checkpoints go, if anywhere.
    pub checkpoint: Option<PathBuf>,
    /// Continue from the checkpoint.
    pub resume: bool,
    /// cpu, cuda or cuda:N.
    pub device: Device,
}

/// Gradients of the layers with a larger norm are made this large.
const LARGEST_GRADIENT: f64 = 0.3;
/// Most lanes, and fewest, and updates below which there are fewer than most.
const LANES: (u64, u64) = (256, 16);
const UPDATES: u64 = 2_000;
/// Time between checkpoints.
const CHECKPOINT: Duration = Duration::from_secs(120);
/// Time between lines of progress.
const PROGRESS: Duration = Duration::from_secs(30);
/// Bytes of held-out documents that are looked at.
const HELD_OUT: usize = 1 << 17;

/// Share of the highest rate after `seen` bytes: a short warm-up, then a cosine.
fn schedule(seen: f64, wanted: f64) -> f64 {
    let warm = (seen / (wanted / 10.0).min(1e6)).clamp(0.01, 1.0);
    warm * (0.5 + 0.5 * (seen / wanted * std::f64::consts::PI).cos()).max(0.01)
}

/// Moves the layers against the gradients of the losses of all bits of so many bytes.
fn step(optimizer: &mut nn::Optimizer, layers: &Layers, gradients: &[Tensor], bytes: u64) {
    // the optimizer takes gradients from a graph: those of this one are they
    optimizer.zero_grad();
    let scaled = |gradient: &Tensor| gradient / (8.0 * bytes as f64);
    let products = layers.all().into_iter().zip(gradients);
    let products: Vec<Tensor> = products.map(|(w, g)| (w * scaled(g)).sum(Kind::Float)).collect();
    Tensor::stack(&products, 0).sum(Kind::Float).backward();
    optimizer.clip_grad_norm(LARGEST_GRADIENT);
    optimizer.step();
    layers.bound();
}

/// How many bytes to learn from where nobody says: often enough for a model of little
/// data, not too often.
fn some(data: u64) -> u64 {
    (3 * data).min(20_000_000)
}

/// What trains a language model.
struct Training<'a> {
    o: &'a Options,
    contexts: Vec<Context>,
    shapes: Vec<[usize; 2]>,
    /// Bytes to learn from.
    wanted: u64,
}

impl Training<'_> {
    /// Workers that share `lanes` lanes in documents, some of which have bytes.
    fn workers<'d>(&self, documents: &[&'d [u8]], lanes: usize, seed: u64) -> Vec<Worker<'d>> {
        let o = self.o;
        let inputs = self.contexts.iter().zip(&self.shapes);
        let inputs: Vec<_> = inputs.map(|(&context, &[rows, _])| (context, rows)).collect();
        let threads = o.threads.clamp(1, lanes);
        let kind = if o.bf16 { Kind::BFloat16 } else { Kind::Float };
        let units = o.recurrent.map_or(0, |units| units[0]);
        let mut random = SplitMix64::new(seed);
        (0..threads)
            .map(|i| {
                let n = lanes * (i + 1) / threads - lanes * i / threads;
                let random = SplitMix64::new(random.next_u64());
                let lanes = Lanes::new(inputs.clone(), documents, n, random, o.device);
                Worker::new(lanes, [n, units], kind, o.device)
            })
            .collect()
    }

    /// Lanes: fewer for little data, which needs some updates.
    fn lanes(&self) -> usize {
        let (most, fewest) = LANES;
        (self.wanted / (UPDATES * STEPS as u64)).clamp(fewest, most) as usize
    }

    /// Bits a byte of some held-out bytes, by the feed-forward layers and the recurrent one.
    fn evaluate(&self, held_out: &[&[u8]], layers: &Layers, tables: &Tables) -> [f64; 2] {
        if held_out.iter().all(|d| d.is_empty()) {
            return [f64::NAN; 2];
        }
        let lanes = 128;
        let mut workers = self.workers(held_out, lanes, self.o.seed);
        let chunks = HELD_OUT.div_ceil(STEPS * lanes);
        let mut sum = [0.0; 2];
        for _ in 0..chunks {
            let losses = work(&mut workers, layers, tables, false).losses;
            sum = [sum[0] + losses[0], sum[1] + losses[1]];
        }
        sum.map(|s| s / (chunks * STEPS * lanes) as f64 / std::f64::consts::LN_2)
    }
}

/// Trains a language model on documents; says the loss on held-out ones as it goes.
/// `None` if there is to be none.
pub(super) fn train(
    o: &Options,
    documents: &[&[u8]],
    held_out: &[&[u8]],
    say: &dyn Fn(&str),
) -> Result<Option<Language>, TrainError> {
    let data = documents.iter().map(|d| d.len() as u64).sum();
    let wanted = o.bytes.unwrap_or(some(data));
    if wanted == 0 || data == 0 {
        return Ok(None);
    }
    let contexts = parse_inputs(&o.inputs)?;
    let shapes: Vec<[usize; 2]> = contexts
        .iter()
        .map(|c| match c {
            Context::Byte(_) => [256, o.units[0]],
            _ => [o.rows, o.width.min(o.units[0])],
        })
        .collect();
    let training = Training { o, contexts, shapes, wanted };
    let (layers, tables) = training.run(documents, held_out, say)?;
    integers::language(o, &training.contexts, &layers, &tables).map(Some)
}

impl Training<'_> {
    fn run(
        &self,
        documents: &[&[u8]],
        held_out: &[&[u8]],
        say: &dyn Fn(&str),
    ) -> Result<(Layers, Tables), TrainError> {
        let (o, wanted) = (self.o, self.wanted);
        let mut random = SplitMix64::new(o.seed ^ 0x1a96);
        tch::manual_seed(o.seed as i64);
        // the workers are threads themselves
        let threads = tch::get_num_threads();
        tch::set_num_threads(1);
        let store = VarStore::new(o.device);
        let layers = Layers::new(&store.root(), o.units, o.recurrent);
        let mut tables = Tables::new(&self.shapes, o.units[0], &mut random);
        let mut optimizer = nn::Adam { beta2: 0.99, ..Default::default() }.build(&store, o.rate)?;
        let (start, mut saved, mut said) = (Instant::now(), Instant::now(), Instant::now());
        let mut seen = 0;
        if let Some(path) = &o.checkpoint
            && o.resume
            && path.exists()
        {
            seen = checkpoint::read(&store, &mut tables, slice::from_ref(path))?;
            say(&format!("the language model goes on after {seen} bytes"));
        } else if !o.from.is_empty() {
            let seen = checkpoint::read(&store, &mut tables, &o.from)?;
            layers.bound();
            let names: Vec<_> = o.from.iter().map(|path| path.display().to_string()).collect();
            say(&format!("the language model begins with {} after {seen} bytes", names.join(", ")));
        }
        let lanes = self.lanes();
        let batch = (lanes * STEPS) as u64;
        let mut workers = self.workers(documents, lanes, o.seed ^ seen);
        let (mut cost_sum, mut counted) = ([0.0; 2], 0);
        let from = seen;
        while seen < wanted {
            let schedule = schedule(seen as f64, wanted as f64);
            optimizer.set_lr(o.rate * schedule);
            let done = work(&mut workers, &layers, &tables, true);
            step(&mut optimizer, &layers, &done.gradients, batch);
            for (rows, gradients) in &done.tables {
                tables.learn(rows, gradients, (o.table_rate * schedule) as f32, o.threads);
            }
            seen += batch;
            counted += batch;
            for (cost, loss) in cost_sum.iter_mut().zip(done.losses) {
                *cost += loss;
            }
            if !cost_sum.iter().all(|c| c.is_finite()) {
                return Err(TrainError::Diverged);
            }
            if said.elapsed() > PROGRESS || seen >= wanted {
                let done = (seen - from) as f64 / (wanted - from) as f64;
                let cost = cost_sum.map(|c| c / counted as f64 / std::f64::consts::LN_2);
                let both = |[plain, recurrent]: [f64; 2]| match o.recurrent {
                    None => format!("{plain:.4}"),
                    Some(_) => format!("{plain:.4} and recurrent {recurrent:.4}"),
                };
                say(&format!(
                    "language model: {:.1} of {:.1} million bytes, {} bits/byte, held out {}, \
                     {:.0} s left",
                    seen as f64 / 1e6,
                    wanted as f64 / 1e6,
                    both(cost),
                    both(self.evaluate(held_out, &layers, &tables)),
                    start.elapsed().as_secs_f64() * (1.0 / done - 1.0).max(0.0),
                ));
                (cost_sum, counted, said) = ([0.0; 2], 0, Instant::now());
            }
            if let Some(path) = &o.checkpoint
                && (saved.elapsed() > CHECKPOINT || seen >= wanted)
            {
                checkpoint::write(&store, &tables, seen, path)?;
                saved = Instant::now();
            }
        }
        tch::set_num_threads(threads);
        Ok((layers, tables))
    }
}
