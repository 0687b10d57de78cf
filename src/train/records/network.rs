//! The network in floating point.

pub use super::dropout::Dropout;
use super::quantize::Scales;
use super::tied::Tied;
use crate::made::degrees::{self};
use crate::made::integer::Linear;
use crate::made::masks;
use crate::made::random::SplitMix64;
use crate::made::{Architecture, Ordering};
use tch::{Device, Kind, Reduction, Tensor};

use super::options::Options;

/// Masks of one of the networks, as factors of the weights.
struct Masks {
    hidden: Vec<Tensor>,
    output: Tensor,
    /// Of the direct links; the same for all masks of an ordering.
    direct: Option<Tensor>,
}

/// Shape, degrees and masks; the parameters are kept apart, so that averaged or
/// saved ones can take their place.
pub struct FloatMade {
    pub architecture: Architecture,
    pub orderings: Vec<Ordering>,
    /// `[network][layer][unit]`: those of the first ordering's masks, then of the
    /// second's, and so on.
    pub degrees: Vec<Vec<Vec<u32>>>,
    masks: Vec<Masks>,
    tied: Option<Tied>,
    /// Of the matrix products in training.
    kind: Kind,
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
    /// The network under `orderings`, of which there is at least one.
    pub fn new(options: &Options, orderings: Vec<Ordering>) -> Self {
        let architecture = options.architecture(orderings[0].dims());
        let device = options.device.device();
        let kind = if options.bf16 { Kind::BFloat16 } else { Kind::Float };
        let tied = options.tied.then(|| Tied::new(options.hidden[0], &orderings[0], device));
        let (mut degrees, mut masks) = (Vec::new(), Vec::new());
        for ordering in &orderings {
            let ranks = ordering.ranks();
            let links = || mask_tensor(ranks, ranks, masks::into_output, device);
            let direct = options.direct.then(links);
            for _ in 0..options.masks {
                let direct = direct.as_ref().map(Tensor::shallow_clone);
                if let Some(tied) = &tied {
                    let (units, dims) = (options.hidden[0] as i64, ordering.dims() as i64);
                    let hidden = vec![Tensor::ones([units, dims], (Kind::Float, device))];
                    let output = Tensor::ones([dims, units], (Kind::Float, device));
                    degrees.push(vec![tied.degrees()]);
                    masks.push(Masks { hidden, output, direct });
                    continue;
                }
                let number = degrees.len() as u64 + 1;
                let seed = options.seed.wrapping_mul(1 << 20).wrapping_add(number);
                let layers =
                    degrees::assign(ordering.dims(), &options.hidden, options.degrees, seed);
                let mut from = ranks;
                let mut hidden = Vec::new();
                for to in &layers {
                    hidden.push(mask_tensor(from, to, masks::into_hidden, device));
                    from = to;
                }
                let output = mask_tensor(from, ranks, masks::into_output, device);
                masks.push(Masks { hidden, output, direct });
                degrees.push(layers);
            }
        }
        Self { architecture, orderings, degrees, masks, tied, kind, device }
    }

    /// Networks that training goes through: masks of all orderings.
    pub fn networks(&self) -> usize {
        self.masks.len()
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
        if let Some(direct) = &self.masks[0].direct {
            parameters.push(weights(direct, 0.0));
        }
        parameters
    }

    /// Logits of a batch by network `k`; with `scales` everything is rounded as in
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
        // Bfloat16 holds neither rounded weights nor losses to choose by.
        let kind = if dropout.is_some() && scales.is_none() { self.kind } else { Kind::Float };
        let weight = |i: usize, layer: usize, mask: &Tensor| match scales {
            Some(s) => s.round_weights(&parameters[i], layer) * mask,
            None => (&parameters[i] * mask).to_kind(kind),
        };
        let input = x.to_kind(kind);
        let mut a = input.shallow_clone();
        let mut hidden = Vec::new();
        for (l, mask) in masks.hidden.iter().enumerate() {
            let w = weight(2 * l, l, mask);
            let bias = &parameters[2 * l + 1].to_kind(kind);
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
        let w = weight(2 * l, l, &masks.output);
        let bias = &parameters[2 * l + 1];
        let mut logits = match &self.tied {
            Some(tied) => tied.logits(&a, &w, &bias.to_kind(kind)).to_kind(Kind::Float),
            None => a.linear(&w, None::<&Tensor>).to_kind(Kind::Float) + bias,
        };
        if let Some(mask) = &masks.direct {
            let links = input.linear(&weight(2 * l + 2, l + 1, mask), None::<&Tensor>);
            logits += links.to_kind(Kind::Float);
        }
        (hidden, logits)
    }

    /// The number of the parameter that links inputs to outputs.
    pub fn links(&self) -> usize {
        let layers = self.architecture.hidden.len();
        if layers == 0 { 0 } else { 2 * layers + 2 }
    }

    /// Mean nats per row; probabilities of bits are means over masks, those of rows
    /// over orderings.
    pub fn evaluate(&self, parameters: &[Tensor], data: &Tensor, scales: Option<&Scales>) -> f64 {
        let _guard = tch::no_grad_guard();
        let rows = data.size()[0];
        let mut total = 0.0;
        for start in (0..rows).step_by(1000) {
            let x = data.narrow(0, start, 1000.min(rows - start)).to_kind(Kind::Float);
            let n = self.orderings.len();
            let under = |o| self.log_likelihood(parameters, &x, o, scales);
            let under: Vec<Tensor> = (0..n).map(under).collect();
            let mixed = Tensor::stack(&under, 0).logsumexp([0], false) - (n as f64).ln();
            total -= mixed.sum(Kind::Double).double_value(&[]);
        }
        total / rows as f64
    }

    /// Natural logarithms of the probabilities of rows under ordering number `o`.
    fn log_likelihood(
        &self,
        parameters: &[Tensor],
        x: &Tensor,
        o: usize,
        scales: Option<&Scales>,
    ) -> Tensor {
        let masks = self.architecture.masks;
        let none = None::<&Tensor>;
        let nats = if masks == 1 {
            let logits = self.logits(parameters, x, o, scales, None);
            logits.binary_cross_entropy_with_logits(x, none, none, Reduction::None)
        } else {
            let mut p = Tensor::zeros_like(x);
            for k in o * masks..(o + 1) * masks {
                p += self.logits(parameters, x, k, scales, None).sigmoid();
            }
            let p = (p / masks as f64).clamp(1e-6, 1.0 - 1e-6);
            p.binary_cross_entropy(x, none, Reduction::None)
        };
        -nats.sum_dim_intlist(1, false, Kind::Double)
    }

    /// A mask of the weights of layer `l` (hidden layers, output) over all networks:
    /// 1 where any lets through.
    pub fn union(&self, l: usize) -> Tensor {
        self.any(|m| Some(m.hidden.get(l).unwrap_or(&m.output))).unwrap_or_default()
    }

    /// The same of the direct links, if there are any.
    pub fn direct(&self) -> Option<Tensor> {
        self.any(|m| m.direct.as_ref())
    }

    fn any(&self, of: impl Fn(&Masks) -> Option<&Tensor>) -> Option<Tensor> {
        let masks = self.masks.iter().filter_map(of);
        masks.fold(None, |union, mask| Some(union.map_or(mask.copy(), |u: Tensor| u.maximum(mask))))
    }

    /// The layer `l` that its trained weights stand for.
    pub fn expand(&self, l: usize, linear: Linear) -> Linear {
        match &self.tied {
            Some(tied) => tied.expand(l, &linear),
            None => linear,
        }
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
