//! The statistics of the block so far, bit by bit: the evidence that the network
//! and the online stage weigh.

mod bit;
mod copy;
mod nibble;

use nibble::PARTS;

use super::adaptive::{Entry, entry};
use super::aside::{Aside, Listener};
use super::coding::Coding;
use super::contexts::{Context, start_hash};
use super::direct::{DIRECT, DirectTable, Lines, TABLES, line_bits};
use super::effort::Effort;
use super::history::counts;
use super::matcher::Matcher;
use super::memory::Aligned;
use super::past::{Past, Recent};
use super::row::{ByteRow, Row};
use super::signal::regions::Regions;
use super::slots::{SLOT, SlotTable, slot_bits};
use super::start::slots::PrimedSlots;
use crate::engine::kernel::{Isa, Kernel};
use crate::engine::language_native::{LanguageStep, PackedLanguage};
use crate::with_kernel;

/// floor(8·log2(v)) with the fraction taken linearly between powers of two; 0 for 0.
#[inline(always)]
fn log_8(v: u16) -> u8 {
    let v = u32::from(v).max(1);
    let exponent = v.ilog2();
    (8 * exponent + ((v << 3 >> exponent) & 7)) as u8
}

/// The adaptive probabilities of the histories: `[context][history]`.
pub type Maps<const C: usize> = [[Entry; 256]; C];

/// Maps that know nothing but the counts of each history.
pub fn untrained_maps<const C: usize>() -> Box<Maps<C>> {
    let mut row = [entry(32768, 0); 256];
    for (s, e) in row.iter_mut().enumerate() {
        let (zeros, ones) = counts(s as u8);
        let (zeros, ones) = (u32::from(zeros), u32::from(ones));
        *e = entry(((ones * 4 + 1) * 65536 / ((zeros + ones) * 4 + 2)) as u16, 0);
    }
    Box::new([row; C])
}

/// The statistics over a block.
#[derive(Debug)]
pub struct Evidence<'m, const C: usize> {
    contexts: &'m [Context],
    language: Option<&'m PackedLanguage>,
    said: LanguageStep,
    /// To the thread that may have the language model, if there is one.
    listener: Option<Listener<'m>>,
    limit: u32,
    past: Past,
    /// What comes after a byte that is known before its last bit.
    ahead: Option<Recent>,
    slots: SlotTable,
    /// Where it is not filled with them.
    primed: Option<&'m PrimedSlots>,
    /// [`start_hash`] of each context, and its hash for the present byte.
    starts: [u32; C],
    hashes: [u32; C],
    /// Hashes of the slots of the nibble that comes next, if it begins with these bits
    /// of the byte (after a leading one).
    next_slots: [u32; C],
    foreseen: u32,
    positions: [u32; C],
    /// The slots of the present nibble, `[node][context]`.
    current: Box<Aligned<[[u8; C]; SLOT]>>,
    /// For the present bit: each context's history, its [`FACTS`] and its map entry.
    histories: [u8; C],
    facts: [u32; C],
    entries: [Entry; C],
    /// The direct probabilities, the lines of the present nibble, and the entries of
    /// the present bit: one table for [`DIRECT`] contexts.
    direct: [DirectTable; TABLES],
    direct_lines: [Lines; TABLES],
    direct_entries: [[Entry; DIRECT]; TABLES],
    /// The last bit's histories and their entries, which go into the maps one bit
    /// later: what has just been written is slow to read again.
    pending: ([u8; C], [Entry; C]),
    maps: Box<Maps<C>>,
    matchers: [Matcher; 2],
    /// Length of the long match at the start of the present byte.
    repeated: u32,
    effort: Effort,
    errors: [u16; C],
    match_errors: [u16; 2],
    partial: u32,
    bit_index: u32,
}

impl<'m, const C: usize> Evidence<'m, C> {
    /// Tables of direct probabilities.
    const TABLES: usize = Row::<C>::DIRECT / DIRECT;

    /// Statistics for a block of `block_len` bytes that is coded so, with samples in some
    /// regions. `contexts` holds `C` of them, of which those of code need such content; `limit`
    /// bounds the count of the maps; `primed` is where the slots start.
    pub fn new(
        (coding, regions): (Coding, &Regions),
        contexts: &'m [Context],
        language: Option<&'m PackedLanguage>,
        maps: &Maps<C>,
        limit: u32,
        primed: &'m PrimedSlots,
        block_len: usize,
    ) -> Self {
        assert_eq!(contexts.len(), C);
        let mut slots = SlotTable::new(slot_bits(block_len, C));
        let primed = if slots.is_filled() {
            primed.fill(&mut slots);
            None
        } else {
            Some(primed)
        };
        let mut evidence = Self {
            contexts,
            language,
            said: language.map_or_else(LanguageStep::default, LanguageStep::new),
            listener: None,
            limit,
            past: Past::new(coding.content, regions),
            ahead: None,
            slots,
            primed,
            starts: std::array::from_fn(|i| start_hash(i as u32)),
            hashes: [0; C],
            next_slots: [0; C],
            foreseen: 0,
            positions: [0; C],
            current: Box::new(Aligned([[0; C]; SLOT])),
            histories: [0; C],
            facts: [0; C],
            entries: [0; C],
            direct: std::array::from_fn(|table| {
                DirectTable::new(if table < Self::TABLES { line_bits(block_len) } else { 0 })
            }),
            direct_lines: [Lines::default(); TABLES],
            direct_entries: [[0; DIRECT]; TABLES],
            pending: ([0; C], std::array::from_fn(|i| maps[i][0])),
            maps: Box::new(*maps),
            matchers: [Matcher::long, Matcher::recent].map(|new| new(coding, block_len)),
            repeated: 0,
            effort: Effort::FULL,
            errors: [16384; C],
            match_errors: [16384; 2],
            partial: 1,
            bit_index: 0,
        };
        evidence.start_byte(&[]);
        evidence
    }

