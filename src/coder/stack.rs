//! An ANS stack that is both pushed to and popped from, as bits back needs.

use constriction::CoderError;
use constriction::stream::{Decode, Encode};

use super::block::{Ans, NotCanonical, ans_of, bytes_of, is_empty, taken};
use super::{Bernoulli, Choice};

/// A stack of bits and choices. What a pop takes off, the same push puts back,
/// whatever was on it before and even when nothing was: an empty stack gives
/// what lies at the beginning of the intervals, and is empty again afterwards.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    ans: Ans,
}

impl Stack {
    /// Takes the bytes of [`Stack::into_bytes`] or [`super::encode_bits`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotCanonical> {
        Ok(Self { ans: ans_of(bytes)? })
    }

    /// The stack's bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        bytes_of(self.ans)
    }

    /// Puts a bit on, given the probability (of 65536) that it is one.
    #[inline]
    pub fn push_bit(&mut self, bit: bool, p1: u16) {
        done(self.ans.encode_symbol(bit, Bernoulli::new(p1)));
    }

    /// Takes a bit off.
    #[inline]
    pub fn pop_bit(&mut self, p1: u16) -> bool {
        taken(self.ans.decode_symbol(Bernoulli::new(p1)))
    }

    /// Puts number `k` of a choice on, one that the choice has.
    pub fn push(&mut self, k: usize, choice: &Choice) {
        done(self.ans.encode_symbol(k, choice));
    }

    /// Takes the number of a choice off.
    pub fn pop(&mut self, choice: &Choice) -> usize {
        taken(self.ans.decode_symbol(choice))
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        is_empty(&self.ans)
    }
}

fn done<F>(result: Result<(), CoderError<F, std::convert::Infallible>>) {
    match result {
        Ok(()) => {}
        Err(CoderError::Frontend(_)) => unreachable!("every symbol has an interval"),
        Err(CoderError::Backend(never)) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::random::SplitMix64;

    /// Pops and pushes in any order are undone by their opposites in reverse.
    #[test]
    fn what_is_done_can_be_undone() {
        for seed in 0..40 {
            let mut rng = SplitMix64::new(seed);
            let mut stack = Stack::default();
            let mut undo: Vec<(bool, usize, Choice)> = Vec::new();
            for _ in 0..rng.below(400) {
                let n = 1 + rng.below(9);
                let weights: Vec<u64> =
                    (0..n).map(|_| rng.next_u64() >> (24 + rng.below(40))).collect();
                let choice = Choice::weighted(&weights);
                let push = rng.below(5) < 3;
                let k = if push { rng.below(n) } else { stack.pop(&choice) };
                if push {
                    stack.push(k, &choice);
                }
                undo.push((push, k, choice));
            }
            let bytes = stack.into_bytes();
            let mut back = Stack::from_bytes(&bytes).unwrap();
            for (pushed, k, choice) in undo.into_iter().rev() {
                if pushed {
                    assert_eq!(back.pop(&choice), k);
                } else {
                    back.push(k, &choice);
                }
            }
            assert!(back.is_empty(), "seed {seed}");
        }
    }

    #[test]
    fn choices_cost_what_their_probabilities_say() {
        let choice = Choice::weighted(&[1, 3, 4]);
        let mut stack = Stack::default();
        for i in 0..8000 {
            stack.push([1, 2, 1, 2, 0, 2, 1, 2][i % 8], &choice);
        }
        let bits = 8000.0 * (0.125 * 3.0 + 0.375 * (8f64 / 3.0).log2() + 0.5);
        let bytes = stack.into_bytes().len() as f64;
        assert!((bytes - bits / 8.0).abs() < 8.0, "{bytes} {bits}");
    }
}
