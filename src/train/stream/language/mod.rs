//! Training the language model ([`crate::stream::language`]): random places of the
//! documents, Adam for the layers, row-wise Adagrad (Duchi et al. 2011, one rate for a
//! row) for the tables, since a batch touches few of their rows.

mod places;
mod tables;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tch::nn::{OptimizerConfig, VarStore};
use tch::{Device, Tensor, nn};

use self::places::Places;
use self::tables::Tables;
use super::corpus::TrainError;
use super::quantize::{linear, narrow, rounded};
use crate::made::logistic::squash;
use crate::made::random::SplitMix64;
use crate::stream::contexts::Context;
use crate::stream::language::{Input, Language, MAX_FIRST_BIAS, NODES, TABLE_BITS, parse_inputs};
use crate::stream::network::MAX_ACTIVATION;
use crate::stream::past::Past;

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
    /// Bytes to learn from, counted as often as they are seen; 0: no language model;
    /// `None`: three times those of the documents, 20 million at most.
    pub bytes: Option<u64>,
    /// Bytes of a batch.
    pub batch: usize,
    /// Highest learning rate of the layers.
    pub rate: f64,
    /// Highest learning rate of the tables.
    pub table_rate: f64,
    /// Seed of every random choice.
    pub seed: u64,
    /// Where checkpoints go, if anywhere.
    pub checkpoint: Option<PathBuf>,
    /// Continue from the checkpoint.
    pub resume: bool,
    /// cpu, cuda or cuda:N.
    pub device: Device,
}

/// Highest |entry| of a table.
const MAX_ENTRY: f32 = 127.0 / (1 << TABLE_BITS) as f32;
/// Time between checkpoints.
const CHECKPOINT: Duration = Duration::from_secs(120);
/// Time between lines of progress.
const PROGRESS: Duration = Duration::from_secs(30);
/// Bytes of held-out documents that are looked at.
const HELD_OUT: usize = 1 << 15;

/// The layers in floating point.
struct Layers {
    bias: Tensor,
    second: nn::Linear,
    output: nn::Linear,
}

impl Layers {
    fn new(root: &nn::Path, [units, second]: [usize; 2]) -> Self {
        let zero = nn::Init::Const(0.0);
        let linear = |name: &str, i: usize, o: usize, stdev: f64| {
            let config = nn::LinearConfig {
                ws_init: nn::Init::Randn { mean: 0.0, stdev },
                bs_init: Some(zero),
                bias: true,
            };
            nn::linear(root / name, i as i64, o as i64, config)
        };
        Self {
            bias: root.var("bias", &[units as i64], zero),
            second: linear("second", units, second, (2.0 / units as f64).sqrt()),
            output: linear("output", second, NODES, 0.02),
        }
    }

    /// The logits of the nodes of a byte's bits, `[batch, 8]`, from the tables' sums.
    fn forward(&self, sums: &Tensor, nodes: &Tensor) -> Tensor {
        let most = f64::from(MAX_ACTIVATION) / 32.0;
        let first = (sums + &self.bias).clamp(0.0, most);
        let second = first.apply(&self.second).clamp(0.0, most);
        second.apply(&self.output).gather(1, nodes, false)
    }
}

/// The nodes of each byte's bits, and the bits.
fn nodes_and_bits(bytes: &[u8], device: Device) -> (Tensor, Tensor) {
    let (mut nodes, mut bits) = (Vec::new(), Vec::new());
    for &byte in bytes {
        let byte = i64::from(byte);
        for k in 0..8 {
            nodes.push(1 << k | byte >> (8 - k));
            bits.push((byte >> (7 - k) & 1) as f32);
        }
    }
    let shape = [bytes.len() as i64, 8];
    let tensor = |t: Tensor| t.view(shape).to(device);
    (tensor(Tensor::from_slice(&nodes)), tensor(Tensor::from_slice(&bits)))
}

