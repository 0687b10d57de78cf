//! Which pixels a step looks at, and what the network sees of them.

use crate::made::random::SplitMix64;
use crate::made::window::WindowArchitecture;
use crate::records::Table;
use crate::train::records::TrainError;
use std::borrow::Cow;
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
    /// How far they are moved when they are drawn, each way.
    moves: usize,
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

/// How far a bitmap is moved, in lines down and pixels to the right, from `-moves` to `moves`.
pub type Move = [isize; 2];
/// As it is.
pub const UNMOVED: Move = [0, 0];

/// Inputs that say line, column and block, each one-hot.
fn position_inputs(a: &WindowArchitecture) -> usize {
    a.height + a.width + a.height.div_ceil(BLOCK) * a.width.div_ceil(BLOCK)
}

/// These, and after them one-hot how the bitmap was moved, if that is done.
fn place_inputs(a: &WindowArchitecture, moves: usize) -> usize {
    let ways = if moves == 0 { 0 } else { (2 * moves + 1).pow(2) };
    position_inputs(a) + ways
}

/// Inputs of the network in training: the window, then the place.
pub fn inputs(a: &WindowArchitecture, moves: usize) -> usize {
    a.inputs() + place_inputs(a, moves)
}

/// The inputs that say a place which are one for pixel `t`, counted from the first.
pub fn place_ones(
    a: &WindowArchitecture,
    moves: usize,
    by: Move,
    t: usize,
) -> impl Iterator<Item = usize> {
    let (line, column) = (t / a.width, t % a.width);
    let block = line / BLOCK * a.width.div_ceil(BLOCK) + column / BLOCK;
    let [down, right] = by.map(|n| n.saturating_add_unsigned(moves) as usize);
    let way = (moves > 0).then_some(position_inputs(a) + down * (2 * moves + 1) + right);
    [line, a.height + column, a.height + a.width + block].into_iter().chain(way)
}

impl Bitmaps {
    /// Unpacks rows, which must fit the architecture.
    pub fn new(architecture: &WindowArchitecture, table: &Table, moves: usize) -> Self {
        let mut pixels = Vec::new();
        let ordering = crate::made::Ordering::natural(table.dims);
        crate::records::Layout::new(&ordering).unpack(&table.rows, &mut pixels);
        Self { architecture: architecture.clone(), pixels, moves }
    }

    /// Number of bitmaps.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.architecture.dims()
    }

    fn bitmap(&self, i: usize) -> &[u8] {
        let d = self.architecture.dims();
        &self.pixels[i * d..(i + 1) * d]
    }

    /// Moves a bitmap; what comes in is zeros.
    fn moved(&self, bitmap: &[u8], [down, right]: Move) -> Vec<u8> {
        let WindowArchitecture { height, width, .. } = self.architecture;
        let from = |at: usize, by: isize, len: usize| {
            at.checked_add_signed(-by).filter(|&from| from < len)
        };
        let pixel = |t: usize| {
            let (line, column) = (from(t / width, down, height)?, from(t % width, right, width)?);
            Some(bitmap[line * width + column])
        };
        (0..bitmap.len()).map(|t| pixel(t).unwrap_or(0)).collect()
    }

    /// How to move a bitmap: half of them stay where they are.
    fn draw_move(&self, rng: &mut SplitMix64) -> Move {
        if self.moves == 0 || rng.below(2) == 0 {
            return UNMOVED;
        }
        [0; 2].map(|_: isize| rng.below(2 * self.moves + 1) as isize - self.moves as isize)
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

    /// Draws pixels of some bitmaps, which are moved before that if `is_moved`.
    pub fn draw(
        &self,
        chosen: &[usize],
        is_moved: bool,
        hardness: &Hardness,
        rng: &mut SplitMix64,
        device: Device,
    ) -> Result<Batch, TrainError> {
        let a = &self.architecture;
        let columns = inputs(a, self.moves);
        let span = 2 * a.side + 1;
        // A frame of zeros around the bitmap: windows need no bounds then.
        let stride = a.width + 2 * a.side;
        let mut framed = vec![0u8; (a.height + a.up) * stride];
        let (mut rows, mut positions) = (Vec::new(), Vec::new());
        let (mut targets, mut weights) = (Vec::new(), Vec::new());
        for &i in chosen {
            let by = if is_moved { self.draw_move(rng) } else { UNMOVED };
            let bitmap = match by {
                UNMOVED => Cow::Borrowed(self.bitmap(i)),
                by => Cow::Owned(self.moved(self.bitmap(i), by)),
            };
            for (line, pixels) in bitmap.chunks_exact(a.width).enumerate() {
                let at = (line + a.up) * stride + a.side;
                framed[at..at + a.width].copy_from_slice(pixels);
            }
            for (t, &bit) in bitmap.iter().enumerate() {
                let wrong = (f64::from(bit) - hardness.likely[self.context(&bitmap, t)]).abs();
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
                rows.resize(start + place_inputs(a, self.moves), 0);
                place_ones(a, self.moves, by, t).for_each(|p| rows[start + p] = 1);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn architecture() -> WindowArchitecture {
        WindowArchitecture {
            height: 2,
            width: 3,
            up: 1,
            side: 1,
            hidden: vec![1],
            activation_bits: 8,
            hidden_shifts: vec![0],
            output_shift: 0,
        }
    }

    #[test]
    fn what_is_moved_in_is_zeros() {
        let bitmaps = Bitmaps { architecture: architecture(), pixels: Vec::new(), moves: 1 };
        let moved = |by| bitmaps.moved(&[1, 2, 3, 4, 5, 6], by);
        assert_eq!(moved(UNMOVED), [1, 2, 3, 4, 5, 6]);
        assert_eq!(moved([1, 0]), [0, 0, 0, 1, 2, 3]);
        assert_eq!(moved([-1, 1]), [0, 4, 5, 0, 0, 0]);
        assert_eq!(moved([0, -1]), [2, 3, 0, 5, 6, 0]);
    }

    #[test]
    fn half_stay_and_every_way_has_an_input_of_its_own() {
        let a = architecture();
        let bitmaps = Bitmaps { architecture: a.clone(), pixels: Vec::new(), moves: 1 };
        let mut rng = SplitMix64::new(1);
        let drawn: Vec<Move> = (0..2000).map(|_| bitmaps.draw_move(&mut rng)).collect();
        let unmoved = drawn.iter().filter(|&&by| by == UNMOVED).count();
        assert!((1050..1170).contains(&unmoved), "{unmoved}");
        let way = |&by: &Move| place_ones(&a, 1, by, 0).last().unwrap();
        let ways: std::collections::BTreeSet<usize> = drawn.iter().map(way).collect();
        // after a line of two, a column of three and one block
        assert!(ways.into_iter().eq(6..15));
        assert_eq!(place_inputs(&a, 1), 15);
        // without moves there are none, and nothing is drawn
        assert_eq!((place_inputs(&a, 0), place_ones(&a, 0, UNMOVED, 5).last()), (6, Some(5)));
        let (still, mut other) = (Bitmaps { moves: 0, ..bitmaps }, rng.clone());
        assert_eq!((still.draw_move(&mut rng), rng.next_u64()), (UNMOVED, other.next_u64()));
    }
}
