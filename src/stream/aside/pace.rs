//! Where the language model is better off: on a thread of its own, or on the one that decodes.
//!
//! A second core may be slow, busy with other work, or half of the first one. How long bytes
//! take is therefore measured both ways as long as the block lasts. Alone, an odd one counts as
//! little more than the others. With the other thread every wait counts, since it may be its core
//! that others want, but none as more than some milliseconds, since what stops both threads may
//! take any time; and what was gained before does not pay for what is lost now (a cumulative sum:
//! Page, "Continuous inspection schemes", Biometrika 41, 1954).

use std::mem::take;
use std::time::{Duration, Instant};

/// Bytes from one look at the clock to the next, if none of them is late.
const STRETCH: u32 = 4;
/// Bytes at the start of a block, when nothing is in the caches.
const START: u32 = 256;
/// Stretches alone that are measured together.
const GROUP: usize = 32;
/// A stretch alone counts as so many times their median, at most.
const ODD: u64 = 4;
/// Bytes until the other way is looked at again: so many, and four times as many after each look
/// that changed nothing, up to so many looks.
const KEPT: u32 = 1 << 10;
const LOOKS: u32 = 4;
/// The other thread is worth it if bytes take less by this part.
const WORTH: u64 = 16;
/// What may be lost while it is tried: the time of so many stretches alone, or so many
/// nanoseconds.
const TRIED: u64 = 16;
const TRIED_NANOS: u64 = 1_000_000;
/// So many times as much may be lost later, and one stretch counts as so many times as much, at
/// most.
const LOST: u64 = 6;
const STOPPED: u64 = 4;

/// Which way is gone, and what was seen of both.
#[derive(Debug)]
pub struct Pace {
    /// Of the present stretch: when it began, its bytes, and whether it is all that matters:
    /// something was said of each byte, and nothing changed.
    since: Instant,
    bytes: u32,
    counts: bool,
    /// Whether the other thread has the language model.
    is_aside: bool,
    /// Bytes until the other way is looked at.
    left: u32,
    /// Looks that changed nothing: at the other thread, at what bytes take alone.
    looks: [u32; 2],
    /// The stretches of a group, and what one takes, in nanoseconds.
    group: [u64; GROUP],
    filled: usize,
    alone: u64,
    /// Nanoseconds and bytes since the other thread was worth it last.
    taken: u64,
    of: u32,
    /// Whether this group is to show whether it still is.
    is_check: bool,
}

impl Pace {
    /// At the start of a block, alone.
    pub fn new() -> Self {
        Self {
            since: Instant::now(),
            bytes: 0,
            counts: true,
            is_aside: false,
            left: START,
            looks: [0; 2],
            group: [0; GROUP],
            filled: 0,
            alone: 0,
            taken: 0,
            of: 0,
            is_check: false,
        }
    }

    /// Whether the other thread is to have the language model.
    #[inline(always)]
    pub fn is_aside(&self) -> bool {
        self.is_aside
    }

    /// One more byte has come. Was something said of it, and was that waited for so long that the
    /// clock is worth a look?
    #[inline(always)]
    pub fn byte(&mut self, speaks: bool, was_late: bool) {
        #[cfg(test)]
        if let Some(turn) = tests::TURN.get() {
            self.bytes += 1;
            if self.bytes == turn {
                (self.is_aside, self.bytes) = (!self.is_aside, 0);
            }
            return;
        }
        if self.ends_stretch(speaks, was_late) {
            self.at(Instant::now());
        }
    }

    #[inline(always)]
    fn ends_stretch(&mut self, speaks: bool, was_late: bool) -> bool {
        self.bytes += 1;
        self.counts &= speaks;
        self.bytes == STRETCH || was_late
    }

    /// A stretch ends now.
    #[inline(never)]
    fn at(&mut self, now: Instant) {
        let way = self.is_aside;
        if self.counts {
            let time = now.saturating_duration_since(self.since);
            self.stretch(time, self.bytes);
        }
        (self.since, self.bytes, self.counts) = (now, 0, way == self.is_aside);
    }

