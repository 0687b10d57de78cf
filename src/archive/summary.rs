//! What an operation did, in numbers.

use crate::container::BlockKind;

/// Totals of one kind of block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindTotals {
    /// Number of blocks.
    pub blocks: u64,
    /// Bytes of content.
    pub raw: u64,
    /// Bytes of payload.
    pub payload: u64,
}

/// Totals of an operation.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Bytes of content.
    pub raw: u64,
    /// Bytes of archive.
    pub archive: u64,
    /// Per kind, by its number.
    pub kinds: [KindTotals; BlockKind::ALL.len()],
    /// Ideal code length of the coded blocks under their model, in bits; known
    /// after compressing, 0 after decompressing.
    pub ideal_bits: f64,
}

impl Summary {
    pub(super) fn add(&mut self, kind: BlockKind, raw: u64, payload: u64) {
        let k = &mut self.kinds[kind as usize];
        k.blocks += 1;
        k.raw += raw;
        k.payload += payload;
        self.raw += raw;
    }

    /// Totals of all kinds that have one name.
    pub fn kind(&self, kind: BlockKind) -> KindTotals {
        let mut totals = KindTotals::default();
        for other in BlockKind::ALL.into_iter().filter(|other| other.name() == kind.name()) {
            let own = &self.kinds[other as usize];
            totals.blocks += own.blocks;
            totals.raw += own.raw;
            totals.payload += own.payload;
        }
        totals
    }

    /// Bytes of payload in all.
    pub fn payload(&self) -> u64 {
        self.kinds.iter().map(|k| k.payload).sum()
    }

    /// Number of blocks in all.
    pub fn blocks(&self) -> u64 {
        self.kinds.iter().map(|k| k.blocks).sum()
    }
}
