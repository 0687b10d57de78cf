//! One network under several orderings (the order-agnostic training of Germain et
//! al. 2015, section 4.2).
//!
//! The conditionals of different orderings do not belong to one distribution and
//! cannot be averaged bit by bit. A row as a whole has a probability under each,
//! and the mean of these is one: that is what [`crate::records`] codes rows with.

use super::architecture::{Architecture, MAX_MASKS, MAX_WEIGHTS};
use super::error::ModelError;
use super::network::{Layers, Made};
use super::ordering::Ordering;

/// Networks that share their weights, each under an ordering and masks of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mixture {
    components: Vec<Made>,
    layers: Layers,
}

impl Mixture {
    /// Puts the networks together: `architecture` is that of each, `degrees` has
    /// its masks for the first ordering, then for the second, and so on. Every
    /// weight that all forbid must be zero.
    pub fn new(
        architecture: Architecture,
        orderings: Vec<Ordering>,
        degrees: Vec<Vec<Vec<u32>>>,
        layers: Layers,
    ) -> Result<Self, ModelError> {
        architecture.check()?;
        let all = orderings.len().saturating_mul(architecture.masks);
        ModelError::check_limit("the number of masks", all as u64, MAX_MASKS as u64)?;
        // Each network is laid out for itself.
        let weights = architecture.weights().saturating_mul(all);
        ModelError::check_limit("the number of weights", weights as u64, MAX_WEIGHTS as u64)?;
        if orderings.is_empty() || degrees.len() != all {
            return Err(ModelError::Architecture(format!(
                "{} orderings of {} masks with degrees for {}",
                orderings.len(),
                architecture.masks,
                degrees.len()
            )));
        }
        let components = orderings
            .into_iter()
            .zip(degrees.chunks(architecture.masks))
            .map(|(o, degrees)| Made::pruned(architecture.clone(), o, degrees.to_vec(), &layers))
            .collect::<Result<Vec<_>, _>>()?;
        let mixture = Self { components, layers };
        mixture.check_masks()?;
        Ok(mixture)
    }

    /// The networks, one for each ordering.
    pub fn components(&self) -> &[Made] {
        &self.components
    }

    /// The layers, with the weights that any of the networks lets through.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    fn check_masks(&self) -> Result<(), ModelError> {
        let pruned: Vec<Layers> = self.components.iter().map(Made::layers).collect();
        for (l, (name, linear)) in self.layers.named().enumerate() {
            let of: Vec<_> = pruned.iter().filter_map(|p| p.named().nth(l)).collect();
            let lost = |n: &usize| of.iter().all(|(_, p)| p.weights[*n] == 0);
            let wrong = (0..linear.weights.len()).filter(|&n| linear.weights[n] != 0).find(lost);
            if let Some(n) = wrong {
                let (o, i) = (n / linear.inputs, n % linear.inputs);
                return Err(ModelError::tensor(
                    name,
                    format!("weight [{o}, {i}] is outside every mask and not zero"),
                ));
            }
        }
        Ok(())
    }
}
