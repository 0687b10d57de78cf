//! Which pixels a step looks at, and what the network sees of them.

use crate::made::random::SplitMix64;
use crate::made::window::WindowArchitecture;
use crate::records::Table;
use crate::train::records::TrainError;
use tch::{Device, Kind, Tensor};

/// Side of the square blocks of the coarse position inputs.
const BLOCK: usize = 4;
/// Neighbours `(line up, column offset)` that say how hard a pixel is.
const NEIGHBOURS: [(usize, isize); 11] =
    [(0, -1), (0, -2), (0, -3), (1, -2), (1, -1), (1, 0), (1, 1), (1, 2), (2, -1), (2, 0), (2, 1)];
/// A pixel's chance is this times how wrong the neighbours are about it.
const EAGERNESS: f64 = 1.5;

/// Bitmaps in memory, a byte a pixel.
pub struct Bitmaps {
    architecture: WindowArchitecture,
    pixels: Vec<u8>,
}

/// Pixels with what the network sees of them.
pub struct Batch {
    /// `[n, inputs]`, 0 and 1.
    pub inputs: Tensor,
    /// Position of each pixel in its bitmap, `[n]`.
    pub positions: Tensor,
    /// The pixels themselves, `[n]`.
    pub targets: Tensor,
    /// One over the chance, `[n]`.
    pub weights: Tensor,
}

/// How likely a one is, given the neighbours.
pub struct Hardness {
    likely: Vec<f64>,
    least_chance: f64,
}

/// Position inputs: line, column and block, each one-hot.
fn position_inputs(a: &WindowArchitecture) -> usize {
    a.height + a.width + a.height.div_ceil(BLOCK) * a.width.div_ceil(BLOCK)
}

/// Inputs of the network in training: the window, then the position.
pub fn inputs(a: &WindowArchitecture) -> usize {
    a.inputs() + position_inputs(a)
}

/// The position inputs that are one for pixel `t`, counted from the first.
pub fn position_ones(a: &WindowArchitecture, t: usize) -> [usize; 3] {
    let (line, column) = (t / a.width, t % a.width);
    let block = line / BLOCK * a.width.div_ceil(BLOCK) + column / BLOCK;
    [line, a.height + column, a.height + a.width + block]
}

impl Bitmaps {
    /// Unpacks rows, which must fit the architecture.
    pub fn new(architecture: &WindowArchitecture, table: &Table) -> Self {
        let mut pixels = Vec::new();
        let ordering = crate::made::Ordering::natural(table.dims);
        crate::records::Layout::new(&ordering).unpack(&table.rows, &mut pixels);
        Self { architecture: architecture.clone(), pixels }
    }

    /// Number of bitmaps.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.architecture.dims()
    }

    fn bitmap(&self, i: usize) -> &[u8] {
        let d = self.architecture.dims();
        &self.pixels[i * d..(i + 1) * d]
    }

    /// The neighbours of pixel `t` as a number.
    fn context(&self, bitmap: &[u8], t: usize) -> usize {
        let (width, line, column) =
            (self.architecture.width, t / self.architecture.width, t % self.architecture.width);
        NEIGHBOURS.iter().fold(0, |context, &(up, offset)| {
            let at = column.checked_add_signed(offset).filter(|&c| c < width);
            let bit = match (line.checked_sub(up), at) {
                (Some(line), Some(column)) => bitmap[line * width + column],
                _ => 0,
            };
            context << 1 | usize::from(bit)
        })
    }

    /// Share of ones of each pixel over all bitmaps, never 0 or 1.
    pub fn frequencies(&self) -> Vec<f64> {
        let d = self.architecture.dims();
        let mut ones = vec![0.5; d];
        for bitmap in self.pixels.chunks_exact(d) {
            ones.iter_mut().zip(bitmap).for_each(|(n, &b)| *n += f64::from(b));
        }
        ones.iter().map(|n| n / (self.len() as f64 + 1.0)).collect()
    }

    /// Counts what follows which neighbours.
    pub fn hardness(&self, least_chance: f64) -> Hardness {
        let mut counts = vec![[0.4f64; 2]; 1 << NEIGHBOURS.len()];
        for i in 0..self.len() {
            let bitmap = self.bitmap(i);
            for (t, &bit) in bitmap.iter().enumerate() {
                counts[self.context(bitmap, t)][usize::from(bit)] += 1.0;
            }
        }
        let likely = counts.iter().map(|[zeros, ones]| ones / (zeros + ones)).collect();
        Hardness { likely, least_chance }
    }

    /// Draws pixels of some bitmaps.
    pub fn draw(
        &self,
        chosen: &[usize],
        hardness: &Hardness,
        rng: &mut SplitMix64,
        device: Device,
    ) -> Result<Batch, TrainError> {
        let a = &self.architecture;
        let columns = inputs(a);
        let span = 2 * a.side + 1;
        // A frame of zeros around the bitmap: windows need no bounds then.
        let stride = a.width + 2 * a.side;
        let mut framed = vec![0u8; (a.height + a.up) * stride];
        let (mut rows, mut positions) = (Vec::new(), Vec::new());
        let (mut targets, mut weights) = (Vec::new(), Vec::new());
        for &i in chosen {
            let bitmap = self.bitmap(i);
            for (line, pixels) in bitmap.chunks_exact(a.width).enumerate() {
                let at = (line + a.up) * stride + a.side;
                framed[at..at + a.width].copy_from_slice(pixels);
            }
            for (t, &bit) in bitmap.iter().enumerate() {
                let wrong = (f64::from(bit) - hardness.likely[self.context(bitmap, t)]).abs();
                let chance = (EAGERNESS * wrong).clamp(hardness.least_chance, 1.0);
                if (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64 >= chance {
                    continue;
                }
                positions.push(t as i64);
                targets.push(f32::from(bit));
                weights.push((1.0 / chance) as f32);
                let (line, column) = (t / a.width, t % a.width);
                for above in 0..a.up {
                    let at = (line + above) * stride + column;
                    rows.extend_from_slice(&framed[at..at + span]);
                }
                let at = (line + a.up) * stride + column;
                rows.extend_from_slice(&framed[at..at + a.side]);
                let start = rows.len();
                rows.resize(start + position_inputs(a), 0);
                position_ones(a, t).iter().for_each(|&p| rows[start + p] = 1);
            }
        }
        let len = targets.len();
        let inputs = Tensor::f_from_slice(&rows)?.f_reshape([len as i64, columns as i64])?;
        Ok(Batch {
            inputs: inputs.f_to_device(device)?,
            positions: Tensor::f_from_slice(&positions)?.f_to_device(device)?,
            targets: Tensor::f_from_slice(&targets)?.f_to_device(device)?,
            weights: Tensor::f_from_slice(&weights)?.f_to_device(device)?.f_to_kind(Kind::Float)?,
        })
    }
}
