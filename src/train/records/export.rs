//! From parameters and scales to the integer model.

use super::TrainError;
use super::network::{FloatMade, to_vec};
use super::quantize::Scales;
use crate::made::integer::Linear;
use crate::made::logistic::LOGIT_BITS;
use crate::made::{Layers, Made, Mixture};
use crate::records::RecordsModel;
use tch::Tensor;

/// The integer network.
pub fn export(
    made: &FloatMade,
    parameters: &[Tensor],
    scales: &Scales,
) -> Result<RecordsModel, TrainError> {
    let mut architecture = made.architecture.clone();
    let layers = architecture.hidden.len();
    let mut linear = Vec::new();
    let mut shifts = Vec::new();
    for l in 0..=layers {
        let inputs = if l == 0 { 0 } else { scales.activations[l - 1] };
        let sum_bits = scales.weights[l] + inputs;
        let result = if l < layers { scales.activations[l] } else { LOGIT_BITS as i32 };
        let shift = u32::try_from(sum_bits - result).map_err(|_| {
            TrainError::Options(format!("layer {l} has too few bits for its weights"))
        })?;
        let half = if shift == 0 { 0.0 } else { 2f64.powi(shift as i32 - 1) };
        let bias = to_vec(&parameters[2 * l + 1]).into_iter();
        let bias = bias.map(|b| (f64::from(b) * 2f64.powi(sum_bits)).round() + half);
        let layer = Linear {
            bias: bias.map(|b| b as i32).collect(),
            ..weights(&parameters[2 * l], &made.union(l), scales, l)
        };
        linear.push(made.expand(l, layer));
        shifts.push(shift);
    }
    let direct = made.direct().map(|mask| {
        let sum_bits =
            scales.weights[layers] + if layers == 0 { 0 } else { scales.activations[layers - 1] };
        architecture.direct_shift = (sum_bits - scales.weights[layers + 1]).max(0) as u32;
        weights(&parameters[2 * layers + 2], &mask, scales, layers + 1)
    });
    architecture.output_shift = shifts.pop().unwrap_or(0);
    architecture.hidden_shifts = shifts;
    let output = linear.pop().ok_or_else(|| TrainError::Options("no output layer".into()))?;
    let layers = Layers { hidden: linear, output, direct };
    let degrees = made.degrees.clone();
    Ok(match &made.orderings[..] {
        [one] => Made::new(architecture, one.clone(), degrees, layers)?.into(),
        several => Mixture::new(architecture, several.to_vec(), degrees, layers)?.into(),
    })
}

/// Rounded weights, without a bias.
fn weights(w: &Tensor, mask: &Tensor, scales: &Scales, layer: usize) -> Linear {
    let (outputs, inputs) = mask.size2().unwrap_or((0, 0));
    let scale = 2f64.powi(scales.weights[layer]);
    let max = scales.max_weight as f64;
    let rounded = ((w * mask) * scale).round().clamp(-max, max);
    Linear {
        inputs: inputs as usize,
        outputs: outputs as usize,
        weights: to_vec(&rounded).into_iter().map(|v| v as i16).collect(),
        bias: vec![0; outputs as usize],
    }
}
