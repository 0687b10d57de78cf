//! From floating point to the integers of [`Network`].

use tch::{Device, Kind, Tensor, nn};

use super::corpus::TrainError;
use super::fit::Float;
use crate::made::integer::Linear;
use crate::stream::network::{Network, Table, gate_count, input_count};

/// Rounds `t · scale` to integers of ±`limit`, flat.
pub(super) fn rounded(t: &Tensor, scale: f64, limit: f64) -> Result<Vec<i32>, TrainError> {
    let t = (t.detach() * scale).round().clamp(-limit, limit).to_kind(Kind::Int);
    let t = t.to_device(Device::Cpu).contiguous();
    Ok(Vec::<i32>::try_from(t.reshape([-1]))?)
}

pub(super) fn narrow(values: Vec<i32>) -> Vec<i16> {
    values.into_iter().map(|v| v as i16).collect()
}

fn table(t: &Tensor) -> Result<Table, TrainError> {
    let units = t.size()[1] as usize;
    Ok(Table { entries: narrow(rounded(t, 4096.0, 32767.0)?), units })
}

/// [`layer`] with weights of 16 bits.
pub(super) fn linear(l: &nn::Linear, sum_bits: i32) -> Result<Linear, TrainError> {
    layer(&l.ws, l.bs.as_ref(), sum_bits, WIDE)
}

/// Fraction bits and the highest |number| of weights of 16 bits.
pub(super) const WIDE: (u32, f64) = (8, 32767.0);

/// `sum_bits`: fraction bits of the layer's sums; of its weights those, and the highest one.
pub(super) fn layer(
    weights: &Tensor,
    bias: Option<&Tensor>,
    sum_bits: i32,
    (weight_bits, most): (u32, f64),
) -> Result<Linear, TrainError> {
    let size = weights.size();
    let (outputs, inputs) = (size[0] as usize, size[1] as usize);
    let bias = match bias {
        Some(b) => rounded(b, f64::from(1 << sum_bits), f64::from(1 << 24))?,
        None => vec![0; outputs],
    };
    let weights = narrow(rounded(weights, f64::from(1 << weight_bits), most)?);
    Ok(Linear { inputs, outputs, weights, bias })
}

/// The context layer feeds the first layer, whose sums have 12 fraction bits,
/// while its activations have 5 and its weights 8: they are stored with 7.
fn context(l: &nn::Linear) -> Result<Linear, TrainError> {
    layer(&l.ws, l.bs.as_ref(), 12, (7, WIDE.1))
}

/// The integer network of a trained one.
pub(super) fn network(net: &Float, contexts: usize) -> Result<Network, TrainError> {
    let network = Network {
        previous: [table(&net.previous[0])?, table(&net.previous[1])?, table(&net.previous[2])?],
        costs: linear(&net.costs, 12)?,
        context: context(&net.context)?,
        partial: table(&net.partial)?,
        matched: [table(&net.matched[0])?, table(&net.matched[1])?],
        seen: table(&net.seen)?,
        first: linear(&net.first, 12)?,
        second: net.second.as_ref().map(|l| linear(l, 13)).transpose()?,
        gates: linear(&net.gates, 13)?,
        gate_table: table(&net.gate_table)?,
    };
    debug_assert_eq!(network.first.inputs, input_count(contexts));
    debug_assert_eq!(network.gates.outputs, gate_count(contexts));
    Ok(network)
}
