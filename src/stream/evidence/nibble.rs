//! The slots and direct lines of a nibble: looked for, fetched, taken, put back.

use std::ops::Range;

use super::Evidence;
use crate::engine::kernel::Kernel;
use crate::stream::contexts::{Context, slot_hash};
use crate::stream::direct::{DIRECT, Lines, TABLES};
use crate::stream::row::node;
use crate::stream::signal::pixels::Pixels;
use crate::stream::slots::SLOT;

/// Parts in which slots are fetched.
pub(super) const PARTS: usize = 4;

impl<const C: usize> Evidence<'_, C> {
    /// Whether the present byte has direct lines.
    #[inline(always)]
    pub(super) fn has_direct(&self) -> bool {
        self.repeated < self.effort.no_direct
    }

    /// Where the slots are of the nibble that begins after these bits of the byte (after
    /// a leading one; 0 before the first bit).
    #[inline(always)]
    pub(super) fn look_for_slots(&mut self, partial: u32) {
        self.foreseen = partial;
        for i in 0..C {
            self.next_slots[i] = slot_hash(self.hashes[i], partial);
        }
        if partial != 0
            && let Some(&pixels) = self.past.recent().pixels()
        {
            self.look_for_pixels(&pixels, partial);
        }
    }

    /// The slots of templates in the second half of a byte of a bilevel picture: as if a byte
    /// began there.
    #[inline(never)]
    fn look_for_pixels(&mut self, pixels: &Pixels, partial: u32) {
        let last = self.past.recent().last;
        for (i, &context) in self.contexts.iter().enumerate() {
            if let Context::Pixels(template) = context {
                let hash = pixels.hash(template, last, partial, self.starts[i]);
                self.next_slots[i] = slot_hash(hash, 0);
            }
        }
    }

    /// Fetches some of [`PARTS`] parts of these slots and their direct lines: more of them
    /// at a time than a processor can wait for would keep it from all else.
    #[inline(always)]
    pub(super) fn fetch_slots(&self, parts: Range<usize>) {
        for &hash in &self.next_slots[parts.start * C / PARTS..parts.end * C / PARTS] {
            self.slots.prefetch(hash);
        }
        if !self.has_direct() {
            return;
        }
        for (direct, hashes) in
            self.direct[..Self::TABLES].iter().zip(self.next_slots.as_chunks().0)
        {
            let hashes: &[u32; DIRECT] = hashes;
            let some = parts.start * DIRECT / PARTS..parts.end * DIRECT / PARTS;
            for &hash in &hashes[some] {
                direct.prefetch(hash);
            }
        }
    }

    /// Told the probability that the next bit is one, fetches what the likelier bit
    /// will need.
    #[inline(always)]
    pub fn foresee(&mut self, p1: u16) {
        if self.bit_index == 3 {
            self.look_for_slots(self.partial << 1 | u32::from(p1 >> 15));
            self.fetch_slots(0..PARTS);
        }
    }

    /// Takes the slots and direct lines of the nibble that begins.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub(super) unsafe fn open_slots<K: Kernel>(&mut self) {
        let hashes = &self.next_slots;
        // SAFETY: the caller's
        unsafe {
            let (positions, slots) = self.slots.open::<K, C>(hashes, self.primed);
            self.positions = positions;
            K::transpose(&slots, &mut self.current.0);
            let hashes = hashes.as_chunks().0;
            let histories = self.current.0[1].as_chunks().0;
            self.direct_lines = [Lines::NONE; TABLES];
            if self.has_direct() {
                for i in 0..Self::TABLES {
                    self.direct_lines[i] = self.direct[i].open::<K>(&hashes[i], &histories[i]);
                }
            }
        }
    }

    /// Puts the slots back.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    pub(super) unsafe fn close_slots<K: Kernel>(&mut self) {
        let mut slots = [[0; SLOT]; C];
        // SAFETY: the caller's
        unsafe { K::transpose_back(&self.current.0, &mut slots) };
        self.slots.put(&self.positions, &slots);
    }

    /// Node within the nibble, 1..=15.
    #[inline(always)]
    pub(super) fn node(&self) -> u32 {
        node(self.partial, self.bit_index)
    }

    /// Positions of the slots and of the direct lines of the present nibble, which go
    /// back changed.
    #[inline(always)]
    pub fn positions(&self) -> (&[u32; C], [&[u32; DIRECT]; TABLES]) {
        (&self.positions, self.direct_lines.each_ref().map(Lines::positions))
    }
}
