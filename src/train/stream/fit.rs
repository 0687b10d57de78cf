//! Fitting the network: Adam on the mean code length of the kept bits.

use std::path::PathBuf;
use std::time::Instant;

use tch::nn::{OptimizerConfig, VarStore};
use tch::{Device, Kind, Tensor, nn, no_grad};

use super::corpus::{Corpus, TrainError};
use super::evidence::{Batch, PIECE, Pass, Pieces, gather, learn_maps};
use super::primed::learn_primed;
use super::weights::learn_weights;
use super::{language, quantize};
use crate::engine::kernel::Isa;
use crate::engine::language_native::PackedLanguage;
use crate::made::ModelError;
use crate::made::file::ModelFile;
use crate::made::random::SplitMix64;
use crate::stream::block;
use crate::stream::contexts::Context;
use crate::stream::language::Language;
use crate::stream::model::{StreamModel, parse_contexts};
use crate::stream::network::{cost_count, gate_count, input_count};
use crate::stream::row::MATCH_CLASSES;

/// What to train, and for how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// Files and folders.
    pub data: Vec<PathBuf>,
    /// Bytes of data to use, at most.
    pub most: usize,
    /// The contexts, as in a model file.
    pub contexts: String,
    /// Those of the contexts whose statistics the model brings along.
    pub primed_contexts: String,
    /// Slots of statistics that the model brings along, at most.
    pub primed: usize,
    /// The language model, if it is to be trained,
    pub language: language::Options,
    /// and if it is there already.
    pub language_ready: Option<Language>,
    /// Context units (degree 0, once a byte).
    pub context_units: usize,
    /// Units of the first hidden layer (of every bit's degree), and of the second
    /// if there is one.
    pub units: (usize, Option<usize>),
    /// Bound of the adaptive maps' counts.
    pub limit: u32,
    /// Bits of evidence to keep for training.
    pub bits: usize,
    /// Passes over them.
    pub epochs: usize,
    /// Bytes in a batch.
    pub batch: usize,
    /// Highest learning rate.
    pub rate: f64,
    /// Share of documents held out.
    pub holdout: f64,
    /// Seed of every random choice.
    pub seed: u64,
    /// Where checkpoints go (after every epoch), if anywhere.
    pub checkpoint: Option<PathBuf>,
    /// Continue from the checkpoint.
    pub resume: bool,
    /// cpu, cuda or cuda:N.
    pub device: Device,
}

/// The contexts of the default model.
pub const DEFAULT_CONTEXTS: &str =
    "o1 o2 o3 o4 o6 word pair s2 s34 row rows column shape follow skip cell";

/// The contexts that are primed: others say more about a file when they have seen
/// nothing but it.
pub const DEFAULT_PRIMED: &str = "o2 o3 o4 o6";

/// The inputs of a language model where nobody names them.
pub const DEFAULT_LANGUAGE: &str =
    "b1 b2 b3 b4 b5 b6 b7 b8 b9 b10 b11 b12 b13 b14 b15 b16 word before";

/// Takes the lines that training has to say.
type Say<'a> = &'a dyn Fn(&str);

/// What came of it. Losses are bits per byte of the network alone, on held-out
/// documents.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Outcome {
    /// In floating point.
    pub valid: f64,
    /// In integers, as it will code.
    pub valid_quantized: f64,
    /// Really coded, with the online stage: the beginnings of the documents.
    pub coded: f64,
    /// Epochs run.
    pub epochs: usize,
    /// Bytes of the corpus.
    pub corpus_bytes: u64,
    /// Bits of evidence learned from.
    pub bits: u64,
    /// Seconds.
    pub seconds: f64,
}

/// The network in floating point. Weights are in real units; see
/// [`crate::stream::network`] for the fixed point they are rounded to.
pub(super) struct Float {
    pub previous: [Tensor; 3],
    pub costs: nn::Linear,
    pub context: nn::Linear,
    pub partial: Tensor,
    pub matched: [Tensor; 2],
    pub seen: Tensor,
    pub first: nn::Linear,
    pub second: Option<nn::Linear>,
    pub gates: nn::Linear,
    pub gate_table: Tensor,
    contexts: i64,
}

/// Rounds to a grid with a straight-through gradient.
fn round_to(t: &Tensor, steps: f64) -> Tensor {
    t + ((t * steps).round() / steps - t).detach()
}

fn floor_to(t: &Tensor, steps: f64) -> Tensor {
    t + ((t * steps).floor() / steps - t).detach()
}

