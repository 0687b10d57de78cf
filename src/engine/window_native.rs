//! The native engine for the convolutional MADE: pixel by pixel, a tile of
//! bitmaps side by side.

use super::EngineError;
use super::blocks::BlockedLayer;
use super::dot::{LANES, PairedLayer, Plane, Sums};
use super::kernel::Line;
use super::records::{RecordsEngine, Rows, SteppingEngine, in_steps};
use crate::made::integer::{activate, requantize};
use crate::made::logistic::squash;
use crate::made::window::WindowMade;

/// The native engine of one convolutional MADE.
#[derive(Debug)]
pub struct NativeWindow {
    /// For each pixel, what its window sees.
    windows: Vec<Vec<Option<u32>>>,
    hidden: Vec<BlockedLayer>,
    position: Vec<i16>,
    output: PairedLayer,
    output_position: Vec<i32>,
    shifts: Vec<u32>,
    output_shift: u32,
    max_activation: i16,
}

impl NativeWindow {
    /// Lays out the network.
    pub fn new(made: &WindowMade) -> Self {
        let (a, l) = (made.architecture(), made.layers());
        let window = |t| a.window(t).map(|pixel| pixel.map(|i| i as u32)).collect();
        Self {
            windows: (0..a.dims()).map(window).collect(),
            hidden: l.hidden.iter().map(BlockedLayer::new).collect(),
            position: l.position.clone(),
            output: PairedLayer::plain(&l.output),
            output_position: l.output_position.clone(),
            shifts: a.hidden_shifts.clone(),
            output_shift: a.output_shift,
            max_activation: a.max_activation(),
        }
    }
}

/// A tile of bitmaps under way.
struct Tile<'a> {
    engine: &'a NativeWindow,
    pixels: Vec<[i16; LANES]>,
    /// Inputs of each layer.
    planes: Vec<Plane>,
    /// Room for the sums of a layer.
    sums: Vec<Sums>,
}

impl Rows for Tile<'_> {
    fn reset(&mut self) {
        self.pixels.clear();
    }

    fn next(&mut self) -> [u16; LANES] {
        let (engine, t) = (self.engine, self.pixels.len());
        self.planes.iter_mut().for_each(Plane::clear);
        for (i, pixel) in engine.windows[t].iter().enumerate() {
            if let Some(values) = pixel.and_then(|p| self.pixels.get(p as usize)) {
                self.planes[0].set(i, values);
            }
        }
        for (l, layer) in engine.hidden.iter().enumerate() {
            let (below, above) = self.planes.split_at_mut(l + 1);
            let sums = &mut self.sums[..layer.padded()];
            layer.sums(&below[l], sums);
            if l == 0 {
                let offsets = &engine.position[t * layer.units()..(t + 1) * layer.units()];
                for (sums, &offset) in sums.iter_mut().zip(offsets) {
                    sums.iter_mut().for_each(|s| *s += i32::from(offset));
                }
            }
            let (shift, max) = (engine.shifts[l], engine.max_activation);
            // Blocks are even; what they have beyond the layer's units is no unit.
            for (pair, two) in sums.chunks_exact(2).take(layer.units().div_ceil(2)).enumerate() {
                let mut values = Line([[0; 2]; LANES]);
                let second = 2 * pair + 1 < layer.units();
                for (r, value) in values.0.iter_mut().enumerate() {
                    let odd = if second { activate(two[1][r], shift, max) } else { 0 };
                    *value = [activate(two[0][r], shift, max), odd];
                }
                above[0].set_pair(pair, &values);
            }
        }
        let sums = engine.output.sums(0, &self.planes[engine.hidden.len()]);
        let offset = engine.output_position[t];
        sums.map(|s| squash(requantize(s + offset, engine.output_shift)))
    }

    fn push(&mut self, bits: &[i16; LANES]) {
        self.pixels.push(*bits);
    }
}

impl RecordsEngine for NativeWindow {
    fn dims(&self) -> usize {
        self.windows.len()
    }

    fn name(&self) -> String {
        "native".into()
    }

    fn probabilities(&self, bits: &[u8], p1: &mut [u16]) -> Result<(), EngineError> {
        in_steps(self, bits, p1);
        Ok(())
    }
}

impl SteppingEngine for NativeWindow {
    fn products(&self) -> u64 {
        self.hidden.iter().map(BlockedLayer::products).sum::<u64>() + self.output.products()
    }

    fn rows(&self) -> Box<dyn Rows + '_> {
        let inputs = self.windows.first().map_or(0, Vec::len);
        let widths = std::iter::once(inputs).chain(self.hidden.iter().map(BlockedLayer::units));
        Box::new(Tile {
            engine: self,
            pixels: Vec::with_capacity(self.windows.len()),
            planes: widths.map(Plane::new).collect(),
            sums: vec![[0; LANES]; self.hidden.iter().map(BlockedLayer::padded).max().unwrap_or(0)],
        })
    }
}
