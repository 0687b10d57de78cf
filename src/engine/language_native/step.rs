//! The language model from byte to byte.

use super::packed::{PARTS, PackedLanguage, WIDE};
use crate::engine::kernel::{Isa, Kernel, activations};
use crate::engine::nodes::Units;
use crate::engine::recurrent_native::{FirstLayer, RecurrentStep, Room};
use crate::stream::contexts::Context;
use crate::stream::language::{FIRST_SHIFT, MAX_INPUTS, MAX_UNITS, NODES};
use crate::stream::memory::prefetch;
use crate::stream::network::{LATER_SHIFT, MAX_ACTIVATION};
use crate::stream::past::{Past, Recent};
use crate::stream::row::LANGUAGE_UNITS;
use crate::with_kernel;

/// What the language model says about the present byte.
#[derive(Clone, Copy, Debug)]
pub struct LanguageStep {
    /// The sums of the early rows for the next byte, with the bias, once they are made.
    ahead: [[i16; WIDE]; PARTS],
    is_summed: bool,
    /// The rows that the late inputs have chosen, in parts, once they have.
    rows: [u32; MAX_INPUTS],
    is_chosen: bool,
    /// Zeros while it is silent.
    units: Units,
    is_silent: bool,
    /// Where it speaks in this block.
    recurrent: Option<RecurrentStep>,
}

/// What a [`LanguageStep`] says about a byte, for another thread.
#[derive(Clone, Copy, Debug)]
pub struct Spoken {
    units: Units,
    recurrent: Units,
}

impl Spoken {
    /// Nothing.
    pub const SILENCE: Self = Self { units: Units::ZERO, recurrent: Units::ZERO };
}

/// What is said about some bytes that are known.
#[derive(Debug, Default)]
pub struct Batch {
    own: Vec<Units>,
    recurrent: Room,
}

impl Batch {
    /// Takes all bytes out.
    pub fn clear(&mut self) {
        self.own.clear();
        self.recurrent.clear();
    }
}

impl Default for LanguageStep {
    /// Of no language model.
    fn default() -> Self {
        Self {
            ahead: [[0; WIDE]; PARTS],
            is_summed: false,
            rows: [0; MAX_INPUTS],
            is_chosen: false,
            units: Units::ZERO,
            is_silent: true,
            recurrent: None,
        }
    }
}

impl LanguageStep {
    /// For the first byte of a block.
    pub fn new(language: &PackedLanguage) -> Self {
        let mut step = Self::default();
        step.look_ahead(language, Past::default().recent());
        step
    }

    /// At the start of a block, with the recurrent layer if there is one.
    pub fn with_recurrent_layer(self, language: &PackedLanguage) -> Self {
        let recurrent = language.recurrent.as_ref().map(|_| RecurrentStep::START);
        Self { recurrent, ..self }
    }

    /// Sums the rows for the byte after the next one, after `past`, that are known
    /// already: may be called once a byte, while its bits are coded.
    #[inline(always)]
    pub fn look_ahead(&mut self, language: &PackedLanguage, past: &Recent) {
        // one byte later they are one byte further back
        self.sum(language, past, 2);
    }

    /// Sums the early rows, of which that of the `nearest`th last byte of `past` is for
    /// the last byte.
    #[inline(always)]
    fn sum(&mut self, language: &PackedLanguage, past: &Recent, nearest: usize) {
        let bytes = past.bytes();
        let mut rows = [0; MAX_INPUTS];
        for (row, input) in rows.iter_mut().zip(&language.early.all) {
            if let Context::Byte(n) = input.context {
                let byte = bytes[usize::from(n).wrapping_sub(nearest) % bytes.len()];
                *row = (input.first + usize::from(byte) * input.parts) as u32;
            }
        }
        for (p, (ahead, bias)) in self.ahead.iter_mut().zip(&language.bias).enumerate() {
            let mut sums = *bias;
            language.early.add(p, &language.entries, &rows, &mut sums);
            *ahead = sums;
        }
        self.is_summed = true;
    }

    /// Chooses the other rows for the byte after `past` and fetches them into the
    /// cache.
    #[inline(always)]
    pub fn choose(&mut self, language: &PackedLanguage, past: &Recent) {
        for (chosen, input) in self.rows.iter_mut().zip(&language.late.all) {
            let row = input.row(past);
            *chosen = row as u32;
            for part in &language.entries[row..row + input.parts] {
                prefetch(part);
            }
        }
        self.is_chosen = true;
    }

    /// Says nothing about the present byte.
    #[inline(always)]
    pub fn be_silent(&mut self) {
        if !self.is_silent {
            self.units = Units::ZERO;
            if let Some(step) = &mut self.recurrent {
                step.units = Units::ZERO;
            }
        }
        (self.is_silent, self.is_summed, self.is_chosen) = (true, false, false);
    }