    fn stretch(&mut self, time: Duration, bytes: u32) {
        let nanos = time.as_nanos().min(1 << 40) as u64;
        self.left = self.left.saturating_sub(bytes);
        if self.is_aside {
            self.with_other(nanos, bytes);
        } else if bytes == STRETCH {
            self.without_other(nanos);
        }
    }

    /// What may be lost while the other thread is tried.
    fn little(&self) -> u64 {
        (TRIED * self.alone).max(TRIED_NANOS)
    }

    /// What was lost since the other thread was worth it last, if that is over.
    fn lost(&self) -> Option<u64> {
        let alone = self.alone * u64::from(self.of) / u64::from(STRETCH);
        self.taken.checked_sub(alone - alone / WORTH)
    }

    fn with_other(&mut self, nanos: u64, bytes: u32) {
        let little = self.little();
        self.taken += nanos.min(STOPPED * little);
        self.of += bytes;
        let lost = self.lost();
        if lost.is_none() {
            (self.taken, self.of) = (0, 0);
        }
        if self.left == 0 {
            self.looks = [self.looks[0].saturating_sub(1), LOOKS.min(self.looks[1] + 1)];
        } else if lost.is_none_or(|lost| lost <= LOST * little) {
            return;
        }
        (self.is_aside, self.is_check) = (false, true);
    }

    fn without_other(&mut self, nanos: u64) {
        self.group[self.filled] = nanos;
        self.filled += 1;
        if self.filled < GROUP {
            return;
        }
        self.filled = 0;
        let most = ODD * *self.group.select_nth_unstable(GROUP / 2).1;
        self.alone = self.group.iter().map(|&nanos| nanos.min(most)).sum::<u64>() / GROUP as u64;
        let little = self.little();
        if !take(&mut self.is_check) {
            if self.left == 0 {
                (self.is_aside, self.left) = (true, KEPT);
                // as if much had been lost already
                (self.taken, self.of) = ((LOST - 1) * little, 0);
            }
        } else if self.lost().is_none_or(|lost| lost < LOST * little - little / 2) {
            (self.is_aside, self.left) = (true, KEPT << (2 * self.looks[1]));
        } else {
            self.left = KEPT << (2 * self.looks[0]);
            self.looks = [LOOKS.min(self.looks[0] + 1), 0];
        }
    }
}

