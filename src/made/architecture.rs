//! The shape of a records network, as its model file describes it.

use super::error::ModelError;
use serde::{Deserialize, Serialize};

/// Most bits of a row.
pub const MAX_DIMS: usize = 1 << 16;
/// Most hidden layers.
pub const MAX_LAYERS: usize = 8;
/// Most units of a hidden layer.
pub const MAX_WIDTH: usize = 1 << 15;
/// Most masks (each is evaluated for every row).
pub const MAX_MASKS: usize = 64;
/// Most weights of a model, all layers together.
pub const MAX_WEIGHTS: usize = 1 << 27;
/// Largest shift of a layer's sums.
pub const MAX_SHIFT: u32 = 24;

/// The masked autoencoder of one row of bits.
///
/// Inputs are the row's bits as 0 and 1. Hidden activations are
/// `clamp(floor(sum / 2^shift), 0, 2^activation_bits − 1)`; the logit of an
/// output is `floor(sum / 2^output_shift)`, where the sum is the output layer's
/// plus, with direct links, 2^direct_shift times theirs. With several masks the
/// probability is the rounded mean over the masks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Bits of a row.
    pub dims: usize,
    /// Units of each hidden layer; none makes an FVSBN: the outputs look at the
    /// inputs.
    pub hidden: Vec<usize>,
    /// Masks whose probabilities are averaged, bit by bit, under one ordering.
    pub masks: usize,
    /// Whether there are links from inputs straight to outputs beside the hidden
    /// layers.
    pub direct: bool,
    /// Activations of hidden units lie in `0..2^activation_bits`; at most 15.
    pub activation_bits: u32,
    /// Shift of each hidden layer's sums.
    pub hidden_shifts: Vec<u32>,
    /// Shift of the output sums.
    pub output_shift: u32,
    /// Left shift of the direct links' sums.
    pub direct_shift: u32,
}

impl Architecture {
    /// Checks every bound; only a checked architecture may size an allocation.
    pub fn check(&self) -> Result<(), ModelError> {
        let limit = |what: &str, got: usize, max: usize| {
            ModelError::check_limit(what, got as u64, max as u64)
        };
        limit("the number of dimensions", self.dims, MAX_DIMS)?;
        limit("the number of hidden layers", self.hidden.len(), MAX_LAYERS)?;
        limit("the number of masks", self.masks, MAX_MASKS)?;
        limit("activation_bits", self.activation_bits as usize, 15)?;
        let shifts = self.hidden_shifts.iter().chain([&self.output_shift, &self.direct_shift]);
        for &shift in shifts {
            limit("a shift", shift as usize, MAX_SHIFT as usize)?;
        }
        for &width in &self.hidden {
            limit("the width of a hidden layer", width, MAX_WIDTH)?;
        }
        let wrong = |text: &str| Err(ModelError::Architecture(text.into()));
        if self.dims == 0 || self.masks == 0 || self.hidden.contains(&0) {
            return wrong("dims, masks and the widths of hidden layers are at least 1");
        }
        if self.activation_bits == 0 {
            return wrong("activation_bits is at least 1");
        }
        if self.hidden_shifts.len() != self.hidden.len() {
            return wrong("there is one shift for each hidden layer");
        }
        if self.hidden.is_empty() && (self.masks != 1 || self.direct) {
            return wrong("without hidden layers there is one mask, and every link is direct");
        }
        limit("the number of weights", self.weights(), MAX_WEIGHTS)
    }

    /// Inputs of each layer, from the first hidden one to the output.
    pub fn widths(&self) -> Vec<usize> {
        std::iter::once(self.dims).chain(self.hidden.iter().copied()).collect()
    }

    /// Number of weights, masked ones included.
    pub fn weights(&self) -> usize {
        let widths = self.widths();
        let layers: usize = widths.windows(2).map(|w| w[0] * w[1]).sum();
        let last = widths[widths.len() - 1] * self.dims;
        layers + last + if self.direct { self.dims * self.dims } else { 0 }
    }

    /// The largest activation of a hidden unit.
    pub fn max_activation(&self) -> i16 {
        ((1u32 << self.activation_bits) - 1) as i16
    }

    /// Bytes of a packed row.
    pub fn row_bytes(&self) -> usize {
        self.dims.div_ceil(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Architecture {
        Architecture {
            dims: 5,
            hidden: vec![4, 3],
            masks: 2,
            direct: true,
            activation_bits: 8,
            hidden_shifts: vec![5, 6],
            output_shift: 4,
            direct_shift: 3,
        }
    }

    #[test]
    fn sizes_are_counted() {
        let a = small();
        a.check().unwrap();
        assert_eq!(a.weights(), 5 * 4 + 4 * 3 + 3 * 5 + 5 * 5);
        assert_eq!(a.max_activation(), 255);
        assert_eq!(a.row_bytes(), 1);
    }

    #[test]
    fn what_cannot_be_built_is_refused() {
        let changes: [fn(&mut Architecture); 13] = [
            |a| a.dims = 0,
            |a| a.dims = MAX_DIMS + 1,
            |a| a.masks = 0,
            |a| a.masks = usize::MAX,
            |a| a.hidden = vec![4, 0],
            |a| a.hidden = vec![4; MAX_LAYERS + 1],
            |a| a.hidden = vec![MAX_WIDTH, MAX_WIDTH],
            |a| a.hidden_shifts = vec![5],
            |a| a.hidden_shifts = vec![5, 31],
            |a| a.output_shift = 32,
            |a| a.direct_shift = u32::MAX,
            |a| a.activation_bits = 16,
            |a| a.hidden = vec![],
        ];
        for (i, change) in changes.iter().enumerate() {
            let mut a = small();
            change(&mut a);
            assert!(a.check().is_err(), "change {i}");
        }
    }
}
