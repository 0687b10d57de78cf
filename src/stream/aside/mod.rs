//! The language model on a thread of its own while a block is decoded.
//!
//! It is asked about a byte as soon as the one before is known, and answers while the statistics
//! of that byte are looked up. While its bits are decoded, one after the other, it makes what it
//! can for the next byte: most of what the recurrent layer takes. Each waits for the other once a
//! byte, some microseconds, which is too short a time to sleep.
//!
//! Where that is slower than one thread alone, which is measured, the thread that decodes has the
//! language model, and the other one sleeps.

mod listener;
mod pace;

use std::hint::spin_loop;
use std::mem::swap;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Mutex, OnceLock};
use std::thread::{Thread, current, park};
use std::time::{Duration, Instant};

pub use listener::Listener;
#[cfg(test)]
pub use pace::tests::TURN;

use super::past::Recent;
use crate::engine::kernel::Isa;
use crate::engine::language_native::{LanguageStep, PackedLanguage, Spoken};
use crate::parallel::lock;

/// Looks at a number before a thread that waits looks at the clock: some microseconds.
const LOOKS: u32 = 1 << 8;
/// How long the thread that answers stays awake before its first question: a system may take so
/// long to see that two threads want two cores;
const FIRST: Duration = Duration::from_micros(if cfg!(test) { 50 } else { 20_000 });
/// and before another one, while it has the language model.
const AWAKE: Duration = Duration::from_micros(if cfg!(test) { 50 } else { 1_000 });

/// What one thread writes, away from what the other does.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart<T>(T);

/// Past bytes.
#[derive(Clone, Copy, Debug)]
struct Question {
    past: Recent,
    /// Whether those before them were asked about last,
    follows: bool,
    /// or what was asked last shall not have been.
    takes_back: bool,
}

/// What the two threads tell each other.
#[derive(Debug)]
pub struct Aside {
    /// How many questions there were,
    asked: Apart<AtomicU32>,
    /// and the last one; none asks for the language model itself.
    question: Apart<Mutex<Option<Question>>>,
    /// How many have an answer,
    answered: Apart<AtomicU32>,
    /// and that of the last one.
    answer: Apart<Mutex<Spoken>>,
    /// The language model on its way from one thread to the other.
    moves: Mutex<Option<LanguageStep>>,
    /// Whether there are no more questions, or answers.
    is_over: AtomicBool,
    is_gone: AtomicBool,
    /// Who asks, and who answers.
    asks: Thread,
    answers: OnceLock<Thread>,
}

/// Waits until there are so many, awake for so long, then asleep; whether that was long, or `None`
/// if the other thread has come to its end before.
fn wait(number: &AtomicU32, wanted: u32, is_over: &AtomicBool, awake: Duration) -> Option<bool> {
    let mut looks = 0u32;
    let mut since = None;
    loop {
        // in this order: there may be a last one
        let is_over = is_over.load(Acquire);
        if number.load(Acquire) == wanted {
            return Some(since.is_some());
        }
        if is_over {
            return None;
        }
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(LOOKS) && since.get_or_insert_with(Instant::now).elapsed() >= awake
        {
            park();
        } else {
            spin_loop();
        }
    }
}

/// At its end there are no more questions.
struct Enough<'a>(&'a Aside);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Release);
        self.0.wake();
    }
}

/// At its end there are no more answers.
struct Gone<'a>(&'a Aside);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.is_gone.store(true, Release);
        self.0.asks.unpark();
    }
}

impl Aside {
    /// The calling thread is the one that asks.
    pub fn of_this_thread() -> Self {
        Self {
            asked: Apart::default(),
            question: Apart::default(),
            answered: Apart::default(),
            answer: Apart(Mutex::new(Spoken::SILENCE)),
            moves: Mutex::default(),
            is_over: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            asks: current(),
            answers: OnceLock::new(),
        }
    }

    /// The thread that answers, until it [`is_asked`](Self::is_asked) no more.
    pub fn speak(&self, isa: Isa, language: &PackedLanguage) {
        let _gone = Gone(self);
        // as it was before the last question, as it is, and while it speaks
        let [mut before, mut now, mut said] = [(); 3].map(|()| Box::new(LanguageStep::default()));
        // the language model is with the other thread at first
        let (mut number, mut is_here) = (0u32, false);
        loop {
            let awake = match number {
                0 => FIRST,
                _ if is_here => AWAKE,
                _ => Duration::ZERO,
            };
            number = number.wrapping_add(1);
            if wait(&self.asked.0, number, &self.is_over, awake).is_none() {
                return;
            }
            let Some(Question { past, follows, takes_back }) = *lock(&self.question.0) else {
                *lock(&self.moves) = Some(*now);
                is_here = false;
                self.tell(number);
                continue;
            };
            if !is_here && let Some(moved) = lock(&self.moves).take() {
                (*now, *said) = (moved, moved);
            }
            is_here = true;
            if takes_back {
                *said = *before;
            } else {
                swap(&mut before, &mut now);
            }
            if !follows {
                said.be_silent();
            }
            said.speak(isa, language, &past);
            *lock(&self.answer.0) = said.spoken();
            self.tell(number);
            said.prepare(isa, language, &past);
            *now = *said;
        }
    }

