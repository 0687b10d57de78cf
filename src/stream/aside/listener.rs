//! The end of the thread that decodes.

use std::mem::take;
use std::sync::atomic::Ordering::Release;
use std::time::Duration;

use super::pace::Pace;
use super::{Aside, Question, wait};
use crate::engine::language_native::LanguageStep;
use crate::parallel::lock;
use crate::stream::past::Recent;

/// How long it waits for an answer awake.
const AWAKE: Duration = Duration::from_micros(30);

/// Asks the other thread, or has the language model itself.
#[derive(Debug)]
pub struct Listener<'a> {
    aside: &'a Aside,
    /// How many questions there were.
    number: u32,
    /// Whether the next byte was asked about, and what else a [`Question`] has.
    is_asked: bool,
    follows: bool,
    takes_back: bool,
    /// Whether the language model is here,
    is_alone: bool,
    /// and where it shall be.
    pace: Pace,
}

impl<'a> Listener<'a> {
    /// At the start of a block.
    pub fn new(aside: &'a Aside) -> Self {
        Self {
            aside,
            number: 0,
            is_asked: false,
            follows: true,
            takes_back: false,
            is_alone: true,
            pace: Pace::new(),
        }
    }

    /// Whether this thread has the language model.
    #[inline(always)]
    pub fn is_alone(&self) -> bool {
        self.is_alone
    }

    fn send(&mut self, question: Option<Question>) {
        *lock(&self.aside.question.0) = question;
        self.number = self.number.wrapping_add(1);
        self.aside.asked.0.store(self.number, Release);
        self.aside.wake();
    }

    /// Waits for the answer to the last question; whether for long.
    ///
    /// # Panics
    /// The other thread has panicked.
    fn wait(&self) -> bool {
        let Aside { answered, is_gone, .. } = self.aside;
        let waited = wait(&answered.0, self.number, is_gone, AWAKE);
        waited.expect("the thread of the language model is there")
    }

    /// Asks about the byte after `past`, which may turn out to be one that nothing is said of,
    /// unless this thread has the language model, `said`, and keeps it.
    #[inline(always)]
    pub fn ask(&mut self, past: &Recent, said: &LanguageStep) {
        if self.is_alone {
            if !self.pace.is_aside() {
                return;
            }
            self.give(said);
        }
        let Self { follows, takes_back, .. } = *self;
        self.send(Some(Question { past: *past, follows, takes_back }));
        self.is_asked = true;
    }

    /// Puts the answer into `said`, or silence, or if this thread has the language model, leaves it
    /// as it is.
    #[inline(always)]
    pub fn hear(&mut self, said: &mut LanguageStep, speaks: bool) {
        let is_asked = take(&mut self.is_asked);
        let mut was_late = false;
        if !self.is_alone {
            // what was not asked about has a long match, and nothing is said of it
            assert!(is_asked || !speaks, "the answer of another byte");
            if is_asked {
                was_late = self.wait();
            }
            if speaks {
                said.take(&lock(&self.aside.answer.0));
            } else {
                said.be_silent();
            }
            (self.follows, self.takes_back) = (speaks, !speaks && (is_asked || self.takes_back));
        }
        self.pace.byte(speaks, was_late);
        if speaks && !self.is_alone && !self.pace.is_aside() {
            self.take(said);
        }
    }

    /// Takes the language model, as it is after the last byte that something was said of.
    #[cold]
    fn take(&mut self, said: &mut LanguageStep) {
        self.send(None);
        self.wait();
        if let Some(moved) = lock(&self.aside.moves).take() {
            *said = moved;
        }
        self.is_alone = true;
    }

    /// Gives it back, with the next question.
    #[cold]
    fn give(&mut self, said: &LanguageStep) {
        *lock(&self.aside.moves) = Some(*said);
        self.is_alone = false;
        // it was taken after a byte that something was said of
        debug_assert!(self.follows && !self.takes_back);
    }
}
