//! The convolutional MADE: a causal window with shared weights.
//!
//! A row is a bitmap, coded in raster order. Each pixel's logit comes from one
//! small network, the same for all pixels, that sees the pixels above and to the
//! left within a window and, through a table, the position. Hidden units of pixel
//! t have degree t, so the autoregressive property holds by construction.

use super::architecture::{MAX_DIMS, MAX_LAYERS, MAX_SHIFT};
use super::error::ModelError;
use super::integer::{Linear, SUM_LIMIT, activate, requantize};
use super::logistic::squash;
use serde::{Deserialize, Serialize};

/// Most pixels that the window reaches up or to a side.
pub const MAX_REACH: usize = 64;
/// Most units of a hidden layer.
pub const MAX_WIDTH: usize = 2048;

/// The shape of a convolutional MADE.
///
/// Inputs are the window's bits as 0 and 1, row after row from the top left;
/// pixels outside the bitmap are 0. The first layer's sums get an entry of the
/// position table on top, the output's sum a bias of the position. Activations and
/// logits are those of [`super::Architecture`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowArchitecture {
    /// Lines of a bitmap.
    pub height: usize,
    /// Pixels of a line.
    pub width: usize,
    /// Lines that the window reaches up.
    pub up: usize,
    /// Pixels that the window reaches to either side.
    pub side: usize,
    /// Units of each hidden layer, at least one layer.
    pub hidden: Vec<usize>,
    /// Activations of hidden units lie in `0..2^activation_bits`; at most 15.
    pub activation_bits: u32,
    /// Shift of each hidden layer's sums.
    pub hidden_shifts: Vec<u32>,
    /// Shift of the output sum.
    pub output_shift: u32,
}

impl WindowArchitecture {
    /// Checks every bound; only a checked architecture may size an allocation.
    pub fn check(&self) -> Result<(), ModelError> {
        let limit = |what: &str, got: usize, max: usize| {
            ModelError::check_limit(what, got as u64, max as u64)
        };
        limit("the height", self.height, MAX_DIMS)?;
        limit("the width", self.width, MAX_DIMS)?;
        limit("the number of pixels", self.height * self.width, MAX_DIMS)?;
        limit("the window's reach", self.up.max(self.side), MAX_REACH)?;
        limit("the number of hidden layers", self.hidden.len(), MAX_LAYERS)?;
        limit("activation_bits", self.activation_bits as usize, 15)?;
        for &width in &self.hidden {
            limit("the width of a hidden layer", width, MAX_WIDTH)?;
        }
        for &shift in self.hidden_shifts.iter().chain([&self.output_shift]) {
            limit("a shift", shift as usize, MAX_SHIFT as usize)?;
        }
        let some = self.height.min(self.width).min(self.inputs()).min(self.hidden.len()) > 0;
        if !some || self.hidden.contains(&0) || self.activation_bits == 0 {
            return Err(ModelError::Architecture(
                "sizes, hidden layers, their widths and activation_bits are at least 1".into(),
            ));
        }
        if self.hidden_shifts.len() != self.hidden.len() {
            return Err(ModelError::Architecture("there is one shift for each layer".into()));
        }
        Ok(())
    }

    /// Pixels of a bitmap.
    pub fn dims(&self) -> usize {
        self.height * self.width
    }

    /// Pixels that the window sees.
    pub fn inputs(&self) -> usize {
        self.up * (2 * self.side + 1) + self.side
    }

    /// Inputs of each hidden layer and of the output.
    pub fn widths(&self) -> Vec<usize> {
        std::iter::once(self.inputs()).chain(self.hidden.iter().copied()).collect()
    }

    /// The largest activation of a hidden unit.
    pub fn max_activation(&self) -> i16 {
        ((1u32 << self.activation_bits) - 1) as i16
    }

    /// The pixel that each input of pixel `t` sees, `None` outside the bitmap.
    pub fn window(&self, t: usize) -> impl Iterator<Item = Option<usize>> + '_ {
        let (line, column) = (t / self.width, t % self.width);
        let span = 2 * self.side + 1;
        (0..self.inputs()).map(move |i| {
            let line = (line + i / span).checked_sub(self.up)?;
            let column = (column + i % span).checked_sub(self.side)?;
            (column < self.width).then_some(line * self.width + column)
        })
    }
}

/// A checked convolutional MADE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowMade {
    architecture: WindowArchitecture,
    layers: WindowLayers,
}

