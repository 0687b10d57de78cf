//! Rows bit by bit: decoding, and drawing samples by the same steps.

use super::layout::Layout;
use super::payload::GROUP_ROWS;
use super::tiles::{TILES, Tiles, shares};
use crate::engine::dot::LANES;
use crate::engine::records::SteppingEngine;

/// Fills whole rows, zero on entry, with at most so many threads, on which nothing depends. `bit`
/// is asked for every bit in coding order: the row's number, the bit's rank from 0, its
/// probability of being one (of 65536); `done` is told about bytes of finished rows.
pub fn rows(
    engine: &dyn SteppingEngine,
    layout: &Layout,
    rows: &mut [u8],
    threads: usize,
    bit: &mut dyn FnMut(usize, usize, u16) -> bool,
    done: &dyn Fn(u64),
) {
    let row_bytes = layout.row_bytes();
    let tiles_of = |bytes: usize| (bytes / row_bytes).min(GROUP_ROWS).div_ceil(LANES);
    let most = tiles_of(rows.len());
    let threads = shares(threads, engine.products() * (most * LANES) as u64, most);
    std::thread::scope(|scope| {
        let mut tiles = Tiles::new(engine, threads, scope);
        for (g, group) in rows.chunks_mut(GROUP_ROWS * row_bytes).enumerate() {
            let mut p1 = tiles.begin(tiles_of(group.len()));
            for t in 0..layout.dims() {
                let mut bits = [[0i16; LANES]; TILES];
                let of_rows = bits.as_flattened_mut().iter_mut().zip(p1.as_flattened());
                let lanes = group.chunks_exact_mut(row_bytes).zip(of_rows);
                for (r, (row, (bit_out, &p))) in lanes.enumerate() {
                    if bit(g * GROUP_ROWS + r, t, p) {
                        *bit_out = 1;
                        layout.set(row, t);
                    }
                }
                if t + 1 < layout.dims() {
                    p1 = tiles.push(&bits);
                }
            }
            done(group.len() as u64);
        }
    });
}
