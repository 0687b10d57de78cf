//! A block coded window by window, by several threads or one: the evidence of a window is made
//! beside what the language model says of it, then network and online stage take both, or the
//! network of another engine takes the window whole before that; full segments are coded beside
//! it. The payload is the one a single thread writes.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::segments::{CodedSegments, Full, Gathered, SEGMENT, parts};
use super::turns::{Stage, Turns, Windows};
use super::{Encode, Input, REPORT};
use crate::codec::CodecError;
use crate::engine::EngineError;
use crate::engine::kernel::Isa;
use crate::parallel::lock;
use crate::stream::estimator::Estimator;
use crate::stream::evidence::Evidence;
use crate::stream::model::{StreamModel, with_contexts};
use crate::stream::network::Network;
use crate::stream::row::{ByteRow, Row};
use crate::stream::speaker::{Speaker, Speech};

/// Bytes of a window: a few of them stay in the cache.
const WINDOW: usize = 128;
/// Windows under way, at most.
const ROOM: usize = 8;
/// The same of an engine that takes larger ones: one for each stage.
const ROOM_IN_BULK: usize = 4;

/// What is known of a window's bytes, or of more if there was a longer one in this place.
#[derive(Default)]
struct Rows<const C: usize> {
    bytes: Vec<ByteRow<C>>,
    bits: Vec<[Row<C>; 8]>,
    /// Of the network, by an engine that takes whole windows.
    logits: Vec<[i16; 8]>,
}

impl<const C: usize> Rows<C> {
    fn make_room(&mut self, len: usize) {
        if self.bytes.len() < len {
            self.bytes.resize(len, ByteRow::empty());
            self.bits.resize(len, [Row::empty(); 8]);
        }
    }
}

/// An engine that gives the network's logits for whole windows, see [`super::Bulk`].
pub type Logits<'m, const C: usize> =
    &'m (dyn Fn(&[ByteRow<C>], &[Row<C>], &mut [i16]) -> Result<(), CodecError> + Sync);

/// The stages of a block, and the windows that go through them. Whose turn it is keeps a thread
/// from waiting for a lock.
pub struct Pipeline<'m, const C: usize> {
    isa: Isa,
    input: &'m Input<'m>,
    /// Bytes of a window.
    window: usize,
    /// How many may be under way.
    room: usize,
    /// The network, and who evaluates it for whole windows, if anybody does.
    network: Option<(&'m Network, Logits<'m, C>)>,
    evidence: Mutex<Evidence<'m, C>>,
    speaker: Option<Mutex<Speaker<'m>>>,
    mixer: Mutex<Mixer<'m, C>>,
    segments: Mutex<Result<CodedSegments<'m>, CodecError>>,
    /// What the stages hand on: window number `i` has the place `i % room`.
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

impl<'m, const C: usize> Pipeline<'m, C> {
    /// For a block, by the native engine.
    pub fn new(isa: Isa, model: &'m StreamModel, input: &'m Input) -> Self {
        let (coding, len) = (input.coding, input.bytes.len());
        let speaker = Speaker::new(model, coding, len).map(Mutex::new);
        let evidence = model.evidence(coding, &input.regions, len);
        let estimator = Estimator::new(model.part(coding), model.online(coding, len));
        let (gathered, segments) = parts(input);
        Self {
            isa,
            input,
            window: WINDOW,
            room: ROOM,
            network: None,
            evidence: Mutex::new(if speaker.is_some() {
                evidence.without_language()
            } else {
                evidence
            }),
            speaker,
            mixer: Mutex::new(Mixer { estimator, gathered }),
            segments: Mutex::new(Ok(segments)),
            rows: std::array::from_fn(|_| Mutex::default()),
            speech: std::array::from_fn(|_| Mutex::default()),
            full: Mutex::default(),
            spare: Mutex::default(),
        }
    }

