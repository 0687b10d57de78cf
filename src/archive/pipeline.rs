//! Work over threads, in order.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::{Builder, scope};

use crate::parallel::{lock, wait};

/// Items on their way to becoming results.
struct Items<T, U> {
    /// Those that no worker has taken, with their numbers.
    waiting: VecDeque<(usize, T)>,
    /// From number `first` on: results, where there are any yet.
    results: VecDeque<Option<U>>,
    first: usize,
    /// How many may be worked on at a time, and how many are: workers that began when there were
    /// to be more of them wait for their turn.
    most: usize,
    working: usize,
    /// No worker takes another one.
    is_over: bool,
}

/// The items, and who waits for a change of them.
struct Line<T, U> {
    items: Mutex<Items<T, U>>,
    changed: Condvar,
}

/// A worker's turn, while it lasts.
struct Turn<'a, T, U> {
    line: &'a Line<T, U>,
    number: usize,
    /// None until the end, or where the worker panics.
    result: Option<U>,
}

impl<T, U> Drop for Turn<'_, T, U> {
    fn drop(&mut self) {
        let mut items = self.line.lock();
        items.working -= 1;
        // one of the results is never going to be there
        items.is_over |= self.result.is_none();
        let at = self.number.checked_sub(items.first);
        if let Some(place) = at.and_then(|at| items.results.get_mut(at)) {
            *place = self.result.take();
        }
        self.line.changed.notify_all();
    }
}

impl<T, U> Line<T, U> {
    fn new() -> Self {
        let (waiting, results) = (VecDeque::new(), VecDeque::new());
        let (first, most, working, is_over) = (0, 0, 0, false);
        let items = Items { waiting, results, first, most, working, is_over };
        Self { items: Mutex::new(items), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Items<T, U>> {
        lock(&self.items)
    }

    /// How many items have not reached the sink.
    fn len(&self) -> usize {
        self.lock().results.len()
    }

    /// An item for a worker, of whom `most` may work at a time.
    fn push(&self, item: T, most: usize) {
        let mut items = self.lock();
        items.most = most;
        let number = items.first + items.results.len();
        items.results.push_back(None);
        items.waiting.push_back((number, item));
        self.changed.notify_all();
    }

    /// The result of an item that no worker had.
    fn push_result(&self, result: U) {
        self.lock().results.push_back(Some(result));
    }

    /// Waits for the next result; `None` when there is none on its way.
    fn pop(&self) -> Option<U> {
        let mut items = self.lock();
        while let Some(None) = items.results.front()
            && !items.is_over
        {
            items = wait(&self.changed, items);
        }
        let result = items.results.pop_front()?;
        items.first += 1;
        result
    }

    /// What a worker does, until it is over.
    fn work(&self, work: impl Fn(T) -> U) {
        let mut items = self.lock();
        while !items.is_over {
            let free = items.working < items.most;
            let Some((number, item)) = free.then(|| items.waiting.pop_front()).flatten() else {
                items = wait(&self.changed, items);
                continue;
            };
            items.working += 1;
            drop(items);
            let mut turn = Turn { line: self, number, result: None };
            turn.result = Some(work(item));
            drop(turn);
            items = self.lock();
        }
    }
}

/// Ends the work when the calling thread is done with it, however that is.
struct End<'a, T, U>(&'a Line<T, U>);

impl<T, U> Drop for End<'_, T, U> {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.changed.notify_all();
    }
}

/// Takes items from `source` until it gives none, works on them on up to
/// `threads` threads, and hands the results to `sink` in the order of the items.
/// `source` and `sink` run on the calling thread. At most `threads + 1` items
/// are under way, with one thread one. `source` may lower the number for the
/// items that come, the one it is about to give included.
///
/// An error of `source` is returned after the results before it have reached
/// `sink`; an error of `sink` at once.
pub(super) fn ordered<T: Send, U: Send, E>(
    threads: &Cell<usize>,
    source: impl FnMut() -> Result<Option<T>, E>,
    work: impl Fn(T) -> U + Sync,
    sink: impl FnMut(U) -> Result<(), E>,
) -> Result<(), E> {
    ordered_by(usize::MAX, threads, source, work, sink)
}

