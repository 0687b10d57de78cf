//! The network in floating point.

use super::quantize::Scales;
use super::tied::Tied;
use crate::made::degrees::{self};
use crate::made::integer::Linear;
use crate::made::masks;
use crate::made::random::SplitMix64;
use crate::made::{Architecture, Ordering};
use tch::{Device, Kind, Reduction, Tensor};

use super::options::Options;

/// Masks of one of the K networks, as factors of the weights.
struct Masks {
    hidden: Vec<Tensor>,
    output: Tensor,
}

/// Shape, degrees and masks; the parameters are kept apart, so that averaged or
/// saved ones can take their place.
pub struct FloatMade {
    pub architecture: Architecture,
    pub ordering: Ordering,
    /// `[mask][layer][unit]`.
    pub degrees: Vec<Vec<Vec<u32>>>,
    masks: Vec<Masks>,
    direct: Option<Tensor>,
    tied: Option<Tied>,
    device: Device,
}

/// Weight and bias of each hidden layer and of the output, then the weights of
/// the direct links, if any.
pub type Parameters = Vec<Tensor>;

fn mask_tensor(from: &[u32], to: &[u32], rule: masks::Rule, device: Device) -> Tensor {
    let mask: Vec<f32> =
        masks::mask(from, to, rule).into_iter().map(|m| f32::from(u8::from(m))).collect();
    Tensor::from_slice(&mask).reshape([to.len() as i64, from.len() as i64]).to_device(device)
}

impl FloatMade {
    pub fn new(options: &Options, ordering: Ordering) -> Self {
        let architecture = options.architecture(ordering.dims());
        let device = options.device.device();
        let ranks = ordering.ranks();
        let direct = options.direct.then(|| mask_tensor(ranks, ranks, masks::into_output, device));
        if options.tied {
            let units = options.hidden[0];
            let tied = Tied::new(units, &ordering, device);
            let (units, dims) = (units as i64, ordering.dims() as i64);
            let hidden = vec![Tensor::ones([units, dims], (Kind::Float, device))];
            let output = Tensor::ones([dims, units], (Kind::Float, device));
            return Self {
                architecture,
                degrees: vec![vec![tied.degrees()]],
                ordering,
                masks: vec![Masks { hidden, output }],
                direct,
                tied: Some(tied),
                device,
            };
        }
        let degrees: Vec<_> = (0..options.masks as u64)
            .map(|k| {
                let seed = options.seed.wrapping_mul(1 << 20).wrapping_add(k + 1);
                degrees::assign(ordering.dims(), &options.hidden, options.degrees, seed)
            })
            .collect();
        let masks = degrees
            .iter()
            .map(|layers| {
                let mut from = ranks;
                let mut hidden = Vec::new();
                for to in layers {
                    hidden.push(mask_tensor(from, to, masks::into_hidden, device));
                    from = to;
                }
                Masks { hidden, output: mask_tensor(from, ranks, masks::into_output, device) }
            })
            .collect();
        Self { architecture, ordering, degrees, masks, direct, tied: None, device }
    }

    /// First parameters: weights uniform with the variance of He et al. 2015,
    /// counted over the inputs that a unit can see, output biases the logits of
    /// `frequencies`.
    pub fn initial(&self, seed: u64, frequencies: &[f64]) -> Parameters {
        let mut rng = SplitMix64::new(seed ^ 0x5eed);
        let mut parameters = Vec::new();
        let mut weights = |mask: &Tensor, gain: f64| {
            let (rows, columns) = mask.size2().unwrap_or((0, 0));
            let fan: Vec<f32> = to_vec(&mask.sum_dim_intlist(1, false, Kind::Float));
            let mut values = Vec::with_capacity((rows * columns) as usize);
            for &n in &fan {
                let range = (gain / f64::from(n.max(1.0))).sqrt();
                values.extend((0..columns).map(|_| ((2.0 * rng.unit() - 1.0) * range) as f32));
            }
            Tensor::from_slice(&values).reshape([rows, columns]).to_device(self.device)
        };
        for layer in &self.masks[0].hidden {
            parameters.push(weights(layer, 6.0));
            parameters.push(Tensor::zeros([layer.size()[0]], (Kind::Float, self.device)));
        }
        parameters.push(weights(&self.masks[0].output, 1.0));
        let bias: Vec<f32> = frequencies.iter().map(|p| (p / (1.0 - p)).ln() as f32).collect();
        parameters.push(Tensor::from_slice(&bias).to_device(self.device));
        if let Some(direct) = &self.direct {
            parameters.push(weights(direct, 0.0));
        }
        parameters
    }

    /// Logits of a batch under mask `k`; with `scales` everything is rounded as in
    /// the integer model, gradients passing through.
    pub fn logits(
        &self,
        parameters: &[Tensor],
        x: &Tensor,
        k: usize,
        scales: Option<&Scales>,
        dropout: Option<&mut Dropout>,
    ) -> Tensor {
        self.activations(parameters, x, k, scales, dropout).1
    }