    /// Computes the hidden layers for the byte after `past`, from what was summed and
    /// chosen if that has been done.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn start_byte<K: Kernel>(&mut self, language: &PackedLanguage, past: &Recent) {
        // not a part of every function that comes here: it is large
        // SAFETY: the caller's
        self.speak(unsafe { Isa::of::<K>() }, language, past);
    }

    /// [`Self::start_byte`] on an instruction set.
    #[inline(always)]
    pub fn speak(&mut self, isa: Isa, language: &PackedLanguage, past: &Recent) {
        self.hidden_layers(isa, language, past, None);
    }

    #[inline(always)]
    fn hidden_layers(
        &mut self,
        isa: Isa,
        language: &PackedLanguage,
        past: &Recent,
        batch: Option<&mut Batch>,
    ) {
        let step = self;
        with_kernel!(isa, hidden_layers(
            step: &mut LanguageStep, language: &PackedLanguage, past: &Recent,
            batch: Option<&mut Batch>
        ) -> ());
    }

    /// As [`Self::speak`], but a byte of several that are known, whose recurrent layer waits for
    /// [`Self::finish`].
    pub fn add(&mut self, isa: Isa, language: &PackedLanguage, past: &Recent, batch: &mut Batch) {
        self.hidden_layers(isa, language, past, Some(batch));
    }

    /// Computes the recurrent layer for all bytes of a batch.
    pub fn finish(&mut self, isa: Isa, language: &PackedLanguage, batch: &mut Batch) {
        if let (Some(step), Some(recurrent)) = (&mut self.recurrent, &language.recurrent) {
            step.bytes(isa, recurrent, &mut batch.recurrent);
        }
    }

    /// Says what it has to say about byte number `n` of a batch.
    pub fn take_from(&mut self, batch: &Batch, n: usize) {
        let recurrent = batch.recurrent.units.get(n).copied().unwrap_or(Units::ZERO);
        self.take(&Spoken { units: batch.own[n], recurrent });
    }

    /// Makes what can be made for the byte after the next one, after `past`: may be called once
    /// a byte, between two of [`Self::start_byte`].
    pub fn prepare(&mut self, isa: Isa, language: &PackedLanguage, past: &Recent) {
        self.look_ahead(language, past);
        if let (Some(step), Some(recurrent)) = (&mut self.recurrent, &language.recurrent) {
            step.multiply(isa, recurrent);
        }
    }

    /// What it says.
    pub fn spoken(&self) -> Spoken {
        let recurrent = self.recurrent.as_ref().map_or(Units::ZERO, |step| step.units);
        Spoken { units: self.units, recurrent }
    }

    /// Says what another one does.
    pub fn take(&mut self, spoken: &Spoken) {
        self.units = spoken.units;
        if let Some(step) = &mut self.recurrent {
            step.units = spoken.recurrent;
        }
        self.is_silent = false;
    }

    /// Half of each unit of the second layer, then of the recurrent layer's where that speaks;
    /// then zeros.
    #[inline(always)]
    pub fn put_units(&self, language: &PackedLanguage, out: &mut [u8; LANGUAGE_UNITS]) {
        self.units.put_halves(out);
        if let Some(step) = &self.recurrent {
            step.units.put_halves(&mut out[language.units()..]);
        }
    }

    /// The logit of the next bit, `partial` being the bits so far after a leading one: exactly
    /// that of [`Language::logits`], of its recurrent layer's
    /// [`logits`](crate::stream::recurrent::Recurrent::logits) where that speaks, or 0 while the
    /// model is silent.
    ///
    /// [`Language::logits`]: crate::stream::language::Language::logits
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn logit<K: Kernel>(&self, language: &PackedLanguage, partial: u32) -> i16 {
        if self.is_silent {
            return 0;
        }
        let (nodes, units) = match (&self.recurrent, &language.recurrent) {
            (Some(step), Some(recurrent)) => (&recurrent.nodes, &step.units),
            _ => (&language.nodes, &self.units),
        };
        // SAFETY: the caller's
        unsafe { nodes.logit::<K>(units, partial as usize % NODES) }
    }
}

/// [`LanguageStep::hidden_layers`].
#[inline(always)]
fn hidden_layers<K: Kernel>(
    step: &mut LanguageStep,
    language: &PackedLanguage,
    past: &Recent,
    batch: Option<&mut Batch>,
) {
    if !step.is_summed {
        step.sum(language, past, 1);
    }
    if !step.is_chosen {
        step.choose(language, past);
    }
    (step.is_silent, step.is_summed, step.is_chosen) = (false, false, false);
    let mut first = [[0i16; WIDE]; PARTS];
    let parts = language.bias.len();
    for (p, (out, ahead)) in first[..parts].iter_mut().zip(&step.ahead).enumerate() {
        let mut sums = *ahead;
        language.late.add(p, &language.entries, &step.rows, &mut sums);
        for i in 0..WIDE {
            out[i] = (sums[i] >> FIRST_SHIFT).clamp(0, MAX_ACTIVATION);
        }
    }
    let a = first.as_flattened().as_chunks().0;
    let second = &language.second;
    let out = step.units.0.as_flattened_mut().as_chunks_mut().0;
    // SAFETY: `with_kernel` has the proof of the instruction set
    unsafe { activations::<K, LATER_SHIFT, 0>(second, &second.bias, [], a, MAX_ACTIVATION, out) };
    let mut bytes: FirstLayer = [[0; 4]; MAX_UNITS[0] / 4];
    if step.recurrent.is_some() {
        for (byte, &a) in bytes.as_flattened_mut().iter_mut().zip(first.as_flattened()) {
            *byte = a as u8;
        }
    }
    match (batch, &mut step.recurrent, &language.recurrent) {
        (Some(Batch { own, recurrent: room }), recurrent, _) => {
            own.push(step.units);
            if recurrent.is_some() {
                room.last.push(past.last as u8);
                room.first.push(bytes);
            }
        }
        (None, Some(step), Some(recurrent)) => {
            // SAFETY: as above
            unsafe { step.start_byte::<K>(recurrent, past.last as u8, &bytes) };
        }
        _ => {}
    }
}
