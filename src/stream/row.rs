//! Rows of evidence: what the probability of one bit depends on.
//!
//! The number `C` of contexts is fixed at compile time, so that every loop over
//! them is unrolled and vectorized. A row holds `2·C` logits: one for each
//! context, and as many others ([`Row::x`]).

use super::direct::direct_count;
use super::matcher::LENGTH_CLASSES;

/// Units of the language model that a row has room for.
pub const LANGUAGE_UNITS: usize = super::language::MAX_UNITS[1];
/// Room for the inputs of the context units, see [`ByteRow::inputs`].
pub const KNOWN: usize = LANGUAGE_UNITS + 64;
/// The constant input, in logit units.
pub const ONE: i16 = 256;
/// Number of match classes (see [`super::matcher::Matcher::predict`]).
pub const MATCH_CLASSES: usize = 2 * LENGTH_CLASSES;
/// The contexts whose seen bits make up [`Row::runs`], by their place.
pub const RUN_CONTEXTS: [usize; 5] = [1, 2, 3, 4, 6];
/// Values of [`Row::runs`].
pub const RUNS: usize = 1 << (2 * RUN_CONTEXTS.len());
/// Values of [`Row::classes`].
pub const CLASSES: usize = 1 << 12;

/// Whether a part of so many contexts has few: that of the fast level, which does without
/// much that the others have.
pub const fn has_few(contexts: usize) -> bool {
    contexts < 16
}

/// Whether a language model speaks to a part of so many contexts.
pub const fn has_language(contexts: usize) -> bool {
    !has_few(contexts)
}

/// For how many bits at a time the network of a part of so many contexts computes its units,
/// from the evidence for the first of them: it goes by byte or by nibble.
pub const fn unit_bits(contexts: usize) -> usize {
    if has_few(contexts) { 8 } else { 4 }
}

/// Whether weights are chosen by [`Row::runs`] in a part of so many contexts: with few, the
/// other sets say nearly all that they say.
pub const fn has_runs(contexts: usize) -> bool {
    !has_few(contexts)
}

/// The node within its nibble, 1..=15, of a byte's bit number `bit_index`, which comes after
/// those of `partial` (after a leading one).
#[inline(always)]
pub fn node(partial: u32, bit_index: u32) -> u32 {
    let within = bit_index & 3;
    1 << within | partial & ((1 << within) - 1)
}

/// Everything the probability of one bit depends on.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Row<const C: usize> {
    /// Logits. First those of the contexts' histories. Then the direct ones of the
    /// first [`Self::DIRECT`] contexts; then, for contexts up to `C - 4`, the distance of the
    /// probability from one half (2^-5 of its 16 bits), in the first place the language
    /// model's logit if there is one; the two match models, [`ONE`], and the network's
    /// logit (0 until the network has spoken).
    pub x: [[i16; C]; 2],
    /// The 16-bit probabilities behind the logits of contexts.
    pub p: [u16; C],
    /// Those of the match models.
    pub match_p: [u16; 2],
    /// Confidence of each context, 0..=45; 0 where the context is new. Like [`Self::seen`] of
    /// meaning only where [`Self::has_units`].
    pub confidence: [u8; C],
    /// The bits of this byte so far, after a leading one: 1..=255.
    pub partial: u8,
    /// The byte before.
    pub c1: u8,
    /// The byte before that.
    pub c2: u8,
    /// Class of the long match and of the recent one with its expected bit, 0..32.
    pub matched: [u8; 2],
    /// Number of contexts that have been seen before.
    pub seen: u8,
    /// Which bits five contexts have seen: two bits each.
    pub runs: u16,
    /// Classes of the last three bytes.
    pub classes: u16,
}

impl<const C: usize> Row<C> {
    /// Contexts with a direct probability.
    pub const DIRECT: usize = direct_count(C);
    /// Whether there is a place for a language model.
    pub const HAS_LANGUAGE: bool = has_language(C);
    /// For how many bits at a time the network's units are computed.
    pub const UNIT_BITS: usize = unit_bits(C);
    /// Places in the second half of [`Row::x`]: the language model, if there is one,
    pub const LANGUAGE: usize = Self::DIRECT;
    /// the first match model,
    pub const MATCH: usize = C - 4;
    /// the constant,
    pub const CONSTANT: usize = C - 2;
    /// the network's logit.
    pub const NETWORK: usize = C - 1;

    /// Whether it is the evidence for a bit that units are computed for.
    #[inline(always)]
    pub fn has_units(&self) -> bool {
        (self.partial.max(1).ilog2() as usize).is_multiple_of(Self::UNIT_BITS)
    }

    /// A row of no evidence.
    pub fn empty() -> Self {
        let mut x = [[0; C]; 2];
        x[1][Self::CONSTANT] = ONE;
        Self {
            x,
            p: [32768; C],
            match_p: [32768; 2],
            confidence: [0; C],
            partial: 1,
            c1: 0,
            c2: 0,
            matched: [0; 2],
            seen: 0,
            runs: 0,
            classes: 0,
        }
    }
}

/// What the bits of one byte share: evidence of degree 0.
#[derive(Clone, Copy, Debug)]
pub struct ByteRow<const C: usize> {
    /// How well each context has been doing lately: 0..=127, eight times the
    /// binary logarithm of its mean absolute error of 65536.
    pub costs: [u8; C],
    /// The same of the match models.
    pub match_costs: [u8; 2],
    /// The last three bytes, the newest first.
    pub previous: [u8; 3],
    /// Half of the units of the language model's second layer, then of its recurrent layer's, then
    /// zeros.
    pub language: [u8; LANGUAGE_UNITS],
}

impl<const C: usize> ByteRow<C> {
    /// A row of no evidence.
    pub fn empty() -> Self {
        Self { costs: [0; C], match_costs: [0; 2], previous: [0; 3], language: [0; LANGUAGE_UNITS] }
    }

    /// The inputs of the context units: all costs, contexts first, then units of the
    /// language model, then zeros.
    #[inline(always)]
    pub fn inputs(&self) -> [u8; KNOWN] {
        const { assert!(C + 2 + LANGUAGE_UNITS <= KNOWN) };
        let mut all = [0; KNOWN];
        all[..C].copy_from_slice(&self.costs);
        all[C..C + 2].copy_from_slice(&self.match_costs);
        all[C + 2..][..LANGUAGE_UNITS].copy_from_slice(&self.language);
        all
    }
}
