//! libtorch as an exact integer calculator.
//!
//! Floating-point matrix products are exact on integers while no partial sum
//! leaves the mantissa: below 2^24 for 32 bits, below 2^53 for 64. A layer's bound
//! comes from its real weights, so the choice is proven when the model is loaded.
//! On CUDA TF32 would cut 32-bit operands to 11 bits: where it is switched on from
//! outside, sums have 64 bits, and else operands of 32-bit products have no more than 11
//! bits, so that it would change nothing. Known answers of
//! the layer's own shape are compared when it is made, whatever the proof says:
//! libraries have settings and bugs. Convolutions are never used (their algorithms
//! are not exact).

use super::EngineError;
use super::cuda::{self, Missing};
use crate::made::integer::Linear;
use crate::made::random::SplitMix64;
use std::ffi::OsString;
use tch::{Cuda, Device, Kind, Tensor};

/// Numbers of a layer that a device has at once, about; with 64 bits 128 MiB.
const DEVICE_BATCH: usize = 1 << 24;

/// A device libtorch can compute on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TorchDevice {
    device: Device,
}

impl TorchDevice {
    /// `auto` (CUDA if there is some), `cpu`, `cuda` or `cuda:N`.
    ///
    /// All but `cpu` must come before libtorch is used for anything else: once it has looked for
    /// CUDA (when random numbers are seeded, or gradients computed), its part for CUDA is
    /// loaded in vain.
    pub fn open(name: &str) -> Result<Self, EngineError> {
        let cuda = |wanted: usize| {
            let reason = match cuda::load() {
                Ok(()) => None,
                Err(Missing::ForCpu(why) | Missing::Broken(why)) => Some(why.clone()),
            };
            let found = Cuda::device_count().max(0) as usize;
            if Cuda::is_available() && wanted < found {
                Ok(Self { device: Device::Cuda(wanted) })
            } else {
                Err(EngineError::NoCuda { wanted, found, reason })
            }
        };
        match name {
            "cpu" => Ok(Self::cpu()),
            "cuda" => cuda(0),
            "auto" => Ok(cuda(0).unwrap_or(Self::cpu())),
            _ => match name.strip_prefix("cuda:").and_then(|n| n.parse().ok()) {
                Some(n) => cuda(n),
                None => Err(EngineError::UnknownDevice(name.into())),
            },
        }
    }

    /// The CPU, which is always there.
    pub fn cpu() -> Self {
        Self { device: Device::Cpu }
    }

    /// Why CUDA is not used though this libtorch has a part for it, if that is so.
    pub fn why_no_cuda() -> Option<String> {
        match cuda::load() {
            Err(Missing::Broken(why)) => Some(why.clone()),
            _ => None,
        }
    }

    /// The device as tch knows it.
    pub fn device(self) -> Device {
        self.device
    }

    /// The engine on this device, in words.
    pub fn engine(self) -> String {
        format!("libtorch ({})", self.name())
    }

    /// `cpu`, `cuda:0`, …
    pub fn name(self) -> String {
        match self.device {
            Device::Cuda(n) => format!("cuda:{n}"),
            _ => "cpu".into(),
        }
    }

    /// The floating-point type in which sums up to `bound` are exact here, of products of
    /// numbers up to `operand`.
    pub fn exact_kind(self, bound: i64, operand: i64) -> Option<Kind> {
        exact_kind(bound, operand, self.most_operand())
    }

    /// Of a network whose widest layer has so many numbers, inputs to evaluate at once: `on_cpu`
    /// keeps its caches busy, a device takes as long for a few as for many.
    pub fn batch(self, on_cpu: usize, widest: usize) -> usize {
        if self.device == Device::Cpu { on_cpu } else { (DEVICE_BATCH / widest).max(1) }
    }

    /// The largest number up to which all are exact as an operand of a 32-bit product.
    fn most_operand(self) -> i64 {
        match self.device {
            Device::Cpu => 1 << 24,
            _ => most_operand_on_cuda(|name| std::env::var_os(name)),
        }
    }
}

