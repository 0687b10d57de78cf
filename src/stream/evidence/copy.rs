//! Statistics in a memory of their own, and back at their start: what a record needs, which is
//! coded from the same start as all others.

use super::Evidence;
use crate::engine::language_native::PackedLanguage;
use crate::stream::contexts::Context;
use crate::stream::direct::{DirectTable, TABLES};
use crate::stream::start::slots::PrimedSlots;

impl<const C: usize> Evidence<'_, C> {
    /// The same statistics in a memory of their own, for a predictor of the model that
    /// has these contexts, this language model and these primed slots; with none, they
    /// are only a state to go back to.
    pub fn copy<'n>(
        &self,
        contexts: &'n [Context],
        language: Option<&'n PackedLanguage>,
        primed: Option<&'n PrimedSlots>,
    ) -> Evidence<'n, C> {
        // the state of its language model would be with another thread
        debug_assert!(self.listener.is_none());
        let primed = primed.filter(|_| !self.slots.is_filled());
        Evidence {
            contexts,
            language,
            said: self.said,
            listener: None,
            limit: self.limit,
            past: self.past.clone(),
            ahead: self.ahead,
            slots: self.slots.copy(),
            primed,
            starts: self.starts,
            hashes: self.hashes,
            next_slots: self.next_slots,
            foreseen: self.foreseen,
            positions: self.positions,
            current: self.current.clone(),
            histories: self.histories,
            facts: self.facts,
            entries: self.entries,
            direct: self.direct.each_ref().map(DirectTable::copy),
            direct_lines: self.direct_lines,
            direct_entries: self.direct_entries,
            pending: self.pending,
            maps: self.maps.clone(),
            matchers: self.matchers.clone(),
            repeated: self.repeated,
            effort: self.effort,
            errors: self.errors,
            match_errors: self.match_errors,
            partial: self.partial,
            bit_index: self.bit_index,
        }
    }

    /// Puts the slots at `positions` and the direct lines at others back to what they were
    /// at the start.
    pub fn restore_tables(
        &mut self,
        start: &Evidence<'_, C>,
        positions: &[u32],
        direct_positions: &[Vec<u32>; TABLES],
    ) {
        for &position in positions {
            self.slots.restore(&start.slots, position);
        }
        let tables = self.direct.iter_mut().zip(&start.direct);
        for ((own, start), positions) in tables.zip(direct_positions) {
            for &position in positions {
                own.restore(start, position);
            }
        }
    }

    /// Puts all slots and direct lines back to what they were at the start.
    pub fn copy_tables(&mut self, start: &Evidence<'_, C>) {
        self.slots.copy_from(&start.slots);
        for (own, start) in self.direct.iter_mut().zip(&start.direct) {
            own.copy_from(start);
        }
    }

    /// Becomes `start` again, but for slots and direct lines, after `record` was coded
    /// from there.
    pub fn restore(&mut self, start: &Evidence<'_, C>, record: &[u8]) {
        // every field by name, so that none is forgotten
        let Evidence {
            contexts: _,
            language: _,
            said,
            listener: _,
            limit: _,
            past,
            ahead,
            slots: _,
            primed: _,
            starts: _,
            hashes,
            next_slots,
            foreseen,
            positions: start_positions,
            current,
            histories,
            facts,
            entries,
            direct: _,
            direct_lines,
            direct_entries,
            pending,
            maps,
            matchers,
            repeated,
            effort: _,
            errors,
            match_errors,
            partial,
            bit_index,
        } = start;
        (self.direct_lines, self.direct_entries) = (*direct_lines, *direct_entries);
        for (matcher, start) in self.matchers.iter_mut().zip(matchers) {
            matcher.restore(start, past.recent().last, record);
        }
        self.past.restore(past, record);
        self.ahead = *ahead;
        self.current.0.copy_from_slice(&current.0);
        self.maps.copy_from_slice(&maps[..]);
        (self.hashes, self.next_slots, self.foreseen) = (*hashes, *next_slots, *foreseen);
        (self.positions, self.histories) = (*start_positions, *histories);
        (self.facts, self.entries, self.pending) = (*facts, *entries, *pending);
        (self.repeated, self.errors) = (*repeated, *errors);
        self.match_errors = *match_errors;
        (self.partial, self.bit_index, self.said) = (*partial, *bit_index, *said);
    }
}
