//! Engines that take long to start, for work that takes longer without them.

use crate::engine::EngineError;
use crate::engine::records::RecordsEngine;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// One for each component of a model.
pub type Engines = Vec<Box<dyn RecordsEngine>>;
/// Starts them, if there are some.
pub type Start = Box<dyn Fn() -> Result<Option<Engines>, EngineError> + Send + Sync>;

/// Products of a thread after which others are worth starting: about two seconds with AVX-512. A
/// CUDA device takes a second or more to start and then a tenth of the time or less (for 10,000
/// rows of 784 bits an NVIDIA H200 took 1.6 s, 16 cores beside it 3.9).
const WORTH: u64 = 100_000_000_000;
/// Products of a bit, for each thread, from which on a device is faster at all: bits cross to it
/// and back as they come.
const WIDE: u64 = 256;

/// Engines that are started when there is work for them.
pub struct OnDemand {
    start: Start,
    started: OnceLock<Result<Option<Engines>, EngineError>>,
    has_failed: AtomicBool,
    /// [`WORTH`] and [`WIDE`].
    from: [u64; 2],
}

/// What is to be computed.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Products of a bit,
    pub products: u64,
    /// of so many bits,
    pub bits: u64,
    /// which are so many threads' work without a device.
    pub threads: usize,
}

impl OnDemand {
    /// For what takes long.
    pub fn new(start: Start) -> Self {
        Self::from(start, [WORTH, WIDE])
    }

    /// For everything.
    pub fn for_anything(start: Start) -> Self {
        Self::from(start, [0; 2])
    }

    fn from(start: Start, from: [u64; 2]) -> Self {
        Self { start, started: OnceLock::new(), has_failed: AtomicBool::new(false), from }
    }

    /// The engine of component `number` for a pass, if it is faster. An error is of one that
    /// started and computes wrong sums.
    pub fn engine(
        &self,
        number: usize,
        pass: Pass,
    ) -> Result<Option<&dyn RecordsEngine>, EngineError> {
        let threads = pass.threads.max(1) as u64;
        let [worth, wide] = self.from;
        let is_long = pass.products.saturating_mul(pass.bits) / threads >= worth;
        let is_wide = pass.products / threads >= wide;
        if !is_long || !is_wide || self.has_failed.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let started = self.started.get_or_init(&self.start).as_ref().map_err(Clone::clone)?;
        Ok(started.as_ref().and_then(|engines| engines.get(number)).map(|engine| &**engine))
    }

    /// An engine could not do a pass, for want of memory perhaps: nobody asks again.
    pub fn give_up(&self) {
        self.has_failed.store(true, Ordering::Relaxed);
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
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

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
            Ok(is_there.then(|| vec![Box::new(Idle) as Box<dyn RecordsEngine>]))
        });
        (OnDemand::new(start), count)
    }

    fn pass(products: u64, bits: u64, threads: usize) -> Pass {
        Pass { products, bits, threads }
    }

    #[test]
    fn they_are_started_once_for_long_passes_of_wide_networks() {
        let (engines, count) = counted(true);
        for (pass, is_used) in [
            (pass(1000, WORTH / 1000 - 1, 1), false),
            (pass(1000, WORTH / 1000, 2), false),
            (pass(WIDE - 1, u64::MAX, 1), false),
            (pass(4 * WIDE, u64::MAX / 4, 5), false),
            (pass(4 * WIDE, u64::MAX / 4, 4), true),
            (pass(1000, WORTH / 1000, 1), true),
        ] {
            let is_there = engines.engine(0, pass).unwrap().is_some();
            assert_eq!(is_there, is_used, "{pass:?}");
        }
        assert!(engines.engine(1, pass(WORTH, 1, 1)).unwrap().is_none());
        assert_eq!(count.load(Ordering::Relaxed), 1);
        engines.give_up();
        assert!(engines.engine(0, pass(WORTH, 1, 1)).unwrap().is_none());
    }

    #[test]
    fn where_there_are_none_nobody_asks_again() {
        let (engines, count) = counted(false);
        for _ in 0..3 {
            assert!(engines.engine(0, pass(WORTH, 1, 1)).unwrap().is_none());
        }
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn wrong_sums_are_an_error() {
        let engines = OnDemand::for_anything(Box::new(|| Err(EngineError::Sample)));
        for _ in 0..2 {
            assert!(engines.engine(0, pass(0, 0, 1)).is_err());
        }
    }
}
