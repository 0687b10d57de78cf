//! Bilevel pictures without a header that is known: by what repeats from row to row.

use super::super::layout::Layout;
use super::super::regions::{Region, Regions};

/// Shorter blocks are not looked at.
const SHORTEST: usize = 4096;
/// Rows have at most so many bytes,
const MAX_STRIDE: usize = 2048;
/// and at least so many: tables have shorter ones.
const MIN_STRIDE: usize = 64;
/// Places that are looked at.
const PLACES: usize = 4096;
/// What is at the ends of a block and has less than an eighth of bytes of one colour, in so many
/// bytes, is no picture.
const CHUNK: usize = 4096;

/// Whether all eight pixels are the same.
fn is_flat(byte: u8) -> bool {
    matches!(byte, 0 | 0xff)
}

/// The block as a picture, but for what is at its ends and other content, if most of its bytes
/// are of one colour, and others come again at one distance much more often than at other ones.
pub fn find(block: &[u8]) -> Option<Regions> {
    let is_other = |chunk: &&[u8]| 8 * flat(chunk) < chunk.len();
    let start = block.chunks(CHUNK).take_while(is_other).count() * CHUNK;
    let after = block.rchunks(CHUNK).take_while(is_other).count() * CHUNK;
    let len = block.len().checked_sub(start + after).filter(|&len| len >= SHORTEST)?;
    let picture = &block[start..start + len];
    let others = len - flat(picture);
    if others > len / 2 {
        return None;
    }
    let region = Region { start, len, layout: Layout::bilevel(stride(picture, others)?) };
    Some(std::iter::once(region).collect())
}

/// How many bytes are of one colour.
fn flat(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&b| is_flat(b)).count()
}

/// The distance at which the `others`, the bytes of more than one colour, come again.
fn stride(block: &[u8], others: usize) -> Option<usize> {
    let mut votes = [0u32; MAX_STRIDE + 1];
    let every = others.div_ceil(PLACES).max(1);
    let places = (MAX_STRIDE..block.len()).filter(|&at| !is_flat(block[at])).step_by(every);
    let mut looked_at = 0;
    for at in places {
        looked_at += 1;
        for (distance, votes) in votes.iter_mut().enumerate().skip(MIN_STRIDE) {
            *votes += u32::from(block[at - distance] == block[at]);
        }
    }
    // the least of equally good ones
    let best = (MIN_STRIDE..=MAX_STRIDE).rev().max_by_key(|&distance| votes[distance])?;
    let mean = votes.iter().sum::<u32>() / MAX_STRIDE as u32;
    (looked_at >= 64 && 40 * votes[best] >= looked_at && votes[best] > 6 * mean).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::Random;

    /// Strokes that lean, on rows of so many bytes.
    fn strokes(stride: usize, rows: usize) -> Vec<u8> {
        let mut random = Random(7);
        let mut picture = vec![0; stride * rows];
        for _ in 0..rows * stride / 60 {
            let (mut x, top) = (random.below(8 * stride as u32 - 20), random.below(rows as u32));
            for row in top..(top + 24).min(rows as u32) {
                for pixel in x..x + 5 {
                    picture[row as usize * stride + pixel as usize / 8] |= 0x80 >> (pixel % 8);
                }
                x += random.below(3) / 2;
            }
        }
        picture
    }

    #[test]
    fn rows_are_found() {
        for stride in [MIN_STRIDE, 99, 216, MAX_STRIDE] {
            let mut picture = strokes(stride, 100_000 / stride);
            let region = Region { start: 0, len: picture.len(), layout: Layout::bilevel(stride) };
            assert_eq!(find(&picture).map(|r| r.to_vec()), Some(vec![region]));
            picture.iter_mut().for_each(|b| *b = !*b);
            assert!(find(&picture).is_some());
            let text = Random(4).bytes(2 * CHUNK + 50);
            let among = find(&[&text, &picture[..], &text].concat()).unwrap();
            let (start, end) = (among[0].start, among[0].end());
            assert!(start <= text.len() && start + CHUNK > text.len());
            assert!(end >= text.len() + picture.len() && end < text.len() + picture.len() + CHUNK);
        }
    }

    #[test]
    fn other_content_is_no_picture() {
        assert_eq!(find(&[]), None);
        assert_eq!(find(&[0; 10_000]), None);
        assert_eq!(find(&strokes(99, 200)[..SHORTEST - 1]), None);
        assert_eq!(find(&Random(3).bytes(20_000)), None);
        // many zeros, but no distance more likely than others
        let mut random = Random(5);
        let sparse: Vec<u8> = (0..40_000)
            .map(|_| if random.below(3) == 0 { random.below(256) as u8 } else { 0 })
            .collect();
        assert_eq!(find(&sparse), None);
    }
}