impl Float {
    fn new(root: &nn::Path, o: &Options, contexts: usize) -> Self {
        let (c, u) = (o.context_units as i64, o.units.0 as i64);
        let v = o.units.1.map(|n| n as i64);
        let small = nn::Init::Randn { mean: 0.0, stdev: 0.05 };
        let table = |name: &str, rows: i64, width: i64| root.var(name, &[rows, width], small);
        let zero = nn::Init::Const(0.0);
        let linear = |name: &str, i: i64, o: i64| {
            nn::linear(
                root / name,
                i,
                o,
                nn::LinearConfig { bs_init: Some(zero), ..Default::default() },
            )
        };
        let gates = gate_count(contexts) as i64;
        let float = Self {
            previous: [
                table("previous1", 256, c),
                table("previous2", 256, c),
                table("previous3", 256, c),
            ],
            costs: linear("costs", cost_count(contexts) as i64, c),
            context: linear("context", c, u),
            partial: table("partial", 256, u),
            matched: [
                table("matched1", MATCH_CLASSES as i64, u),
                table("matched2", MATCH_CLASSES as i64, u),
            ],
            seen: table("seen", contexts as i64 + 1, u),
            first: nn::linear(
                root / "first",
                input_count(contexts) as i64,
                u,
                nn::LinearConfig { bias: false, ..Default::default() },
            ),
            second: v.map(|v| linear("second", u, v)),
            gates: linear("gates", v.unwrap_or(u), gates),
            gate_table: root.var("gate_table", &[256, gates], zero),
            contexts: contexts as i64,
        };
        // start as a plain logistic mixture, a little above the average
        no_grad(|| {
            let mut w = float.gates.ws.shallow_clone();
            let _ = w.f_mul_scalar_(0.2);
            if let Some(b) = &float.gates.bs {
                let b = b.shallow_clone();
                let n = contexts as i64;
                let _ = b.narrow(0, 0, n).fill_(2.0 / (n + 4) as f64);
                let _ = b.narrow(0, 2 * n - 4, 3).fill_(2.0 / (n + 4) as f64);
            }
        });
        float
    }

    /// Logits of a batch, in nats; with `exact`, weights and activations are
    /// rounded as the integers will be.
    fn forward(&self, b: &Batch, exact: bool) -> Tensor {
        let weight = |t: &Tensor| if exact { round_to(t, 256.0) } else { t.shallow_clone() };
        let entry = |t: &Tensor| if exact { round_to(t, 4096.0) } else { t.shallow_clone() };
        let activation = |t: Tensor| {
            let t = t.clamp(0.0, 255.0 / 32.0);
            if exact { floor_to(&t, 32.0) } else { t }
        };
        let affine = |l: &nn::Linear, a: &Tensor| a.linear(&weight(&l.ws), l.bs.as_ref());
        let column = |t: &Tensor, i: i64| t.select(1, i);
        let look = |t: &Tensor, i: &Tensor| Tensor::embedding(&entry(t), i, -1, false, false);

        let mut sums = affine(&self.costs, &(&b.costs / 16.0));
        for (i, table) in self.previous.iter().enumerate() {
            sums += look(table, &column(&b.previous, i as i64));
        }
        let context_weight =
            if exact { round_to(&self.context.ws, 128.0) } else { self.context.ws.shallow_clone() };
        let shared = activation(sums).linear(&context_weight, self.context.bs.as_ref());
        let width = shared.size()[1];
        let shared = shared.unsqueeze(1).expand([-1, 8, -1], false).reshape([-1, width]);

        let logits = b.x.narrow(1, 0, self.contexts);
        let rounded = ((&logits + 8.0) / 16.0).floor().clamp(-127.0, 127.0) / 16.0;
        let a = Tensor::cat(&[rounded, &b.confidence / 8.0], 1);
        let sums = affine(&self.first, &a)
            + shared
            + look(&self.partial, &column(&b.index, 0))
            + look(&self.matched[0], &column(&b.index, 1))
            + look(&self.matched[1], &column(&b.index, 2))
            + look(&self.seen, &column(&b.index, 3));
        let h = activation(sums);
        let h = match &self.second {
            None => h,
            Some(second) => activation(affine(second, &h)),
        };
        let gates = affine(&self.gates, &h) + look(&self.gate_table, &column(&b.index, 0));
        let gates = gates.clamp(-8.0, 8.0);
        let gates = if exact { floor_to(&gates, 1024.0) } else { gates };
        (gates * (&b.x / 256.0))
            .sum_dim_intlist([1i64].as_slice(), false, Kind::Float)
            .clamp(-12.0, 12.0)
    }
}

fn loss(logits: &Tensor, bits: &Tensor) -> Tensor {
    logits.binary_cross_entropy_with_logits::<Tensor>(bits, None, None, tch::Reduction::Mean)
}

/// Nats per bit → bits per byte.
const BITS_PER_BYTE: f64 = 8.0 / std::f64::consts::LN_2;

