//! The tiles of a group of rows, shared out among threads.
//!
//! A step of all tiles gives the probabilities of a bit of every row; the coder goes through
//! them in order and tells the bits, and only then the next step can begin. So threads wait for
//! each other once a bit: they have tiles of their own where a step of them takes longer.

use super::payload::GROUP_ROWS;
use crate::engine::dot::LANES;
use crate::engine::records::{Rows, SteppingEngine};
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope};

/// Tiles of a group, at most.
pub const TILES: usize = GROUP_ROWS / LANES;
/// Numbers for all rows of a group.
pub type Columns<T> = [[T; LANES]; TILES];

/// Products that are worth a message to a thread and back: some tens of microseconds, or more
/// without wide vectors.
const WORTH: u64 = 1 << 23;

/// How many of `threads` threads there is work for: so many products, in so many tiles.
pub fn shares(threads: usize, products: u64, tiles: usize) -> usize {
    let worth = usize::try_from(products / WORTH).unwrap_or(usize::MAX);
    threads.min(tiles).min(worth).max(1)
}

/// The tiles of a share of so many.
fn of_share(each: usize, share: usize) -> Range<usize> {
    (share * each).min(TILES)..((share + 1) * each).min(TILES)
}

/// What a thread is told.
enum Order {
    /// Rows of which nothing is known, in so many tiles.
    Begin(usize),
    /// The bits of all rows, tile by tile.
    Push(Vec<[i16; LANES]>),
}

/// Tiles of one thread.
struct Share<'a> {
    engine: &'a dyn SteppingEngine,
    tiles: Vec<Box<dyn Rows + 'a>>,
    used: usize,
}

impl<'a> Share<'a> {
    fn new(engine: &'a dyn SteppingEngine) -> Self {
        Self { engine, tiles: Vec::new(), used: 0 }
    }

    /// Obeys, and takes the next step.
    fn step(&mut self, order: &Order) -> Columns<u16> {
        match order {
            &Order::Begin(used) => {
                let made = self.tiles.len();
                self.tiles.resize_with(used.max(made), || self.engine.rows());
                self.tiles[..used].iter_mut().for_each(|tile| tile.reset());
                self.used = used;
            }
            Order::Push(bits) => {
                self.tiles[..self.used].iter_mut().zip(bits).for_each(|(tile, b)| tile.push(b));
            }
        }
        let mut p1 = [[0; LANES]; TILES];
        for (p1, tile) in p1.iter_mut().zip(&mut self.tiles[..self.used]) {
            *p1 = tile.next();
        }
        p1
    }
}

/// A thread with a share.
struct Worker {
    orders: SyncSender<Order>,
    answers: Receiver<Columns<u16>>,
}

/// The tiles of a group of rows.
pub struct Tiles<'a> {
    /// Of the caller's thread: the first ones.
    own: Share<'a>,
    workers: Vec<Worker>,
    /// Tiles of each share; the last ones may have fewer, or none.
    each: usize,
}

