//! Rows bit by bit: decoding, and drawing samples by the same steps.

use super::layout::Layout;
use super::payload::GROUP_ROWS;
use crate::engine::dot::LANES;
use crate::engine::records::SteppingEngine;

/// Fills whole rows, zero on entry. `bit` is asked for every bit in coding order
/// with its probability of being one (of 65536); `done` is told about bytes of
/// finished rows.
pub fn rows(
    engine: &dyn SteppingEngine,
    layout: &Layout,
    rows: &mut [u8],
    bit: &mut dyn FnMut(u16) -> bool,
    done: &dyn Fn(u64),
) {
    let row_bytes = layout.row_bytes();
    let group_tiles = (rows.len() / row_bytes).min(GROUP_ROWS).div_ceil(LANES);
    let mut tiles: Vec<_> = (0..group_tiles).map(|_| engine.rows()).collect();
    for group in rows.chunks_mut(GROUP_ROWS * row_bytes) {
        tiles.iter_mut().for_each(|tile| tile.reset());
        for t in 0..layout.dims() {
            for (tile, rows) in tiles.iter_mut().zip(group.chunks_mut(LANES * row_bytes)) {
                let p1 = tile.next();
                let mut bits = [0i16; LANES];
                for ((row, bit_out), p) in rows.chunks_exact_mut(row_bytes).zip(&mut bits).zip(p1) {
                    if bit(p) {
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
