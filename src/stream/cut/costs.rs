//! What it costs to code a piece as another content than its own, and to begin a block, in
//! 2^-10 bytes. Measured with the default model (`models/RESEARCH.md`); they are guesses of
//! sizes, integers so that an archive is the same everywhere.

use super::piece::{Look, Piece};
use crate::stream::block::{Trial, prevail};
use crate::stream::content::Content;

/// 2^-10 bytes, a byte.
const BYTE: u64 = 1 << 10;
/// A KiB of x86 code, coded as other content, and a call in it besides;
const CODE_AS_OTHER: u64 = 40;
const CALL: u64 = 2 * BYTE;
/// a KiB of other content, coded as x86 code,
const TEXT_AS_CODE: u64 = 15;
const OTHER_AS_CODE: u64 = 33;
/// and coded as samples.
const AS_SAMPLES: u64 = 30;
/// A block costs so much,
const FIRST: u64 = 500 * BYTE;
/// and a KiB in it that came before it so much more: what is nearly the same is cut the same with 60
/// to 1000.
const REPEATED: u64 = 250;

/// The contents that there may be, and what they cost.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    has_code: bool,
    /// What a KiB of a signal and of bilevel pictures loses as other content.
    samples: [Option<u64>; 2],
}

impl Costs {
    /// There is x86 code.
    pub fn take_code(&mut self) {
        self.has_code = true;
    }

    /// There are samples, of which some have been tried.
    pub fn take_samples(&mut self, content: Content, trial: Trial) {
        let Trial { len, plain, samples } = trial;
        if let Some(gain) = plain.checked_sub(samples).filter(|&gain| gain > 0) {
            let bilevel = usize::from(content == Content::Bilevel);
            self.samples[bilevel] = Some(gain as u64 * BYTE / len.max(1) as u64);
        }
    }

    /// What a block may be.
    pub fn contents(&self) -> Vec<Content> {
        let all = [
            (Content::Plain, true),
            (Content::X86, self.has_code),
            (Content::Signal, self.samples[0].is_some()),
            (Content::Bilevel, self.samples[1].is_some()),
        ];
        all.into_iter().filter_map(|(content, is_there)| is_there.then_some(content)).collect()
    }

    /// What a piece of a block of some content costs more than if it were of its own content.
    pub fn of(&self, piece: &Piece, content: Content) -> u64 {
        let Piece { len, samples, look, calls, .. } = *piece;
        let rest = |own: usize, rate: u64| (len - own) as u64 * rate;
        let own = match (look, content) {
            (Look::Code, Content::X86) => 0,
            (Look::Code, _) if self.has_code => {
                rest(samples[0] + samples[1], CODE_AS_OTHER) + calls as u64 * CALL
            }
            (Look::Text, Content::X86) => rest(0, TEXT_AS_CODE),
            (Look::Other, Content::X86) => rest(0, OTHER_AS_CODE),
            _ => 0,
        };
        let around = match content {
            Content::Signal => rest(samples[0], AS_SAMPLES),
            Content::Bilevel => rest(samples[1], AS_SAMPLES),
            Content::Plain | Content::X86 => 0,
        };
        let lost = |bilevel: usize, own: Content| match self.samples[bilevel] {
            Some(rate) if content != own => samples[bilevel] as u64 * rate,
            _ => 0,
        };
        own + around + lost(0, Content::Signal) + lost(1, Content::Bilevel)
    }

    /// Whether a block of `len` bytes, some of them samples, would be coded as some content: as
    /// samples if they are most of it, where that gains something, and else not.
    pub fn is_allowed(&self, content: Content, len: usize, samples: [usize; 2]) -> bool {
        let prevails =
            |bilevel: usize| self.samples[bilevel].is_some() && prevail(samples[bilevel], len);
        match content {
            Content::Plain => !prevails(0) && !prevails(1),
            Content::X86 => true,
            Content::Signal => prevails(0),
            Content::Bilevel => prevails(1),
        }
    }

    /// What a block costs because it does not go on from what is before it, of which so many
    /// bytes come again in it.
    pub fn of_block(repeated: usize) -> u64 {
        FIRST + repeated as u64 * REPEATED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: usize = 10 << 10;

    fn piece(look: Look, samples: [usize; 2]) -> Piece {
        Piece { end: LEN, len: LEN, samples, look, calls: 200 }
    }

    #[test]
    fn a_piece_costs_nothing_as_what_it_is() {
        let mut costs = Costs::default();
        let code = piece(Look::Code, [0, 0]);
        assert_eq!(costs.of(&code, Content::Plain), 0);
        costs.take_code();
        costs.take_samples(Content::Signal, Trial { len: 1000, plain: 500, samples: 400 });
        // these gain nothing
        costs.take_samples(Content::Bilevel, Trial { len: 1000, plain: 400, samples: 400 });
        let contents = [Content::Plain, Content::X86, Content::Signal];
        assert_eq!(costs.contents(), contents);
        let all = |piece: &Piece| contents.map(|content| costs.of(piece, content) / BYTE);
        assert_eq!(all(&code), [800, 0, 1100]);
        assert_eq!(all(&piece(Look::Text, [0, 0])), [0, 150, 300]);
        assert_eq!(all(&piece(Look::Dense, [0, 0])), [0, 0, 300]);
        assert_eq!(all(&piece(Look::Other, [LEN, 0])), [1020, 1350, 0]);
        assert_eq!(all(&piece(Look::Other, [0, LEN])), [0, 330, 300]);
    }

    #[test]
    fn a_block_costs_what_it_does_not_find() {
        let cost = |repeated: usize| Costs::of_block(repeated) / BYTE;
        assert_eq!([0, 1 << 10, 1 << 20].map(cost), [500, 750, 256_500]);
    }
}
