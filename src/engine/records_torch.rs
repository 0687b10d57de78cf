//! The torch engine for records: bulk passes of compression.

use super::EngineError;
use super::records::RecordsEngine;
use super::squash_torch::{self, Squash};
use super::torch::{ExactLinear, TorchDevice, activate, floor_shift};
use crate::made::Made;
use crate::made::integer::Linear;
use crate::parallel::lock;
use std::sync::Mutex;
use tch::{Kind, Tensor};

/// Rows that the CPU evaluates at once: enough to keep the matrix products busy, few enough
/// that activations of wide layers stay small.
const BATCH_ROWS: usize = 4096;

/// The network under one mask on a device.
#[derive(Debug)]
struct TorchMade {
    hidden: Vec<ExactLinear>,
    output: ExactLinear,
    direct: Option<ExactLinear>,
}

/// What is on the device.
#[derive(Debug)]
struct Placed {
    masks: Vec<TorchMade>,
    squash: Squash,
}

/// The torch engine of one records model.
#[derive(Debug)]
pub struct TorchRecords {
    device: TorchDevice,
    dims: usize,
    // Tensors may move between threads but not be used by two at once.
    placed: Mutex<Placed>,
    shifts: Vec<u32>,
    output_shift: u32,
    direct_shift: u32,
    max_activation: i16,
    /// Rows evaluated at once.
    batch: usize,
}

/// Inputs or outputs in coding order.
fn reorder(linear: &Linear, inputs: Option<&[usize]>, outputs: Option<&[usize]>) -> Linear {
    let identity = |n: usize| (0..n).collect::<Vec<_>>();
    let inputs = inputs.map_or_else(|| identity(linear.inputs), <[usize]>::to_vec);
    let outputs = outputs.map_or_else(|| identity(linear.outputs), <[usize]>::to_vec);
    let weight = |o: usize, i: usize| linear.weights[o * linear.inputs + i];
    Linear {
        inputs: linear.inputs,
        outputs: linear.outputs,
        weights: outputs.iter().flat_map(|&o| inputs.iter().map(move |&i| weight(o, i))).collect(),
        bias: outputs.iter().map(|&o| linear.bias[o]).collect(),
    }
}

impl TorchRecords {
    /// Puts the network on the device; proves and tests that its products are
    /// exact there.
    pub fn new(made: &Made, device: TorchDevice) -> Result<Self, EngineError> {
        let a = made.architecture();
        let widest = a.hidden.iter().copied().fold(a.dims, usize::max);
        let sequence = made.ordering().sequence();
        let _guard = tch::no_grad_guard();
        let mut masks = Vec::new();
        for k in 0..a.masks {
            let masked = made.masked(k);
            let max = i64::from(a.max_activation());
            let mut hidden = Vec::new();
            for (l, linear) in masked.hidden.iter().enumerate() {
                let linear = reorder(linear, (l == 0).then_some(&sequence), None);
                let max_input = if l == 0 { 1 } else { max };
                hidden.push(ExactLinear::new(
                    device,
                    &format!("hidden.{l}"),
                    &linear,
                    max_input,
                    0,
                )?);
            }
            // Both parts of the output sum must be exact in the type of the sum.
            let total = masked.sum_bounds().output;
            let last_max = if hidden.is_empty() { 1 } else { max };
            let output =
                reorder(&masked.output, hidden.is_empty().then_some(&sequence), Some(&sequence));
            let extra = total - output.sum_bound(last_max);
            let output = ExactLinear::new(device, "output", &output, last_max, extra)?;
            let direct = match &masked.direct {
                Some(direct) => {
                    let direct = reorder(direct, Some(&sequence), Some(&sequence));
                    let extra = total - direct.sum_bound(1);
                    Some(ExactLinear::new(device, "direct", &direct, 1, extra)?)
                }
                None => None,
            };
            masks.push(TorchMade { hidden, output, direct });
        }
        Ok(Self {
            device,
            dims: a.dims,
            placed: Mutex::new(Placed { masks, squash: Squash::new(device)? }),
            shifts: a.hidden_shifts.clone(),
            output_shift: a.output_shift,
            direct_shift: a.direct_shift,
            max_activation: a.max_activation(),
            batch: device.batch(BATCH_ROWS, widest),
        })
    }

    fn logits(&self, mask: &TorchMade, inputs: &Tensor) -> Result<Tensor, EngineError> {
        let mut x = inputs.shallow_clone();
        for (layer, &shift) in mask.hidden.iter().zip(&self.shifts) {
            x = activate(layer.sums(&x)?, shift, self.max_activation)?;
        }
        let mut sums = mask.output.sums(&x)?;
        if let Some(direct) = &mask.direct {
            let links = direct.sums(inputs)?;
            sums = sums.f_add(&links.f_mul_scalar(2f64.powi(self.direct_shift as i32))?)?;
        }
        floor_shift(sums, self.output_shift)
    }
}

impl RecordsEngine for TorchRecords {
    fn dims(&self) -> usize {
        self.dims
    }

    fn name(&self) -> String {
        self.device.engine()
    }

    fn probabilities(&self, bits: &[u8], p1: &mut [u16]) -> Result<(), EngineError> {
        let _guard = tch::no_grad_guard();
        let Placed { masks, squash } = &*lock(&self.placed);
        let window = self.batch * self.dims;
        for (bits, p1) in bits.chunks(window).zip(p1.chunks_mut(window)) {
            let shape = [(bits.len() / self.dims) as i64, self.dims as i64];
            let inputs = Tensor::f_from_slice(bits)?
                .f_reshape(shape)?
                .f_to_device(self.device.device())?
                .f_to_kind(Kind::Float)?;
            let under = |mask| squash.probabilities(self.logits(mask, &inputs)?);
            let Some((first, others)) = masks.split_first() else { break };
            let mut total = under(first)?;
            for mask in others {
                total = total.f_add_(&under(mask)?)?;
            }
            squash_torch::take(&squash_torch::mean(total, masks.len())?, p1)?;
        }
        Ok(())
    }
}
