//! Gated recurrent units forward through some steps, and back through time (truncated:
//! Williams and Peng, 1990).
//!
//! By hand: what automatic differentiation adds to the products of a step is several times
//! as much as all of this.

use tch::{Device, Kind, Tensor};

use super::lanes::Chunk;

/// Weights of the units.
pub(super) struct Cell {
    /// What the last byte adds to the gates (reset, update, new state), `[256, 3 · units]`;
    pub table: Tensor,
    /// what the first layer of the language model adds, `[3 · units, first]`;
    pub input: Tensor,
    /// what the state adds, `[3 · units, units]`;
    pub gates: Tensor,
    /// `[3 · units]`.
    pub bias: Tensor,
}

/// What is kept of some steps, `[step, lane, …]`.
pub(super) struct Trace {
    steps: i64,
    units: i64,
    /// The state before each step, as it is multiplied, and after.
    before: Tensor,
    multiplied: Tensor,
    pub after: Tensor,
    /// What bytes and first layer add to the gates.
    added: Tensor,
    /// Products of the state.
    products: Tensor,
    /// Reset and update gates.
    gates: Tensor,
    /// New states.
    new: Tensor,
    /// Gradients of what is added to the gates, and of the products, also as multiplied.
    d_added: Tensor,
    d_products: Tensor,
    d_multiplied: Tensor,
}

impl Trace {
    /// For so many steps, lanes and units; products are of a kind.
    pub fn new([steps, lanes, units]: [i64; 3], kind: Kind, device: Device) -> Self {
        let of = |n: i64, kind| Tensor::zeros([steps, lanes, n], (kind, device));
        let (h, float) = (units, Kind::Float);
        Self {
            steps,
            units,
            before: of(h, float),
            multiplied: of(h, kind),
            after: of(h, float),
            added: of(3 * h, float),
            products: of(3 * h, kind),
            gates: of(2 * h, float),
            new: of(h, float),
            d_added: of(3 * h, float),
            d_products: of(3 * h, float),
            d_multiplied: of(3 * h, kind),
        }
    }

    /// Goes through a chunk from the state after the last one; `first` is the first layer,
    /// `[step · lane, unit]`. Both weights that multiply and `first` are of the kind of
    /// products.
    pub fn forward(&mut self, cell: &Cell, chunk: &Chunk, first: &Tensor) {
        let h = self.units;
        let mut state = self.after.get(self.steps - 1).copy();
        let mut added = self.added.view([-1, 3 * h]);
        let _ = cell.table.index_select_out(&added, 0, &chunk.last);
        let _ = added.g_add_(&first.matmul(&cell.input.tr()));
        let _ = added.g_add_(&cell.bias);
        let turned = cell.gates.tr();
        for t in 0..self.steps {
            let mut before = self.before.get(t);
            before.copy_(&state);
            if let Some(goes_on) = &chunk.goes_on[t as usize] {
                let _ = before.g_mul_(goes_on);
            }
            let mut multiplied = self.multiplied.get(t);
            multiplied.copy_(&before);
            let (products, added) = (self.products.get(t), self.added.get(t));
            let _ = multiplied.matmul_out(&products, &turned);
            let mut gates = self.gates.get(t);
            let _ = added.narrow(1, 0, 2 * h).add_out(&gates, &products.narrow(1, 0, 2 * h));
            let _ = gates.sigmoid_();
            let (reset, update) = (gates.narrow(1, 0, h), gates.narrow(1, h, h));
            let mut new = self.new.get(t);
            let let_through = products.narrow(1, 2 * h, h).to_kind(Kind::Float);
            let _ = added.narrow(1, 2 * h, h).addcmul_out(&new, &reset, &let_through);
            let _ = new.tanh_();
            let after = self.after.get(t);
            let _ = new.lerp_tensor_out(&after, &before, &update);
            state = after;
        }
    }