/// How many bytes to learn from where nobody says: often enough for a model of little
/// data, not too often.
fn some(data: u64) -> u64 {
    (3 * data).min(20_000_000)
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
    let places = Places::new(&contexts, &shapes, documents);
    let mut random = SplitMix64::new(o.seed ^ 0x1a96);
    tch::manual_seed(o.seed as i64);
    let store = VarStore::new(o.device);
    let layers = Layers::new(&store.root(), o.units);
    let mut tables = Tables::new(&shapes, o.units[0], &mut random);
    let mut optimizer = nn::Adam { beta2: 0.99, ..Default::default() }.build(&store, o.rate)?;
    let (start, mut saved, mut said) = (Instant::now(), Instant::now(), Instant::now());
    let mut seen = 0u64;
    if let Some(path) = &o.checkpoint
        && o.resume
        && path.exists()
    {
        seen = tables::read(&store, &mut tables, path)?;
        say(&format!("the language model goes on after {seen} bytes"));
        random = SplitMix64::new(o.seed ^ seen);
    }
    let (mut index, mut bytes) = (Vec::new(), Vec::new());
    let mut sums = vec![0.0; o.batch * o.units[0]];
    let (mut cost, mut counted) = (0.0, 0u64);
    let from = seen;
    while seen < wanted {
        let at = seen as f64 / wanted as f64;
        // a short warm-up, then a cosine
        let schedule = (seen as f64 / 1e6).clamp(0.01, 1.0)
            * (0.5 + 0.5 * (at * std::f64::consts::PI).cos()).max(0.01);
        optimizer.set_lr(o.rate * schedule);
        places.batch(o.batch, &mut random, &mut index, &mut bytes);
        tables.sums(&index, &mut sums);
        let (nodes, bits) = nodes_and_bits(&bytes, o.device);
        let shape = [o.batch as i64, o.units[0] as i64];
        let input = Tensor::from_slice(&sums).view(shape).to(o.device).set_requires_grad(true);
        let loss = layers.forward(&input, &nodes).binary_cross_entropy_with_logits::<Tensor>(
            &bits,
            None,
            None,
            tch::Reduction::Sum,
        );
        optimizer.zero_grad();
        (&loss / (8.0 * o.batch as f64)).backward();
        optimizer.step();
        let gradient = (input.grad() * (8.0 * o.batch as f64)).to(Device::Cpu).contiguous();
        gradient.view([-1]).copy_data(&mut sums, o.batch * o.units[0]);
        tables.learn(&index, &sums, (o.table_rate * schedule) as f32);
        seen += o.batch as u64;
        cost += loss.double_value(&[]);
        counted += o.batch as u64;
        if !cost.is_finite() {
            return Err(TrainError::Diverged);
        }
        if said.elapsed() > PROGRESS || seen >= wanted {
            let language = integers(o, &contexts, &layers, &tables)?;
            let done = (seen - from) as f64 / (wanted - from) as f64;
            say(&format!(
                "language model: {:.1} of {:.1} million bytes, {:.4} bits/byte, held out {:.4}, \
                 {:.0} s left",
                seen as f64 / 1e6,
                wanted as f64 / 1e6,
                cost / counted as f64 / std::f64::consts::LN_2,
                evaluate(&language, held_out),
                start.elapsed().as_secs_f64() * (1.0 - done) / done,
            ));
            (cost, counted, said) = (0.0, 0, Instant::now());
        }
        if let Some(path) = &o.checkpoint
            && (saved.elapsed() > CHECKPOINT || seen >= wanted)
        {
            tables::write(&store, &tables, seen, path)?;
            saved = Instant::now();
        }
    }
    integers(o, &contexts, &layers, &tables).map(Some)
}

/// The integers of the trained model.
fn integers(
    o: &Options,
    contexts: &[Context],
    layers: &Layers,
    tables: &Tables,
) -> Result<Language, TrainError> {
    let steps = f64::from(1 << TABLE_BITS);
    let bias = narrow(rounded(&layers.bias, steps, f64::from(MAX_FIRST_BIAS))?);
    let inputs = contexts
        .iter()
        .enumerate()
        .map(|(i, &context)| {
            let ([rows, width], entries) = tables.table(i);
            let round = |&e: &f32| (e.clamp(-MAX_ENTRY, MAX_ENTRY) * steps as f32).round() as i8;
            Input { context, table: entries.iter().map(round).collect(), rows, width }
        })
        .collect();
    Ok(Language {
        names: o.inputs.clone(),
        inputs,
        bias,
        second: linear(&layers.second, 13)?,
        output: linear(&layers.output, 13)?,
        recurrent: None,
    })
}

/// Bits a byte of the integer model, on places spread over some documents.
fn evaluate(language: &Language, documents: &[&[u8]]) -> f64 {
    let each = HELD_OUT / documents.len().max(1);
    let (mut cost, mut n) = (0.0, 0);
    for document in documents {
        let stride = (document.len() / each.max(1)).max(1);
        let mut past = Past::default();
        for (i, &byte) in document.iter().enumerate() {
            past.push(&document[..i]);
            if i % stride != 0 {
                continue;
            }
            let logits = language.logits(past.recent());
            for k in 0..8 {
                let node = 1 << k | usize::from(byte) >> (8 - k);
                let p1 = f64::from(squash(logits[node].into())) / 65536.0;
                cost -= if byte >> (7 - k) & 1 == 1 { p1 } else { 1.0 - p1 }.log2();
            }
            n += 1;
        }
    }
    cost / f64::from(n.max(1))
}
