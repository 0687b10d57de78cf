//! One bit: the row of evidence for it, and what is learned from it.

use super::Evidence;
use super::nibble::PARTS;
use crate::engine::kernel::Kernel;
use crate::made::logistic::{STRETCH, stretch};
use crate::stream::adaptive;
use crate::stream::direct::{DIRECT, TABLES};
use crate::stream::history::FACTS;
use crate::stream::row::{ONE, RUN_CONTEXTS, Row, has_runs};

/// The running errors move by 2^-6 of their difference a bit.
const COST_RATE: u32 = 6;
/// Bound of the counts of direct probabilities.
const DIRECT_LIMIT: u32 = 255;

#[inline(always)]
fn moved(error: u16, target: i32, p: u16) -> u16 {
    let miss = (target - i32::from(p)).abs();
    let error = i32::from(error);
    (error + ((miss - error) >> COST_RATE)) as u16
}

impl<const C: usize> Evidence<'_, C> {
    /// The evidence for the next bit.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn row<K: Kernel>(&mut self, row: &mut Row<C>) {
        // not before, so that the fetched lines have time to come
        if self.bit_index & 3 == 0 {
            // SAFETY: the caller's
            unsafe {
                if let Some(language) = self.own_language()
                    && self.bit_index == 0
                {
                    if self.repeated >= self.effort.no_language {
                        self.said.be_silent();
                    } else {
                        self.said.start_byte::<K>(language, self.past.recent());
                    }
                }
                self.open_slots::<K>();
            }
        }
        self.histories = self.current.0[self.node() as usize & 15];
        // SAFETY: a probability is 16 bits, of which 12 choose the logit
        unsafe {
            self.facts = K::gather_bytes(&FACTS, &self.histories);
            let entries = K::gather_rows(&self.maps, &self.histories);
            let (histories, pending) = &self.pending;
            let entries = K::select(histories, &self.histories, pending, &entries);
            K::scatter_rows(&mut self.maps, histories, pending);
            self.entries = entries;
            let mut direct = [[0; DIRECT]; TABLES];
            for table in 0..Self::TABLES {
                if self.has_direct() {
                    direct[table] = self.direct[table]
                        .read::<K>(&self.direct_lines[table], self.node() as usize);
                }
                for i in 0..DIRECT {
                    let history = entries[table * DIRECT + i];
                    let history = history - adaptive::count(history) + 1;
                    let own = direct[table][i];
                    direct[table][i] = if adaptive::count(own) == 0 { history } else { own };
                }
            }
            self.direct_entries = direct;
            // loops: a closure would not be compiled for the instruction set
            let mut places = [0; C];
            for i in 0..C {
                places[i] = entries[i] >> 20;
            }
            let logits = K::gather_i16(&STRETCH, &places);
            let mut distances = [0; C];
            for i in 0..C {
                row.p[i] = adaptive::probability(entries[i]);
                distances[i] = ((i32::from(row.p[i]) - 32768) >> 5) as i16;
            }
            let mut direct_logits = [[0; DIRECT]; TABLES];
            for table in 0..Self::TABLES {
                let mut places = [0; DIRECT];
                for i in 0..DIRECT {
                    places[i] = direct[table][i] >> 20;
                }
                direct_logits[table] = K::gather_i16(&STRETCH, &places);
            }
            // not before, so that the other thread has time to answer
            if Row::<C>::HAS_LANGUAGE
                && self.bit_index == 0
                && let Some(listener) = &mut self.listener
            {
                listener.hear(&mut self.said, self.repeated < self.effort.no_language);
            }
            if let Some(language) = self.language() {
                distances[Row::<C>::LANGUAGE] = self.said.logit::<K>(language, self.partial);
            }
            let mut last = [0, 0, ONE, 0];
            for (i, matcher) in self.matchers.iter().enumerate() {
                let (p, matched) = matcher.predict(self.partial, self.bit_index);
                row.match_p[i] = p;
                last[i] = if matched == 0 { 0 } else { stretch(p) };
                row.matched[i] = matched;
            }
            let direct = &direct_logits.as_flattened()[..Row::<C>::DIRECT];
            K::assemble(&mut row.x, &logits, direct, &distances, last);
        }
        // what the units alone read
        row.partial = self.partial as u8;
        if row.has_units() {
            let mut seen = [0; C];
            for i in 0..C {
                row.confidence[i] = (self.facts[i] >> 16) as u8;
                seen[i] = self.facts[i] >> 24;
            }
            // SAFETY: the caller's
            row.seen = unsafe { K::nonzero(&seen) }.count_ones() as u8;
        }
        if has_runs(C) {
            let mut runs = 0;
            for (i, &context) in RUN_CONTEXTS.iter().enumerate() {
                runs |= self.facts[context % C] >> 24 << (2 * i);
            }
            row.runs = runs as u16;
        }
        let recent = self.past.recent();
        [row.c1, row.c2] = recent.before(self.partial);
        row.classes = recent.classes(self.partial);
    }

    /// Takes in the bit that `row` was the evidence for. After the last bit of a
    /// byte, `block` must end in that byte.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub unsafe fn update<K: Kernel>(&mut self, row: &Row<C>, bit: u32, block: &[u8]) {
        let target = if bit == 1 { 65535i32 } else { 0 };
        let mut next = [0; C];
        for i in 0..C {
            self.errors[i] = moved(self.errors[i], target, row.p[i]);
            next[i] = (self.facts[i] >> (8 * (bit & 1))) as u8;
        }
        // SAFETY: the caller's
        self.pending = (self.histories, unsafe { K::updated(&self.entries, bit, self.limit) });
        let node = self.node() as usize & 15;
        self.current.0[node] = next;
        for table in 0..Self::TABLES {
            if !self.has_direct() {
                break;
            }
            let lines = &self.direct_lines[table];
            // SAFETY: the caller's
            unsafe {
                let direct = K::updated(&self.direct_entries[table], bit, DIRECT_LIMIT);
                self.direct[table].write::<K>(lines, node, &direct);
            }
        }
        for (i, m) in self.matchers.iter_mut().enumerate() {
            self.match_errors[i] = moved(self.match_errors[i], target, row.match_p[i]);
            m.update(row.matched[i], bit);
        }
        self.partial = self.partial << 1 | bit;
        self.bit_index += 1;
        if self.bit_index & 3 == 0 {
            // SAFETY: the caller's
            unsafe { self.close_slots::<K>() };
        }
        match self.bit_index {
            4 => {
                if self.foreseen != self.partial {
                    self.look_for_slots(self.partial);
                    self.fetch_slots(0..PARTS);
                }
                if let Some(language) = self.own_language()
                    && self.repeated < self.effort.no_language
                {
                    self.said.look_ahead(language, self.past.recent());
                }
            }
            8 => self.start_byte(block),
            _ => {}
        }
    }
}
