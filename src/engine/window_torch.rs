//! The torch engine for the convolutional MADE: bulk passes of compression.
//!
//! Windows are laid out as rows of a matrix (unfolded, on the device), so that every layer
//! is a matrix product; a convolution would not be exact.

use super::EngineError;
use super::records::RecordsEngine;
use super::squash_torch::{self, Squash};
use super::torch::{ExactLinear, TorchDevice, activate, floor_shift};
use crate::made::integer::Linear;
use crate::made::window::{WindowArchitecture, WindowMade};
use crate::parallel::lock;
use std::sync::Mutex;
use tch::{Kind, Tensor};

/// Pixels that the CPU evaluates at once.
const BATCH_PIXELS: usize = 8192;

/// The network on a device.
#[derive(Debug)]
struct Layers {
    hidden: Vec<ExactLinear>,
    /// `[lines, columns, units]`, added to the first sums.
    position: Tensor,
    output: ExactLinear,
    /// `[lines, columns, 1]`, added to the last sum.
    output_position: Tensor,
    squash: Squash,
}

/// Some lines, or some columns.
struct Part {
    from: i64,
    count: i64,
}

/// `all` of them in parts of so many.
fn parts(all: usize, each: usize) -> impl Iterator<Item = Part> {
    let part = move |from| Part { from: from as i64, count: each.min(all - from) as i64 };
    (0..all).step_by(each).map(part)
}

/// The torch engine of one convolutional MADE.
#[derive(Debug)]
pub struct TorchWindow {
    architecture: WindowArchitecture,
    device: TorchDevice,
    // Tensors may move between threads but not be used by two at once.
    layers: Mutex<Layers>,
    /// Pixels evaluated at once.
    batch: usize,
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
            t.f_reshape([a.height as i64, a.width as i64, -1])?
                .f_to_device(device.device())?
                .f_to_kind(kind)
        };
        let layers = Layers {
            squash: Squash::new(device)?,
            position: table(Tensor::f_from_slice(&l.position)?, hidden[0].kind())?,
            output_position: table(Tensor::f_from_slice(&l.output_position)?, output.kind())?,
            hidden,
            output,
        };
        let widest = a.widths().into_iter().max().unwrap_or(1);
        let batch = device.batch(BATCH_PIXELS, widest);
        Ok(Self { architecture: a.clone(), device, layers: Mutex::new(layers), batch })
    }

    /// Probabilities of a part of bitmaps with their frames: `[rows, lines, columns]`.
    fn pixels(
        &self,
        layers: &Layers,
        framed: &Tensor,
        lines: &Part,
        columns: &Part,
    ) -> Result<Tensor, EngineError> {
        let a = &self.architecture;
        let [up, side, inputs] = [a.up, a.side, a.inputs()].map(|n| n as i64);
        let span = 2 * side + 1;
        let shape = [-1, lines.count, columns.count];
        // the lines above, and of this one what is to the left of the pixel
        let part = framed.f_narrow(1, lines.from, lines.count + up)?;
        let part = part.f_narrow(2, columns.from, columns.count + 2 * side)?;
        let windows = part.f_unfold(2, span, 1)?.f_unfold(1, up + 1, 1)?.f_transpose(3, 4)?;
        let mut x = windows.f_reshape([-1, (up + 1) * span])?.f_narrow(1, 0, inputs)?;
        let with_table = |sums: Tensor, table: &Tensor| {
            let units = sums.size()[1];
            let table = table.f_narrow(0, lines.from, lines.count)?;
            let table = table.f_narrow(1, columns.from, columns.count)?;
            let sums = sums.f_reshape([shape[0], shape[1], shape[2], units])?.f_add_(&table)?;
            sums.f_reshape([-1, units])
        };
        for (n, (layer, &shift)) in layers.hidden.iter().zip(&a.hidden_shifts).enumerate() {
            let mut sums = layer.sums(&x)?;
            if n == 0 {
                sums = with_table(sums, &layers.position)?;
            }
            x = activate(sums, shift, a.max_activation())?;
        }
        let sums = with_table(layers.output.sums(&x)?, &layers.output_position)?;
        let p1 = layers.squash.probabilities(floor_shift(sums, a.output_shift)?)?;
        Ok(p1.f_reshape(shape)?)
    }

    /// Bitmaps on the device with a frame of zeros above and beside them, so that windows need
    /// no bounds; `[rows, lines, columns]`.
    fn framed(&self, bitmaps: &[u8]) -> Result<Tensor, EngineError> {
        let a = &self.architecture;
        let [height, width, up, side] = [a.height, a.width, a.up, a.side].map(|n| n as i64);
        let bitmaps = Tensor::f_from_slice(bitmaps)?.f_reshape([-1, height, width])?;
        let bitmaps = bitmaps.f_to_device(self.device.device())?;
        Ok(bitmaps.f_constant_pad_nd([side, side, up, 0])?)
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
        let layers = &*lock(&self.layers);
        let WindowArchitecture { height, width, .. } = self.architecture;
        let pixels = self.batch;
        let batch = (pixels / self.dims()).max(1) * self.dims();
        for (bits, p1) in bits.chunks(batch).zip(p1.chunks_mut(batch)) {
            let framed = self.framed(bits)?;
            // bitmaps of more pixels than that are taken in parts
            let of_lines = |lines: Part| {
                let columns =
                    parts(width, pixels).map(|c| self.pixels(layers, &framed, &lines, &c));
                Ok(Tensor::f_cat(&columns.collect::<Result<Vec<_>, EngineError>>()?, 2)?)
            };
            let lines = parts(height, (pixels / width).max(1)).map(of_lines);
            let all = Tensor::f_cat(&lines.collect::<Result<Vec<_>, EngineError>>()?, 1)?;
            squash_torch::take(&all.f_flatten(0, -1)?, p1)?;
        }
        Ok(())
    }
}