fn evaluate(net: &Float, pieces: &Pieces, batch: i64, exact: bool, device: Device) -> f64 {
    let mut total = 0.0;
    let mut n = 0;
    no_grad(|| {
        while n < pieces.count {
            let take = batch.min(pieces.count - n);
            let b = pieces
                .batch(&Tensor::arange_start(n, n + take, (Kind::Int64, Device::Cpu)))
                .to(device);
            total += loss(&net.forward(&b, exact), &b.bits).double_value(&[]) * take as f64;
            n += take;
        }
    });
    total / pieces.count.max(1) as f64 * BITS_PER_BYTE
}

impl Batch {
    fn to(self, device: Device) -> Self {
        if device == Device::Cpu {
            return self;
        }
        Self {
            x: self.x.to(device),
            confidence: self.confidence.to(device),
            index: self.index.to(device),
            bits: self.bits.to(device),
            costs: self.costs.to(device),
            previous: self.previous.to(device),
        }
    }
}

/// Trains a stream model.
pub fn train(options: &Options, say: Say) -> Result<(ModelFile, Outcome), TrainError> {
    let o = options;
    let start = Instant::now();
    let contexts = parse_contexts(&o.contexts)?;
    let primed_contexts = o
        .primed_contexts
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<Vec<Context>, _>>()
        .map_err(|e| ModelError::metadata("primed", e.to_string()))?;
    let share = if o.primed > 0 { PRIMED_SHARE } else { 0.0 };
    let corpus = Corpus::read(&o.data, o.most, share, o.holdout, o.seed)?;
    let size = |documents: &[Vec<u8>]| documents.iter().map(Vec::len).sum::<usize>();
    let (train_bytes, valid_bytes) = (size(&corpus.train), size(&corpus.valid));
    say(&format!(
        "{} documents, {train_bytes} bytes; held out: {} documents, {valid_bytes} bytes",
        corpus.train.len(),
        corpus.valid.len()
    ));
    let language = match &o.language_ready {
        Some(language) => Some(language.clone()),
        None => {
            let documents: Vec<&[u8]> =
                corpus.primed.iter().chain(&corpus.train).map(|d| &d[..]).collect();
            let held_out: Vec<&[u8]> = corpus.valid.iter().map(|d| &d[..]).collect();
            language::train(&o.language, &documents, &held_out, say)?
        }
    };
    let packed_language = language.as_ref().map(PackedLanguage::new);
    let primed = learn_primed(&contexts, &primed_contexts, &corpus.primed, o.primed);
    if o.primed > 0 {
        say(&format!(
            "{:6.0} s  {} slots primed, from {} other documents, {} bytes",
            start.elapsed().as_secs_f64(),
            primed.as_slice().len(),
            corpus.primed.len(),
            size(&corpus.primed)
        ));
    }
    let pass = Pass {
        contexts: &contexts,
        limit: o.limit,
        primed: &primed,
        language: packed_language.as_ref(),
        seed: o.seed,
    };
    let maps = learn_maps(pass, &corpus.train, train_bytes.min(16 << 20), &|_| {});
    say(&format!("{:6.0} s  maps learned", start.elapsed().as_secs_f64()));
    let train = gather(pass, &maps, &corpus.train, o.bits / 8, &|_| {}).tensors(contexts.len());
    let valid = gather(pass, &maps, &corpus.valid, o.bits / 64, &|_| {}).tensors(contexts.len());
    if train.count == 0 || valid.count == 0 {
        return Err(TrainError::TooLittle {
            got: (train_bytes + valid_bytes) as u64,
            files: corpus.train.len(),
        });
    }
    say(&format!(
        "{:6.0} s  evidence of {} bytes, {} held out",
        start.elapsed().as_secs_f64(),
        train.count * PIECE as i64,
        valid.count * PIECE as i64
    ));

    tch::manual_seed(o.seed as i64);
    let mut store = VarStore::new(o.device);
    let net = Float::new(&store.root(), o, contexts.len());
    let mut optimizer = nn::Adam { beta2: 0.99, ..Default::default() }.build(&store, o.rate)?;
    let batch = (o.batch / PIECE).max(1) as i64;
    let steps = (train.count / batch).max(1);
    let total = steps * o.epochs as i64;
    let mut first_epoch = 0;
    if let (Some(path), true) = (&o.checkpoint, o.resume) {
        first_epoch = read_checkpoint(&mut store, path)?;
        say(&format!("resumed after epoch {first_epoch}"));
    }
    let mut random = SplitMix64::new(o.seed ^ 0xda7a);
    for epoch in 0..o.epochs {
        let mut order: Vec<i64> = (0..train.count).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, (random.next_u64() % (i as u64 + 1)) as usize);
        }
        if epoch < first_epoch {
            continue;
        }
        let order = Tensor::from_slice(&order);
        let mut sum = 0.0;
        for step in 0..steps {
            let at = (epoch as i64 * steps + step) as f64 / total as f64;
            // a short warm-up, then a cosine
            optimizer.set_lr(
                o.rate
                    * (at * 50.0).min(1.0)
                    * (0.5 + 0.5 * (at * std::f64::consts::PI).cos()).max(0.002),
            );
            let b =
                train.batch(&order.narrow(0, step * batch, batch.min(train.count))).to(o.device);
            let exact = at > 0.4;
            let l = loss(&net.forward(&b, exact), &b.bits);
            optimizer.backward_step(&l);
            if step % 50 == 0 {
                sum += l.double_value(&[]);
                if !sum.is_finite() {
                    return Err(TrainError::Diverged);
                }
            }
        }
        let sampled = (steps + 49) / 50;
        let valid_loss = evaluate(&net, &valid, batch, false, o.device);
        say(&format!(
            "{:6.0} s  epoch {:2}/{}: train {:.4}, held out {valid_loss:.4} bits/byte",
            start.elapsed().as_secs_f64(),
            epoch + 1,
            o.epochs,
            sum / sampled as f64 * BITS_PER_BYTE
        ));
        if let Some(path) = &o.checkpoint {
            write_checkpoint(&store, path, epoch + 1)?;
        }
    }
    let float_loss = evaluate(&net, &valid, batch, false, o.device);
    let exact_loss = evaluate(&net, &valid, batch, true, o.device);
    say(&format!("quantization: {float_loss:.4} → {exact_loss:.4} bits/byte"));
    store.set_device(Device::Cpu);
    let mut model =
        StreamModel::new(&o.contexts, o.limit, maps, quantize::network(&net, contexts.len())?)?;
    model = model.with_language(language);
    model.primed = primed;
    model.weights = learn_weights(&model, &corpus.train, train_bytes.min(WEIGHT_BYTES), o.seed);
    say(&format!("{:6.0} s  weights of the online stage learned", start.elapsed().as_secs_f64()));
    let coded = coded_size(&model, &corpus.valid)?;
    say(&format!("held out, as it will be coded: {coded:.4} bits/byte"));
    let outcome = Outcome {
        valid: float_loss,
        valid_quantized: exact_loss,
        coded,
        epochs: o.epochs,
        corpus_bytes: (train_bytes + valid_bytes) as u64,
        bits: train.count as u64 * PIECE as u64 * 8,
        seconds: start.elapsed().as_secs_f64(),
    };
    Ok((model.to_file(), outcome))
}

