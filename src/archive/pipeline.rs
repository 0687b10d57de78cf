//! Work over threads, in order.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};

/// Takes items from `source` until it gives none, works on them on up to
/// `threads` threads, and hands the results to `sink` in the order of the items.
/// `source` and `sink` run on the calling thread. At most `threads + 1` items
/// are under way; with one thread there is no other thread and one item.
///
/// An error of `source` is returned after the results before it have reached
/// `sink`; an error of `sink` at once.
pub(super) fn ordered<T: Send, U: Send, E>(
    threads: usize,
    mut source: impl FnMut() -> Result<Option<T>, E>,
    work: impl Fn(T) -> U + Sync,
    mut sink: impl FnMut(U) -> Result<(), E>,
) -> Result<(), E> {
    if threads <= 1 {
        while let Some(item) = source()? {
            sink(work(item))?;
        }
        return Ok(());
    }
    let cancelled = AtomicBool::new(false);
    let (jobs, queue) = channel::<(T, SyncSender<U>)>();
    let queue = Mutex::new(queue);
    let worker = || {
        loop {
            // the lock is held while waiting: one idle worker waits, the others for it
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((item, reply)) = job else { return };
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
        loop {
            while more && pending.len() <= threads {
                match source() {
                    Ok(Some(item)) => {
                        // only as many threads as there are items
                        if workers < threads {
                            scope.spawn(worker);
                            workers += 1;
                        }
                        let (reply, result) = sync_channel(1);
                        pending.push_back(result);
                        if jobs.send((item, reply)).is_err() {
                            more = false;
                        }
                    }
                    Ok(None) => more = false,
                    Err(e) => {
                        outcome = Err(e);
                        more = false;
                    }
                }
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
        threads: usize,
        n: u64,
        fail_source: u64,
        fail_sink: u64,
    ) -> (Result<(), u64>, Vec<u64>) {
        let mut next = 0;
        let mut out = Vec::new();
        let result = ordered(
            threads,
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
    fn order_and_errors() {
        const NEVER: u64 = u64::MAX;
        for threads in 1..6 {
            let all: Vec<u64> = (0..20).collect();
            assert_eq!(run(threads, 20, NEVER, NEVER), (Ok(()), all));
            assert_eq!(run(threads, 0, NEVER, NEVER), (Ok(()), vec![]));
            // everything before the failing item reaches the sink
            assert_eq!(run(threads, 20, 7, NEVER), (Err(7), (0..7).collect()));
            assert_eq!(run(threads, 20, NEVER, 5), (Err(1005), (0..5).collect()));
        }
    }
}
