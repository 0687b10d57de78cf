//! Work over threads, in order.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

/// How many may work at a time, and how many do: workers that began when there were to be
/// more of them wait for their turn.
struct Turns {
    state: Mutex<(usize, usize)>,
    changed: Condvar,
}

/// A worker's turn, while it lasts.
struct Turn<'a>(&'a Turns);

impl Turns {
    fn lock(&self) -> MutexGuard<'_, (usize, usize)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn allow(&self, most: usize) {
        self.lock().0 = most;
        self.changed.notify_all();
    }

    fn wait(&self) -> Turn<'_> {
        let waiting = self.changed.wait_while(self.lock(), |(most, working)| working >= most);
        waiting.unwrap_or_else(PoisonError::into_inner).1 += 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().1 -= 1;
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
    let cancelled = AtomicBool::new(false);
    let turns = Turns { state: Mutex::new((threads.get(), 0)), changed: Condvar::new() };
    let (jobs, queue) = channel::<(T, SyncSender<U>)>();
    let queue = Mutex::new(queue);
    let worker = || {
        loop {
            // the lock is held while waiting: one idle worker waits, the others for it
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((item, reply)) = job else { return };
            let _turn = turns.wait();
            if cancelled.load(Ordering::Relaxed) {
                return;
            }
            // nobody waits for the reply after an error: that is fine
            let _ = reply.send(work(item));
        }
    };
    std::thread::scope(|scope| {
        let mut pending: VecDeque<Receiver<U>> = VecDeque::new();
        let mut workers = 0;
        let mut outcome = Ok(());
        let mut more = true;
        let mut ready = None;
        loop {
            let room = |pending: usize, workers: usize| {
                pending < if threads.get() > 1 && workers > 0 { threads.get() + 1 } else { 1 }
            };
            if more && ready.is_none() && room(pending.len(), workers) {
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
            if room(pending.len(), workers)
                && let Some(item) = ready.take()
            {
                turns.allow(threads.get().max(1));
                // only as many threads as there are items
                if workers < threads.get().max(1).min(given)
                    && Builder::new().spawn_scoped(scope, worker).is_ok()
                {
                    workers += 1;
                }
                let (reply, result) = sync_channel(1);
                pending.push_back(result);
                if workers == 0 {
                    let _ = reply.send(work(item));
                } else if jobs.send((item, reply)).is_err() {
                    more = false;
                }
                continue;
            }
            let Some(result) = pending.pop_front() else { break };
            // no result: the worker panicked, and the scope passes the panic on
            let Ok(result) = result.recv() else { break };
            if let Err(e) = sink(result) {
                outcome = Err(e);
                break;
            }
        }
        cancelled.store(true, Ordering::Relaxed);
        drop(jobs);
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
        use std::sync::atomic::AtomicUsize;
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
