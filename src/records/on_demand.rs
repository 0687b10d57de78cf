//! Engines that take long to start, for work that takes longer without them.

use crate::engine::records::RecordsEngine;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// One for each component of a model.
pub type Engines = Vec<Box<dyn RecordsEngine>>;
/// Starts them, if that can be done.
pub type Start = Box<dyn Fn() -> Option<Engines> + Send + Sync>;

/// Products of a thread after which others are worth starting: about two seconds with AVX-512. A
/// CUDA device takes a second or more to start and then a tenth of the time or less (for 10,000
/// rows of 784 bits an NVIDIA H200 took 1.6 s, 16 cores beside it 3.9).
const WORTH: u64 = 100_000_000_000;

/// Engines that are started when there is work for them.
pub struct OnDemand {
    start: Start,
    started: OnceLock<Option<Engines>>,
    /// Products that a thread has computed meanwhile.
    spent: AtomicU64,
}

impl OnDemand {
    /// Not started yet.
    pub fn new(start: Start) -> Self {
        Self { start, started: OnceLock::new(), spent: AtomicU64::new(0) }
    }

    /// The engine of component `number`, if it is there for so many products, which would be so
    /// many threads' work without it.
    pub fn engine(
        &self,
        number: usize,
        products: u64,
        threads: usize,
    ) -> Option<&dyn RecordsEngine> {
        let started = self.started.get().or_else(|| {
            let of_thread = products / threads.max(1) as u64;
            let before = self.spent.fetch_add(of_thread, Ordering::Relaxed);
            let is_worth_it = before.saturating_add(of_thread) >= WORTH;
            is_worth_it.then(|| self.started.get_or_init(&self.start))
        });
        started?.as_ref()?.get(number).map(|engine| &**engine)
    }
}

impl fmt::Debug for OnDemand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnDemand").field("started", &self.started.get().is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineError;
    use std::sync::Arc;

    struct Idle;

    impl RecordsEngine for Idle {
        fn dims(&self) -> usize {
            1
        }

        fn name(&self) -> String {
            "idle".into()
        }

        fn probabilities(&self, _: &[u8], _: &mut [u16]) -> Result<(), EngineError> {
            Ok(())
        }
    }

    /// Engines, and how often they were started.
    fn counted(is_there: bool) -> (OnDemand, Arc<AtomicU64>) {
        let count = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&count);
        let start = Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            is_there.then(|| vec![Box::new(Idle) as Box<dyn RecordsEngine>])
        });
        (OnDemand::new(start), count)
    }

    #[test]
    fn they_are_started_once_for_much_work_at_once_or_in_parts() {
        let (engines, count) = counted(true);
        for (products, threads, is_used) in [
            (WORTH / 2, 1, false),
            (WORTH, 4, false),
            (WORTH / 4, 1, true),
            (1, 1, true),
            (u64::MAX, 1, true),
        ] {
            assert_eq!(engines.engine(0, products, threads).is_some(), is_used, "{products}");
        }
        assert!(engines.engine(1, WORTH, 1).is_none());
        assert_eq!(count.load(Ordering::Relaxed), 1);
        assert!(counted(true).0.engine(0, WORTH, 1).is_some());
    }

    #[test]
    fn where_there_are_none_nobody_asks_again() {
        let (engines, count) = counted(false);
        for _ in 0..3 {
            assert!(engines.engine(0, WORTH, 1).is_none());
        }
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }
}