/// [`ordered`] on a system that has so many threads to give. If it has none, the calling one
/// does the work.
fn ordered_by<T: Send, U: Send, E>(
    given: usize,
    threads: &Cell<usize>,
    mut source: impl FnMut() -> Result<Option<T>, E>,
    work: impl Fn(T) -> U + Sync,
    mut sink: impl FnMut(U) -> Result<(), E>,
) -> Result<(), E> {
    if threads.get() <= 1 {
        while let Some(item) = source()? {
            sink(work(item))?;
        }
        return Ok(());
    }
    let line = Line::new();
    let worker = || line.work(&work);
    scope(|scope| {
        let _end = End(&line);
        let mut workers = 0;
        let mut outcome = Ok(());
        let mut more = true;
        let mut ready = None;
        loop {
            let room = |workers: usize| {
                line.len() < if threads.get() > 1 && workers > 0 { threads.get() + 1 } else { 1 }
            };
            if more && ready.is_none() && room(workers) {
                match source() {
                    Ok(item) => {
                        more = item.is_some();
                        ready = item;
                    }
                    Err(e) => {
                        outcome = Err(e);
                        more = false;
                    }
                }
            }
            // asked again: `source` may have lowered the number
            if room(workers)
                && let Some(item) = ready.take()
            {
                let most = threads.get().max(1);
                // only as many threads as there are items
                if workers < most.min(given) && Builder::new().spawn_scoped(scope, worker).is_ok() {
                    workers += 1;
                }
                if workers == 0 {
                    line.push_result(work(item));
                } else {
                    line.push(item, most);
                }
                continue;
            }
            // no result: there are no more, or a worker panicked, and the scope passes that on
            let Some(result) = line.pop() else { break };
            if let Err(e) = sink(result) {
                outcome = Err(e);
                break;
            }
        }
        outcome
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(
        given: usize,
        threads: usize,
        n: u64,
        fail_source: u64,
        fail_sink: u64,
    ) -> (Result<(), u64>, Vec<u64>) {
        let mut next = 0;
        let mut out = Vec::new();
        let result = ordered_by(
            given,
            &Cell::new(threads),
            || {
                if next == fail_source {
                    return Err(next);
                }
                next += 1;
                Ok((next <= n).then_some(next - 1))
            },
            |i| {
                // later items finish sooner
                std::thread::sleep(std::time::Duration::from_micros(300 * (3 - i % 4)));
                i
            },
            |i| {
                if i == fail_sink {
                    return Err(1000 + i);
                }
                out.push(i);
                Ok(())
            },
        );
        (result, out)
    }

    #[test]
    fn fewer_at_a_time() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        for fewer in [1, 2] {
            let threads = Cell::new(4);
            let running = AtomicUsize::new(0);
            let (mut next, mut out) = (0, Vec::new());
            let source = || {
                next += 1;
                if next == 10 {
                    threads.set(fewer);
                }
                Ok::<_, ()>((next <= 20).then_some(next))
            };
            let work = |i: u64| {
                let others = running.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(1));
                running.fetch_sub(1, Ordering::SeqCst);
                assert!(i < 10 || others < fewer, "{i}");
                i
            };
            ordered(&threads, source, work, |i| {
                out.push(i);
                Ok(())
            })
            .unwrap();
            assert_eq!(out, (1..=20).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_panic_is_passed_on() {
        for (threads, who) in (1..4).flat_map(|n| [0, 1, 2].map(|who| (n, who))) {
            let check = |at| assert!(who != at, "number {at}");
            let mut next = 0;
            let run = || {
                let source = || {
                    next += 1;
                    if next == 5 {
                        check(0);
                    }
                    Ok::<_, ()>((next < 9).then_some(next))
                };
                let work = |i: u64| {
                    if i == 3 {
                        check(1);
                    }
                };
                ordered(&Cell::new(threads), source, work, |()| {
                    check(2);
                    Ok(())
                })
            };
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
        }
    }

    #[test]
    fn order_and_errors() {
        const NEVER: u64 = u64::MAX;
        // the system may have fewer, or none
        for (threads, given) in (1..6).flat_map(|n| [n, n / 2, 0].map(|given| (n, given))) {
            let run = |n, source, sink| run(given, threads, n, source, sink);
            let all: Vec<u64> = (0..20).collect();
            assert_eq!(run(20, NEVER, NEVER), (Ok(()), all));
            assert_eq!(run(0, NEVER, NEVER), (Ok(()), vec![]));
            // everything before the failing item reaches the sink
            assert_eq!(run(20, 7, NEVER), (Err(7), (0..7).collect()));
            assert_eq!(run(20, NEVER, 5), (Err(1005), (0..5).collect()));
        }
    }
}
