//! The torch engine for the convolutional MADE: bulk passes of compression.
//!
//! Windows are laid out as rows of a matrix (unfolded), so that every layer is a
//! matrix product; a convolution would not be exact.

use super::EngineError;
use super::records::RecordsEngine;
use super::torch::{ExactLinear, TorchDevice, activate, floor_shift};
use crate::made::integer::Linear;
use crate::made::logistic::{LOGIT_LIMIT, squash};
use crate::made::window::{WindowArchitecture, WindowMade};
use crate::parallel::lock;
use std::sync::Mutex;
use tch::{Device, Kind, Tensor};

/// Pixels evaluated at once.
const BATCH_PIXELS: usize = 8192;

/// The network on a device.
#[derive(Debug)]
struct Layers {
    hidden: Vec<ExactLinear>,
    /// `[pixels, units]`, added to the first sums.
    position: Tensor,
    output: ExactLinear,
    /// `[pixels, 1]`, added to the last sum.
    output_position: Tensor,
}

/// The torch engine of one convolutional MADE.
#[derive(Debug)]
pub struct TorchWindow {
    architecture: WindowArchitecture,
    device: TorchDevice,
    // Tensors may move between threads but not be used by two at once.
    layers: Mutex<Layers>,
}

impl TorchWindow {
    /// Puts the network on the device; proves and tests that its products are
    /// exact there.
    pub fn new(made: &WindowMade, device: TorchDevice) -> Result<Self, EngineError> {
        let (a, l) = (made.architecture(), made.layers());
        let _guard = tch::no_grad_guard();
        // Products and what is added to them must be exact in the type of the sum.
        let bounds = made.sum_bounds();
        let max = i64::from(a.max_activation());
        let exact = |n: usize, name: &str, linear: &Linear| {
            let max_input = if n == 0 { 1 } else { max };
            let extra = bounds[n] - linear.sum_bound(max_input);
            ExactLinear::new(device, name, linear, max_input, extra)
        };
        let hidden = l.hidden.iter().enumerate();
        let hidden = hidden.map(|(n, h)| exact(n, &format!("hidden.{n}"), h));
        let hidden = hidden.collect::<Result<Vec<_>, _>>()?;
        let output = exact(hidden.len(), "output", &l.output)?;
        let table = |t: Tensor, kind: Kind| {
            t.f_reshape([a.dims() as i64, -1])?.f_to_device(device.device())?.f_to_kind(kind)
        };
        let layers = Layers {
            position: table(Tensor::f_from_slice(&l.position)?, hidden[0].kind())?,
            output_position: table(Tensor::f_from_slice(&l.output_position)?, output.kind())?,
            hidden,
            output,
        };
        Ok(Self { architecture: a.clone(), device, layers: Mutex::new(layers) })
    }

    /// Probabilities of pixels `from..from + count` of whole bitmaps.
    fn pixels(
        &self,
        layers: &Layers,
        bitmaps: &[u8],
        (from, count): (usize, usize),
        p1: &mut [u16],
    ) -> Result<(), EngineError> {
        let a = &self.architecture;
        let rows = bitmaps.len() / a.dims();
        let windows = self.unfold(bitmaps, (from, count));
        let shape = [(rows * count) as i64, a.inputs() as i64];
        let mut x =
            Tensor::f_from_slice(&windows)?.f_reshape(shape)?.f_to_device(self.device.device())?;
        let with_table = |sums: Tensor, table: &Tensor| {
            let table = table.f_narrow(0, from as i64, count as i64)?.f_unsqueeze(0)?;
            let units = sums.size()[1];
            let sums = sums.f_reshape([rows as i64, count as i64, units])?.f_add(&table)?;
            sums.f_reshape([-1, units])
        };
        for (n, (layer, &shift)) in layers.hidden.iter().zip(&a.hidden_shifts).enumerate() {
            let mut sums = layer.sums(&x)?;
            if n == 0 {
                sums = with_table(sums, &layers.position)?;
            }
            x = activate(&sums, shift, a.max_activation())?;
        }
        let sums = with_table(layers.output.sums(&x)?, &layers.output_position)?;
        let limit = f64::from(LOGIT_LIMIT);
        let logits = floor_shift(&sums, a.output_shift)?.f_clamp(-limit, limit)?;
        let logits = logits.f_to_kind(Kind::Int16)?.f_to_device(Device::Cpu)?.f_flatten(0, -1)?;
        let logits = Vec::<i16>::try_from(logits)?;
        for (row, logits) in p1.chunks_exact_mut(a.dims()).zip(logits.chunks_exact(count)) {
            for (p, &logit) in row[from..from + count].iter_mut().zip(logits) {
                *p = squash(logit.into());
            }
        }
        Ok(())
    }

    /// What the windows of the pixels see, a byte each.
    fn unfold(&self, bitmaps: &[u8], (from, count): (usize, usize)) -> Vec<u8> {
        let a = &self.architecture;
        let span = 2 * a.side + 1;
        // A frame of zeros around a bitmap: windows need no bounds then.
        let stride = a.width + 2 * a.side;
        let mut framed = vec![0u8; (a.height + a.up) * stride];
        let mut windows = Vec::with_capacity(bitmaps.len() / a.dims() * count * a.inputs());
        for bitmap in bitmaps.chunks_exact(a.dims()) {
            for (line, pixels) in bitmap.chunks_exact(a.width).enumerate() {
                let at = (line + a.up) * stride + a.side;
                framed[at..at + a.width].copy_from_slice(pixels);
            }
            for t in from..from + count {
                let mut at = t / a.width * stride + t % a.width;
                for _ in 0..a.up {
                    windows.extend_from_slice(&framed[at..at + span]);
                    at += stride;
                }
                windows.extend_from_slice(&framed[at..at + a.side]);
            }
        }
        windows
    }
}

impl RecordsEngine for TorchWindow {
    fn dims(&self) -> usize {
        self.architecture.dims()
    }

    fn name(&self) -> String {
        self.device.engine()
    }

    fn probabilities(&self, bits: &[u8], p1: &mut [u16]) -> Result<(), EngineError> {
        let _guard = tch::no_grad_guard();
        let layers = lock(&self.layers);
        let dims = self.dims();
        let batch = (BATCH_PIXELS / dims).max(1) * dims;
        for (bits, p1) in bits.chunks(batch).zip(p1.chunks_mut(batch)) {
            for from in (0..dims).step_by(BATCH_PIXELS) {
                let count = BATCH_PIXELS.min(dims - from);
                self.pixels(&layers, bits, (from, count), p1)?;
            }
        }
        Ok(())
    }
}