/// Share of the documents that the statistics are primed with; the network must
/// see how good they are for others.
const PRIMED_SHARE: f64 = 0.4;
/// Bytes that the online stage's weights are learned from.
const WEIGHT_BYTES: usize = 12 << 20;
/// Bytes of a held-out document that are coded.
const CODED_BYTES: usize = 1 << 16;

/// Bits per byte of documents' beginnings, each coded on its own.
pub(super) fn coded_size(model: &StreamModel, documents: &[Vec<u8>]) -> Result<f64, TrainError> {
    let (mut raw, mut coded) = (0, 0);
    for document in documents {
        let part = &document[..document.len().min(CODED_BYTES)];
        raw += part.len();
        coded += block::encode(Isa::best(), model, part, 2, &|_| {})?.payload.len();
    }
    Ok(coded as f64 * 8.0 / raw.max(1) as f64)
}

/// A checkpoint is the variables' safetensors beside a file with the epoch.
fn write_checkpoint(
    store: &VarStore,
    path: &std::path::Path,
    epoch: usize,
) -> Result<(), TrainError> {
    let failed = |reason: String| TrainError::Checkpoint { path: path.into(), reason };
    let partial = path.with_extension("partial.safetensors");
    store.save(&partial).map_err(|e| failed(e.to_string()))?;
    std::fs::rename(&partial, path).map_err(|e| failed(e.to_string()))?;
    std::fs::write(path.with_extension("epoch"), epoch.to_string())
        .map_err(|e| failed(e.to_string()))
}

fn read_checkpoint(store: &mut VarStore, path: &std::path::Path) -> Result<usize, TrainError> {
    let failed = |reason: String| TrainError::Checkpoint { path: path.into(), reason };
    store.load(path).map_err(|e| failed(format!("does not fit these options: {e}")))?;
    std::fs::read_to_string(path.with_extension("epoch"))
        .map_err(|e| failed(e.to_string()))?
        .trim()
        .parse()
        .map_err(|_| failed("the epoch is not a number".into()))
}
