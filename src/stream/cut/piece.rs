//! The pieces of an input, none of which is cut.

use crate::stream::signal::regions::Regions;
use crate::stream::x86;

/// Pieces are of at most so many bytes.
pub const GRID: usize = 1 << 15;

/// MOV between a register and another or memory, of x86: no opcodes are more frequent;
const MOV: [usize; 2] = [0x89, 0x8b];
/// and those of single bytes, which are rarer. Samples and tables have as many of both.
const BYTE_MOV: [usize; 2] = [0x88, 0x8a];
/// So many in a KiB make code (`models/RESEARCH.md`); any bytes have eight.
const FEWEST_MOVS: u64 = 12;

/// What bytes look like, apart from samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// x86 code, if the input has some at all.
    Code,
    /// Three of four are printable, in ASCII or UTF-8.
    Text,
    /// All values come about as often: compressed already.
    Dense,
    /// Anything.
    Other,
}

/// A piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it ends.
    pub end: usize,
    /// Its bytes,
    pub len: usize,
    /// how many of them are samples of a signal, and of bilevel pictures,
    pub samples: [usize; 2],
    /// and what they look like.
    pub look: Look,
    /// What would be near calls in x86 code.
    pub calls: usize,
}

/// The pieces of some bytes with samples in some regions. They end on a grid, and where a region
/// of some size begins or ends.
pub fn pieces(bytes: &[u8], regions: &Regions) -> Vec<Piece> {
    let mut ends: Vec<usize> = (GRID..bytes.len()).step_by(GRID).collect();
    let large = regions.iter().filter(|region| region.len >= GRID);
    ends.extend(large.flat_map(|region| [region.start, region.end()]));
    ends.push(bytes.len());
    ends.retain(|&end| end > 0);
    ends.sort_unstable();
    ends.dedup();
    let mut start = 0;
    let mut regions = regions.iter().peekable();
    let mut pieces = Vec::with_capacity(ends.len());
    for end in ends {
        let mut samples = [0; 2];
        while let Some(region) = regions.peek() {
            let within = region.end().min(end).saturating_sub(region.start.max(start));
            samples[usize::from(region.layout.bilevel)] += within;
            if region.end() > end {
                break;
            }
            regions.next();
        }
        let (look, calls) = (look(&bytes[start..end]), x86::calls(bytes, start..end));
        pieces.push(Piece { end, len: end - start, samples, look, calls });
        start = end;
    }
    pieces
}

/// What some bytes look like.
fn look(bytes: &[u8]) -> Look {
    let mut counts = [0u64; 256];
    for &byte in bytes {
        counts[usize::from(byte)] += 1;
    }
    let len = bytes.len() as u64;
    let ascii = counts[32..127].iter().sum::<u64>()
        + counts[usize::from(b'\n')]
        + counts[usize::from(b'\t')];
    // of values that are all as likely, about one of 256 pairs agrees
    let pairs: u64 = counts.iter().map(|n| n * n.saturating_sub(1)).sum();
    let [movs, byte_movs] =
        [MOV, BYTE_MOV].map(|opcodes| opcodes.iter().map(|&opcode| counts[opcode]).sum::<u64>());
    let text = len / 4 * 3;
    if ascii > text || ascii + longer_in_utf8(bytes) > text {
        Look::Text
    } else if pairs * 256 < len * len * 5 / 4 {
        Look::Dense
    } else if movs * 1024 >= len * FEWEST_MOVS && 4 * movs > 5 * byte_movs {
        Look::Code
    } else {
        Look::Other
    }
}

/// Bytes of the characters of UTF-8 that are longer than one.
fn longer_in_utf8(bytes: &[u8]) -> u64 {
    let longer = |text: &str| text.bytes().filter(|byte| !byte.is_ascii()).count() as u64;
    bytes.utf8_chunks().map(|chunk| longer(chunk.valid())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::signal::layout::Layout;
    use crate::stream::signal::regions::Region;
    use crate::stream::testing::{Random, code};

    #[test]
    fn bytes_look_like_what_they_are() {
        let mut random = Random(5);
        let dense: Vec<u8> = (0..GRID).map(|_| random.below(256) as u8).collect();
        assert_eq!(look(&dense), Look::Dense);
        assert_eq!(look(&dense.iter().map(|b| b % 90).collect::<Vec<_>>()), Look::Other);
        assert_eq!(look(&b"two words\n".repeat(100)), Look::Text);
        assert_eq!(look("два слова\n".repeat(100).as_bytes()), Look::Text);
        assert_eq!(look(&"标准语言".repeat(100).as_bytes()[1..]), Look::Text);
        assert_eq!(look(&code(5000)[2000..]), Look::Code);
        let quiet: Vec<u8> = (0..GRID).map(|_| (random.below(50) + 103) as u8).collect();
        assert_eq!(look(&quiet), Look::Other, "samples about the middle");
        assert_eq!(look(&[0; 9]), Look::Other);
    }

    #[test]
    fn pieces_cover_everything_once() {
        let layout =
            Layout { width: 1, big_endian: false, channels: 1, rows: None, bilevel: false };
        let region =
            |start, len, bilevel| Region { start, len, layout: Layout { bilevel, ..layout } };
        let bytes = vec![0; 5 * GRID + 77];
        let regions: Regions = [
            region(100, 1000, true),
            region(GRID + 5, 2 * GRID, false),
            region(3 * GRID + 10, 2 * GRID + 67, true),
        ]
        .into_iter()
        .collect();
        let all = pieces(&bytes, &regions);
        let ends: Vec<usize> = all.iter().map(|piece| piece.end).collect();
        let g = GRID;
        assert_eq!(ends, [g, g + 5, 2 * g, 3 * g, 3 * g + 5, 3 * g + 10, 4 * g, 5 * g, 5 * g + 77]);
        assert_eq!(all.iter().map(|piece| piece.len).sum::<usize>(), bytes.len());
        let samples = [0, 1].map(|kind| all.iter().map(|piece| piece.samples[kind]).sum::<usize>());
        assert_eq!(samples, [2 * g, 1000 + 2 * g + 67]);
        assert_eq!(all[0].samples, [0, 1000]);
        assert!(pieces(&[], &Regions::default()).is_empty());
    }
}
