//! What the language model says of the bytes of a block that are known, apart from the other
//! evidence: work for another thread, nearly half of all where the recurrent layer speaks.

use super::coding::Coding;
use super::matcher::Matcher;
use super::model::StreamModel;
use super::past::Past;
use super::row::{ByteRow, LANGUAGE_UNITS, Row, has_language};
use super::signal::regions::Regions;
use crate::engine::kernel::{Isa, Kernel};
use crate::engine::language_native::{Batch, LanguageStep, PackedLanguage};
use crate::with_kernel;

/// Bytes that the recurrent layer takes together.
const TOGETHER: usize = 16;

/// What the language model says of a byte.
#[derive(Clone, Copy, Debug)]
pub struct Speech {
    /// [`ByteRow::language`].
    units: [u8; LANGUAGE_UNITS],
    /// The logit of each bit, at [`Row::LANGUAGE`].
    logits: [i16; 8],
}

impl Speech {
    /// Silence.
    pub const NONE: Self = Self { units: [0; LANGUAGE_UNITS], logits: [0; 8] };

    /// Puts it into the evidence of the byte that it is of.
    #[inline(always)]
    pub fn put<const C: usize>(&self, byte_row: &mut ByteRow<C>, rows: &mut [Row<C>; 8]) {
        byte_row.language = self.units;
        for (row, &logit) in rows.iter_mut().zip(&self.logits) {
            row.x[1][Row::<C>::LANGUAGE] = logit;
        }
    }
}

/// The language model over a block, as [`Evidence`](super::evidence::Evidence) asks it.
#[derive(Debug)]
pub struct Speaker<'m> {
    language: &'m PackedLanguage,
    said: LanguageStep,
    past: Past,
    /// That of the evidence: where it is long, the language model is silent.
    matcher: Option<Matcher>,
    /// [`Effort::no_language`](super::effort::Effort::no_language).
    no_language: u32,
    batch: Batch,
}

/// The language model, if it speaks in a block of `block_len` bytes, the model's text among them;
/// and whether its recurrent layer, if it has one, does.
fn speaking(
    model: &StreamModel,
    coding: Coding,
    block_len: usize,
) -> Option<(&PackedLanguage, bool)> {
    let part = model.part(coding);
    let speaks = model.effort(coding, block_len).no_language > 0;
    let language = model.language_for(coding)?;
    let with_recurrent_layer = part.hears_recurrent_layer(block_len);
    (speaks && has_language(part.contexts.len())).then_some((language, with_recurrent_layer))
}

/// The language model, if its recurrent layer speaks in such a block.
pub(super) fn with_recurrent_layer(
    model: &StreamModel,
    coding: Coding,
    block_len: usize,
) -> Option<&PackedLanguage> {
    let (language, speaks) = speaking(model, coding, block_len)?;
    (speaks && language.recurrent_units() > 0).then_some(language)
}

impl<'m> Speaker<'m> {
    /// At the start of a block of `block_len` bytes, the model's text among them; `None` where
    /// no language model speaks.
    pub fn new(model: &'m StreamModel, coding: Coding, block_len: usize) -> Option<Self> {
        let (language, with_recurrent_layer) = speaking(model, coding, block_len)?;
        let mut said = LanguageStep::new(language);
        if with_recurrent_layer {
            said = said.with_recurrent_layer(language);
        }
        let no_language = model.effort(coding, block_len).no_language;
        let matcher = (no_language < u32::MAX).then(|| Matcher::long(coding, block_len));
        // the matcher reads instructions
        let past = Past::new(coding.content, &Regions::default());
        let batch = Batch::default();
        Some(Self { language, said, past, matcher, no_language, batch })
    }

    /// Whether it says nothing of the next byte.
    #[inline(always)]
    fn is_silent(&self) -> bool {
        self.matcher.as_ref().is_some_and(|matcher| matcher.length() >= self.no_language)
    }

    /// What it says of bytes that are known: those of `block` from `start` on.
    pub fn bytes(&mut self, isa: Isa, block: &[u8], mut start: usize, speech: &mut [Speech]) {
        for speech in speech.chunks_mut(TOGETHER) {
            let end = start + speech.len();
            self.some_bytes(isa, &block[..end], start, speech);
            start = end;
        }
    }

    #[inline(never)]
    fn some_bytes(&mut self, isa: Isa, block: &[u8], start: usize, speech: &mut [Speech]) {
        let speaker = self;
        with_kernel!(isa, known_bytes(
            speaker: &mut Speaker<'_>, isa: Isa, block: &[u8], start: usize, speech: &mut [Speech]
        ) -> ());
    }
}

/// [`Speaker::some_bytes`].
#[inline(always)]
fn known_bytes<K: Kernel>(
    speaker: &mut Speaker<'_>,
    isa: Isa,
    block: &[u8],
    start: usize,
    speech: &mut [Speech],
) {
    let language = speaker.language;
    speaker.batch.clear();
    let mut spoken = [false; TOGETHER];
    for (end, spoken) in (start + 1..=block.len()).zip(&mut spoken) {
        *spoken = !speaker.is_silent();
        let before = *speaker.past.recent();
        if *spoken {
            speaker.said.add(isa, language, &before, &mut speaker.batch);
        }
        let known = &block[..end];
        speaker.past.push(known);
        if let Some(matcher) = &mut speaker.matcher {
            let recent = speaker.past.recent();
            matcher.next_byte(known, recent.last, recent.operand());
        }
        if !speaker.is_silent() {
            // so that what it reads is there when its turn comes
            speaker.said.choose(language, speaker.past.recent());
            speaker.said.look_ahead(language, &before);
        }
    }
    speaker.said.finish(isa, language, &mut speaker.batch);
    let mut batch = 0..;
    for ((speech, &byte), spoken) in speech.iter_mut().zip(&block[start..]).zip(spoken) {
        *speech = Speech::NONE;
        if !spoken {
            continue;
        }
        speaker.said.take_from(&speaker.batch, batch.next().unwrap_or(0));
        speaker.said.put_units(language, &mut speech.units);
        for (k, logit) in speech.logits.iter_mut().enumerate() {
            let partial = (256 | u32::from(byte)) >> (8 - k);
            // SAFETY: `with_kernel` has the proof of the instruction set
            *logit = unsafe { speaker.said.logit::<K>(language, partial) };
        }
    }
}
