//! Rows coded by several components, each under an ordering of its own.
//!
//! Every row is coded by one component, whose number is sent, uniformly, before
//! the row. That alone would cost log₂ K bits a row. But once a row is known, both
//! sides know how likely each component was to be the one, and the number need not
//! have been chosen by the encoder: it was **popped** from the stack with these
//! probabilities, which gives back the bits of what lies below (bits back; Frey and
//! Hinton 1997, with ANS Townsend et al. 2019). A row costs −log₂ of the mean of
//! the components' probabilities.
//!
//! Rows go in groups so that many decode side by side. What a group gives back
//! comes from the rows behind it, so the last groups are small: the first pops of
//! the encoder find little on the stack.

use super::component::{Component, width};
use super::decode;
use super::payload::GROUP_ROWS;
use super::posterior::Logarithms;
use crate::codec::CodecError;
use crate::coder::{Choice, NotReversible, Stack};
use crate::engine::EngineError;
use crate::engine::dot::LANES;

/// Sizes of the groups, first to last: from the last one back 16, 32, 64, 128 and
/// then 256 rows; the first one is what is left.
fn groups(rows: usize) -> Vec<usize> {
    let (mut sizes, mut left, mut size) = (Vec::new(), rows, LANES);
    while left > 0 {
        sizes.push(size.min(left));
        left -= size.min(left);
        size = (2 * size).min(GROUP_ROWS);
    }
    sizes.reverse();
    sizes
}

/// The rows of a group for which component `k` was chosen.
fn rows_of(chosen: &[usize], k: usize) -> Vec<usize> {
    (0..chosen.len()).filter(|&row| chosen[row] == k).collect()
}

/// A group as it goes on the stack.
struct Group {
    /// The component of each row.
    chosen: Vec<usize>,
    /// What each row's choice is popped with.
    posteriors: Vec<Choice>,
    /// Bits and their probabilities in the order of the decoder.
    bits: Vec<(bool, u16)>,
}

impl Group {
    /// Lets the stack choose the components of rows, and has their bits ready.
    fn choose(all: &[Evaluated], posteriors: Vec<Choice>, dims: usize, stack: &mut Stack) -> Self {
        let mut chosen: Vec<usize> = posteriors.iter().rev().map(|p| stack.pop(p)).collect();
        chosen.reverse();
        let mut bits = Vec::with_capacity(chosen.len() * dims);
        for (k, e) in all.iter().enumerate() {
            let of_k = rows_of(&chosen, k);
            for t in 0..dims {
                let at = of_k.iter().map(|row| row * dims + t);
                bits.extend(at.map(|i| (e.bits[i] == 1, e.p1[i])));
            }
        }
        Self { chosen, posteriors, bits }
    }

    /// Puts bits and choices on.
    fn push(&self, uniform: &Choice, stack: &mut Stack) {
        self.bits.iter().rev().for_each(|&(bit, p1)| stack.push_bit(bit, p1));
        self.chosen.iter().rev().for_each(|&k| stack.push(k, uniform));
    }

    /// Decodes what was pushed and pushes it again. False if something else came
    /// out: a fault of the machine or of the coder.
    fn check(&self, uniform: &Choice, stack: &mut Stack) -> bool {
        let rows = || self.chosen.iter().zip(&self.posteriors);
        let same = self.chosen.iter().all(|&k| stack.pop(uniform) == k)
            && self.bits.iter().all(|&(bit, p1)| stack.pop_bit(p1) == bit);
        if same {
            rows().for_each(|(&k, posterior)| stack.push(k, posterior));
        }
        let same = same && rows().rev().all(|(&k, posterior)| stack.pop(posterior) == k);
        if same {
            self.push(uniform, stack);
        }
        same
    }
}

/// Rows under one component.
#[derive(Default)]
struct Evaluated {
    bits: Vec<u8>,
    p1: Vec<u16>,
    /// Of each row, in 1/65536 bits.
    costs: Vec<u64>,
    /// The same in floating point, for reports.
    ideal: Vec<f64>,
}

impl Evaluated {
    fn new(
        c: &Component,
        logs: &Logarithms,
        rows: &[u8],
        threads: usize,
    ) -> Result<Self, EngineError> {
        let d = c.layout.dims();
        let mut all = Self::default();
        c.windows(rows, threads, |bits, p1| {
            all.bits.extend_from_slice(bits);
            all.p1.extend_from_slice(p1);
            for row in bits.chunks_exact(d).zip(p1.chunks_exact(d)) {
                let widths = || row.0.iter().zip(row.1).map(width);
                all.costs.push(widths().map(|w| logs.cost(w)).sum());
                all.ideal.push(widths().map(|w| 16.0 - f64::from(w).log2()).sum());
            }
        })?;
        Ok(all)
    }

