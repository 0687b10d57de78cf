//! Fitting the network of one part: Adam on the mean code length of the kept bits.

use std::path::Path;

use tch::nn::{OptimizerConfig, VarStore};
use tch::{Device, Kind, Tensor, nn, no_grad};

use super::corpus::TrainError;
use super::evidence::{Batch, PIECE, Pieces};
use super::options::Options;
use super::part::Say;
use crate::made::random::SplitMix64;
use crate::stream::network::{gate_count, input_count};
use crate::stream::row::{MATCH_CLASSES, unit_bits};

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
}

/// Rounds to a grid with a straight-through gradient.
fn round_to(t: &Tensor, steps: f64) -> Tensor {
    t + ((t * steps).round() / steps - t).detach()
}

fn floor_to(t: &Tensor, steps: f64) -> Tensor {
    t + ((t * steps).floor() / steps - t).detach()
}

impl Float {
    fn new(root: &nn::Path, o: &Options, contexts: usize, known: usize) -> Self {
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
            costs: linear("costs", known as i64, c),
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
        };
        // start as a plain logistic mixture, a little above the average: logits are large, and
        // gates that differ at first cost most of an epoch
        no_grad(|| {
            let mut w = float.gates.ws.shallow_clone();
            let _ = w.f_mul_scalar_(GATES_START);
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
        let bits = unit_bits(b.x.size()[1] as usize / 2) as i64;
        // what is computed once, so many times
        let repeated = |t: Tensor, times: i64| {
            t.unsqueeze(1).expand([-1, times, -1], false).reshape([-1, t.size()[1]])
        };
        let shared = repeated(shared, 8 / bits);
        // what the units read of all bits
        let read = |t: &Tensor| t.slice(0, 0, t.size()[0], bits);

        let rounded = ((read(&b.x) + 8.0) / 16.0).floor().clamp(-127.0, 127.0) / 16.0;
        let a = Tensor::cat(&[rounded, &b.confidence / 8.0], 1);
        let index = read(&b.index);
        let sums = affine(&self.first, &a)
            + shared
            + look(&self.partial, &column(&index, 0))
            + look(&self.matched[0], &column(&index, 1))
            + look(&self.matched[1], &column(&index, 2))
            + look(&self.seen, &column(&index, 3));
        let h = activation(sums);
        let h = match &self.second {
            None => h,
            Some(second) => activation(affine(second, &h)),
        };
        let gates =
            repeated(affine(&self.gates, &h), bits) + look(&self.gate_table, &column(&b.index, 0));
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

/// Gradients with a larger norm are made this large: at the usual norms, a few in a hundred
/// are ten times as large as the others, and undo what many steps have learned.
const LARGEST_GRADIENT: f64 = 0.5;
/// What the gates' first weights are multiplied by.
const GATES_START: f64 = 0.01;
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

/// A fitted network and its losses on held-out pieces, in bits per byte.
pub(super) struct Fitted {
    pub network: Float,
    /// In floating point,
    pub float: f64,
    /// and in integers, as it will code.
    pub exact: f64,
}

/// Fits a network for `contexts` contexts and `known` inputs of its context units to
/// pieces of evidence.
pub(super) fn fit(
    o: &Options,
    (contexts, known): (usize, usize),
    [train, valid]: [&Pieces; 2],
    checkpoint: Option<&Path>,
    say: Say,
) -> Result<Fitted, TrainError> {
    tch::manual_seed(o.seed as i64);
    let mut store = VarStore::new(o.device);
    let net = Float::new(&store.root(), o, contexts, known);
    let mut optimizer = nn::Adam::default().build(&store, o.rate)?;
    let batch = (o.batch / PIECE).max(1) as i64;
    let steps = (train.count / batch).max(1);
    let total = steps * o.epochs as i64;
    let mut first_epoch = 0;
    if let (Some(path), true) = (checkpoint, o.resume && checkpoint.is_some_and(Path::exists)) {
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
            optimizer.backward_step_clip_norm(&l, LARGEST_GRADIENT);
            if step % 50 == 0 {
                sum += l.double_value(&[]);
                if !sum.is_finite() {
                    return Err(TrainError::Diverged);
                }
            }
        }
        let sampled = (steps + 49) / 50;
        let valid_loss = evaluate(&net, valid, batch, false, o.device);
        say(&format!(
            "epoch {:2}/{}: train {:.4}, held out {valid_loss:.4} bits/byte",
            epoch + 1,
            o.epochs,
            sum / sampled as f64 * BITS_PER_BYTE
        ));
        if let Some(path) = checkpoint {
            write_checkpoint(&store, path, epoch + 1)?;
        }
    }
    let float = evaluate(&net, valid, batch, false, o.device);
    let exact = evaluate(&net, valid, batch, true, o.device);
    say(&format!("quantization: {float:.4} → {exact:.4} bits/byte"));
    store.set_device(Device::Cpu);
    Ok(Fitted { network: net, float, exact })
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