impl<'a> Tiles<'a> {
    /// Tiles of so many threads, or fewer where there are no more; they end when this is
    /// dropped.
    pub fn new<'scope>(
        engine: &'a dyn SteppingEngine,
        threads: usize,
        scope: &'scope Scope<'scope, 'a>,
    ) -> Self {
        let worker = |_| {
            let (orders, taken) = sync_channel(1);
            let (given, answers) = sync_channel(1);
            let work = move || {
                let mut share = Share::new(engine);
                for order in taken {
                    if given.send(share.step(&order)).is_err() {
                        return;
                    }
                }
            };
            Builder::new().spawn_scoped(scope, work).ok()?;
            Some(Worker { orders, answers })
        };
        let workers = (1..threads).map_while(worker).collect();
        Self { own: Share::new(engine), workers, each: 0 }
    }

    /// Rows of which nothing is known, in so many tiles; the probabilities that their first
    /// bits are one.
    pub fn begin(&mut self, tiles: usize) -> Columns<u16> {
        let each = tiles.div_ceil(1 + self.workers.len());
        self.each = each;
        let of = |share: usize| Order::Begin(each.min(tiles.saturating_sub(share * each)));
        self.step(of)
    }

    /// Tells the bits, and gives the probabilities of the next ones.
    pub fn push(&mut self, bits: &Columns<i16>) -> Columns<u16> {
        let each = self.each;
        self.step(|share| Order::Push(bits[of_share(each, share)].to_vec()))
    }

    fn step(&mut self, order: impl Fn(usize) -> Order) -> Columns<u16> {
        for (w, worker) in self.workers.iter().enumerate() {
            // where a thread has panicked, its answer is missing below
            let _ = worker.orders.send(order(1 + w));
        }
        let mut p1 = self.own.step(&order(0));
        for (w, worker) in self.workers.iter().enumerate() {
            let Ok(of) = worker.answers.recv() else { panic!("a thread of tiles has ended") };
            let tiles = of_share(self.each, 1 + w);
            p1[tiles.clone()].copy_from_slice(&of[..tiles.len()]);
        }
        p1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineError;
    use crate::engine::records::RecordsEngine;

    /// An engine whose probabilities depend on every bit before.
    struct Toy;

    struct ToyRows([u16; LANES]);

    impl RecordsEngine for Toy {
        fn dims(&self) -> usize {
            5
        }

        fn name(&self) -> String {
            "toy".into()
        }

        fn probabilities(&self, _: &[u8], _: &mut [u16]) -> Result<(), EngineError> {
            unreachable!("goes by steps")
        }
    }

    impl SteppingEngine for Toy {
        fn products(&self) -> u64 {
            1
        }

        fn rows(&self) -> Box<dyn Rows + '_> {
            Box::new(ToyRows([7; LANES]))
        }
    }

    impl Rows for ToyRows {
        fn reset(&mut self) {
            self.0 = [1; LANES];
        }

        fn next(&mut self) -> [u16; LANES] {
            self.0
        }

        fn push(&mut self, bits: &[i16; LANES]) {
            for (p1, &bit) in self.0.iter_mut().zip(bits) {
                *p1 = p1.wrapping_mul(31).wrapping_add(bit as u16 + 3);
            }
        }
    }

    /// Groups of so many tiles, with some bits.
    fn run(threads: usize, groups: &[usize]) -> Vec<Columns<u16>> {
        let mut all = Vec::new();
        std::thread::scope(|scope| {
            let mut tiles = Tiles::new(&Toy, threads, scope);
            for &used in groups {
                all.push(tiles.begin(used));
                for step in 1..Toy.dims() {
                    let bit = |i: usize| (i * 7 / (step + 2)).is_multiple_of(3).into();
                    let bits = std::array::from_fn(|t| std::array::from_fn(|r| bit(t * LANES + r)));
                    all.push(tiles.push(&bits));
                }
                // what is no tile of the group has no probabilities
                let last = all.last().map_or(&[][..], |p1| p1.as_flattened());
                assert!(last[used * LANES..].iter().all(|&p1| p1 == 0));
                assert!(last[..used * LANES].iter().all(|&p1| p1 != 0));
            }
        });
        all
    }

    #[test]
    fn every_tile_has_a_thread() {
        for used in 0..=TILES {
            let groups = [TILES, used, 1, used];
            let want = run(1, &groups);
            for threads in 2..=TILES + 1 {
                assert!(run(threads, &groups) == want, "{used} tiles, {threads} threads");
            }
        }
    }

    #[test]
    #[should_panic(expected = "the coder's")]
    fn a_panic_of_the_caller_ends_the_threads() {
        std::thread::scope(|scope| {
            Tiles::new(&Toy, 3, scope).begin(TILES);
            panic!("the coder's");
        });
    }

    #[test]
    fn small_steps_have_one_thread() {
        assert_eq!(shares(8, 2 * WORTH - 1, 16), 1);
        assert_eq!(shares(8, 3 * WORTH, 16), 3);
        assert_eq!(shares(8, u64::MAX, 16), 8);
        assert_eq!(shares(64, u64::MAX, 16), 16);
        assert_eq!(shares(0, 0, 0), 1);
    }
}
