//! What of each piece came before it, and where: a block that begins between the two has to code
//! it anew.

use super::piece::Piece;

/// Only what comes again with so many bytes at least is found.
const WINDOW: usize = 16;
/// One of so many places is looked at, chosen by what stands there;
const SAMPLED: u64 = 16;
/// and there is room for so many, of which some are lost to others.
const MOST: usize = 1 << 21;

/// Bytes of a piece that came before it, counted by samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// The piece where they last came.
    pub from: usize,
    /// How many they are.
    pub len: usize,
}

/// The repeats of each piece of some bytes: at most one from each piece, in their order.
pub fn repeats(bytes: &[u8], pieces: &[Piece]) -> Vec<Vec<Repeat>> {
    let size = (bytes.len() / 4).next_power_of_two().clamp(1 << 8, MOST);
    // a part of the hash, and the piece where it was last met
    let mut seen = vec![(0, u32::MAX); size];
    let mut windows = bytes.windows(WINDOW).map(hash).enumerate().peekable();
    let of_piece = |(number, piece): (usize, &Piece)| {
        let mut lens = vec![0; number];
        while let Some((_, hash)) = windows.next_if(|&(at, _)| at < piece.end) {
            if hash >> 32 & (SAMPLED - 1) != 0 {
                continue;
            }
            let place = &mut seen[(hash >> 36) as usize & (size - 1)];
            if place.0 == hash as u32
                && let Some(len) = lens.get_mut(place.1 as usize)
            {
                *len += SAMPLED as usize;
            }
            *place = (hash as u32, number as u32);
        }
        // what is sampled may be chosen to be more than there is
        let repeat = |(from, len): (usize, usize)| {
            (len > 0).then_some(Repeat { from, len: len.min(piece.len) })
        };
        lens.into_iter().enumerate().filter_map(repeat).collect()
    };
    pieces.iter().enumerate().map(of_piece).collect()
}

/// A hash of a window.
fn hash(window: &[u8]) -> u64 {
    const ODD: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93];
    let halves = window.as_chunks().0.iter().zip(ODD);
    let mixed = halves.fold(0u64, |sum, (&half, odd)| {
        (sum ^ u64::from_le_bytes(half)).wrapping_mul(odd).rotate_left(32)
    });
    mixed.wrapping_mul(ODD[0])
}

#[cfg(test)]
mod tests {
    use super::super::piece::{GRID, pieces};
    use super::*;
    use crate::stream::signal::regions::Regions;
    use crate::stream::testing::Random;

    /// The repeats of the pieces of some bytes, in halves of a piece.
    fn halves(bytes: &[u8]) -> Vec<Vec<(usize, usize)>> {
        let halves = |r: &Repeat| (r.from, (r.len * 2 + GRID / 2) / GRID);
        let each = repeats(bytes, &pieces(bytes, &Regions::default()));
        each.iter().map(|of_piece| of_piece.iter().map(halves).collect()).collect()
    }

    #[test]
    fn what_came_before_is_found_where_it_last_came() {
        let mut random = Random(8);
        let mut noise = |len| -> Vec<u8> { (0..len).map(|_| random.below(256) as u8).collect() };
        let (one, other) = (noise(GRID), noise(GRID));
        let all = halves(&[&one[..], &other, &other, &one].concat());
        assert_eq!(all, [vec![], vec![], vec![(1, 2)], vec![(0, 2)]]);
        // at another place, and over the end of a piece
        let all = halves(&[&one[..], &other, &noise(GRID / 2), &one].concat());
        assert_eq!(all, [vec![], vec![], vec![(0, 1)], vec![(0, 1)]]);
        assert!(halves(&[]).is_empty());
        assert_eq!(halves(b"short"), [vec![]]);
    }

    /// What a piece has many times it needs only once from before.
    #[test]
    fn what_a_piece_repeats_itself_counts_once() {
        let mut random = Random(8);
        let period: Vec<u8> = (0..100).map(|_| random.below(256) as u8).collect();
        for period in [period, vec![0]] {
            let bytes = [&period.repeat(GRID)[..GRID], &period.repeat(GRID)[..GRID]].concat();
            let all = repeats(&bytes, &pieces(&bytes, &Regions::default()));
            let len: usize = all[1].iter().map(|r| r.len).sum();
            assert!(all[0].is_empty() && len <= 300, "{len}");
        }
    }
}
