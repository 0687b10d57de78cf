//! The order in which the dimensions of a row are coded.
//!
//! An ordering gives each dimension its rank, 1 for the first coded and D for the
//! last; ranks are the degrees of inputs and outputs.

use super::error::ModelError;
use super::random::SplitMix64;

/// Ranks of the dimensions: a permutation of 1..=D.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordering {
    ranks: Vec<u32>,
}

impl Ordering {
    /// Dimensions in the order of the data.
    pub fn natural(dims: usize) -> Self {
        Self { ranks: (1..=dims as u32).collect() }
    }

    /// A uniformly random ordering; equal seeds give equal orderings.
    pub fn random(dims: usize, seed: u64) -> Self {
        let mut ordering = Self::natural(dims);
        SplitMix64::new(seed).shuffle(&mut ordering.ranks);
        ordering
    }

    /// The ordering whose dimension `d` has rank `ranks[d]`; an error unless the
    /// ranks are a permutation of 1..=D.
    pub fn from_ranks(ranks: Vec<u32>) -> Result<Self, ModelError> {
        let mut seen = vec![false; ranks.len()];
        for &r in &ranks {
            let slot = (r as usize).checked_sub(1).and_then(|i| seen.get_mut(i));
            match slot {
                Some(s) if !*s => *s = true,
                _ => {
                    return Err(ModelError::Architecture(format!(
                        "the ordering is no permutation of 1..={} (rank {r})",
                        ranks.len()
                    )));
                }
            }
        }
        Ok(Self { ranks })
    }

    /// The ordering that codes dimension `sequence[0]` first, and so on.
    pub fn from_sequence(sequence: &[usize]) -> Result<Self, ModelError> {
        let mut ranks = vec![0; sequence.len()];
        for (t, &d) in sequence.iter().enumerate() {
            let slot = ranks.get_mut(d).ok_or_else(|| {
                ModelError::Architecture(format!("the ordering names dimension {d}"))
            })?;
            *slot = t as u32 + 1;
        }
        Self::from_ranks(ranks)
    }

    /// Number of dimensions.
    pub fn dims(&self) -> usize {
        self.ranks.len()
    }

    /// The rank of each dimension, 1..=D.
    pub fn ranks(&self) -> &[u32] {
        &self.ranks
    }

    /// The dimensions as they are coded: `sequence()[t]` has rank `t + 1`.
    pub fn sequence(&self) -> Vec<usize> {
        let mut sequence = vec![0; self.ranks.len()];
        for (d, &r) in self.ranks.iter().enumerate() {
            sequence[r as usize - 1] = d;
        }
        sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_sequences_are_inverse() {
        for dims in [0, 1, 2, 17] {
            let ordering = Ordering::random(dims, 5);
            assert_eq!(Ordering::from_sequence(&ordering.sequence()).unwrap(), ordering);
            assert_eq!(Ordering::from_ranks(ordering.ranks().to_vec()).unwrap(), ordering);
        }
        assert_eq!(Ordering::natural(3).sequence(), [0, 1, 2]);
        assert_ne!(Ordering::random(50, 1), Ordering::random(50, 2));
    }

    #[test]
    fn what_is_no_permutation_is_refused() {
        for ranks in [vec![0], vec![2], vec![1, 1], vec![1, 3], vec![u32::MAX, 1]] {
            assert!(Ordering::from_ranks(ranks.clone()).is_err(), "{ranks:?}");
        }
        assert!(Ordering::from_sequence(&[0, 0]).is_err());
        assert!(Ordering::from_sequence(&[2, 0]).is_err());
    }
}
