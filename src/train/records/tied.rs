//! Tied weights, as in NADE (Larochelle and Murray 2011).
//!
//! There is one group of H hidden units for each number m of known bits, and all
//! groups share their weights: unit h of group m is
//! `relu(c[h] + Σ over the first m bits of W[h][bit]·x[bit])`, and the output of
//! rank m + 1 looks at group m alone. As a MADE that is one hidden layer with
//! H·(D − 1) units, those of group m of degree m.

use crate::made::Ordering;
use crate::made::integer::Linear;
use tch::{Device, Tensor};

/// The shape of a tied network.
pub struct Tied {
    /// Units of a group.
    units: usize,
    sequence: Vec<usize>,
    /// Dimensions in coding order.
    order: Tensor,
    /// Where each dimension stands in it.
    places: Tensor,
}

impl Tied {
    /// For at least two dimensions.
    pub fn new(units: usize, ordering: &Ordering, device: Device) -> Self {
        let index = |places: Vec<i64>| Tensor::from_slice(&places).to_device(device);
        let sequence = ordering.sequence();
        Self {
            units,
            order: index(sequence.iter().map(|&d| d as i64).collect()),
            places: index(ordering.ranks().iter().map(|&r| i64::from(r) - 1).collect()),
            sequence,
        }
    }

    fn dims(&self) -> usize {
        self.sequence.len()
    }

    /// Degrees of the MADE's hidden units.
    pub fn degrees(&self) -> Vec<u32> {
        (1..self.dims() as u32).flat_map(|m| std::iter::repeat_n(m, self.units)).collect()
    }

    /// Sums of all groups, `[rows, D − 1, H]`, from inputs `[rows, D]`, weights
    /// `[H, D]` and biases `[H]`.
    pub fn sums(&self, x: &Tensor, weights: &Tensor, bias: &Tensor) -> Tensor {
        let x = x.index_select(1, &self.order).unsqueeze(-1);
        let weights = weights.transpose(0, 1).index_select(0, &self.order).unsqueeze(0);
        let known = (x * weights).cumsum(1, tch::Kind::Float);
        known.narrow(1, 0, self.dims() as i64 - 1) + bias
    }

    /// Logits `[rows, D]` from activations `[rows, D − 1, H]`, weights `[D, H]` and
    /// biases `[D]`.
    pub fn logits(&self, activations: &Tensor, weights: &Tensor, bias: &Tensor) -> Tensor {
        let weights = weights.index_select(0, &self.order);
        let weights = weights.narrow(0, 1, self.dims() as i64 - 1).unsqueeze(0);
        let sums = (activations * weights).sum_dim_intlist(-1, false, tch::Kind::Float);
        let first = Tensor::zeros([sums.size()[0], 1], (sums.kind(), sums.device()));
        Tensor::cat(&[first, sums], 1).index_select(1, &self.places) + bias
    }

    /// The MADE's layer that the shared weights of layer `l` stand for.
    pub fn expand(&self, l: usize, linear: &Linear) -> Linear {
        let (units, dims) = (self.units, self.dims());
        let all = units * (dims - 1);
        if l == 0 {
            let mut weights = vec![0; all * dims];
            for (u, row) in weights.chunks_exact_mut(dims).enumerate() {
                for &d in &self.sequence[..u / units + 1] {
                    row[d] = linear.weights[u % units * dims + d];
                }
            }
            let bias = linear.bias.repeat(dims - 1);
            return Linear { inputs: dims, outputs: all, weights, bias };
        }
        let mut weights = vec![0; dims * all];
        for (rank, &d) in self.sequence.iter().enumerate().skip(1) {
            let at = d * all + (rank - 1) * units;
            let row = &linear.weights[d * units..(d + 1) * units];
            weights[at..at + units].copy_from_slice(row);
        }
        Linear { inputs: all, outputs: dims, weights, bias: linear.bias.clone() }
    }
}
