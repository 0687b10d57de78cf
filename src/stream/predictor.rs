//! The whole stream model, one byte at a time, where a bit is known only when it has
//! been predicted: evidence, network, online stage.

use super::aside::Aside;
use super::coding::Coding;
use super::direct::{DIRECT, TABLES};
use super::estimator::Estimator;
use super::evidence::Evidence;
use super::model::StreamModel;
use super::online::{self, Online};
use super::row::{ByteRow, Row};
use super::signal::regions::Regions;
use crate::engine::kernel::{Isa, Kernel};
use crate::with_kernel;

/// Bytes whose changes a predictor keeps a list of; what more have changed is put back
/// by copying all.
const LISTED: usize = 1 << 12;

/// What a predictor has changed since it started: positions of slots and direct
/// lines, and what the bits changed in the online stage.
#[derive(Debug, Default)]
struct Touched {
    /// Bytes that it has predicted; the lists are of the first [`LISTED`].
    bytes: usize,
    slots: Vec<u32>,
    direct: [Vec<u32>; TABLES],
    online: Vec<online::Touched>,
}

/// Bytes of memory that the lists take, at most.
pub const LISTS: u64 = {
    let slots = 2 * 4 * (32 + DIRECT * TABLES);
    // vectors have room for twice as many
    2 * (LISTED * (slots + 8 * size_of::<online::Touched>())) as u64
};

/// What a predictor has learnt. It is no predictor, and belongs to no model's life.
#[derive(Debug)]
pub struct State<const C: usize> {
    evidence: Evidence<'static, C>,
    online: Online<C>,
}

/// Predicts the bits of a block in turn.
#[derive(Debug)]
pub struct Predictor<'m, const C: usize> {
    isa: Isa,
    evidence: Evidence<'m, C>,
    estimator: Estimator<'m, C>,
    row: Row<C>,
    byte_row: ByteRow<C>,
    touched: Option<Touched>,
}

/// Tells a bit, given the 16-bit probability that it is one.
pub type Bits<'a> = &'a mut dyn FnMut(u16) -> bool;

impl<'m, const C: usize> Predictor<'m, C> {
    /// At the start of a block of `block_len` bytes, with samples in some regions; a model's
    /// text is part of the block.
    pub fn new(
        isa: Isa,
        model: &'m StreamModel,
        coding: Coding,
        regions: &Regions,
        block_len: usize,
    ) -> Self {
        Self {
            isa,
            evidence: model.evidence(coding, regions, block_len),
            estimator: Estimator::new(model.part(coding), model.online(coding, block_len)),
            row: Row::empty(),
            byte_row: ByteRow::empty(),
            touched: None,
        }
    }

    /// At the start of a block, with another thread for the language model, which must be in
    /// [`Aside::speak`].
    pub fn with_aside(self, aside: &'m Aside) -> Self {
        Self { evidence: self.evidence.with_aside(aside), ..self }
    }

    /// Asks for the eight bits of the next byte, the most significant first, and puts
    /// the byte at the end of `block`, which holds all before it.
    #[inline(never)]
    pub fn byte(&mut self, block: &mut Vec<u8>, bits: Bits<'_>) {
        let (isa, predictor) = (self.isa, self);
        with_kernel!(isa, next_byte::<C>(
            predictor: &mut Predictor<'_, C>, block: &mut Vec<u8>, bits: Bits<'_>
        ) -> ());
    }

    /// Takes in a text that a block's bytes come after; `block` is empty and becomes it.
    pub fn read(&mut self, text: &[u8], block: &mut Vec<u8>) {
        for byte in text {
            let mut k = 8;
            self.byte(block, &mut |_| {
                k -= 1;
                byte >> k & 1 == 1
            });
        }
    }

    /// The state, to go back to.
    pub fn state(&self) -> State<C> {
        let evidence = self.evidence.copy(&[], None, None);
        State { evidence, online: self.estimator.online().clone() }
    }

    /// A predictor of plain content at the default level in a state of the same model, to
    /// which [`Self::restore`] brings it back.
    pub fn at(isa: Isa, model: &'m StreamModel, state: &State<C>) -> Self {
        let part = &model.default.plain;
        let (language, primed) = (model.packed_language(), Some(&model.primed));
        Self {
            isa,
            evidence: state.evidence.copy(&part.contexts, language, primed),
            estimator: Estimator::new(part, state.online.clone()),
            row: Row::empty(),
            byte_row: ByteRow::empty(),
            touched: Some(Touched::default()),
        }
    }

    /// Goes back to the state that it was made [`Self::at`], before the bytes of
    /// `record`. The time goes with the record, not with the tables, unless it is long.
    pub fn restore(&mut self, state: &State<C>, record: &[u8]) {
        let Some(touched) = &mut self.touched else { return };
        if touched.bytes <= LISTED {
            self.evidence.restore_tables(&state.evidence, &touched.slots, &touched.direct);
            self.estimator.restore(&state.online, &touched.online);
        } else {
            self.evidence.copy_tables(&state.evidence);
            self.estimator.become_again(&state.online);
        }
        self.evidence.restore(&state.evidence, record);
        touched.bytes = 0;
        touched.slots.clear();
        touched.direct.iter_mut().for_each(Vec::clear);
        touched.online.clear();
    }
}

/// [`Predictor::byte`].
#[inline(always)]
fn next_byte<K: Kernel, const C: usize>(
    predictor: &mut Predictor<'_, C>,
    block: &mut Vec<u8>,
    bits: Bits<'_>,
) {
    let Predictor { isa: _, evidence, estimator, row, byte_row, touched } = predictor;
    let mut byte = 0u8;
    if let Some(touched) = touched {
        touched.bytes = touched.bytes.saturating_add(1);
    }
    for k in 0..8 {
        // SAFETY: `with_kernel` has the proof of the instruction set
        let p1 = unsafe {
            evidence.row::<K>(row);
            if k == 0 {
                evidence.byte_row(byte_row);
                estimator.start_byte();
            }
            estimator.predict::<K>(byte_row, row)
        };
        evidence.foresee(p1);
        if let Some(touched) = touched
            && touched.bytes <= LISTED
        {
            touched.online.push(estimator.online().touched());
            if k % 4 == 0 {
                let (slots, direct) = evidence.positions();
                touched.slots.extend(slots);
                for (all, positions) in touched.direct.iter_mut().zip(direct) {
                    all.extend(positions);
                }
            }
        }
        let bit = bits(p1);
        byte = byte << 1 | u8::from(bit);
        if k == 7 {
            block.push(byte);
        }
        // SAFETY: as above
        unsafe {
            estimator.update::<K>(row, bit.into());
            evidence.update::<K>(row, bit.into(), block);
        }
    }
}
