//! From parameters to the integer model.

use super::batches::{self, Batch};
use super::network::FloatWindow;
use super::options::BitmapOptions;
use crate::made::integer::Linear;
use crate::made::logistic::LOGIT_BITS;
use crate::made::window::{WindowLayers, WindowMade};
use crate::train::records::TrainError;
use crate::train::records::network::to_vec;
use crate::train::records::quantize::{COVERED, fraction_bits, quantile};
use tch::Tensor;

/// The integer network; `sample` shows how large activations get.
pub fn export(
    network: &FloatWindow,
    parameters: &[Tensor],
    sample: &Batch,
    options: &BitmapOptions,
) -> Result<WindowMade, TrainError> {
    let _guard = tch::no_grad_guard();
    let mut a = network.architecture.clone();
    let layers = a.hidden.len();
    let max_weight = (1i64 << (options.weight_bits - 1)) - 1;
    let max_activation = i64::from(a.max_activation());
    let (hidden, _) = network.activations(parameters, sample, None);
    let ranges = hidden.iter().map(|h| fraction_bits(quantile(h, COVERED), max_activation));
    let activations: Vec<i32> = ranges.collect();
    let window = a.inputs();
    let mut linear = Vec::new();
    let mut position = Vec::new();
    for l in 0..=layers {
        let weights = network.weights(parameters, l);
        let values: Vec<f64> = to_vec(&weights).into_iter().map(f64::from).collect();
        let inputs = if l == 0 { window } else { a.hidden[l - 1] };
        let outputs = if l < layers { a.hidden[l] } else { 1 };
        let stride = values.len() / outputs;
        let input_bits = if l == 0 { 0 } else { activations[l - 1] };
        let result_bits = if l < layers { activations[l] } else { LOGIT_BITS as i32 };
        let largest = values.iter().fold(0f64, |m, v| m.max(v.abs()));
        // The sum needs at least as many fraction bits as what it becomes.
        let bits = fraction_bits(largest, max_weight).max(result_bits - input_bits);
        let scale = 2f64.powi(bits);
        let round = |v: f64| (v * scale).round().clamp(-max_weight as f64, max_weight as f64);
        let sum_bits = bits + input_bits;
        let shift = (sum_bits - result_bits) as u32;
        let half = if shift == 0 { 0.0 } else { 2f64.powi(shift as i32 - 1) };
        let bias = to_vec(&parameters[2 * l + 1]).into_iter();
        let bias = bias.map(|b| ((f64::from(b) * 2f64.powi(sum_bits)).round() + half) as i32);
        let mut integers = Vec::with_capacity(inputs * outputs);
        for row in values.chunks_exact(stride) {
            integers.extend(row[..inputs].iter().map(|&v| round(v) as i16));
        }
        linear.push(Linear { inputs, outputs, weights: integers, bias: bias.collect() });
        if l == 0 {
            for t in 0..a.dims() {
                let ones = batches::place_ones(&a, network.moves, batches::UNMOVED, t);
                let ones: Vec<usize> = ones.collect();
                position.extend(values.chunks_exact(stride).map(|row| {
                    let sum: f64 = ones.iter().map(|&p| row[window + p]).sum();
                    (sum * scale).round().clamp(-32767.0, 32767.0) as i16
                }));
            }
        }
        if l < layers {
            a.hidden_shifts[l] = shift;
        } else {
            a.output_shift = shift;
        }
    }
    let sum_bits = a.output_shift as i32 + LOGIT_BITS as i32;
    let table = to_vec(&parameters[2 * layers + 2]).into_iter();
    let output_position =
        table.map(|v| (f64::from(v) * 2f64.powi(sum_bits)).round() as i32).collect();
    let output = linear.pop().ok_or_else(|| TrainError::Options("no output layer".into()))?;
    let layers = WindowLayers { hidden: linear, position, output, output_position };
    Ok(WindowMade::new(a, layers)?)
}
