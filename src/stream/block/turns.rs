//! Whose turn it is when several threads code a block: each takes the next window of a stage.

use std::sync::{Condvar, Mutex, MutexGuard};

use crate::parallel::{lock, wait};

/// What is done with a window, before the next one of the same stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its evidence is made,
    Evidence,
    /// what the language model says of it,
    Speech,
    /// and when there are both, the network's logits, by an engine that takes whole windows,
    Network,
    /// and then the probabilities of its bits are found.
    Mix,
    /// When those of a whole segment are there, it is coded; here windows are segments.
    Code,
}

impl Stage {
    const ALL: [Self; 5] = [Self::Evidence, Self::Speech, Self::Network, Self::Mix, Self::Code];
}

/// The windows of a block.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// How many there are,
    pub all: usize,
    /// how many of them are of the text before the block,
    pub text: usize,
    /// and how many make a segment.
    pub segment: usize,
}

impl Windows {
    /// How many segments end in so many windows.
    fn segments(&self, windows: usize) -> usize {
        let own = windows.saturating_sub(self.text);
        if windows == self.all { own.div_ceil(self.segment) } else { own / self.segment }
    }
}

/// Segments whose probabilities are kept: one is coded while those of the next come in.
const SEGMENTS: usize = 2;

/// A stage: the windows that it is done with, and whether a thread is at the next one.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    done: usize,
    is_taken: bool,
}

/// The turns of a block.
#[derive(Debug)]
pub struct Turns {
    /// How many threads have something to do.
    threads: usize,
    states: Mutex<States>,
    changed: Condvar,
}

#[derive(Debug)]
struct States {
    all: [State; Stage::ALL.len()],
    windows: Windows,
    /// How many windows may be under way.
    room: usize,
    is_over: bool,
}

impl States {
    fn done(&self, stage: Stage) -> usize {
        self.all[stage as usize].done
    }

    /// Whether the next window of a stage can be taken.
    fn is_free(&self, stage: Stage) -> bool {
        let State { done, is_taken } = self.all[stage as usize];
        let Windows { all, text, segment } = self.windows;
        let end = match stage {
            Stage::Evidence | Stage::Speech => all.min(self.done(Stage::Mix) + self.room),
            Stage::Network => self.done(Stage::Evidence).min(self.done(Stage::Speech)),
            Stage::Mix => {
                let kept = text + (self.done(Stage::Code) + SEGMENTS) * segment;
                let before = [Stage::Evidence, Stage::Speech, Stage::Network];
                before.into_iter().fold(kept, |least, stage| least.min(self.done(stage)))
            }
            Stage::Code => self.windows.segments(self.done(Stage::Mix)),
        };
        !is_taken && done < end
    }

    /// How many windows a stage is done with.
    fn windows_done(&self, stage: Stage) -> usize {
        match stage {
            Stage::Code => self.done(stage) * self.windows.segment,
            _ => self.done(stage),
        }
    }

    fn is_over(&self) -> bool {
        let Windows { all, .. } = self.windows;
        self.done(Stage::Mix) == all && self.done(Stage::Code) == self.windows.segments(all)
    }

    /// The stage whose turn it is for a thread that has been at `last`: the same, as long as it
    /// can go on, since what it needs is in that thread's cache; or else the one that is most
    /// behind.
    fn next(&self, last: Option<Stage>) -> Option<Stage> {
        let free = Stage::ALL.into_iter().filter(|&stage| self.is_free(stage));
        last.filter(|&stage| self.is_free(stage))
            .or(free.min_by_key(|&stage| self.windows_done(stage)))
    }
}

impl Turns {
    /// For a block of windows of which `room` may be under way, without some stages.
    pub fn new(windows: Windows, room: usize, without: &[Stage]) -> Self {
        let mut all = [State::default(); Stage::ALL.len()];
        without.iter().for_each(|&stage| all[stage as usize].done = windows.all);
        let states = Mutex::new(States { all, windows, room, is_over: windows.all == 0 });
        // coding is too little for one of its own
        let threads = Stage::ALL.len() - without.len() - 1;
        Self { threads, states, changed: Condvar::new() }
    }

    /// How many threads have something to do.
    pub fn threads(&self) -> usize {
        self.threads
    }