/// Variables that switch TF32 on: libtorch's and those of NVIDIA's libraries.
const TF32: [&str; 2] = ["TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "NVIDIA_TF32_OVERRIDE"];

/// [`TorchDevice::most_operand`] of a CUDA device, in such an environment. TF32 is off unless it
/// is switched on.
fn most_operand_on_cuda(variable: impl Fn(&str) -> Option<OsString>) -> i64 {
    let is_on = |name| variable(name).is_some_and(|value| value != "0");
    if TF32.into_iter().any(is_on) { 0 } else { 1 << 11 }
}

/// [`TorchDevice::exact_kind`] where operands of 32-bit products are exact up to a number.
fn exact_kind(bound: i64, operand: i64, most_operand: i64) -> Option<Kind> {
    match bound {
        _ if bound < 1 << 24 && operand <= most_operand => Some(Kind::Float),
        _ if bound < 1 << 53 => Some(Kind::Double),
        _ => None,
    }
}

/// Rows of a known-answer batch: enough for the matrix kernels that bulk passes
/// use.
const KNOWN_ROWS: usize = 64;

/// A [`Linear`] on a device, with sums proven and tested exact.
#[derive(Debug)]
pub struct ExactLinear {
    /// `[inputs, outputs]`.
    weights: Tensor,
    bias: Tensor,
    kind: Kind,
}

impl ExactLinear {
    /// Puts a layer on the device. Inputs are integers with |a| ≤ `max_input`;
    /// `extra` is what the caller adds to the sums afterwards in the same type.
    /// `name` is for error messages.
    pub fn new(
        device: TorchDevice,
        name: &str,
        linear: &Linear,
        max_input: i64,
        extra: i64,
    ) -> Result<Self, EngineError> {
        let bound = linear.sum_bound(max_input) + extra;
        let largest = linear.weights.iter().map(|w| i64::from(w.unsigned_abs())).max();
        let operand = max_input.max(largest.unwrap_or(0));
        let kind = device.exact_kind(bound, operand).ok_or_else(|| EngineError::Inexact {
            layer: name.into(),
            bound,
            device: device.name(),
        })?;
        for tested in known_layers(linear, kind, device.most_operand()) {
            check(device, name, &tested.layer, tested.max_input, kind)?;
        }
        check(device, name, linear, max_input, kind)?;
        Self::place(device, linear, kind)
    }

    fn place(device: TorchDevice, linear: &Linear, kind: Kind) -> Result<Self, EngineError> {
        let shape = [linear.outputs as i64, linear.inputs as i64];
        let weights = Tensor::f_from_slice(&linear.weights)?
            .f_reshape(shape)?
            .f_to_device(device.device)?
            .f_to_kind(kind)?
            .f_transpose(0, 1)?;
        let bias = Tensor::f_from_slice(&linear.bias)?.f_to_device(device.device)?;
        Ok(Self { weights, bias: bias.f_to_kind(kind)?, kind })
    }

    /// The type of inputs and sums.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Sums of a batch: `[n, inputs]` (any type) to `[n, outputs]` of
    /// [`ExactLinear::kind`].
    pub fn sums(&self, inputs: &Tensor) -> Result<Tensor, EngineError> {
        Ok(self.bias.f_addmm(&inputs.f_to_kind(self.kind)?, &self.weights)?)
    }
}

/// `floor(sums / 2^shift)` in place, exact: scaling by a power of two rounds nothing.
pub fn floor_shift(mut sums: Tensor, shift: u32) -> Result<Tensor, EngineError> {
    Ok(sums.f_mul_scalar_(0.5f64.powi(shift as i32))?.f_floor_()?)
}

/// `clamp(floor(sums / 2^shift), 0, max)` in place, as [`crate::made::integer::activate`].
pub fn activate(sums: Tensor, shift: u32, max: i16) -> Result<Tensor, EngineError> {
    Ok(floor_shift(sums, shift)?.f_clamp_(0.0, f64::from(max))?)
}

/// A layer made up for a test, with the largest input that goes with it.
struct Tested {
    layer: Linear,
    max_input: i64,
}

/// Layers of the same shape as `like` that a wrong product cannot survive: equal
/// signs at the bound of what `kind` holds, and odd values, above 2^12 unless 32-bit
/// operands are at most `operand`, which arithmetic of reduced precision would round.
fn known_layers(like: &Linear, kind: Kind, operand: i64) -> Vec<Tested> {
    let operand = if kind == Kind::Float { operand } else { i64::MAX };
    let limit: i64 = if kind == Kind::Float { (1 << 24) - 1 } else { (1 << 30) - 1 };
    let n = like.inputs.max(1);
    let make = |max_input: i64, sign: i64, weight: &dyn Fn(usize, usize) -> i64| {
        let weights = (0..like.weights.len()).map(|i| (sign * weight(i / n, i % n)) as i16);
        let mut layer = Linear {
            inputs: like.inputs,
            outputs: like.outputs,
            weights: weights.collect(),
            bias: vec![0; like.outputs],
        };
        // The bias takes what the products leave, so that sums end just at the limit.
        let rest = (limit - layer.sum_bound(max_input)).max(0);
        layer.bias.fill((sign * rest) as i32);
        Tested { layer, max_input }
    };
    let equal = (limit / n as i64 / 255).clamp(1, operand.min(32767));
    let max_input = (limit / n as i64 / equal).clamp(1, 255);
    // 4097 · 4095 = 2^24 − 1: 13 and 12 significant bits.
    let [odd, other] = [4097, 4095].map(|odd| odd.min(operand - 1));
    vec![
        make(max_input, 1, &|_, _| equal),
        make(max_input, -1, &|_, _| equal),
        make(other, 1, &|o, i| if i == o % n { odd } else { 0 }),
    ]
}

/// Compares the device's sums with integer ones on a few hard rows.
fn check(
    device: TorchDevice,
    name: &str,
    linear: &Linear,
    max_input: i64,
    kind: Kind,
) -> Result<(), EngineError> {
    let mut rng = SplitMix64::new(linear.weights.len() as u64);
    let max = max_input.clamp(1, 32767) as i16;
    let mut rows = vec![vec![max; linear.inputs]];
    rows.push((0..linear.inputs).map(|_| rng.below(max as usize + 1) as i16).collect());
    let odd = |x: usize| (x as i16 | 1).min(max);
    rows.push((0..linear.inputs).map(|_| odd(rng.below(max as usize + 1))).collect());
    // Every product of the first output with the same sign.
    let first = linear.weights.iter().take(linear.inputs);
    rows.push(first.map(|&w| if w < 0 { -max } else { max }).collect());
    let answers: Vec<Vec<i32>> = rows
        .iter()
        .map(|row| {
            let mut sums = vec![0; linear.outputs];
            linear.apply(row, &mut sums);
            sums
        })
        .collect();
    let batch: Vec<i16> = (0..KNOWN_ROWS).flat_map(|r| rows[r % rows.len()].clone()).collect();
    let placed = ExactLinear::place(device, linear, kind)?;
    let inputs = Tensor::f_from_slice(&batch)?
        .f_reshape([KNOWN_ROWS as i64, linear.inputs as i64])?
        .f_to_device(device.device)?;
    let sums = placed.sums(&inputs)?.f_to_kind(Kind::Double)?.f_to_device(Device::Cpu)?;
    let got = Vec::<f64>::try_from(sums.f_flatten(0, -1)?)?;
    for (r, row) in got.chunks_exact(linear.outputs.max(1)).enumerate() {
        for (&got, &want) in row.iter().zip(&answers[r % rows.len()]) {
            if got != f64::from(want) {
                return Err(EngineError::KnownAnswer {
                    device: device.name(),
                    layer: name.into(),
                    got,
                    want: want.into(),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check must fail for arithmetic that is not exact: the test's own test.
    #[test]
    fn known_answers_tell_exact_products_from_others() {
        let cpu = TorchDevice::open("cpu").unwrap();
        for (inputs, outputs) in [(1, 1), (51, 48), (784, 500), (3000, 7)] {
            let like = Linear {
                inputs,
                outputs,
                weights: vec![0; inputs * outputs],
                bias: vec![0; outputs],
            };
            let wrong_of = |kind: Kind, like_kind: Kind, operand: i64| {
                known_layers(&like, like_kind, operand)
                    .iter()
                    .filter(|t| check(cpu, "test", &t.layer, t.max_input, kind).is_err())
                    .count()
            };
            let wrong = |kind, like_kind| wrong_of(kind, like_kind, cpu.most_operand());
            assert_eq!(wrong(Kind::Float, Kind::Float), 0);
            // those of CUDA have 11 bits, of which bfloat16 keeps 8
            assert_eq!(wrong_of(Kind::Float, Kind::Float, 1 << 11), 0);
            assert_eq!(wrong_of(Kind::BFloat16, Kind::Float, 1 << 11), 3);
            assert_eq!(wrong(Kind::Double, Kind::Double), 0);
            assert_eq!(wrong(Kind::BFloat16, Kind::Float), 3);
            // Sums beyond 2^24 need the wider type.
            assert!(wrong(Kind::Float, Kind::Double) >= 2);
        }
    }

    #[test]
    fn thirty_two_bits_of_a_cuda_device_are_for_small_operands() {
        let off = most_operand_on_cuda(|_| None);
        assert_eq!(most_operand_on_cuda(|_| Some("0".into())), off);
        assert_eq!(exact_kind((1 << 24) - 1, 2048, off), Some(Kind::Float));
        assert_eq!(exact_kind((1 << 24) - 1, 2049, off), Some(Kind::Double));
        assert_eq!(exact_kind(1 << 24, 1, off), Some(Kind::Double));
        for on in TF32 {
            let most = most_operand_on_cuda(|name| (name == on).then(|| "1".into()));
            assert_eq!(exact_kind(1, 1, most), Some(Kind::Double), "{on}");
        }
    }
}