/// The layers of a convolutional MADE, before they are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowLayers {
    /// Hidden layers, from the window up.
    pub hidden: Vec<Linear>,
    /// Added to the first layer's sums, `[pixel][unit]`.
    pub position: Vec<i16>,
    /// One output.
    pub output: Linear,
    /// Added to the output's sum, one per pixel.
    pub output_position: Vec<i32>,
}

impl WindowMade {
    /// Puts a network together and proves that its sums stay in range.
    pub fn new(architecture: WindowArchitecture, layers: WindowLayers) -> Result<Self, ModelError> {
        architecture.check()?;
        let fits = {
            let (a, widths) = (&architecture, architecture.widths());
            let mut all = layers.hidden.iter().chain([&layers.output]).zip(&widths);
            let mut outputs = a.hidden.iter().copied().chain([1]);
            layers.hidden.len() == a.hidden.len()
                && layers.position.len() == a.dims() * a.hidden[0]
                && layers.output_position.len() == a.dims()
                && all.all(|(l, &inputs)| {
                    let outputs = outputs.next().unwrap_or(0);
                    (l.inputs, l.outputs, l.weights.len(), l.bias.len())
                        == (inputs, outputs, inputs * outputs, outputs)
                })
        };
        if !fits {
            return Err(ModelError::Architecture("the layers do not have its sizes".into()));
        }
        let made = Self { architecture, layers };
        let bounds = made.sum_bounds();
        match bounds.into_iter().max() {
            Some(b) if b >= SUM_LIMIT => Err(ModelError::TooLarge {
                what: "the bound of a sum".into(),
                got: b as u64,
                limit: SUM_LIMIT as u64 - 1,
            }),
            _ => Ok(made),
        }
    }

    /// The shape.
    pub fn architecture(&self) -> &WindowArchitecture {
        &self.architecture
    }

    /// The layers.
    pub fn layers(&self) -> &WindowLayers {
        &self.layers
    }

    /// The largest |partial sum| of each layer, tables included.
    pub fn sum_bounds(&self) -> Vec<i64> {
        let l = &self.layers;
        let position = l.position.iter().map(|&p| i64::from(p).abs()).max().unwrap_or(0);
        let output = l.output_position.iter().map(|&p| i64::from(p).abs()).max().unwrap_or(0);
        let max = i64::from(self.architecture.max_activation());
        let mut bounds: Vec<i64> = Vec::new();
        for (n, layer) in l.hidden.iter().chain([&l.output]).enumerate() {
            bounds.push(layer.sum_bound(if n == 0 { 1 } else { max }));
        }
        bounds[0] += position;
        bounds[l.hidden.len()] += output;
        bounds
    }

    /// The logit of pixel `t`, by the scalar reference; of `bits` only pixels
    /// before `t` are read.
    ///
    /// # Panics
    /// When there is no such pixel.
    pub fn logit(&self, bits: &[u8], t: usize) -> i32 {
        let (a, l) = (&self.architecture, &self.layers);
        let mut activations: Vec<i16> =
            a.window(t).map(|pixel| pixel.map_or(0, |i| i16::from(bits[i]))).collect();
        for (n, layer) in l.hidden.iter().enumerate() {
            let mut sums = vec![0; layer.outputs];
            layer.apply(&activations, &mut sums);
            if n == 0 {
                let table = &l.position[t * sums.len()..(t + 1) * sums.len()];
                sums.iter_mut().zip(table).for_each(|(s, &p)| *s += i32::from(p));
            }
            let shift = a.hidden_shifts[n];
            activations = sums.iter().map(|&s| activate(s, shift, a.max_activation())).collect();
        }
        let mut sum = [0];
        l.output.apply(&activations, &mut sum);
        requantize(sum[0] + l.output_position[t], a.output_shift)
    }

    /// Probabilities (16 bits, of a one) of every pixel, by the scalar reference.
    ///
    /// # Panics
    /// When `bits` does not have a bit for each pixel.
    pub fn probabilities(&self, bits: &[u8]) -> Vec<u16> {
        (0..self.architecture.dims()).map(|t| squash(self.logit(bits, t))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_lies_above_and_to_the_left() {
        let a = WindowArchitecture {
            height: 3,
            width: 4,
            up: 1,
            side: 1,
            hidden: vec![1],
            activation_bits: 8,
            hidden_shifts: vec![0],
            output_shift: 0,
        };
        let window = |t| a.window(t).collect::<Vec<_>>();
        assert_eq!(window(5), [Some(0), Some(1), Some(2), Some(4)]);
        assert_eq!(window(0), [None, None, None, None]);
        assert_eq!(window(4), [None, Some(0), Some(1), None]);
        assert_eq!(window(11), [Some(6), Some(7), None, Some(10)]);
    }
}
