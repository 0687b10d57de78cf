//! Work in parts that threads share.

use std::panic::resume_unwind;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, scope};

/// Locks, whether a thread has panicked with the lock or not: whoever waits for its end sees that.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a change with the lock given up meanwhile, as [`lock`] does.
pub(crate) fn wait<'a, T>(changed: &Condvar, locked: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    changed.wait(locked).unwrap_or_else(PoisonError::into_inner)
}

/// Does the work of all parts on so many threads, the calling one among them, or on fewer where
/// the system has no more to give: each takes the next part. After an error a thread takes no
/// other; a panic is passed on.
pub(crate) fn for_each<T, E: Send>(
    threads: usize,
    parts: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let parts = Mutex::new(parts);
    let next = || lock(&parts).next();
    let work = || {
        while let Some(part) = next() {
            work(part)?;
        }
        Ok(())
    };
    scope(|scope| {
        let spawn = |_| Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads).map_while(spawn).collect();
        let mut all = work();
        for other in others {
            all = all.and(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        all
    })
}