#[cfg(test)]
pub mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::stream::testing::Random;

    thread_local! {
        /// Changes the way after so many bytes, whatever they take.
        pub static TURN: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// What so many bytes take more than the better way does, as a part of that, and the part of
    /// bytes with the other thread. Each byte takes so many nanoseconds alone and with the other
    /// thread, and that may be late; its number and the time so far are given.
    fn lost(bytes: u32, mut times: impl FnMut(u32, u64) -> ([u64; 2], bool)) -> [f64; 2] {
        let mut pace = Pace::new();
        let start = pace.since;
        let (mut taken, mut ways, mut aside) = (0, [0; 2], 0);
        for n in 0..bytes {
            let (times, is_late) = times(n, taken);
            let is_aside = pace.is_aside();
            taken += times[usize::from(is_aside)];
            ways = [ways[0] + times[0], ways[1] + times[1]];
            aside += u32::from(is_aside);
            if pace.ends_stretch(true, is_late && is_aside) {
                pace.at(start + Duration::from_nanos(taken));
            }
        }
        let best = ways[0].min(ways[1]) as f64;
        [taken as f64 / best - 1.0, f64::from(aside) / f64::from(bytes)]
    }

    #[test]
    fn the_faster_way_is_found_and_kept() {
        for (ways, is_aside) in [
            ([10_000, 6_000], true),
            ([10_000, 8_500], true),
            ([3_000, 2_000], true),
            ([200_000, 100_000], true),
            ([10_000, 10_000], false),
            ([10_000, 14_000], false),
            ([10_000, 200_000], false),
            ([200_000, 300_000], false),
        ] {
            let mut random = Random(5);
            let mut noise = |time| time * u64::from(90 + random.below(21)) / 100;
            let [part, aside] = lost(300_000, |_, _| (ways.map(&mut noise), false));
            assert!(part < 0.01 && (aside > 0.5) == is_aside, "{ways:?}: {part} {aside}");
        }
    }

    #[test]
    fn late_answers_count_as_what_they_are() {
        for late in [60_000, 200_000] {
            let mut random = Random(6);
            let [part, aside] = lost(300_000, |_, _| match random.below(50) {
                0 => ([10_000, 7_000 + late], true),
                _ => ([10_000, 7_000], false),
            });
            assert!(part < 0.02 && (aside > 0.5) == (late < 100_000), "{late}: {part} {aside}");
        }
    }

    /// What stops both threads says nothing of either way, whenever it is.
    #[test]
    fn a_stop_is_no_reason() {
        for at in 0..60 {
            for stop in [4, 100, 5000] {
                let mut stop = Some(stop * 1_000_000);
                let [part, aside] = lost(100_000, |_, time| {
                    let stop = if time > at * 300_000 { stop.take() } else { None };
                    let more = stop.unwrap_or(0);
                    ([10_000 + more, 6_000 + more], more > 0)
                });
                assert!(part < 0.03 && aside > 0.9, "{stop:?} at {at}: {part} {aside}");
            }
        }
    }

    #[test]
    fn bytes_may_take_longer_both_ways() {
        for len in [64, 1_000, 20_000] {
            let (mut random, mut speed) = (Random(7), 0);
            let [part, aside] = lost(300_000, |n, _| {
                if n.is_multiple_of(len) {
                    speed = u64::from(60 + random.below(81));
                }
                ([100 * speed, 85 * speed], false)
            });
            assert!(part < 0.02 && aside > 0.9, "{len}: {part} {aside}");
        }
    }

    #[test]
    fn what_was_faster_may_become_slower() {
        // a core that is found late, and one that others take
        let [_, aside] = lost(60_000, |_, time| {
            (if time < 10_000_000 { [10_000, 60_000] } else { [10_000, 6_000] }, false)
        });
        assert!(aside > 0.6, "{aside}");
        let [part, _] = lost(300_000, |n, _| {
            (if n < 150_000 { [10_000, 9_000] } else { [10_000, 30_000] }, false)
        });
        assert!(part < 0.01, "{part}");
    }

    #[test]
    fn some_stretches_do_not_count() {
        let mut pace = Pace::new();
        let begun = pace.left;
        for n in 1..=8 {
            let ends = pace.ends_stretch(n != 2, false);
            assert_eq!(ends, n % STRETCH == 0);
            if ends {
                pace.at(pace.since);
            }
        }
        assert_eq!((pace.filled, pace.left), (1, begun - STRETCH), "nothing was said of one");
        while !pace.is_aside() {
            pace.ends_stretch(true, true);
            pace.bytes = STRETCH;
            pace.at(pace.since + Duration::from_micros(40));
        }
        let left = pace.left;
        for counted in 0..3 {
            assert!(pace.ends_stretch(true, true));
            pace.at(pace.since);
            assert_eq!(pace.left, left - counted, "the first one goes both ways");
        }
    }

    #[test]
    fn long_times_are_no_overflow() {
        for is_late in [false, true] {
            let mut random = Random(8);
            let mut time = || 1u64 << random.below(50);
            lost(20_000, |_, _| ([time(), time()], is_late));
        }
        let mut pace = Pace::new();
        for n in 0..100_000 {
            pace.stretch(if n % 3 == 0 { Duration::MAX } else { Duration::ZERO }, STRETCH);
        }
    }
}
