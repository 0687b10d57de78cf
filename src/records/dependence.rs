//! Which dimensions of a table depend on which: mutual information, the Chow–Liu
//! tree, and orderings made from them.
//!
//! The tree (Chow and Liu 1968) is the best distribution in which every dimension
//! depends on one other: the spanning tree of largest mutual information.

use super::Table;
use crate::made::Ordering;

/// Counts of ones, alone and in pairs.
#[derive(Clone, Debug)]
pub struct Counts {
    rows: usize,
    dims: usize,
    ones: Vec<u32>,
    /// `[a][b]`: rows in which both are one.
    both: Vec<u32>,
}

impl Counts {
    /// Counts a table.
    pub fn new(table: &Table) -> Self {
        let (rows, dims) = (table.len(), table.dims);
        let words = rows.div_ceil(64);
        // Columns as bit sets.
        let mut columns = vec![0u64; dims * words];
        for (r, row) in table.rows.chunks_exact(dims.div_ceil(8)).enumerate() {
            for d in (0..dims).filter(|&d| row[d / 8] >> (7 - d % 8) & 1 == 1) {
                columns[d * words + r / 64] |= 1 << (r % 64);
            }
        }
        let column = |d: usize| &columns[d * words..(d + 1) * words];
        let mut both = vec![0; dims * dims];
        for a in 0..dims {
            for b in a..dims {
                let pairs = column(a).iter().zip(column(b));
                let n = pairs.map(|(x, y)| (x & y).count_ones()).sum();
                both[a * dims + b] = n;
                both[b * dims + a] = n;
            }
        }
        let ones = (0..dims).map(|d| both[d * dims + d]).collect();
        Self { rows, dims, ones, both }
    }

    /// Share of ones of a dimension, never 0 or 1 (half a row is added to either).
    pub fn share(&self, d: usize) -> f64 {
        (f64::from(self.ones[d]) + 0.5) / (self.rows as f64 + 1.0)
    }

    /// Share of ones of `d` in the rows where `given` has that value.
    pub fn share_given(&self, d: usize, given: usize, value: bool) -> f64 {
        let both = f64::from(self.both[d * self.dims + given]);
        let of = f64::from(self.ones[given]);
        let (ones, rows) = if value {
            (both, of)
        } else {
            (f64::from(self.ones[d]) - both, self.rows as f64 - of)
        };
        (ones + 0.5) / (rows + 1.0)
    }

    /// Mutual information of two dimensions, in nats.
    pub fn information(&self, a: usize, b: usize) -> f64 {
        let n = self.rows.max(1) as f64;
        let (pa, pb) = (f64::from(self.ones[a]) / n, f64::from(self.ones[b]) / n);
        let p11 = f64::from(self.both[a * self.dims + b]) / n;
        let term = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
        term(p11, pa * pb)
            + term(pa - p11, pa * (1.0 - pb))
            + term(pb - p11, (1.0 - pa) * pb)
            + term(1.0 - pa - pb + p11, (1.0 - pa) * (1.0 - pb))
    }

    /// Nats of a row in the mean if every dimension were independent, by shares of
    /// `self` for the rows of `other`.
    pub fn independent_nats(&self, other: &Self) -> f64 {
        (0..self.dims).map(|d| cross(f64::from(other.ones[d]), other.rows, self.share(d))).sum()
    }
}

/// Nats, per row, of `ones` ones in `rows` rows under probability `p`.
fn cross(ones: f64, rows: usize, p: f64) -> f64 {
    let rows = rows.max(1) as f64;
    -(ones / rows) * p.ln() - (1.0 - ones / rows) * (1.0 - p).ln()
}

/// The Chow–Liu tree: dimensions as they were joined, each with the one it hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// `(dimension, parent)`; the first has none.
    pub joined: Vec<(usize, Option<usize>)>,
}

impl Tree {
    /// The spanning tree of largest mutual information (Prim's algorithm), from the
    /// dimension that knows most about the others.
    pub fn new(counts: &Counts) -> Self {
        let dims = counts.dims;
        let Some(root) = most_informative(counts) else { return Self { joined: Vec::new() } };
        let mut joined = vec![(root, None)];
        let mut open: Vec<usize> = (0..dims).filter(|&d| d != root).collect();
        // The best link of each open dimension to the tree.
        let mut links: Vec<(f64, usize)> =
            (0..dims).map(|d| (counts.information(d, root), root)).collect();
        while let Some(at) = largest(open.iter().map(|&d| links[d].0)) {
            let d = open.swap_remove(at);
            joined.push((d, Some(links[d].1)));
            for &other in &open {
                let information = counts.information(other, d);
                if information > links[other].0 {
                    links[other] = (information, d);
                }
            }
        }
        Self { joined }
    }

