//! Rows bit by bit: decoding, and drawing samples by the same steps.

use super::layout::Layout;
use super::payload::GROUP_ROWS;
use crate::engine::dot::LANES;
use crate::engine::records::SteppingEngine;

/// Fills whole rows, zero on entry. `bit` is asked for every bit in coding order:
/// the row's number, the bit's rank from 0, its probability of being one (of
/// 65536); `done` is told about bytes of finished rows.
pub fn rows(
    engine: &dyn SteppingEngine,
    layout: &Layout,
    rows: &mut [u8],
    bit: &mut dyn FnMut(usize, usize, u16) -> bool,
    done: &dyn Fn(u64),
) {
    let row_bytes = layout.row_bytes();
    let group_tiles = (rows.len() / row_bytes).min(GROUP_ROWS).div_ceil(LANES);
    let mut tiles: Vec<_> = (0..group_tiles).map(|_| engine.rows()).collect();
    for (g, group) in rows.chunks_mut(GROUP_ROWS * row_bytes).enumerate() {
        tiles.iter_mut().for_each(|tile| tile.reset());
        for t in 0..layout.dims() {
            let tiles_of_rows = group.chunks_mut(LANES * row_bytes).enumerate();
            for (tile, (n, rows)) in tiles.iter_mut().zip(tiles_of_rows) {
                let first = g * GROUP_ROWS + n * LANES;
                let p1 = tile.next();
                let mut bits = [0i16; LANES];
                let lanes = rows.chunks_exact_mut(row_bytes).zip(&mut bits).zip(p1);
                for (r, ((row, bit_out), p)) in lanes.enumerate() {
                    if bit(first + r, t, p) {
                        *bit_out = 1;
                        layout.set(row, t);
                    }
                }
                tile.push(&bits);
            }
        }
        done(group.len() as u64);
    }
}
