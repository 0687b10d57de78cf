//! The language model on a thread of its own while a block is decoded.
//!
//! It is asked about a byte as soon as the one before is known, and answers while the statistics
//! of that byte are looked up. While its bits are decoded, one after the other, it makes what it
//! can for the next byte: most of what the recurrent layer takes. Each waits for the other once a
//! byte, some microseconds, which is too short a time to sleep.

use std::hint::spin_loop;
use std::mem::{swap, take};
use std::sync::Mutex;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::thread::yield_now;
use std::time::{Duration, Instant};

use super::past::{Past, Recent};
use crate::engine::kernel::Isa;
use crate::engine::language_native::{LanguageStep, PackedLanguage, Spoken};
use crate::parallel::lock;

/// Looks at a number before a thread that waits lets others run: some microseconds.
const LOOKS: u32 = 1 << 8;
/// One of so many answers is timed.
const TIMED: u32 = 1 << 6;
/// What may be lost by waiting longer than an answer takes: so much, and as much for every byte,
/// which takes several times as long to decode.
const LOST: Duration = Duration::from_millis(20);
const LOST_A_BYTE: Duration = Duration::from_nanos(500);

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
    /// and the last one.
    question: Apart<Mutex<Question>>,
    /// How many have an answer,
    answered: Apart<AtomicU32>,
    /// and that of the last one.
    answer: Apart<Mutex<Spoken>>,
    /// Nanoseconds that one takes, with what is made for the next.
    time: AtomicU32,
    /// Whether there are no more questions, or answers.
    is_over: AtomicBool,
    is_gone: AtomicBool,
    /// The language model, when there are no more answers.
    left: Mutex<Option<LanguageStep>>,
}

/// Sets a flag at its end, however that comes.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Release);
    }
}

/// Waits until there are so many, or the other thread has come to its end; for how long, if it
/// was long enough to let others run.
fn wait(number: &AtomicU32, wanted: u32, is_over: &AtomicBool) -> Option<Duration> {
    let mut looks = 0;
    let mut since = None;
    while number.load(Acquire) != wanted && !is_over.load(Acquire) {
        looks += 1;
        if looks < LOOKS {
            spin_loop();
        } else {
            since.get_or_insert_with(Instant::now);
            yield_now();
        }
    }
    since.map(|since| since.elapsed())
}

impl Default for Aside {
    fn default() -> Self {
        let past = *Past::default().recent();
        Self {
            asked: Apart::default(),
            question: Apart(Mutex::new(Question { past, follows: true, takes_back: false })),
            answered: Apart::default(),
            answer: Apart(Mutex::new(Spoken::SILENCE)),
            time: AtomicU32::new(u32::MAX),
            is_over: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            left: Mutex::default(),
        }
    }
}

impl Aside {
    /// The thread that answers: the language model from the start of a block, until there is
    /// [`Self::enough`].
    pub fn speak(&self, isa: Isa, language: &PackedLanguage, mut said: LanguageStep) {
        let _gone = AtEnd(&self.is_gone);
        // what it reads is then in this core's cache
        said.prepare(isa, language, Past::default().recent());
        // before the last question, and as it is now
        let (mut before, mut now) = (Box::new(said), Box::new(said));
        let mut number = 0u32;
        loop {
            number = number.wrapping_add(1);
            wait(&self.asked.0, number, &self.is_over);
            if self.asked.0.load(Acquire) != number {
                break;
            }
            let since = (number % TIMED == 1).then(Instant::now);
            let Question { past, follows, takes_back } = *lock(&self.question.0);
            if takes_back {
                said = *before;
            } else {
                swap(&mut before, &mut now);
            }
            if !follows {
                said.be_silent();
            }
            said.speak(isa, language, &past);
            *lock(&self.answer.0) = said.spoken();
            self.answered.0.store(number, Release);
            said.prepare(isa, language, &past);
            *now = said;
            if let Some(since) = since {
                let time = since.elapsed().as_nanos().try_into().unwrap_or(u32::MAX);
                self.time.fetch_min(time, Relaxed);
            }
        }
        *lock(&self.left) = Some(said);
    }

    /// There are no more questions when this is dropped.
    pub fn enough(&self) -> impl Drop {
        AtEnd(&self.is_over)
    }
}

/// The end of the thread that decodes.
#[derive(Debug)]
pub struct Listener<'a> {
    aside: &'a Aside,
    /// How many questions there were.
    number: u32,
    /// Whether the next byte was asked about, and what else a [`Question`] has.
    is_asked: bool,
    follows: bool,
    takes_back: bool,
    /// What was lost by waiting.
    lost: Duration,
}

impl<'a> Listener<'a> {
    /// At the start of a block.
    pub fn new(aside: &'a Aside) -> Self {
        let (is_asked, follows, takes_back) = (false, true, false);
        Self { aside, number: 0, is_asked, follows, takes_back, lost: Duration::ZERO }
    }

    /// Asks about the byte after `past`, which may turn out to be one that nothing is said of.
    pub fn ask(&mut self, past: &Recent) {
        let Self { follows, takes_back, .. } = *self;
        *lock(&self.aside.question.0) = Question { past: *past, follows, takes_back };
        self.number = self.number.wrapping_add(1);
        self.aside.asked.0.store(self.number, Release);
        self.is_asked = true;
    }