    /// With a network that another engine evaluates, in windows of so many bytes, a power of two.
    pub fn in_bulk(self, window: usize, network: &'m Network, logits: Logits<'m, C>) -> Self {
        let window = window.next_power_of_two().min(SEGMENT);
        Self { window, room: ROOM_IN_BULK, network: Some((network, logits)), ..self }
    }

    /// Who evaluates the network for whole windows, and the network; without libtorch there is
    /// nobody, and no code for it but in tests.
    fn network(&self) -> Option<&(&'m Network, Logits<'m, C>)> {
        self.network.as_ref().filter(|_| cfg!(any(feature = "torch", test)))
    }

    /// The windows of the input.
    fn windows(&self) -> Windows {
        let Self { window, input, .. } = *self;
        let text = input.start.div_ceil(window);
        let own = (input.bytes.len() - input.start).div_ceil(window);
        Windows { all: text + own, text, segment: SEGMENT / window }
    }

    /// A window of the input; none crosses the end of the text or of a segment.
    fn range(&self, number: usize) -> Range<usize> {
        const { assert!(SEGMENT.is_power_of_two() && WINDOW.is_power_of_two()) };
        let Self { window, input, .. } = *self;
        let (at, end) = match number.checked_sub(input.start.div_ceil(window)) {
            None => (number * window, input.start),
            Some(number) => (input.start + number * window, input.bytes.len()),
        };
        at..(at + window).min(end)
    }

    /// Whose turn it is from the beginning on.
    fn turns(&self) -> Turns {
        let missing =
            [(Stage::Speech, self.speaker.is_none()), (Stage::Network, self.network().is_none())];
        let missing =
            missing.into_iter().filter_map(|(stage, is_missing)| is_missing.then_some(stage));
        Turns::new(self.windows(), self.room, &missing.collect::<Vec<_>>())
    }

    /// Codes the block with so many threads, or fewer if there is no work for them.
    pub fn encode(self, threads: usize, progress: &dyn Fn(u64)) -> Encode {
        let (pipeline, turns) = (&self, &self.turns());
        let mut report = Report { turns, pipeline, told: self.input.start, progress };
        std::thread::scope(|scope| {
            for _ in 1..threads.min(turns.threads()) {
                // without it the others do its work
                let thread = std::thread::Builder::new();
                drop(thread.spawn_scoped(scope, || pipeline.work(turns, || ())));
            }
            pipeline.work(turns, || report.tell());
        });
        report.tell();
        let segments = self.segments.into_inner().unwrap_or_else(PoisonError::into_inner);
        segments.map(CodedSegments::finish)
    }

    /// What each thread does; `after` every window.
    fn work(&self, turns: &Turns, mut after: impl FnMut()) {
        let _stop = Stop(turns);
        let mut last = None;
        while let Some((stage, number)) = turns.take(last) {
            if let Err(e) = self.run(stage, number) {
                *lock(&self.segments) = Err(e);
                return;
            }
            turns.done(stage);
            last = Some(stage);
            after();
        }
    }

    /// Takes a window, or a segment, through a stage.
    fn run(&self, stage: Stage, number: usize) -> Result<(), CodecError> {
        let place = number % self.room;
        let range = || self.range(number);
        match stage {
            Stage::Evidence => self.make_evidence(range(), &mut lock(&self.rows[place])),
            Stage::Speech => self.speak(range(), &mut lock(&self.speech[place])),
            Stage::Network => {
                let (mut rows, speech) = (lock(&self.rows[place]), lock(&self.speech[place]));
                return self.evaluate(range().len(), &mut rows, &speech);
            }
            Stage::Mix => {
                let (mut rows, speech) = (lock(&self.rows[place]), lock(&self.speech[place]));
                self.mix(&mut lock(&self.mixer), range(), &mut rows, &speech);
            }
            Stage::Code => return self.code(),
        }
        Ok(())
    }

    fn make_evidence(&self, range: Range<usize>, rows: &mut Rows<C>) {
        let mut evidence = lock(&self.evidence);
        rows.make_room(range.len());
        for (i, end) in (range.start + 1..=range.end).enumerate() {
            let known = &self.input.bytes[..end];
            evidence.byte(self.isa, &mut rows.bytes[i], &mut rows.bits[i], known);
        }
    }

