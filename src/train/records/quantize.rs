//! Fixed-point scales of a network's weights and activations.

use super::network::{FloatMade, to_vec};
use super::options::Options;
use crate::made::logistic::LOGIT_BITS;
use tch::Tensor;

/// Fraction bits of every tensor of the integer model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scales {
    /// Fraction bits of the weights of each hidden layer, the output and the
    /// direct links.
    pub weights: Vec<i32>,
    /// Fraction bits of the activations of each hidden layer.
    pub activations: Vec<i32>,
    /// Largest |weight| as an integer.
    pub max_weight: i64,
    /// Largest activation as an integer.
    pub max_activation: i64,
}

/// Share of the activations above zero that the range must hold.
pub const COVERED: f64 = 0.9999;

/// The most fraction bits with which `largest` stays within `max`.
pub fn fraction_bits(largest: f64, max: i64) -> i32 {
    if largest > 0.0 { (max as f64 / largest).log2().floor().clamp(-4.0, 20.0) as i32 } else { 8 }
}

/// The value below which a share of the elements above zero lies.
pub fn quantile(a: &Tensor, share: f64) -> f64 {
    let mut values = to_vec(a);
    values.retain(|&v| v > 0.0);
    if values.is_empty() {
        return 1.0;
    }
    let at = ((values.len() as f64 * share) as usize).min(values.len() - 1);
    f64::from(*values.select_nth_unstable_by(at, f32::total_cmp).1)
}

impl Scales {
    /// Scales that hold the weights and, for `rows` of data, the activations.
    pub fn choose(
        made: &FloatMade,
        parameters: &[Tensor],
        rows: &Tensor,
        options: &Options,
    ) -> Self {
        let _guard = tch::no_grad_guard();
        let max_weight = (1 << (options.weight_bits - 1)) - 1;
        let max_activation = (1 << options.activation_bits) - 1;
        let layers = made.architecture.hidden.len();
        let (hidden, _) = made.activations(parameters, rows, 0, None, None);
        let activations: Vec<i32> =
            hidden.iter().map(|a| fraction_bits(quantile(a, COVERED), max_activation)).collect();
        let inputs = |l: usize| if l == 0 { 0 } else { activations[l - 1] };
        let mut weights = Vec::new();
        for l in 0..=layers {
            let mask = made.union(l);
            let largest = (&parameters[2 * l] * mask).abs().max().double_value(&[]);
            // The sum needs at least as many fraction bits as what it becomes.
            let least = if l < layers { activations[l] } else { LOGIT_BITS as i32 } - inputs(l);
            weights.push(fraction_bits(largest, max_weight).max(least));
        }
        if let Some(mask) = made.direct() {
            let largest = (&parameters[2 * layers + 2] * mask).abs().max().double_value(&[]);
            let sum = weights[layers] + inputs(layers);
            weights.push(fraction_bits(largest, max_weight).min(sum));
        }
        Self { weights, activations, max_weight, max_activation }
    }

    /// Weights rounded and clamped; the gradient is that of the identity.
    pub fn round_weights(&self, w: &Tensor, layer: usize) -> Tensor {
        let scale = 2f64.powi(self.weights[layer]);
        let max = self.max_weight as f64;
        let rounded = (w.detach() * scale).round().clamp(-max, max) / scale;
        w + (rounded - w).detach()
    }

    /// Activations rounded; the gradient is that of the clamped sum.
    pub fn round_activations(&self, sums: &Tensor, layer: usize) -> Tensor {
        let scale = 2f64.powi(self.activations[layer]);
        let clamped = sums.clamp(0.0, self.max_activation as f64 / scale);
        let rounded = (clamped.detach() * scale + 0.5).floor() / scale;
        &clamped + (rounded - &clamped).detach()
    }
}
