//! A block coded window by window, by several threads or one: the evidence of a window is made
//! beside what the language model says of it, then network and online stage take both; full
//! segments are coded beside that. The payload is the one a single thread writes.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::segments::{CodedSegments, Full, Gathered, SEGMENT, parts};
use super::turns::{Stage, Turns, Windows};
use super::{Encode, Input, REPORT};
use crate::codec::CodecError;
use crate::engine::kernel::Isa;
use crate::parallel::lock;
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

/// The windows of an input.
fn windows(input: &Input) -> Windows {
    let text = input.start.div_ceil(WINDOW);
    let own = (input.bytes.len() - input.start).div_ceil(WINDOW);
    Windows { all: text + own, text, segment: SEGMENT / WINDOW }
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
    mixer: Mutex<Mixer<'m, C>>,
    segments: Mutex<Result<CodedSegments<'m>, CodecError>>,
    /// What the stages hand on: window number `i` has the place `i % ROOM`.
    rows: [Mutex<Rows<C>>; ROOM],
    speech: [Mutex<Vec<Speech>>; ROOM],
    full: Mutex<VecDeque<Full>>,
    /// What held the probabilities of segments that are coded.
    spare: Mutex<Vec<Vec<u16>>>,
}

/// Network and online stage.
struct Mixer<'m, const C: usize> {
    estimator: Estimator<'m, C>,
    gathered: Gathered,
}

impl<'m, const C: usize> Stages<'m, C> {
    fn new(isa: Isa, model: &'m StreamModel, input: &'m Input) -> Self {
        let (coding, len) = (input.coding, input.bytes.len());
        let speaker = Speaker::new(model, coding, len).map(Mutex::new);
        let evidence = model.evidence(coding, &input.regions, len);
        let estimator = Estimator::new(model.part(coding), model.online(coding, len));
        let (gathered, segments) = parts(input);
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
            mixer: Mutex::new(Mixer { estimator, gathered }),
            segments: Mutex::new(Ok(segments)),
            rows: std::array::from_fn(|_| Mutex::new(Rows::new())),
            speech: std::array::from_fn(|_| Mutex::new(speech.clone())),
            full: Mutex::default(),
            spare: Mutex::default(),
        }
    }

    /// Takes a window, or a segment, through a stage; `false` if that failed.
    fn run(&self, stage: Stage, number: usize) -> bool {
        let place = number % ROOM;
        let range = || window(self.input, number);
        match stage {
            Stage::Evidence => self.make_evidence(range(), &mut lock(&self.rows[place])),
            Stage::Speech => self.speak(range(), &mut lock(&self.speech[place])),
            Stage::Mix => {
                let (mut rows, speech) = (lock(&self.rows[place]), lock(&self.speech[place]));
                self.mix(&mut lock(&self.mixer), range(), &mut rows, &speech);
            }
            Stage::Code => return self.code(),
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
        let block = &self.input.bytes[..range.end];
        lock(speaker).bytes(self.isa, block, range.start, &mut speech[..range.len()]);
    }

    fn mix(
        &self,
        mixer: &mut Mixer<'m, C>,
        range: Range<usize>,
        rows: &mut Rows<C>,
        speech: &[Speech],
    ) {
        for (i, &byte) in self.input.bytes[range.clone()].iter().enumerate() {
            let (byte_row, rows) = (&mut rows.bytes[i], &mut rows.bits[i]);
            if let Some(speech) = speech.get(i) {
                speech.put(byte_row, rows);
            }
            let p1 = mixer.estimator.byte(self.isa, byte_row, rows, byte);
            mixer.gathered.push(&p1);
        }
        if let Some(full) = mixer.gathered.full(range.end) {
            lock(&self.full).push_back(full);
            if range.end < self.input.bytes.len() {
                mixer.gathered.make_room(lock(&self.spare).pop().unwrap_or_default());
            }
        }
    }

    /// Codes the next segment, which is full.
    fn code(&self) -> bool {
        let full = lock(&self.full).pop_front();
        let segments = &mut *lock(&self.segments);
        if let (Some(full), Ok(coded)) = (full, &mut *segments) {
            match coded.add(full) {
                Ok(room) => lock(&self.spare).push(room),
                Err(e) => *segments = Err(e),
            }
        }
        segments.is_ok()
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
        let Some(last) = self.turns.mixed().checked_sub(1) else { return };
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
        let segments = stages.segments.into_inner().unwrap_or_else(PoisonError::into_inner);
        segments.map(CodedSegments::finish)
    })
}