    /// So many have an answer.
    fn tell(&self, number: u32) {
        self.answered.0.store(number, Release);
        self.asks.unpark();
    }

    fn wake(&self) {
        if let Some(answers) = self.answers.get() {
            answers.unpark();
        }
    }

    /// Says which thread [speaks](Self::speak), before it is asked; there are no more questions
    /// when what this returns is dropped.
    pub fn is_asked(&self, answers: Thread) -> impl Drop {
        let is_first = self.answers.set(answers).is_ok();
        assert!(is_first, "one thread answers");
        Enough(self)
    }
}

#[cfg(test)]
mod tests {
    use std::thread::scope;

    use super::*;
    use crate::stream::past::Past;
    use crate::stream::row::LANGUAGE_UNITS;
    use crate::stream::testing::Random;

    /// What is said of the next byte; all else is made of it.
    fn what(said: &LanguageStep, language: &PackedLanguage) -> [u8; LANGUAGE_UNITS] {
        let mut units = [0; LANGUAGE_UNITS];
        said.put_units(language, &mut units);
        units
    }

    /// The bytes of a text in turn; some are not asked about, and after some the language model
    /// goes from one thread to the other.
    #[test]
    fn another_thread_says_the_same() {
        let mut random = Random(5);
        let mut language = random.language("b1 b2 b3 word o2", [70, 21]);
        language.recurrent = Some(random.recurrent(70, [24, 13]));
        let language = &PackedLanguage::new(&language);
        let text = random.bytes(300);
        for isa in Isa::available() {
            for (silent, turn) in [(1000, 1000), (3, 1000), (7, 50), (3, 2), (1000, 1)] {
                TURN.set(Some(turn));
                let new = || LanguageStep::new(language).with_recurrent_layer(language);
                let (mut alone, mut said, aside) = (new(), new(), &Aside::of_this_thread());
                let mut asked = 0;
                scope(|scope| {
                    let other = scope.spawn(move || aside.speak(isa, language));
                    let _enough = aside.is_asked(other.thread().clone());
                    let (mut past, mut listener) = (Past::default(), Listener::new(aside));
                    for n in 0..text.len() {
                        past.push(&text[..n]);
                        let (past, speaks) = (past.recent(), n / 3 % silent != silent - 1);
                        // of those that nothing is said of some are asked about
                        if speaks || n % 2 == 0 {
                            listener.ask(past, &said);
                        }
                        if speaks {
                            alone.speak(isa, language, past);
                        } else {
                            alone.be_silent();
                        }
                        asked += u32::from(!listener.is_alone());
                        match listener.is_alone() {
                            true if speaks => said.speak(isa, language, past),
                            true => said.be_silent(),
                            false => {}
                        }
                        listener.hear(&mut said, speaks);
                        let [said, alone] = [&said, &alone].map(|said| what(said, language));
                        assert_eq!(said, alone, "{isa} {silent} {turn} {n}");
                    }
                });
                assert!(turn == 1000 || asked > 100, "{silent} {turn}: {asked}");
            }
        }
        TURN.set(None);
    }

    /// One that panics while it is waited for, for long.
    #[test]
    #[should_panic = "the thread of the language model is there"]
    fn a_thread_that_goes_is_not_waited_for() {
        let aside = &Aside::of_this_thread();
        scope(|scope| {
            scope.spawn(|| {
                let _gone = Gone(aside);
                std::thread::sleep(Duration::from_millis(50));
            });
            TURN.set(Some(1));
            let (mut said, mut listener) = (LanguageStep::default(), Listener::new(aside));
            listener.hear(&mut said, true);
            listener.ask(Past::default().recent(), &said);
            listener.hear(&mut said, true);
        });
    }

    #[test]
    #[should_panic = "the thread of the language model is there"]
    fn a_thread_that_is_gone_is_not_waited_for() {
        let mut random = Random(5);
        let language = &PackedLanguage::new(&random.language("b1", [7, 5]));
        let mut said = LanguageStep::new(language);
        let aside = &Aside::of_this_thread();
        drop(aside.is_asked(current()));
        // as if it had panicked
        aside.speak(Isa::best(), language);
        TURN.set(Some(1));
        let mut listener = Listener::new(aside);
        listener.hear(&mut said, true);
        listener.ask(Past::default().recent(), &said);
        listener.hear(&mut said, true);
    }
}
