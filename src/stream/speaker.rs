//! What the language model says of the bytes of a block that are known, apart from the other
//! evidence: work for another thread, nearly half of all where the recurrent layer speaks.

use super::coding::Coding;
use super::matcher::Matcher;
use super::model::StreamModel;
use super::past::Past;
use super::row::{ByteRow, LANGUAGE_UNITS, Row, has_language};
use super::signal::regions::Regions;
use crate::engine::kernel::{Isa, Kernel};
use crate::engine::language_native::{LanguageStep, PackedLanguage};
use crate::with_kernel;

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
}

/// The language model at the start of a block of `block_len` bytes, the model's text among them;
/// `None` where it does not speak.
pub(super) fn at_start(
    model: &StreamModel,
    coding: Coding,
    block_len: usize,
) -> Option<(&PackedLanguage, LanguageStep)> {
    let part = model.part(coding);
    let speaks = model.effort(coding, block_len).no_language > 0;
    let language = model.language_for(coding)?;
    let said = LanguageStep::new(language);
    let said = if part.hears_recurrent_layer(block_len) {
        said.with_recurrent_layer(language)
    } else {
        said
    };
    (speaks && has_language(part.contexts.len())).then_some((language, said))
}

impl<'m> Speaker<'m> {
    /// [`at_start`].
    pub fn new(model: &'m StreamModel, coding: Coding, block_len: usize) -> Option<Self> {
        let (language, said) = at_start(model, coding, block_len)?;
        let no_language = model.effort(coding, block_len).no_language;
        let matcher = (no_language < u32::MAX).then(|| Matcher::long(coding, block_len));
        // the matcher reads instructions
        let past = Past::new(coding.content, &Regions::default());
        Some(Self { language, said, past, matcher, no_language })
    }

    /// Whether it says nothing of the next byte.
    #[inline(always)]
    fn is_silent(&self) -> bool {
        self.matcher.as_ref().is_some_and(|matcher| matcher.length() >= self.no_language)
    }

    /// What it says of a byte that is known: the last of `block`.
    #[inline(never)]
    pub fn byte(&mut self, isa: Isa, block: &[u8]) -> Speech {
        let speaker = self;
        with_kernel!(isa, known_byte(speaker: &mut Speaker<'_>, block: &[u8]) -> Speech)
    }
}

/// [`Speaker::byte`].
#[inline(always)]
fn known_byte<K: Kernel>(speaker: &mut Speaker<'_>, block: &[u8]) -> Speech {
    let (language, speaks) = (speaker.language, !speaker.is_silent());
    if speaks {
        // SAFETY: `with_kernel` has the proof of the instruction set
        unsafe { speaker.said.start_byte::<K>(language, speaker.past.recent()) };
    }
    let before = *speaker.past.recent();
    speaker.past.push(block);
    if let Some(matcher) = &mut speaker.matcher {
        let recent = speaker.past.recent();
        matcher.next_byte(block, recent.last, recent.operand());
    }
    if !speaker.is_silent() {
        // so that what it reads is there when its turn comes
        speaker.said.choose(language, speaker.past.recent());
        speaker.said.look_ahead(language, &before);
    }
    let mut speech = Speech::NONE;
    if speaks {
        speaker.said.put_units(language, &mut speech.units);
        let byte = 256 | u32::from(block.last().copied().unwrap_or(0));
        for (k, logit) in speech.logits.iter_mut().enumerate() {
            // SAFETY: as above
            *logit = unsafe { speaker.said.logit::<K>(language, byte >> (8 - k)) };
        }
    }
    speech
}