    /// Under each component.
    fn all(
        components: &[Component],
        logs: &Logarithms,
        rows: &[u8],
        threads: usize,
    ) -> Result<Vec<Self>, EngineError> {
        components.iter().map(|c| Self::new(c, logs, rows, threads)).collect()
    }
}

/// How likely each component is for each row.
fn posteriors(all: &[Evaluated], logs: &Logarithms) -> Vec<Choice> {
    let costs = |row: usize| all.iter().map(|e| e.costs[row]).collect::<Vec<u64>>();
    (0..all[0].costs.len()).map(|row| logs.posterior(&costs(row))).collect()
}

/// What a row of these ideal costs costs when components are mixed, in bits.
pub fn mean_cost(under: impl Iterator<Item = f64> + Clone) -> f64 {
    let least = under.clone().fold(f64::INFINITY, f64::min);
    let (n, sum) = under.fold((0.0, 0.0), |(n, sum), c| (n + 1.0, sum + (least - c).exp2()));
    least - f64::log2(sum / n)
}

/// Puts whole packed rows on a stack, with at most so many threads; their ideal cost in bits.
pub fn encode(
    components: &[Component],
    rows: &[u8],
    threads: usize,
    stack: &mut Stack,
    done: &dyn Fn(u64),
) -> Result<f64, CodecError> {
    let logs = Logarithms::new();
    let (dims, row_bytes) = (components[0].layout.dims(), components[0].layout.row_bytes());
    let uniform = Choice::uniform(components.len());
    let (mut ideal, mut end) = (0.0, rows.len());
    for size in groups(rows.len() / row_bytes).into_iter().rev() {
        let rows = &rows[end - size * row_bytes..end];
        end -= rows.len();
        let all = Evaluated::all(components, &logs, rows, threads)?;
        let group = Group::choose(&all, posteriors(&all, &logs), dims, stack);
        group.push(&uniform, stack);
        if !group.check(&uniform, stack) {
            return Err(NotReversible.into());
        }
        let costs = (0..size).map(|row| mean_cost(all.iter().map(|e| e.ideal[row])));
        ideal += costs.sum::<f64>();
        done(rows.len() as u64);
    }
    Ok(ideal)
}

/// Takes whole packed rows, zero on entry, off a stack, with at most so many threads.
pub fn decode(
    components: &[Component],
    stack: &mut Stack,
    mut rows: &mut [u8],
    threads: usize,
    done: &dyn Fn(u64),
) -> Result<(), CodecError> {
    let logs = Logarithms::new();
    let row_bytes = components[0].layout.row_bytes();
    let uniform = Choice::uniform(components.len());
    for size in groups(rows.len() / row_bytes) {
        let (group, rest) = rows.split_at_mut(size * row_bytes);
        rows = rest;
        let chosen: Vec<usize> = (0..size).map(|_| stack.pop(&uniform)).collect();
        fill(components, &chosen, group, threads, &mut |_, _, p1| stack.pop_bit(p1));
        let posteriors = posteriors(&Evaluated::all(components, &logs, group, threads)?, &logs);
        chosen.iter().zip(&posteriors).for_each(|(&k, p)| stack.push(k, p));
        done(group.len() as u64);
    }
    Ok(())
}

/// Fills at most a group of rows, each by the component chosen for it; `bit` is
/// asked as in [`decode::rows`], component by component.
pub fn fill(
    components: &[Component],
    chosen: &[usize],
    group: &mut [u8],
    threads: usize,
    bit: &mut dyn FnMut(usize, usize, u16) -> bool,
) {
    let row_bytes = components[0].layout.row_bytes();
    for (k, c) in components.iter().enumerate() {
        let of_k = rows_of(chosen, k);
        let mut side_by_side = vec![0; of_k.len() * row_bytes];
        let mut bit_of = |n: usize, t: usize, p1: u16| bit(of_k[n], t, p1);
        decode::rows(&*c.native, &c.layout, &mut side_by_side, threads, &mut bit_of, &|_| {});
        for (&row, bytes) in of_k.iter().zip(side_by_side.chunks_exact(row_bytes)) {
            group[row * row_bytes..(row + 1) * row_bytes].copy_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_grow_from_the_end() {
        assert!(groups(0).is_empty());
        assert_eq!(groups(5), [5]);
        assert_eq!(groups(20), [4, 16]);
        assert_eq!(groups(1000), [248, 256, 256, 128, 64, 32, 16]);
        assert_eq!(groups(496 + 256), [256, 256, 128, 64, 32, 16]);
    }
}