    /// Nats of a row of `other` in the mean, by shares of `counts`.
    pub fn nats(&self, counts: &Counts, other: &Counts) -> f64 {
        let all = other.rows.max(1) as f64;
        let of = |&(d, parent): &(usize, Option<usize>)| {
            let Some(p) = parent else {
                return cross(f64::from(other.ones[d]), other.rows, counts.share(d));
            };
            let with = f64::from(other.ones[p]);
            let both = f64::from(other.both[d * other.dims + p]);
            let branch = |ones: f64, rows: f64, share: f64| {
                -(ones * share.ln() + (rows - ones) * (1.0 - share).ln()) / all
            };
            branch(both, with, counts.share_given(d, p, true))
                + branch(
                    f64::from(other.ones[d]) - both,
                    all - with,
                    counts.share_given(d, p, false),
                )
        };
        self.joined.iter().map(of).sum()
    }

    /// The order in which dimensions joined the tree.
    pub fn ordering(&self) -> Vec<usize> {
        self.joined.iter().map(|&(d, _)| d).collect()
    }
}

/// Dimensions so that each comes after those that say most about it: the next one
/// has the largest sum of mutual information with those already taken.
pub fn information_ordering(counts: &Counts) -> Vec<usize> {
    let Some(first) = most_informative(counts) else { return Vec::new() };
    let mut sequence = vec![first];
    let mut open: Vec<usize> = (0..counts.dims).filter(|&d| d != first).collect();
    let mut known: Vec<f64> = (0..counts.dims).map(|d| counts.information(d, first)).collect();
    while let Some(at) = largest(open.iter().map(|&d| known[d])) {
        let d = open.swap_remove(at);
        sequence.push(d);
        open.iter().for_each(|&other| known[other] += counts.information(other, d));
    }
    sequence
}

/// How an ordering is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// As dimensions join the Chow–Liu tree.
    ChowLiu,
    /// [`information_ordering`].
    Information,
}

impl Method {
    /// Learns an ordering from rows: the dimensions in coding order.
    pub fn sequence(self, table: &Table) -> Vec<usize> {
        let counts = Counts::new(table);
        match self {
            Self::ChowLiu => Tree::new(&counts).ordering(),
            Self::Information => information_ordering(&counts),
        }
    }

    /// The same as an [`Ordering`]; natural for rows of no dimensions.
    pub fn ordering(self, table: &Table) -> Ordering {
        Ordering::from_sequence(&self.sequence(table))
            .unwrap_or_else(|_| Ordering::natural(table.dims))
    }
}

fn most_informative(counts: &Counts) -> Option<usize> {
    let others = |d: usize| (0..counts.dims).filter(move |&o| o != d);
    largest((0..counts.dims).map(|d| others(d).map(|o| counts.information(d, o)).sum()))
}

/// Where the largest number is, the first of equals.
fn largest(numbers: impl Iterator<Item = f64>) -> Option<usize> {
    let best = |best: Option<(usize, f64)>, (i, x): (usize, f64)| match best {
        Some((_, b)) if b >= x => best,
        _ => Some((i, x)),
    };
    numbers.enumerate().fold(None, best).map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::random::SplitMix64;
    use crate::records::input::Format;

    /// Eight bits: 2 is random; 5 copies 2, 0 copies 5, each wrong one time in 10;
    /// the others are random.
    fn chain(rows: usize) -> Table {
        let mut rng = SplitMix64::new(3);
        let mut data = Vec::new();
        for _ in 0..rows {
            let mut row = rng.next_u64() as u8 & !0b1000_0100;
            let mut copy = |bit: u8| bit ^ u8::from(rng.below(10) == 0);
            let five = copy(row >> 5 & 1);
            let zero = copy(five);
            row |= five << 2 | zero << 7;
            data.push(row);
        }
        Table::read(&data, Format::Packed, Some(8), 0).unwrap()
    }

    #[test]
    fn the_tree_finds_a_chain() {
        let table = chain(4000);
        let counts = Counts::new(&table);
        let tree = Tree::new(&counts);
        assert_eq!(tree.joined[0], (5, None));
        let parents: Vec<_> = tree.joined.iter().filter(|(d, _)| [0, 2].contains(d)).collect();
        assert!(parents.iter().all(|(_, p)| *p == Some(5)), "{tree:?}");
        // 6 random bits and two copies of 0.469 bits each
        let nats = (6.0 + 2.0 * 0.469) * std::f64::consts::LN_2;
        assert!((tree.nats(&counts, &counts) - nats).abs() < 0.02);
        let alone = counts.independent_nats(&counts);
        assert!((alone - 8.0 * std::f64::consts::LN_2).abs() < 0.02, "{alone}");
        for method in [Method::ChowLiu, Method::Information] {
            let sequence = method.sequence(&table);
            assert!(sequence[..3].iter().all(|d| [0, 2, 5].contains(d)), "{sequence:?}");
            assert_eq!(method.ordering(&table).sequence(), sequence);
        }
    }

    #[test]
    fn other_rows_cost_more_than_those_counted() {
        let (table, other) = (chain(50), chain(4000));
        let (few, many) = (Counts::new(&table), Counts::new(&other));
        let tree = Tree::new(&few);
        assert!(tree.nats(&few, &many) > Tree::new(&many).nats(&many, &many));
        assert!((few.information(2, 5) - few.information(5, 2)).abs() < 1e-12);
    }
}
