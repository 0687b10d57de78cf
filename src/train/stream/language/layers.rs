//! The layers in floating point.

use tch::nn::{Init, Path};
use tch::{Kind, Tensor, no_grad};

use super::cell::Cell;
use crate::stream::language::NODES;
use crate::stream::network::MAX_ACTIVATION;
use crate::stream::recurrent::{MAX_WEIGHT, WEIGHT_BITS};

/// Weights of what is above the state: a second layer and the nodes of a byte.
pub(super) struct Head {
    /// First layer of the language model → second layer,
    pub first: Tensor,
    /// and state → second layer, if this is that of the recurrent layer.
    pub state: Option<Tensor>,
    pub bias: Tensor,
    pub output: Tensor,
    pub output_bias: Tensor,
}

/// A variable of normal random numbers.
fn random(root: &Path, name: &str, shape: &[i64], stdev: f64) -> Tensor {
    root.var(name, shape, Init::Randn { mean: 0.0, stdev })
}

impl Head {
    fn new(root: &Path, first: usize, state: Option<usize>, second: usize) -> Self {
        let inputs = (first + state.unwrap_or(0)) as f64;
        let second = second as i64;
        let zero = |name: &str, n: i64| root.var(name, &[n], Init::Const(0.0));
        let stdev = (2.0 / inputs).sqrt();
        Self {
            first: random(root, "first", &[second, first as i64], stdev),
            state: state.map(|state| random(root, "state", &[second, state as i64], stdev)),
            bias: zero("bias", second),
            output: random(root, "output", &[NODES as i64, second], 0.02),
            output_bias: zero("output_bias", NODES as i64),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Tensor> {
        let Self { first, state, bias, output, output_bias } = self;
        [first, bias, output, output_bias].into_iter().chain(state)
    }

    fn map(&self, f: impl Fn(&Tensor) -> Tensor) -> Self {
        Self {
            first: f(&self.first),
            state: self.state.as_ref().map(&f),
            bias: f(&self.bias),
            output: f(&self.output),
            output_bias: f(&self.output_bias),
        }
    }

    /// The logits of the nodes of a byte's bits, `[byte, 8]`.
    pub fn logits(
        &self,
        first: &Tensor,
        states: Option<&Tensor>,
        nodes: &Tensor,
        kind: Kind,
    ) -> Tensor {
        let times = |t: &Tensor, w: &Tensor| {
            t.to_kind(kind).matmul(&w.to_kind(kind).tr()).to_kind(Kind::Float)
        };
        let mut sums = times(first, &self.first) + &self.bias;
        if let (Some(states), Some(weights)) = (states, &self.state) {
            sums += times(states, weights);
        }
        let second = activation(&sums);
        (times(&second, &self.output) + &self.output_bias).gather(1, nodes, false)
    }
}

/// Activations of a layer's sums.
pub(super) fn activation(sums: &Tensor) -> Tensor {
    sums.clamp(0.0, f64::from(MAX_ACTIVATION) / 32.0)
}

/// All layers.
pub(super) struct Layers {
    /// Of the first layer.
    pub bias: Tensor,
    pub head: Head,
    pub recurrent: Option<(Cell, Head)>,
}

/// What the bias of the update gate starts as: a state is kept for some steps.
const KEEPS: f64 = 1.0;
/// Entries of the recurrent layer's table, and weights of its nodes, stay within this: they have
/// 6 fraction bits of 8.
const MOST: f64 = i8::MAX as f64 / (1 << WEIGHT_BITS) as f64;
/// Its other weights stay within this (FORMAT §15.1).
const MOST_WEIGHT: f64 = MAX_WEIGHT as f64 / (1 << WEIGHT_BITS) as f64;

impl Layers {
    /// Random ones: so many units of the first and the second layer, and of the recurrent
    /// layer's state and second layer.
    pub fn new(root: &Path, [first, second]: [usize; 2], recurrent: Option<[usize; 2]>) -> Self {
        let recurrent = recurrent.map(|[state, second]| {
            let root = &(root / "recurrent");
            let head = Head::new(&(root / "head"), first, Some(state), second);
            let [h, f] = [state as i64, first as i64];
            let cell = Cell {
                table: random(root, "table", &[256, 3 * h], 0.1),
                input: random(root, "input", &[3 * h, f], 0.3 / (f as f64).sqrt()),
                gates: random(root, "gates", &[3 * h, h], 1.0 / (h as f64).sqrt()),
                bias: root.var("bias", &[3 * h], Init::Const(0.0)),
            };
            let _ = no_grad(|| cell.bias.narrow(0, h, h).fill_(KEEPS));
            (cell, head)
        });
        Self {
            bias: root.var("bias", &[first as i64], Init::Const(0.0)),
            head: Head::new(&(root / "head"), first, None, second),
            recurrent,
        }
    }

    /// All of them, in one order.
    pub fn all(&self) -> Vec<&Tensor> {
        let mut all = vec![&self.bias];
        all.extend(self.head.all());
        if let Some((Cell { table, input, gates, bias }, head)) = &self.recurrent {
            all.extend([table, input, gates, bias]);
            all.extend(head.all());
        }
        all
    }

    /// The same numbers for another thread: leaves of a graph of its own, those of the cell
    /// as they are multiplied.
    pub fn leaves(&self, kind: Kind) -> Self {
        let graph = |t: &Tensor| t.detach().set_requires_grad(true);
        let product = |t: &Tensor| t.detach().to_kind(kind);
        Self {
            bias: self.bias.detach(),
            head: self.head.map(graph),
            recurrent: self.recurrent.as_ref().map(|(cell, head)| {
                let cell = Cell {
                    table: cell.table.detach(),
                    input: product(&cell.input),
                    gates: product(&cell.gates),
                    bias: cell.bias.detach(),
                };
                (cell, head.map(graph))
            }),
        }
    }

    /// The gradients of what [`Self::leaves`] made, but for those of the cell.
    pub fn gradients(&self, bias: Tensor, cell: Option<Cell>) -> Self {
        Self {
            bias,
            head: self.head.map(Tensor::grad),
            recurrent: self
                .recurrent
                .as_ref()
                .zip(cell)
                .map(|((_, head), cell)| (cell, head.map(Tensor::grad))),
        }
    }

    /// Keeps weights where integers can be.
    pub fn bound(&self) {
        let Some((cell, head)) = &self.recurrent else { return };
        let bound = |weights: &Tensor, most: f64| {
            let _ = weights.shallow_clone().clamp_(-most, most);
        };
        no_grad(|| {
            [&cell.table, &head.output].into_iter().for_each(|w| bound(w, MOST));
            let weights = [&cell.input, &cell.gates, &head.first].into_iter();
            weights.chain(&head.state).for_each(|w| bound(w, MOST_WEIGHT));
        });
    }
}