    /// Puts the answer into `said`, or silence; `false` if that is all, since too much is lost by
    /// waiting (the thread shares its core with others), and its language model is now `said`.
    pub fn hear(&mut self, said: &mut LanguageStep, speaks: bool) -> bool {
        let is_asked = take(&mut self.is_asked);
        // what was not asked about has a long match, and nothing is said of it
        assert!(is_asked || !speaks, "the answer of another byte");
        let waited = if is_asked {
            wait(&self.aside.answered.0, self.number, &self.aside.is_gone)
        } else {
            None
        };
        if !speaks {
            said.be_silent();
            self.takes_back |= is_asked;
            self.follows = false;
            return true;
        }
        said.take(&lock(&self.aside.answer.0));
        (self.follows, self.takes_back) = (true, false);
        !waited.is_some_and(|waited| self.loses(waited)) || self.leave(said)
    }

    /// Whether too much is lost, after an answer that was waited for so long.
    #[cold]
    fn loses(&mut self, waited: Duration) -> bool {
        let time = Duration::from_nanos(self.aside.time.load(Relaxed).into());
        self.lost = self.lost.saturating_add(waited.saturating_sub(time));
        self.lost > LOST + LOST_A_BYTE * self.number
    }

    /// Asks no more; `false` if the language model is now `said`.
    #[cold]
    fn leave(&self, said: &mut LanguageStep) -> bool {
        drop(self.aside.enough());
        while !self.aside.is_gone.load(Acquire) {
            yield_now();
        }
        match lock(&self.aside.left).take() {
            Some(left) => {
                *said = left;
                false
            }
            // it panicked, which whoever waits for its end will see
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::scope;

    use super::*;
    use crate::stream::row::LANGUAGE_UNITS;
    use crate::stream::testing::Random;

    /// What is said of the next byte; all else is made of it.
    fn what(said: &LanguageStep, language: &PackedLanguage) -> [u8; LANGUAGE_UNITS] {
        let mut units = [0; LANGUAGE_UNITS];
        said.put_units(language, &mut units);
        units
    }

    /// The bytes of a text in turn; some are not asked about, from some on there is no thread.
    #[test]
    fn another_thread_says_the_same() {
        let mut random = Random(5);
        let mut language = random.language("b1 b2 b3 word o2", [70, 21]);
        language.recurrent = Some(random.recurrent(70, [24, 13]));
        let language = &PackedLanguage::new(&language);
        let text = random.bytes(300);
        for isa in Isa::available() {
            for (silent, until) in [(1000, 1000), (3, 1000), (7, 150), (1000, 0)] {
                let new = || LanguageStep::new(language).with_recurrent_layer(language);
                let (mut alone, mut said, aside) = (new(), new(), &Aside::default());
                scope(|scope| {
                    let _enough = aside.enough();
                    scope.spawn(move || aside.speak(isa, language, said));
                    let (mut past, mut listener) = (Past::default(), Some(Listener::new(aside)));
                    for n in 0..text.len() {
                        past.push(&text[..n]);
                        let (past, speaks) = (past.recent(), n / 3 % silent != silent - 1);
                        // of those that nothing is said of some are asked about
                        if let Some(listener) = &mut listener
                            && (speaks || n % 2 == 0)
                        {
                            listener.ask(past);
                        }
                        if speaks {
                            alone.speak(isa, language, past);
                        } else {
                            alone.be_silent();
                        }
                        match &mut listener {
                            Some(other) => {
                                let mut is_there = other.hear(&mut said, speaks);
                                if is_there && n >= until && speaks {
                                    is_there = other.leave(&mut said);
                                    assert!(!is_there);
                                }
                                listener = listener.filter(|_| is_there);
                            }
                            None if speaks => said.speak(isa, language, past),
                            None => said.be_silent(),
                        }
                        let [said, alone] = [&said, &alone].map(|said| what(said, language));
                        assert_eq!(said, alone, "{isa} {silent} {until} {n}");
                    }
                });
            }
        }
    }

    #[test]
    fn a_thread_that_is_gone_is_not_waited_for() {
        let mut random = Random(5);
        let language = &PackedLanguage::new(&random.language("b1", [7, 5]));
        let mut said = LanguageStep::new(language);
        let aside = &Aside::default();
        drop(aside.enough());
        aside.speak(Isa::best(), language, said);
        // as if it had panicked
        *lock(&aside.left) = None;
        let mut listener = Listener::new(aside);
        listener.ask(Past::default().recent());
        assert!(listener.hear(&mut said, true) && listener.leave(&mut said));
    }

    #[test]
    fn what_is_lost_by_waiting() {
        let aside = &Aside::default();
        aside.time.store(5_000, Relaxed);
        let loses = |bytes: u32, waited: &[u64]| {
            let mut listener = Listener { number: bytes, ..Listener::new(aside) };
            let mut each = waited.iter().map(|&micros| Duration::from_micros(micros));
            each.any(|waited| listener.loses(waited))
        };
        assert!(!loses(1, &[4, 19_000, 5]) && !loses(1, &[5; 1_000_000]));
        assert!(loses(1, &[19_000, 2_000]) && loses(1, &[25; 1_100]));
        assert!(!loses(10_000, &[20_000, 4_000]) && loses(10_000, &[20_000, 6_000]));
        assert!(loses(u32::MAX, &[u64::MAX, u64::MAX]));
    }
}
