//! A block coded by several threads, window by window: the evidence of a window is made beside
//! what the language model says of it, then network, online stage and coder take both. The
//! payload is the one a single thread writes.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::segments::{SEGMENT, Segments};
use super::turns::{Stage, Turns};
use super::{Encode, Input, REPORT};
use crate::codec::CodecError;
use crate::engine::kernel::Isa;
use crate::stream::estimator::Estimator;
use crate::stream::evidence::Evidence;
use crate::stream::model::{StreamModel, with_contexts};
use crate::stream::row::{ByteRow, Row};
use crate::stream::speaker::{Speaker, Speech};

/// Bytes of a window: a few of them stay in the cache.
const WINDOW: usize = 128;
/// Windows under way.
const ROOM: usize = 8;

/// The evidence of up to [`WINDOW`] bytes.
struct Rows<const C: usize> {
    bytes: Vec<ByteRow<C>>,
    bits: Vec<[Row<C>; 8]>,
}

impl<const C: usize> Rows<C> {
    fn new() -> Self {
        Self { bytes: vec![ByteRow::empty(); WINDOW], bits: vec![[Row::empty(); 8]; WINDOW] }
    }
}

/// How many windows an input has.
fn windows(input: &Input) -> usize {
    input.start.div_ceil(WINDOW) + (input.bytes.len() - input.start).div_ceil(WINDOW)
}

/// A window of an input; none crosses the end of the text or of a segment.
fn window(input: &Input, number: usize) -> Range<usize> {
    const { assert!(SEGMENT.is_multiple_of(WINDOW)) };
    let (at, end) = match number.checked_sub(input.start.div_ceil(WINDOW)) {
        None => (number * WINDOW, input.start),
        Some(number) => (input.start + number * WINDOW, input.bytes.len()),
    };
    at..(at + WINDOW).min(end)
}

/// The stages of a block, and the windows that go through them. Whose turn it is keeps a thread
/// from waiting for a lock.
struct Stages<'m, const C: usize> {
    isa: Isa,
    input: &'m Input<'m>,
    evidence: Mutex<Evidence<'m, C>>,
    speaker: Option<Mutex<Speaker<'m>>>,
    coder: Mutex<Coder<'m, C>>,
    /// What the stages hand on: window number `i` has the place `i % ROOM`.
    rows: [Mutex<Rows<C>>; ROOM],
    speech: [Mutex<Vec<Speech>>; ROOM],
}

/// The last stage.
struct Coder<'m, const C: usize> {
    estimator: Estimator<'m, C>,
    segments: Segments<'m>,
    failure: Option<CodecError>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'m, const C: usize> Stages<'m, C> {
    fn new(isa: Isa, model: &'m StreamModel, input: &'m Input) -> Self {
        let (coding, len) = (input.coding, input.bytes.len());
        let speaker = Speaker::new(model, coding, len).map(Mutex::new);
        let evidence = model.evidence(coding, &input.regions, len);
        let estimator = Estimator::new(model.part(coding), model.online(coding, len));
        let coder = Coder { estimator, segments: Segments::new(input), failure: None };
        let speech = vec![Speech::NONE; if speaker.is_some() { WINDOW } else { 0 }];
        Self {
            isa,
            input,
            evidence: Mutex::new(if speaker.is_some() {
                evidence.without_language()
            } else {
                evidence
            }),
            speaker,
            coder: Mutex::new(coder),
            rows: std::array::from_fn(|_| Mutex::new(Rows::new())),
            speech: std::array::from_fn(|_| Mutex::new(speech.clone())),
        }
    }

    /// Takes a window through a stage; `false` if that failed.
    fn run(&self, stage: Stage, number: usize) -> bool {
        let (range, place) = (window(self.input, number), number % ROOM);
        match stage {
            Stage::Evidence => self.make_evidence(range, &mut lock(&self.rows[place])),
            Stage::Speech => self.speak(range, &mut lock(&self.speech[place])),
            Stage::Code => {
                let coder = &mut *lock(&self.coder);
                let (mut rows, speech) = (lock(&self.rows[place]), lock(&self.speech[place]));
                self.code(coder, range, &mut rows, &speech);
                return coder.failure.is_none();
            }
        }
        true
    }

    fn make_evidence(&self, range: Range<usize>, rows: &mut Rows<C>) {
        let mut evidence = lock(&self.evidence);
        for (i, end) in (range.start + 1..=range.end).enumerate() {
            let known = &self.input.bytes[..end];
            evidence.byte(self.isa, &mut rows.bytes[i], &mut rows.bits[i], known);
        }
    }

    fn speak(&self, range: Range<usize>, speech: &mut [Speech]) {
        let Some(speaker) = &self.speaker else { return };
        let mut speaker = lock(speaker);
        for (speech, end) in speech.iter_mut().zip(range.start + 1..=range.end) {
            *speech = speaker.byte(self.isa, &self.input.bytes[..end]);
        }
    }

    fn code(
        &self,
        coder: &mut Coder<'m, C>,
        range: Range<usize>,
        rows: &mut Rows<C>,
        speech: &[Speech],
    ) {
        for (i, &byte) in self.input.bytes[range.clone()].iter().enumerate() {
            let (byte_row, rows) = (&mut rows.bytes[i], &mut rows.bits[i]);
            if let Some(speech) = speech.get(i) {
                speech.put(byte_row, rows);
            }
            let p1 = coder.estimator.byte(self.isa, byte_row, rows, byte);
            coder.segments.push(&p1);
        }
        coder.failure = coder.segments.close_if_full(range.end).err();
    }
}

/// Stops the turns when a thread ends, however it does.
struct Stop<'a>(&'a Turns);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// What each thread does; `after` every window.
fn work<const C: usize>(turns: &Turns, stages: &Stages<C>, mut after: impl FnMut()) {
    let _stop = Stop(turns);
    let mut last = None;
    while let Some((stage, number)) = turns.take(last) {
        if !stages.run(stage, number) {
            return;
        }
        turns.done(stage);
        last = Some(stage);
        after();
    }
}

/// Tells how many bytes of a block are coded.
struct Report<'a> {
    turns: &'a Turns,
    input: &'a Input<'a>,
    /// The end of what has been told.
    told: usize,
    progress: &'a dyn Fn(u64),
}

impl Report<'_> {
    fn tell(&mut self) {
        let Some(last) = self.turns.coded().checked_sub(1) else { return };
        let end = window(self.input, last).end;
        if end >= self.told + REPORT || end == self.input.bytes.len() && end > self.told {
            (self.progress)((end - self.told) as u64);
            self.told = end;
        }
    }
}

/// Codes a block with some threads, two or more.
pub(super) fn encode(
    isa: Isa,
    model: &StreamModel,
    input: &Input,
    threads: usize,
    progress: &dyn Fn(u64),
) -> Encode {
    with_contexts!(model.part(input.coding).contexts.len(), C => {
        let stages = Stages::<C>::new(isa, model, input);
        let turns = Turns::new(windows(input), ROOM, stages.speaker.is_some());
        let mut report = Report { turns: &turns, input, told: input.start, progress };
        std::thread::scope(|scope| {
            for _ in 1..threads.min(turns.stages()) {
                // without it the others do its work
                let thread = std::thread::Builder::new();
                drop(thread.spawn_scoped(scope, || work(&turns, &stages, || ())));
            }
            work(&turns, &stages, || report.tell());
        });
        report.tell();
        let Coder { segments, failure, .. } =
            stages.coder.into_inner().unwrap_or_else(PoisonError::into_inner);
        failure.map_or_else(|| Ok(segments.finish()), Err)
    })
}
