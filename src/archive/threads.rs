//! Threads that blocks share.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many of so many blocks are worked on at a time.
pub(super) fn side_by_side(threads: usize, blocks: u64) -> usize {
    usize::try_from(blocks).map_or(threads, |n| n.clamp(1, threads))
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
