//! Degrees of hidden units (Germain et al. 2015, sections 3 and 4).
//!
//! A unit of degree m sees inputs of rank ≤ m only. Degrees of hidden units lie
//! in 1..=D−1: a unit of degree D could feed no output.

use super::random::SplitMix64;
use serde::{Deserialize, Serialize};

/// How the degrees of a hidden layer are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DegreeRule {
    /// Uniform from the smallest degree of the layer below (at least 1) to D−1,
    /// as in the paper: a unit below that minimum would see nothing.
    Sampled,
    /// Evenly spread over 1..=D−1, rising.
    Even,
}

/// The largest degree of a hidden unit for rows of `dims` bits.
pub fn max_hidden_degree(dims: usize) -> u32 {
    (dims as u32).saturating_sub(1).max(1)
}

/// Degrees of every hidden layer, `[layer][unit]`, from the first layer up.
pub fn assign(dims: usize, hidden: &[usize], rule: DegreeRule, seed: u64) -> Vec<Vec<u32>> {
    let mut rng = SplitMix64::new(seed);
    let max = max_hidden_degree(dims);
    let mut least = 1;
    hidden
        .iter()
        .map(|&width| {
            let degrees: Vec<u32> = match rule {
                DegreeRule::Sampled => (0..width)
                    .map(|_| least + rng.below((max - least + 1) as usize) as u32)
                    .collect(),
                // The middle of each of `width` equal parts, so that the spread
                // is even for layers narrower and wider than D.
                DegreeRule::Even => (0..width as u64)
                    .map(|j| 1 + ((2 * j + 1) * u64::from(max) / (2 * width as u64)) as u32)
                    .collect(),
            };
            least = degrees.iter().copied().min().unwrap_or(least);
            degrees
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampled_degrees_are_in_range_and_above_the_layer_below() {
        for seed in 0..50 {
            let degrees = assign(12, &[4, 3, 5], DegreeRule::Sampled, seed);
            let mut least = 1;
            for layer in &degrees {
                assert!(layer.iter().all(|&m| (least..=11).contains(&m)), "{degrees:?}");
                least = *layer.iter().min().unwrap();
            }
        }
        let flat = assign(9, &[4000], DegreeRule::Sampled, 3);
        for m in 1..=8 {
            let n = flat[0].iter().filter(|&&x| x == m).count();
            assert!((400..600).contains(&n), "degree {m}: {n}");
        }
    }

    #[test]
    fn even_degrees_cover_the_range() {
        assert_eq!(assign(5, &[8], DegreeRule::Even, 0), [[1, 1, 2, 2, 3, 3, 4, 4]]);
        assert_eq!(assign(101, &[4], DegreeRule::Even, 0), [[13, 38, 63, 88]]);
    }

    #[test]
    fn one_dimension_has_degree_one() {
        assert_eq!(assign(1, &[2], DegreeRule::Sampled, 0), [[1, 1]]);
        assert_eq!(assign(1, &[2], DegreeRule::Even, 0), [[1, 1]]);
    }
}
