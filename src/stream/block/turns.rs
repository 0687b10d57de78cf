//! Whose turn it is when several threads code a block: each takes the next window of a stage.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What is done with a window, before the next one of the same stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its evidence is made,
    Evidence,
    /// what the language model says of it,
    Speech,
    /// and when there are both, it is coded.
    Code,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Evidence, Self::Speech, Self::Code];
}

/// A stage: the windows that it is done with, and whether a thread is at the next one.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    done: usize,
    is_taken: bool,
}

/// The turns of a block.
#[derive(Debug)]
pub struct Turns {
    has_speech: bool,
    states: Mutex<States>,
    changed: Condvar,
}

#[derive(Debug)]
struct States {
    all: [State; 3],
    /// How many windows there are,
    windows: usize,
    /// and how many may be under way.
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
        let end = match stage {
            Stage::Code => self.done(Stage::Evidence).min(self.done(Stage::Speech)),
            _ => self.windows.min(self.done(Stage::Code) + self.room),
        };
        !is_taken && done < end
    }

    /// The stage whose turn it is for a thread that has been at `last`: the same, as long as it
    /// can go on, since what it needs is in that thread's cache; or else the one that is most
    /// behind.
    fn next(&self, last: Option<Stage>) -> Option<Stage> {
        let free = Stage::ALL.into_iter().filter(|&stage| self.is_free(stage));
        last.filter(|&stage| self.is_free(stage)).or(free.min_by_key(|&stage| self.done(stage)))
    }
}

impl Turns {
    /// For a block of so many windows, of which `room` may be under way, with the stage
    /// [`Stage::Speech`] or without.
    pub fn new(windows: usize, room: usize, has_speech: bool) -> Self {
        let mut all = [State::default(); 3];
        if !has_speech {
            all[Stage::Speech as usize].done = windows;
        }
        let states = Mutex::new(States { all, windows, room, is_over: windows == 0 });
        Self { has_speech, states, changed: Condvar::new() }
    }

    /// How many stages there are: no more threads have something to do.
    pub fn stages(&self) -> usize {
        if self.has_speech { 3 } else { 2 }
    }

    fn lock(&self) -> MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
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
            states = self.changed.wait(states).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The thread is done with the window of a stage that it has taken.
    pub fn done(&self, stage: Stage) {
        let mut states = self.lock();
        let state = &mut states.all[stage as usize];
        *state = State { done: state.done + 1, is_taken: false };
        states.is_over |= states.done(Stage::Code) == states.windows;
        self.changed.notify_all();
    }

    /// Nobody takes another window.
    pub fn stop(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    /// How many windows are coded.
    pub fn coded(&self) -> usize {
        self.lock().done(Stage::Code)
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
        for (windows, room) in [(0, 1), (1, 1), (1, 4), (7, 1), (7, 3), (7, 20)] {
            for has_speech in [false, true] {
                let turns = Turns::new(windows, room, has_speech);
                let taken = alone(&turns);
                for stage in Stage::ALL {
                    let of_stage = taken.iter().filter(|t| t.0 == stage).map(|t| t.1);
                    let wanted = if stage != Stage::Speech || has_speech { windows } else { 0 };
                    assert!(of_stage.eq(0..wanted), "{taken:?}");
                }
                for (i, &(stage, window)) in taken.iter().enumerate() {
                    let done = |stage| taken[..i].iter().filter(|t| t.0 == stage).count();
                    match stage {
                        Stage::Code => {
                            assert!(done(Stage::Evidence) > window);
                            assert!(!has_speech || done(Stage::Speech) > window);
                        }
                        _ => assert!(window < done(Stage::Code) + room),
                    }
                }
                assert_eq!(turns.coded(), windows);
            }
        }
    }

    #[test]
    fn no_two_are_at_the_same_stage() {
        let turns = Turns::new(9, 4, true);
        assert_eq!(turns.take(None), Some((Stage::Evidence, 0)));
        assert_eq!(turns.take(Some(Stage::Evidence)), Some((Stage::Speech, 0)));
        turns.done(Stage::Evidence);
        assert_eq!(turns.take(Some(Stage::Evidence)), Some((Stage::Evidence, 1)));
        turns.done(Stage::Speech);
        // the one that is most behind, unless a thread can go on
        assert_eq!(turns.take(None), Some((Stage::Code, 0)));
        assert_eq!(turns.take(Some(Stage::Speech)), Some((Stage::Speech, 1)));
    }

    #[test]
    fn who_waits_is_told_of_the_end() {
        let turns = Turns::new(2, 2, false);
        let taken = turns.take(None);
        assert_eq!(taken, Some((Stage::Evidence, 0)));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| turns.take(None));
            std::thread::sleep(std::time::Duration::from_millis(50));
            turns.stop();
            assert_eq!(waiting.join().unwrap(), None);
        });
        assert_eq!(turns.coded(), 0);
    }
}
