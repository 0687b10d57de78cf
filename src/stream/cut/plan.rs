//! The blocks that cost least.

use std::ops::AddAssign;

use super::costs::Costs;
use super::piece::Piece;
use super::repeats::Repeat;

/// Blocks have at least so many bytes, unless there are no more: what a block costs in the
/// container is nothing beside them.
pub const SHORTEST: usize = 1 << 16;

/// A way to cut the first pieces: what it costs, and where the first block ends.
type Way = (u64, usize);
/// There is none.
const NONE: Way = (u64::MAX, 0);

/// Where the first of the blocks ends that pieces are best coded in, given the repeats of each in
/// their order: the way through all of them that costs least, from piece to piece.
pub fn first_end(pieces: &[Piece], repeats: &[Vec<Repeat>], costs: &Costs) -> usize {
    let contents = costs.contents();
    let of = |content| sums(pieces.iter().map(move |piece| costs.of(piece, content)));
    let costs_as: Vec<Vec<u64>> = contents.iter().map(|&content| of(content)).collect();
    let samples = [0, 1].map(|kind: usize| sums(pieces.iter().map(|piece| piece.samples[kind])));
    let begin = |start: usize| start.checked_sub(1).map_or(0, |before| pieces[before].end);
    let mut best: Vec<Way> = vec![(0, 0)];
    // of what has been passed from each piece on, bytes that came before the piece
    let mut repeated = vec![0; pieces.len()];
    for end in 1..=pieces.len() {
        count(&repeats[end - 1], &mut repeated[..end]);
        let stop = pieces[end - 1].end;
        let mut least = NONE;
        for (start, &(before, first)) in best.iter().enumerate() {
            let len = stop - begin(start);
            let is_short = len < SHORTEST && (start > 0 || end < pieces.len());
            if is_short || before == NONE.0 {
                continue;
            }
            let samples = [0, 1].map(|kind: usize| samples[kind][end] - samples[kind][start]);
            let allowed = contents.iter().zip(&costs_as);
            let allowed = allowed.filter(|&(&c, _)| costs.is_allowed(c, len, samples));
            let Some(own) = allowed.map(|(_, costs)| costs[end] - costs[start]).min() else {
                continue;
            };
            let way = match start {
                0 => (own, stop),
                _ => (before + own + Costs::of_block(repeated[start]), first),
            };
            least = least.min(way);
        }
        best.push(least);
    }
    best[pieces.len()].1
}

/// The sums of the first of some numbers: of none, of one, and so on.
fn sums<T: Copy + Default + AddAssign>(numbers: impl Iterator<Item = T>) -> Vec<T> {
    let mut sum = T::default();
    let each = numbers.map(|number| {
        sum += number;
        sum
    });
    std::iter::once(T::default()).chain(each).collect()
}

/// Adds for each piece what a later one repeats from before it.
fn count(repeats: &[Repeat], repeated: &mut [usize]) {
    let mut repeats = repeats.iter().peekable();
    let mut sum = 0;
    for (start, repeated) in repeated.iter_mut().enumerate() {
        while let Some(repeat) = repeats.next_if(|repeat| repeat.from < start) {
            sum += repeat.len;
        }
        *repeated += sum;
    }
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
            let (look, calls) = if is_code { (Look::Code, 500) } else { (Look::Text, 0) };
            Piece { end, len: GRID, samples: [0, 0], look, calls }
        })
        .collect()
    }

    /// Where the first block of such runs ends, if so much of each piece comes from another one.
    fn first(of: &[(bool, usize)], repeat: impl Fn(usize) -> Option<Repeat>) -> usize {
        let mut costs = Costs::default();
        costs.take_code();
        assert_eq!(costs.contents(), [Content::Plain, Content::X86]);
        let pieces = runs(of);
        let repeats: Vec<_> = (0..pieces.len()).map(|i| repeat(i).into_iter().collect()).collect();
        first_end(&pieces, &repeats, &costs) / GRID
    }

    #[test]
    fn long_contents_have_blocks_of_their_own() {
        let first = |of: &[(bool, usize)]| first(of, |_| None);
        assert_eq!(first(&[(false, 40), (true, 50)]), 40);
        assert_eq!(first(&[(true, 50), (false, 40)]), 50);
        assert_eq!(first(&[(false, 40), (true, 50), (false, 40)]), 40);
        assert_eq!(first(&[(true, 1), (false, 100)]), 2, "as short as a block can be");
        assert_eq!(first(&[(false, 1), (true, 100)]), 101, "too little text");
        assert_eq!(first(&[(true, 1)]), 1);
        assert_eq!(first(&[(true, 100)]), 100);
        assert_eq!(first_end(&[], &[], &Costs::default()), 0);
    }

    #[test]
    fn what_comes_again_is_kept_together() {
        let copies = [(true, 30), (false, 20), (true, 30)];
        let kept = |len| {
            // the second program has this much in common with the first one
            let from = |i: usize| i.checked_sub(50).map(|from| Repeat { from, len });
            first(&copies, from)
        };
        assert_eq!([0, 1 << 10, 1 << 11].map(kept), [30, 30, 80]);
    }

    /// The least that pieces cost from one on, and where the first of the blocks ends: all ways.
    fn least(pieces: &[Piece], repeats: &[Vec<Repeat>], start: usize, costs: &Costs) -> Way {
        let begin = start.checked_sub(1).map_or(0, |before| pieces[before].end);
        let mut best = NONE;
        for end in start + 1..=pieces.len() {
            let (block, stop) = (&pieces[start..end], pieces[end - 1].end);
            if stop - begin < SHORTEST && (start > 0 || end < pieces.len()) {
                continue;
            }
            let samples = [0, 1].map(|kind| block.iter().map(|piece| piece.samples[kind]).sum());
            let repeated = repeats[start..end].iter().flatten().filter(|r| r.from < start);
            let repeated = repeated.map(|r| r.len).sum();
            for content in costs.contents() {
                if !costs.is_allowed(content, stop - begin, samples) {
                    continue;
                }
                let own: u64 = block.iter().map(|piece| costs.of(piece, content)).sum();
                let of_block = if start > 0 { Costs::of_block(repeated) } else { 0 };
                let rest = match end {
                    _ if end == pieces.len() => 0,
                    _ => least(pieces, repeats, end, costs).0,
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
            kinds in proptest::collection::vec((1..=8 * GRID, 0..5usize, 0..9000usize), 1..7),
            from in proptest::collection::vec(proptest::collection::vec(0..GRID, 7), 7),
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
                let look = [Look::Other, Look::Other, Look::Other, Look::Text, Look::Code][kind];
                Piece { end, len, samples, look, calls }
            });
            let pieces: Vec<Piece> = each.collect();
            // none from some of the pieces before
            let of = |lens: &[usize]| -> Vec<Repeat> {
                let each = lens.iter().enumerate().filter(|&(_, len)| len % 3 > 0);
                each.map(|(from, &len)| Repeat { from, len }).collect()
            };
            let repeats: Vec<_> = (0..pieces.len()).map(|i| of(&from[i][..i])).collect();
            let first = first_end(&pieces, &repeats, &costs);
            prop_assert!(pieces.iter().any(|piece| piece.end == first));
            prop_assert!(first == end || first >= SHORTEST);
            prop_assert_eq!(first, least(&pieces, &repeats, 0, &costs).1);
        }
    }
}