    fn lock(&self) -> MutexGuard<'_, States> {
        lock(&self.states)
    }

    /// Takes the next window of a stage, which is the thread's until it is [`Self::done`], and
    /// waits for one if it must; `None` when all are coded or the turns have been stopped.
    pub fn take(&self, last: Option<Stage>) -> Option<(Stage, usize)> {
        let mut states = self.lock();
        loop {
            if states.is_over {
                return None;
            }
            if let Some(stage) = states.next(last) {
                let state = &mut states.all[stage as usize];
                state.is_taken = true;
                return Some((stage, state.done));
            }
            states = wait(&self.changed, states);
        }
    }

    /// The thread is done with the window of a stage that it has taken.
    pub fn done(&self, stage: Stage) {
        let mut states = self.lock();
        let state = &mut states.all[stage as usize];
        *state = State { done: state.done + 1, is_taken: false };
        states.is_over |= states.is_over();
        self.changed.notify_all();
    }

    /// Nobody takes another window.
    pub fn stop(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    /// How many windows have been mixed.
    pub fn mixed(&self) -> usize {
        self.lock().done(Stage::Mix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(turns: &Turns) -> Vec<(Stage, usize)> {
        let mut taken = Vec::new();
        while let Some((stage, window)) = turns.take(taken.last().map(|&(stage, _)| stage)) {
            taken.push((stage, window));
            turns.done(stage);
        }
        taken
    }

    #[test]
    fn every_window_goes_through_every_stage_in_order() {
        let all = [(0, 1), (1, 1), (1, 4), (7, 1), (7, 3), (7, 20), (9, 3)];
        let missing: [&[Stage]; 4] =
            [&[], &[Stage::Speech], &[Stage::Network], &[Stage::Speech, Stage::Network]];
        let cases = all.into_iter().flat_map(|n| missing.map(|without| (n, without)));
        let cases = cases.flat_map(|c| [(0, 1), (0, 3), (0, 4), (1, 2), (2, 100)].map(|s| (c, s)));
        for (((all, room), without), (text, segment)) in cases {
            let windows = Windows { all, text: text.min(all), segment };
            let turns = Turns::new(windows, room, without);
            let taken = alone(&turns);
            let segments = (all - text.min(all)).div_ceil(segment);
            for stage in Stage::ALL {
                let of_stage = taken.iter().filter(|t| t.0 == stage).map(|t| t.1);
                let wanted = match stage {
                    _ if without.contains(&stage) => 0,
                    Stage::Code => segments,
                    _ => all,
                };
                assert!(of_stage.eq(0..wanted), "{windows:?}: {taken:?}");
            }
            for (i, &(stage, window)) in taken.iter().enumerate() {
                let done = |stage| taken[..i].iter().filter(|t| t.0 == stage).count();
                let is_done = |stage| without.contains(&stage) || done(stage) > window;
                match stage {
                    Stage::Network => {
                        assert!(is_done(Stage::Evidence) && is_done(Stage::Speech));
                    }
                    Stage::Mix => {
                        assert!(is_done(Stage::Evidence) && is_done(Stage::Speech));
                        assert!(is_done(Stage::Network));
                        assert!(window < text + (done(Stage::Code) + SEGMENTS) * segment);
                    }
                    Stage::Code => {
                        assert!(done(Stage::Mix) >= (text + (window + 1) * segment).min(all));
                    }
                    _ => assert!(window < done(Stage::Mix) + room),
                }
            }
            assert_eq!(turns.mixed(), all);
        }
    }

    #[test]
    fn no_two_are_at_the_same_stage() {
        let windows = Windows { all: 9, text: 0, segment: 1 };
        let turns = Turns::new(windows, 4, &[Stage::Network]);
        assert_eq!(turns.take(None), Some((Stage::Evidence, 0)));
        assert_eq!(turns.take(Some(Stage::Evidence)), Some((Stage::Speech, 0)));
        turns.done(Stage::Evidence);
        assert_eq!(turns.take(Some(Stage::Evidence)), Some((Stage::Evidence, 1)));
        turns.done(Stage::Speech);
        // the one that is most behind, unless a thread can go on
        assert_eq!(turns.take(None), Some((Stage::Mix, 0)));
        assert_eq!(turns.take(Some(Stage::Speech)), Some((Stage::Speech, 1)));
        // a segment is coded while the next one is mixed
        turns.done(Stage::Mix);
        turns.done(Stage::Speech);
        turns.done(Stage::Evidence);
        assert_eq!(turns.take(Some(Stage::Mix)), Some((Stage::Mix, 1)));
        assert_eq!(turns.take(None), Some((Stage::Code, 0)));
        turns.done(Stage::Mix);
        assert_eq!(turns.take(Some(Stage::Mix)), Some((Stage::Evidence, 2)));
        // the network of another engine comes between
        let turns = Turns::new(windows, 4, &[Stage::Speech]);
        assert_eq!(turns.threads(), 3);
        assert_eq!(turns.take(None), Some((Stage::Evidence, 0)));
        turns.done(Stage::Evidence);
        assert_eq!(turns.take(None), Some((Stage::Network, 0)));
        assert_eq!(turns.take(None), Some((Stage::Evidence, 1)));
        turns.done(Stage::Network);
        assert_eq!(turns.take(Some(Stage::Network)), Some((Stage::Mix, 0)));
    }

    #[test]
    fn who_waits_is_told_of_the_end() {
        let turns = Turns::new(
            Windows { all: 2, text: 0, segment: 1 },
            2,
            &[Stage::Speech, Stage::Network],
        );
        let taken = turns.take(None);
        assert_eq!(taken, Some((Stage::Evidence, 0)));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| turns.take(None));
            std::thread::sleep(std::time::Duration::from_millis(50));
            turns.stop();
            assert_eq!(waiting.join().unwrap(), None);
        });
        assert_eq!(turns.mixed(), 0);
    }
}
