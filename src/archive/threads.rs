//! Threads that blocks share.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many of so many blocks are worked on at a time.
pub(super) fn side_by_side(threads: usize, blocks: u64) -> usize {
    usize::try_from(blocks).map_or(threads, |n| n.clamp(1, threads))
}

/// What a block of a stream takes with one, two and three threads: its longest stage, the
/// evidence, takes more than half of the time of one.
const TIMES: [f64; 3] = [1.0, 0.6, 0.56];

/// How many blocks of a stream are best worked on at a time, each by as many threads as are left
/// for it, `of_block` at most: threads that have no block help others, and a last round of a few
/// blocks takes as long as a full one.
pub(super) fn best_at_a_time(threads: usize, of_block: usize, content: u64, block: u64) -> usize {
    let block = block.max(1);
    let (whole, rest) = (content / block, (content % block) as f64 / block as f64);
    let time = |each: usize| {
        let lanes = (threads / each).max(1) as u64;
        let rest = if whole.is_multiple_of(lanes) { rest } else { 0.0 };
        TIMES[each - 1] * (whole.div_ceil(lanes) as f64 + rest)
    };
    let most = of_block.min(threads).clamp(1, TIMES.len());
    let each = (1..=most).min_by(|&a, &b| time(a).total_cmp(&time(b))).unwrap_or(1);
    (threads / each).max(1)
}

/// So many threads, for however many blocks are decoded at a time.
pub(super) struct Threads {
    all: usize,
    busy: AtomicUsize,
}

impl Threads {
    pub fn new(all: usize) -> Self {
        Self { all: all.max(1), busy: AtomicUsize::new(0) }
    }

    /// Does the work of a block that may use `most` threads, with as many of them as no other
    /// block has; one at least, which is the caller's.
    pub fn lend<T>(&self, most: usize, work: impl FnOnce(usize) -> T) -> T {
        let lent = |busy: usize| self.all.saturating_sub(busy).min(most).max(1);
        // what it says is all there is to see: no other memory hangs on it
        let before = self.busy.fetch_update(Relaxed, Relaxed, |busy| Some(busy + lent(busy)));
        let (Ok(busy) | Err(busy)) = before;
        let result = work(lent(busy));
        self.busy.fetch_sub(lent(busy), Relaxed);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_without_a_block_help_others() {
        let of = |threads, content, block| best_at_a_time(threads, 3, content, block);
        // as many as there are blocks for
        assert_eq!([of(1, 70, 10), of(2, 20, 10), of(4, 80, 10), of(7, 70, 10)], [1, 2, 4, 7]);
        // two for each
        assert_eq!([of(8, 40, 10), of(16, 70, 10), of(2, 30, 10), of(4, 50, 10)], [4, 8, 1, 2]);
        // and three
        assert_eq!([of(9, 30, 10), of(3, 10, 10), of(100, 20, 10)], [3, 1, 33]);
        // a last block that is small does not make it worth it
        assert_eq!([of(2, 21, 10), of(2, 29, 10)], [2, 1]);
        assert_eq!([of(3, 0, 10), of(2, 5, 0), of(4, u64::MAX, 1)], [3, 2, 4]);
        assert_eq!((best_at_a_time(8, 1, 30, 10), best_at_a_time(0, 3, 30, 10)), (8, 1));
    }

    #[test]
    fn what_others_have_is_not_lent() {
        let threads = Threads::new(8);
        let inner = |most| threads.lend(most, |lent| lent);
        assert_eq!((inner(3), inner(8), inner(100), inner(0)), (3, 8, 8, 1));
        assert_eq!(threads.lend(3, |lent| (lent, inner(2), inner(100))), (3, 2, 5));
        // each block has its own
        assert_eq!(threads.lend(8, |lent| (lent, inner(8))), (8, 1));
        assert_eq!(inner(8), 8);
    }
}