    fn speak(&self, range: Range<usize>, speech: &mut Vec<Speech>) {
        let Some(speaker) = &self.speaker else { return };
        let block = &self.input.bytes[..range.end];
        speech.resize(range.len(), Speech::NONE);
        lock(speaker).bytes(self.isa, block, range.start, speech);
    }

    /// Lets the other engine evaluate the network for the first `len` bytes.
    fn evaluate(
        &self,
        len: usize,
        rows: &mut Rows<C>,
        speech: &[Speech],
    ) -> Result<(), CodecError> {
        let Some((network, logits_of)) = self.network() else { return Ok(()) };
        let (bytes, bits) = (&mut rows.bytes[..len], &mut rows.bits[..len]);
        for ((speech, byte_row), rows) in speech.iter().zip(&mut *bytes).zip(&mut *bits) {
            speech.put(byte_row, rows);
        }
        rows.logits.resize(len, [0; 8]);
        logits_of(bytes, bits.as_flattened(), rows.logits.as_flattened_mut())?;
        // the last byte once more, by the definition: libraries choose other kernels for other
        // shapes, and known answers are of one shape
        let last = len - 1;
        if network.logits(&bytes[last], &bits[last]) == rows.logits[last] {
            Ok(())
        } else {
            Err(EngineError::Sample.into())
        }
    }

    fn mix(
        &self,
        mixer: &mut Mixer<'m, C>,
        range: Range<usize>,
        rows: &mut Rows<C>,
        speech: &[Speech],
    ) {
        let Mixer { estimator, gathered } = mixer;
        for (i, &byte) in self.input.bytes[range.clone()].iter().enumerate() {
            let (byte_row, bits) = (&mut rows.bytes[i], &mut rows.bits[i]);
            let p1 = match self.network() {
                Some(_) => estimator.online_mut().byte(self.isa, bits, &rows.logits[i], byte),
                None => {
                    if let Some(speech) = speech.get(i) {
                        speech.put(byte_row, bits);
                    }
                    estimator.byte(self.isa, byte_row, bits, byte)
                }
            };
            gathered.push(&p1);
        }
        if let Some(full) = mixer.gathered.full(range.end) {
            lock(&self.full).push_back(full);
            if range.end < self.input.bytes.len() {
                mixer.gathered.make_room(lock(&self.spare).pop().unwrap_or_default());
            }
        }
    }

    /// Codes the next segment, which is full.
    fn code(&self) -> Result<(), CodecError> {
        let full = lock(&self.full).pop_front();
        if let (Some(full), Ok(coded)) = (full, &mut *lock(&self.segments)) {
            let room = coded.add(full)?;
            lock(&self.spare).push(room);
        }
        Ok(())
    }
}

/// Stops the turns when a thread ends, however it does.
struct Stop<'a>(&'a Turns);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Tells how many bytes of a block are coded.
struct Report<'a, 'm, const C: usize> {
    turns: &'a Turns,
    pipeline: &'a Pipeline<'m, C>,
    /// The end of what has been told.
    told: usize,
    progress: &'a dyn Fn(u64),
}

impl<const C: usize> Report<'_, '_, C> {
    fn tell(&mut self) {
        let Some(last) = self.turns.mixed().checked_sub(1) else { return };
        let end = self.pipeline.range(last).end;
        let is_all = end == self.pipeline.input.bytes.len();
        if end >= self.told + REPORT || is_all && end > self.told {
            (self.progress)((end - self.told) as u64);
            self.told = end;
        }
    }
}

/// Codes a block with some threads.
pub(super) fn encode(
    isa: Isa,
    model: &StreamModel,
    input: &Input,
    threads: usize,
    progress: &dyn Fn(u64),
) -> Encode {
    with_contexts!(model.part(input.coding).contexts.len(), C => {
        Pipeline::<C>::new(isa, model, input).encode(threads, progress)
    })
}