    /// At the start of a block, with what the language model's recurrent layer says, if it is to
    /// speak and there is one.
    pub fn with_recurrent_layer(mut self, speaks: bool) -> Self {
        if let Some(language) = self.language.filter(|_| speaks) {
            self.said = self.said.with_recurrent_layer(language);
        }
        self
    }

    /// At the start of a block, without the language model: what that says is put into the rows
    /// by others.
    pub fn without_language(mut self) -> Self {
        self.language = None;
        self
    }

    /// At the start of a block, with another thread for the language model, which must be in
    /// [`Aside::speak`].
    pub fn with_aside(self, aside: &'m Aside) -> Self {
        Self { listener: Some(Listener::new(aside)), ..self }
    }

    /// At the start of a block, leaving out so much.
    pub fn with_effort(mut self, effort: Effort) -> Self {
        self.effort = effort;
        self
    }

    /// The maps at the end of a block.
    pub fn into_maps(mut self) -> Box<Maps<C>> {
        let (histories, entries) = self.pending;
        for i in 0..C {
            self.maps[i][usize::from(histories[i])] = entries[i];
        }
        self.maps
    }

    /// The language model, if there is one that speaks to so many contexts.
    #[inline(always)]
    fn language(&self) -> Option<&'m PackedLanguage> {
        if Row::<C>::HAS_LANGUAGE { self.language } else { None }
    }

    /// If it is on this thread.
    #[inline(always)]
    fn own_language(&self) -> Option<&'m PackedLanguage> {
        let is_own = self.listener.as_ref().is_none_or(Listener::is_alone);
        self.language().filter(|_| is_own)
    }

    /// Prepares for the byte after `block`: looks where contexts have what they will need.
    #[inline(always)]
    fn prepare_byte(&mut self, block: &[u8]) {
        let ahead = self.past.after(block);
        let may_speak = Row::<C>::HAS_LANGUAGE
            && self.matchers[0].length_after(block) < self.effort.no_language;
        if let Some(listener) = &mut self.listener
            && may_speak
        {
            listener.ask(&ahead, &self.said);
        }
        for m in &self.matchers {
            m.prefetch(ahead.last);
        }
        for (i, &context) in self.contexts.iter().enumerate() {
            self.hashes[i] = ahead.hash(context, self.starts[i]);
        }
        self.look_for_slots(0);
        if let Some(language) = self.own_language()
            && may_speak
        {
            self.said.choose(language, &ahead);
        }
        self.ahead = Some(ahead);
    }

    #[inline(always)]
    fn start_byte(&mut self, block: &[u8]) {
        if self.ahead.is_none() {
            self.prepare_byte(block);
            self.fetch_slots(0..PARTS);
        }
        if let Some(ahead) = self.ahead.take() {
            self.past.accept(ahead, block);
        }
        let last = self.past.recent().last;
        let operand = self.past.recent().operand();
        for m in &mut self.matchers {
            m.next_byte(block, last, operand);
        }
        self.repeated = self.matchers[0].length();
        self.partial = 1;
        self.bit_index = 0;
    }

    /// The evidence that the next byte's bits share; to be taken after the first bit's
    /// [`Self::row`].
    #[inline(always)]
    pub fn byte_row(&self, row: &mut ByteRow<C>) {
        for i in 0..C {
            row.costs[i] = log_8(self.errors[i]);
        }
        row.match_costs = self.match_errors.map(log_8);
        let last = self.past.recent().last;
        row.previous = [last as u8, (last >> 8) as u8, (last >> 16) as u8];
        if let Some(language) = self.language() {
            self.said.put_units(language, &mut row.language);
        }
    }

    /// The evidence of all bits of a byte that is known: the last of `block`.
    #[inline(never)]
    pub fn byte(
        &mut self,
        isa: Isa,
        byte_row: &mut ByteRow<C>,
        rows: &mut [Row<C>; 8],
        block: &[u8],
    ) {
        let evidence = self;
        with_kernel!(isa, known_byte::<C>(
            evidence: &mut Evidence<'_, C>, byte_row: &mut ByteRow<C>, rows: &mut [Row<C>; 8],
            block: &[u8]
        ) -> ());
    }
}

/// [`Evidence::byte`].
#[inline(always)]
fn known_byte<K: Kernel, const C: usize>(
    evidence: &mut Evidence<'_, C>,
    byte_row: &mut ByteRow<C>,
    rows: &mut [Row<C>; 8],
    block: &[u8],
) {
    let byte = u32::from(block.last().copied().unwrap_or(0));
    for (k, row) in rows.iter_mut().enumerate() {
        // SAFETY: `with_kernel` has the proof of the instruction set
        unsafe {
            evidence.row::<K>(row);
            match k {
                0 => {
                    evidence.byte_row(byte_row);
                    evidence.look_for_slots(16 | byte >> 4);
                }
                4 => evidence.prepare_byte(block),
                _ => {}
            }
            evidence.fetch_slots(k % 4..k % 4 + 1);
            evidence.update::<K>(row, byte >> (7 - k) & 1, block);
        }
    }
}
