//! What the past is looked up in.

use super::recent::{Recent, Special};
use crate::stream::content::Content;
use crate::stream::signal::regions::Regions;
use crate::stream::x86::instruction::Values;

/// Rows are shorter than this.
const MAX_PERIOD: usize = 1024;

/// A guess at the length of rows: the distance at which pairs of bytes come again most
/// often, of late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period {
    pub(super) length: usize,
    /// How long ago the last pair of bytes came before, and the votes for that distance;
    /// 0 if it is too far for a row.
    distance: usize,
    votes: u16,
}

/// What was seen where: [`Recent`] knows what its last byte changes in them.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    /// The last two bytes after each byte.
    pub(super) follow: Box<[u16; 256]>,
    /// Where each pair of bytes ended last.
    pairs: Box<[u32; 1 << 16]>,
    /// Votes for each length of rows.
    votes: Box<[u16; MAX_PERIOD]>,
    /// Of x86 code only.
    pub(super) values: Option<Values>,
    /// Where samples are, and how many of these end before the next byte.
    pub(super) regions: Regions,
    passed: usize,
}

impl Period {
    /// Of the first byte of a block.
    pub(super) const START: Self = Self { length: 2, distance: 0, votes: 0 };
}

impl Tables {
    /// Before the first byte of a block; `regions` are where it has samples.
    pub(super) fn new(content: Content, regions: &Regions) -> Self {
        Self {
            follow: Box::new([0; 256]),
            pairs: Box::new([0; 1 << 16]),
            votes: Box::new([0; MAX_PERIOD]),
            values: (content == Content::X86).then(Values::default),
            regions: regions.clone(),
            passed: 0,
        }
    }

    /// Becomes `start` again, after `record` was taken in from there, before which `pair` were
    /// the last two bytes.
    pub(super) fn restore(&mut self, start: &Self, mut pair: u16, record: &[u8]) {
        // every field by name, so that none is forgotten
        let Self { follow, pairs, votes, values, regions: _, passed } = start;
        for &byte in record {
            pair = pair << 8 | u16::from(byte);
            self.pairs[usize::from(pair)] = pairs[usize::from(pair)];
        }
        self.follow.copy_from_slice(&follow[..]);
        self.votes.copy_from_slice(&votes[..]);
        self.values.clone_from(values);
        self.passed = *passed;
    }

    /// The length of rows when `n` bytes are known, of which `pair` are the last two.
    #[inline(always)]
    pub(super) fn period(&self, n: usize, pair: u16, length: usize) -> Period {
        let distance = n - self.pairs[usize::from(pair)] as usize;
        if !(2..MAX_PERIOD).contains(&distance) {
            return Period { length, distance: 0, votes: 0 };
        }
        let votes = self.votes[distance].saturating_add(8);
        let better = votes > self.votes[length].saturating_add(32);
        Period { length: if better { distance } else { length }, distance, votes }
    }

    /// Takes in what the last of `n` bytes changes.
    #[inline(always)]
    pub(super) fn note(&mut self, n: usize, recent: &Recent) {
        let [c1, c2] = [recent.last as u8, (recent.last >> 8) as u8];
        self.follow[usize::from(c2)] = recent.followers[0];
        self.pairs[usize::from(u16::from_le_bytes([c1, c2]))] = n as u32;
        let Period { distance, votes, .. } = recent.period;
        if distance != 0 {
            self.votes[distance] = votes;
        }
        if n.is_multiple_of(1024) {
            for votes in self.votes.iter_mut() {
                *votes -= *votes >> 3;
            }
        }
        if let (Some(values), Special::Code(instruction)) = (&mut self.values, &recent.special) {
            values.note(instruction);
        }
        self.passed = self.passed_at(n);
    }

    /// How many regions end before the byte after `n`.
    #[inline(always)]
    pub(super) fn passed_at(&self, n: usize) -> usize {
        let ended = self.regions[self.passed..].iter().take_while(|r| r.end() <= n);
        self.passed + ended.count()
    }
}
