//! The blocks that cost least.

use super::costs::Costs;
use super::piece::Piece;

/// Sets of contents that blocks have had, a bit for each of at most four.
const SETS: usize = 16;
const UNKNOWN: (u64, usize) = (u64::MAX, 0);
/// Blocks have at least so many bytes, unless there are no more: what a block costs in the
/// container is nothing beside them.
pub const SHORTEST: usize = 1 << 16;

/// Where the first of the blocks ends that pieces are best coded in: the way through all of them
/// that costs least, from piece to piece.
pub fn first_end(pieces: &[Piece], costs: &Costs) -> usize {
    let contents = costs.contents();
    // what the first pieces cost, as each content
    let sums: Vec<Vec<u64>> = contents
        .iter()
        .map(|&content| {
            let mut sum = 0;
            let each = pieces.iter().map(|piece| costs.of(piece, content));
            std::iter::once(0)
                .chain(each.map(|cost| {
                    sum += cost;
                    sum
                }))
                .collect()
        })
        .collect();
    // how many bytes of these are samples
    let mut sum = [0; 2];
    let each = pieces.iter().map(|piece| {
        for (sum, samples) in sum.iter_mut().zip(piece.samples) {
            *sum += samples;
        }
        sum
    });
    let samples: Vec<[usize; 2]> = std::iter::once([0; 2]).chain(each).collect();
    // the least cost of the first pieces whose blocks have had a set of contents, and where the
    // first of these blocks ends
    let mut best = vec![[UNKNOWN; SETS]; pieces.len() + 1];
    best[0][0] = (0, 0);
    for end in 1..=pieces.len() {
        let mut here = [UNKNOWN; SETS];
        for (i, before) in best[..end].iter().enumerate() {
            let start = pieces.get(i.wrapping_sub(1)).map_or(0, |piece| piece.end);
            let len = pieces[end - 1].end - start;
            if len < SHORTEST && (i > 0 || end < pieces.len()) {
                continue;
            }
            let samples = [0, 1].map(|kind: usize| samples[end][kind] - samples[i][kind]);
            for (bit, sums) in sums.iter().enumerate() {
                if !costs.is_allowed(contents[bit], len, samples) {
                    continue;
                }
                let own = sums[end] - sums[i];
                for (set, &(cost, first)) in before.iter().enumerate() {
                    if cost == u64::MAX {
                        continue;
                    }
                    let again = set >> bit & 1 == 1;
                    let block = if i == 0 { 0 } else { Costs::of_block(len, again) };
                    let first = if i == 0 { pieces[end - 1].end } else { first };
                    let cost = cost + own + block;
                    let place = &mut here[set | 1 << bit];
                    if cost < place.0 {
                        *place = (cost, first);
                    }
                }
            }
        }
        best[end] = here;
    }
    best.last().and_then(|all| all.iter().min()).map_or(0, |&(_, first)| first)
}

#[cfg(test)]
mod tests {
    use super::super::piece::{GRID, Look};
    use super::*;
    use crate::stream::block::Trial;
    use crate::stream::content::Content;
    use proptest::prelude::*;

    /// Runs of pieces of code and of text.
    fn runs(of: &[(bool, usize)]) -> Vec<Piece> {
        let mut end = 0;
        let each = of.iter().flat_map(|&(is_code, n)| std::iter::repeat_n(is_code, n));
        each.map(|is_code| {
            end += GRID;
            let (calls, look) = if is_code { (500, Look::Other) } else { (0, Look::Text) };
            Piece { end, len: GRID, samples: [0, 0], look, calls }
        })
        .collect()
    }

    fn first(of: &[(bool, usize)]) -> usize {
        let mut costs = Costs::default();
        costs.take_code();
        assert_eq!(costs.contents(), [Content::Plain, Content::X86]);
        first_end(&runs(of), &costs) / GRID
    }

    #[test]
    fn long_contents_have_blocks_of_their_own() {
        assert_eq!(first(&[(false, 40), (true, 50)]), 40);
        assert_eq!(first(&[(true, 50), (false, 40)]), 50);
        assert_eq!(first(&[(false, 40), (true, 50), (false, 40)]), 40);
        assert_eq!(first(&[(true, 2), (false, 100)]), 102, "too little code");
        assert_eq!(first(&[(false, 5), (true, 100)]), 105, "too little text");
        assert_eq!(first(&[(true, 1)]), 1);
        assert_eq!(first(&[(true, 100)]), 100);
        // what goes on afterwards would have to learn anew
        assert_eq!(first(&[(true, 60), (false, 20), (true, 60)]), 140);
        assert_eq!(first(&[(true, 300), (false, 100), (true, 60)]), 300);
        assert_eq!(first_end(&[], &Costs::default()), 0);
    }

    /// The least that pieces cost from one on, and where the first of the blocks ends: all ways.
    fn least(pieces: &[Piece], start: usize, had: &[Content], costs: &Costs) -> (u64, usize) {
        let begin = start.checked_sub(1).map_or(0, |before| pieces[before].end);
        let mut best = UNKNOWN;
        for end in start + 1..=pieces.len() {
            let (block, stop) = (&pieces[start..end], pieces[end - 1].end);
            if stop - begin < SHORTEST && (start > 0 || end < pieces.len()) {
                continue;
            }
            let samples = [0, 1].map(|kind| block.iter().map(|piece| piece.samples[kind]).sum());
            for content in costs.contents() {
                if !costs.is_allowed(content, stop - begin, samples) {
                    continue;
                }
                let own: u64 = block.iter().map(|piece| costs.of(piece, content)).sum();
                let again = had.contains(&content);
                let of_block = if start > 0 { Costs::of_block(stop - begin, again) } else { 0 };
                let rest = if end == pieces.len() {
                    0
                } else {
                    least(pieces, end, &[had, &[content]].concat(), costs).0
                };
                if rest < u64::MAX {
                    best = best.min((own + of_block + rest, stop));
                }
            }
        }
        best
    }

    proptest! {
        /// Whatever there is, it is the cheapest way; and the first block is not too short.
        #[test]
        fn no_way_is_cheaper(
            kinds in proptest::collection::vec((1..=8 * GRID, 0..4usize, 0..9000usize), 1..7),
            has_code: bool,
            gains in [0..900usize, 0..900usize],
        ) {
            let mut costs = Costs::default();
            if has_code {
                costs.take_code();
            }
            for (content, gain) in [Content::Signal, Content::Bilevel].into_iter().zip(gains) {
                costs.take_samples(content, Trial { len: 1000, plain: 1000, samples: 1000 - gain });
            }
            let mut end = 0;
            let each = kinds.iter().map(|&(len, kind, calls)| {
                end += len;
                let samples = [if kind == 1 { len } else { 0 }, if kind == 2 { len } else { 0 }];
                let (look, calls) = if kind == 3 { (Look::Text, 0) } else { (Look::Other, calls) };
                Piece { end, len, samples, look, calls }
            });
            let pieces: Vec<Piece> = each.collect();
            let first = first_end(&pieces, &costs);
            prop_assert!(pieces.iter().any(|piece| piece.end == first));
            prop_assert!(first == end || first >= SHORTEST);
            prop_assert_eq!(first, least(&pieces, 0, &[], &costs).1);
        }
    }
}
