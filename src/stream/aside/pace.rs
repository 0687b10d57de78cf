//! Where the language model is better off: on a thread of its own, or on the one that decodes.
//!
//! A second core may be slow, busy with other work, or half of the first one. How long bytes
//! take is therefore measured both ways, again and again, and the faster way is kept.

use std::time::{Duration, Instant};

/// Bytes from one look at the clock to the next.
const STRETCH: u32 = 4;
/// Stretches at the start of a block, when nothing is in the caches,
const START: u32 = 64;
/// those that a way is tried for,
const TRIED: u32 = 32;
/// and those until the other way is tried, at least.
const KEPT: u32 = 256;
/// What trials in vain take is not more than this part of all time.
const LOST: i64 = 100;
/// A way that takes so much more than the other is not kept: a part of what it takes.
const WORSE: i64 = 16;
/// Stretches that a mean is over, about.
const WINDOW: u32 = 1024;

/// The mean time of a stretch.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    nanos: i64,
    /// How many there were, up to [`WINDOW`].
    count: u32,
}

impl Mean {
    fn add(&mut self, nanos: i64) {
        self.count = (self.count + 1).min(WINDOW);
        self.nanos += (nanos - self.nanos) / i64::from(self.count);
    }

    /// What so many stretches take.
    fn of(self, stretches: u32) -> i64 {
        self.nanos.saturating_mul(stretches.into())
    }
}

/// What the present way is gone for.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The block begins.
    Start,
    /// To see how long it takes.
    Trial,
    /// It is the faster one.
    Kept,
}

/// Two ways, and which one is gone now.
#[derive(Debug)]
pub struct Pace {
    /// Of the present stretch: when it began, its bytes, and whether it is all that matters:
    /// something was said of each byte, and nothing changed.
    since: Instant,
    bytes: u32,
    counts: bool,
    /// The present way: 1 with the other thread, 0 alone; for what, for how many stretches.
    way: usize,
    phase: Phase,
    stretches: u32,
    means: [Mean; 2],
    /// Nanoseconds in all, and those that the other way would not have taken.
    all: i64,
    lost: i64,
}

impl Pace {
    /// At the start of a block.
    pub fn new() -> Self {
        Self {
            since: Instant::now(),
            bytes: 0,
            counts: true,
            way: 0,
            phase: Phase::Start,
            stretches: 0,
            means: [Mean::default(); 2],
            all: 0,
            lost: 0,
        }
    }

    /// Whether the other thread is to have the language model.
    #[inline(always)]
    pub fn is_aside(&self) -> bool {
        self.way == 1
    }

    /// One more byte has come. Was something said of it, and was that waited for so long that the
    /// clock is worth a look?
    #[inline(always)]
    pub fn byte(&mut self, speaks: bool, was_late: bool) {
        self.bytes += 1;
        self.counts &= speaks;
        #[cfg(test)]
        if let Some(turn) = tests::TURN.get() {
            if self.bytes == turn {
                (self.way, self.bytes) = (1 - self.way, 0);
            }
            return;
        }
        if self.bytes == STRETCH || was_late {
            self.end_stretch();
        }
    }

    #[inline(never)]
    fn end_stretch(&mut self) {
        let now = Instant::now();
        let time = now.saturating_duration_since(self.since) * STRETCH / self.bytes;
        let way = self.way;
        if self.counts {
            self.stretch(time);
        }
        (self.since, self.bytes, self.counts) = (now, 0, way == self.way);
    }

    /// A stretch that counts took so long.
    fn stretch(&mut self, time: Duration) {
        let nanos = time.as_nanos().min(1 << 40) as i64;
        self.all += nanos;
        self.stretches += 1;
        let other = self.means[1 - self.way];
        let mean = &mut self.means[self.way];
        mean.add(nanos);
        let mean = *mean;
        let taken = mean.of(mean.count);
        // than the other way would have
        let more = taken - other.of(mean.count);
        let is_tried = self.stretches == TRIED;
        match self.phase {
            Phase::Start if self.stretches == START => self.begin(Phase::Trial),
            // nothing is known of the other way
            Phase::Trial if other.count == 0 && is_tried => self.other(Phase::Trial),
            Phase::Trial if other.count == 0 => {}
            Phase::Trial if taken > other.of(TRIED) => {
                self.lost += more;
                self.other(Phase::Kept);
            }
            Phase::Trial if is_tried => self.begin(Phase::Kept),
            Phase::Kept if more > taken / WORSE => {
                self.lost += more;
                self.other(Phase::Trial);
            }
            Phase::Kept if self.stretches >= KEPT && self.lost * LOST <= self.all => {
                self.other(Phase::Trial);
            }
            _ => {}
        }
    }

    /// Goes the other way.
    fn other(&mut self, phase: Phase) {
        self.way = 1 - self.way;
        self.begin(phase);
    }

    fn begin(&mut self, phase: Phase) {
        if let Phase::Trial = phase {
            self.means[self.way] = Mean::default();
        }
        (self.phase, self.stretches) = (phase, 0);
    }
}

#[cfg(test)]
pub mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// Changes the way after so many bytes, whatever they take.
        pub static TURN: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// What part of the time of so many stretches was lost, each of which takes so many
    /// microseconds alone and with the other thread: more than the better of both takes in all,
    /// or would in each.
    fn lost(stretches: u32, times: impl Fn(u32) -> [u64; 2]) -> [f64; 2] {
        let mut pace = Pace::new();
        let (mut taken, mut ways, mut best) = (0, [0; 2], 0);
        for n in 0..stretches {
            let [alone, aside] = times(n);
            let time = if pace.is_aside() { aside } else { alone };
            pace.stretch(Duration::from_micros(time));
            taken += time;
            ways = [ways[0] + alone, ways[1] + aside];
            best += alone.min(aside);
        }
        [ways[0].min(ways[1]), best].map(|best| (taken as f64 - best as f64) / taken as f64)
    }

    #[test]
    fn the_faster_way_is_found_and_kept() {
        for times in [[40, 20], [40, 35], [20, 40], [20, 80], [40, 40]] {
            let [part, _] = lost(100_000, |_| times);
            assert!(part < 0.015, "{times:?}: {part}");
        }
        // a core that is taken away now and then, or both
        let [part, _] = lost(100_000, |n| [40, if n % 100 < 2 { 4000 } else { 20 }]);
        assert!(part < 0.02, "{part}");
        let [part, _] = lost(100_000, |n| if n % 1000 == 0 { [4000; 2] } else { [40, 20] });
        assert!(part < 0.03, "{part}");
    }

    #[test]
    fn what_was_faster_may_become_slower() {
        let turns = |n| if n / 20_000 % 2 == 0 { [40, 20] } else { [40, 60] };
        let [_, part] = lost(200_000, turns);
        assert!(part < 0.05, "{part}");
    }

    #[test]
    fn a_block_starts_alone_and_long_times_are_no_overflow() {
        let mut pace = Pace::new();
        for _ in 0..START + TRIED {
            assert!(!pace.is_aside());
            pace.stretch(Duration::MAX);
        }
        for _ in 0..10_000 {
            pace.stretch(Duration::MAX);
            pace.stretch(Duration::ZERO);
        }
    }

    #[test]
    fn bytes_of_which_nothing_is_said_do_not_count() {
        let mut pace = Pace::new();
        (0..100_000).for_each(|_| pace.byte(false, true));
        assert_eq!((pace.all, pace.stretches), (0, 0));
        (0..4).for_each(|_| pace.byte(true, false));
        assert_eq!(pace.stretches, 1);
    }
}
