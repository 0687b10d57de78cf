//! The network in floating point.

use super::batches::{self, Batch};
use super::options::BitmapOptions;
use crate::made::random::SplitMix64;
use crate::made::window::WindowArchitecture;
use tch::{Device, Kind, Reduction, Tensor};

/// Shape and precision; the parameters are kept apart: weight and bias of each
/// hidden layer and of the output, then the output's position table. A hidden
/// layer as wide as the one below adds to it what its weights make (a residual
/// link, which the integer network has as ones on the diagonal).
pub struct FloatWindow {
    pub architecture: WindowArchitecture,
    /// How far bitmaps are moved that it learns from.
    pub moves: usize,
    kind: Kind,
    device: Device,
}

/// Random elements of units to leave out, drawn once and used from a random
/// place on: drawing them anew would cost more than the network.
pub struct Dropout {
    keep: Tensor,
    rng: SplitMix64,
}

/// Rows of the table of random elements beyond those of the largest batch.
const SPARE: usize = 4096;

impl Dropout {
    /// `rate` is the probability to leave out a unit; batches have at most `rows`
    /// rows and layers at most `units` units.
    pub fn new(rate: f64, rows: usize, units: usize, seed: u64, kind: (Kind, Device)) -> Self {
        let mut rng = SplitMix64::new(seed);
        let (n, limit) = ((rows + SPARE) * units, (rate * 65536.0) as u16);
        let mut keep = Vec::with_capacity(n + 3);
        while keep.len() < n {
            let random = rng.next_u64();
            keep.extend((0..4).map(|i| u8::from((random >> (16 * i)) as u16 >= limit)));
        }
        keep.truncate(n);
        let keep = Tensor::from_slice(&keep).reshape([-1, units as i64]).to_device(kind.1);
        Self { keep: keep.to_kind(kind.0) * (1.0 / (1.0 - rate)), rng }
    }

    fn apply(&mut self, a: &Tensor) -> Tensor {
        let (rows, units) = (a.size()[0], a.size()[1]);
        let start = self.rng.below((self.keep.size()[0] - rows).max(1) as usize);
        a * self.keep.narrow(0, start as i64, rows).narrow(1, 0, units)
    }
}

impl FloatWindow {
    pub fn new(architecture: WindowArchitecture, options: &BitmapOptions) -> Self {
        let kind = if options.bf16 { Kind::BFloat16 } else { Kind::Float };
        Self { architecture, moves: options.moves, kind, device: options.device.device() }
    }

    /// The type of the matrix products.
    pub fn kind(&self) -> (Kind, Device) {
        (self.kind, self.device)
    }

    /// Whether hidden layer `l` has a residual link.
    fn residual(&self, l: usize) -> bool {
        l > 0 && self.architecture.hidden[l] == self.architecture.hidden[l - 1]
    }

    /// Parameters to begin with; `frequencies` are the shares of ones.
    pub fn initial(&self, seed: u64, frequencies: &[f64]) -> Vec<Tensor> {
        let mut rng = SplitMix64::new(seed);
        let mut parameters = Vec::new();
        let mut inputs = batches::inputs(&self.architecture, self.moves);
        let mut matrix = |outputs: usize, inputs: usize, variance: f64| {
            // Uniform with the wanted variance.
            let range = (3.0 * variance / inputs as f64).sqrt();
            let values: Vec<f32> = (0..inputs * outputs)
                .map(|_| {
                    let unit = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
                    ((2.0 * unit - 1.0) * range) as f32
                })
                .collect();
            Tensor::from_slice(&values)
                .reshape([outputs as i64, inputs as i64])
                .to_device(self.device)
        };
        for (l, &units) in self.architecture.hidden.iter().enumerate() {
            // The first layer sees few ones; residual branches begin small.
            let variance = match l {
                0 => 8.0,
                _ if self.residual(l) => 0.5,
                _ => 2.0,
            };
            parameters.push(matrix(units, inputs, variance));
            parameters.push(Tensor::zeros([units as i64], (Kind::Float, self.device)));
            inputs = units;
        }
        parameters.push(matrix(1, inputs, 0.3));
        parameters.push(Tensor::zeros([1], (Kind::Float, self.device)));
        let bias: Vec<f32> =
            frequencies.iter().map(|p| (p / (1.0 - p)).ln().max(-7.0) as f32).collect();
        parameters.push(Tensor::from_slice(&bias).to_device(self.device));
        parameters
    }

    /// Weights of layer `l` with the residual link in them.
    pub fn weights(&self, parameters: &[Tensor], l: usize) -> Tensor {
        let w = &parameters[2 * l];
        if l < self.architecture.hidden.len() && self.residual(l) {
            w + Tensor::eye(w.size()[0], (Kind::Float, self.device))
        } else {
            w.shallow_clone()
        }
    }

    /// Activations of the hidden layers and logits, `[n]`.
    pub fn activations(
        &self,
        parameters: &[Tensor],
        batch: &Batch,
        mut dropout: Option<&mut Dropout>,
    ) -> (Vec<Tensor>, Tensor) {
        let layers = self.architecture.hidden.len();
        let mut a = batch.inputs.to_kind(self.kind);
        let mut all = Vec::new();
        for l in 0..layers {
            let w = self.weights(parameters, l).to_kind(self.kind);
            a = a.linear(&w, Some(&parameters[2 * l + 1].to_kind(self.kind))).relu_();
            all.push(a.shallow_clone());
            if let Some(dropout) = &mut dropout {
                a = dropout.apply(&a);
            }
        }
        let bias = &parameters[2 * layers + 1];
        let logits = a.to_kind(Kind::Float).linear(&parameters[2 * layers], Some(bias));
        let table = parameters[2 * layers + 2].index_select(0, &batch.positions);
        (all, logits.squeeze_dim(1) + table)
    }

    /// Summed nats of a batch, pixels weighted.
    pub fn loss(
        &self,
        parameters: &[Tensor],
        batch: &Batch,
        dropout: Option<&mut Dropout>,
    ) -> Tensor {
        let (_, logits) = self.activations(parameters, batch, dropout);
        let none = None::<&Tensor>;
        logits.binary_cross_entropy_with_logits(
            &batch.targets,
            Some(&batch.weights),
            none,
            Reduction::Sum,
        )
    }
}