    /// Hidden activations and logits, as [`FloatMade::logits`].
    pub fn activations(
        &self,
        parameters: &[Tensor],
        x: &Tensor,
        k: usize,
        scales: Option<&Scales>,
        mut dropout: Option<&mut Dropout>,
    ) -> (Vec<Tensor>, Tensor) {
        let masks = &self.masks[k];
        let weight = |i: usize, layer: usize| match scales {
            Some(s) => s.round_weights(&parameters[i], layer),
            None => parameters[i].shallow_clone(),
        };
        let mut a = x.shallow_clone();
        let mut hidden = Vec::new();
        for (l, mask) in masks.hidden.iter().enumerate() {
            let w = weight(2 * l, l) * mask;
            let bias = &parameters[2 * l + 1];
            let sums = match &self.tied {
                Some(tied) => tied.sums(&a, &w, bias),
                None => a.linear(&w, Some(bias)),
            };
            a = match scales {
                Some(s) => s.round_activations(&sums, l),
                None => sums.relu(),
            };
            hidden.push(a.shallow_clone());
            if let Some(dropout) = &mut dropout {
                a = dropout.apply(&a);
            }
        }
        let l = masks.hidden.len();
        let w = weight(2 * l, l) * &masks.output;
        let bias = &parameters[2 * l + 1];
        let mut logits = match &self.tied {
            Some(tied) => tied.logits(&a, &w, bias),
            None => a.linear(&w, Some(bias)),
        };
        if let Some(mask) = &self.direct {
            logits += x.linear(&(weight(2 * l + 2, l + 1) * mask), None::<&Tensor>);
        }
        (hidden, logits)
    }

    /// Mean nats per row; the probability is the mean over the masks.
    pub fn evaluate(&self, parameters: &[Tensor], data: &Tensor, scales: Option<&Scales>) -> f64 {
        let _guard = tch::no_grad_guard();
        let rows = data.size()[0];
        let mut total = 0.0;
        for start in (0..rows).step_by(1000) {
            let x = data.narrow(0, start, 1000.min(rows - start)).to_kind(Kind::Float);
            let all = self.masks.len();
            let nats = if all == 1 {
                let logits = self.logits(parameters, &x, 0, scales, None);
                cross_entropy(&logits, &x)
            } else {
                let mut p = Tensor::zeros_like(&x);
                for k in 0..all {
                    p += self.logits(parameters, &x, k, scales, None).sigmoid();
                }
                let p = (p / all as f64).clamp(1e-6, 1.0 - 1e-6);
                p.binary_cross_entropy(&x, None::<&Tensor>, Reduction::Sum)
            };
            total += nats.double_value(&[]);
        }
        total / rows as f64
    }

    /// A mask of the weights of layer `l` (hidden layers, output) over all K
    /// networks: 1 where any lets through.
    pub fn union(&self, l: usize) -> Tensor {
        let of = |m: &Masks| m.hidden.get(l).unwrap_or(&m.output).shallow_clone();
        let mut union = of(&self.masks[0]).copy();
        for mask in &self.masks[1..] {
            union = union.maximum(&of(mask));
        }
        union
    }

    /// The layer `l` that its trained weights stand for.
    pub fn expand(&self, l: usize, linear: Linear) -> Linear {
        match &self.tied {
            Some(tied) => tied.expand(l, &linear),
            None => linear,
        }
    }

    /// The mask of the direct links.
    pub fn direct(&self) -> Option<&Tensor> {
        self.direct.as_ref()
    }
}

/// Leaves out units at random, by a generator of its own: libtorch's is shared by
/// everything in the process.
pub struct Dropout {
    rng: SplitMix64,
    /// Probability, of 65536.
    rate: u16,
}

impl Dropout {
    pub fn new(rate: f64, seed: u64) -> Self {
        Self { rng: SplitMix64::new(seed), rate: (rate * 65536.0) as u16 }
    }

    /// Zeroes some elements and scales the others up.
    fn apply(&mut self, a: &Tensor) -> Tensor {
        let mut keep = Vec::with_capacity(a.numel() + 3);
        while keep.len() < a.numel() {
            let random = self.rng.next_u64();
            keep.extend((0..4).map(|i| (random >> (16 * i)) as u16 >= self.rate));
        }
        keep.truncate(a.numel());
        let keep = Tensor::from_slice(&keep).reshape(a.size()).to_device(a.device());
        a * keep.to_kind(Kind::Float) * (65536.0 / (65536.0 - f64::from(self.rate)))
    }
}

/// Summed nats of a batch.
pub fn cross_entropy(logits: &Tensor, x: &Tensor) -> Tensor {
    let none = None::<&Tensor>;
    logits.binary_cross_entropy_with_logits(x, none, none, Reduction::Sum)
}

/// The elements of a tensor of floats.
pub fn to_vec(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view(-1);
    Vec::<f32>::try_from(flat).unwrap_or_default()
}