    /// Gradients of the weights from those of the states after each step, `[step, lane, unit]`,
    /// and of the first layer, `[step · lane, unit]`.
    pub fn backward(
        &mut self,
        cell: &Cell,
        chunk: &Chunk,
        first: &Tensor,
        d_after: &Tensor,
    ) -> (Cell, Tensor) {
        let (h, float) = (self.units, Kind::Float);
        let mut carried = self.after.get(0).zeros_like();
        let room = [carried.zeros_like(), carried.zeros_like()];
        for t in (0..self.steps).rev() {
            let _ = carried.g_add_(&d_after.get(t));
            let (gates, new, products) = (self.gates.get(t), self.new.get(t), self.products.get(t));
            let (reset, update) = (gates.narrow(1, 0, h), gates.narrow(1, h, h));
            let (d_added, d_products) = (self.d_added.get(t), self.d_products.get(t));
            let [a, b] = &room;
            // update gate: d · (before − new)
            let _ = self.before.get(t).sub_out(a, &new);
            let _ = a.mul_out(b, &carried);
            let _ = Tensor::sigmoid_backward_grad_input(&d_products.narrow(1, h, h), b, &update);
            // new state: d · (1 − update)
            let kept = a;
            let _ = carried.mul_out(kept, &update);
            let _ = carried.sub_out(b, kept);
            let d_new = d_added.narrow(1, 2 * h, h);
            let _ = Tensor::tanh_backward_grad_input(&d_new, b, &new);
            // reset gate, and the product that it lets through
            let _ = d_new.mul_out(b, &products.narrow(1, 2 * h, h).to_kind(float));
            let _ = Tensor::sigmoid_backward_grad_input(&d_products.narrow(1, 0, h), b, &reset);
            let _ = d_new.mul_out(&d_products.narrow(1, 2 * h, h), &reset);
            carried.copy_(kept);
            let mut multiplied = self.d_multiplied.get(t);
            multiplied.copy_(&d_products);
            let _ = carried.g_add_(&multiplied.matmul(&cell.gates));
            if let Some(goes_on) = &chunk.goes_on[t as usize] {
                let _ = carried.g_mul_(goes_on);
            }
        }
        self.d_added.narrow(2, 0, 2 * h).copy_(&self.d_products.narrow(2, 0, 2 * h));
        let d_added = self.d_added.view([-1, 3 * h]);
        let multiplied = d_added.to_kind(first.kind());
        let states = self.multiplied.view([-1, h]);
        let gradients = Cell {
            table: Tensor::embedding_dense_backward(&d_added, &chunk.last, 256, -1, false),
            input: multiplied.tr().matmul(first).to_kind(float),
            gates: self.d_multiplied.view([-1, 3 * h]).tr().matmul(&states).to_kind(float),
            bias: d_added.sum_dim_intlist([0i64].as_slice(), false, float),
        };
        (gradients, multiplied.matmul(&cell.input).to_kind(float))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_are_those_of_automatic_differentiation() {
        let [steps, lanes, units, first] = [5, 3, 4, 2];
        let float = (Kind::Float, Device::Cpu);
        tch::manual_seed(3);
        let random = |shape: &[i64]| Tensor::randn(shape, float).set_requires_grad(true);
        let cell = Cell {
            table: random(&[256, 3 * units]),
            input: random(&[3 * units, first]),
            gates: random(&[3 * units, units]),
            bias: random(&[3 * units]),
        };
        let inputs = random(&[steps * lanes, first]);
        let begins = Tensor::from_slice(&[1f32, 0.0, 1.0]).view([lanes, 1]);
        let chunk = Chunk {
            rows: Vec::new(),
            last: Tensor::from_slice(&(0..steps * lanes).map(|i| i * i % 7).collect::<Vec<_>>()),
            nodes: Tensor::new(),
            bits: Tensor::new(),
            goes_on: (0..steps).map(|t| (t == 2).then(|| begins.copy())).collect(),
        };
        // the definition, step by step
        let start = Tensor::randn([lanes, units], float);
        let added = cell.table.index_select(0, &chunk.last) + inputs.matmul(&cell.input.tr());
        let added = (added + &cell.bias).view([steps, lanes, 3 * units]);
        let mut state = start.copy();
        let mut after = Vec::new();
        for t in 0..steps {
            if let Some(goes_on) = &chunk.goes_on[t as usize] {
                // not in place: it is kept above
                state = state.g_mul(goes_on);
            }
            let (a, p) = (added.get(t).chunk(3, 1), state.matmul(&cell.gates.tr()).chunk(3, 1));
            let (reset, update) = ((&a[0] + &p[0]).sigmoid(), (&a[1] + &p[1]).sigmoid());
            let new = (&a[2] + reset * &p[2]).tanh();
            state = &new + update * (state - &new);
            after.push(state.shallow_clone());
        }
        let after = Tensor::stack(&after, 0);
        let d_after = Tensor::randn([steps, lanes, units], float);
        (&after * &d_after).sum(Kind::Float).backward();

        let mut trace = Trace::new([steps, lanes, units], Kind::Float, Device::Cpu);
        let (got, d_inputs) = tch::no_grad(|| {
            trace.after.get(steps - 1).copy_(&start);
            trace.forward(&cell, &chunk, &inputs);
            trace.backward(&cell, &chunk, &inputs, &d_after)
        });
        let near = |a: &Tensor, b: &Tensor| {
            let far = (a - b).abs().max().double_value(&[]);
            assert!(far < 1e-4, "{far}");
        };
        near(&trace.after, &after);
        near(&d_inputs, &inputs.grad());
        near(&got.table, &cell.table.grad());
        near(&got.input, &cell.input.grad());
        near(&got.gates, &cell.gates.grad());
        near(&got.bias, &cell.bias.grad());
    }
}
