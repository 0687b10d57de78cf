//! Adam with decoupled weight decay (Kingma and Ba 2015, Loshchilov and Hutter
//! 2019), and the running average of the weights. Own code because a checkpoint
//! needs its state.

use tch::Tensor;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Parameters in training.
pub struct Adam {
    /// Require gradients.
    pub parameters: Vec<Tensor>,
    /// First moments.
    pub m: Vec<Tensor>,
    /// Second moments.
    pub v: Vec<Tensor>,
    /// Averaged parameters.
    pub average: Vec<Tensor>,
    /// Steps taken.
    pub step: i64,
}

impl Adam {
    /// Starts from `parameters`, which it copies.
    pub fn new(parameters: &[Tensor]) -> Self {
        let copy = |p: &Tensor| p.detach().copy();
        Self {
            parameters: parameters.iter().map(|p| copy(p).set_requires_grad(true)).collect(),
            m: parameters.iter().map(Tensor::zeros_like).collect(),
            v: parameters.iter().map(Tensor::zeros_like).collect(),
            average: parameters.iter().map(copy).collect(),
            step: 0,
        }
    }

    /// One step down the gradients of `loss`. Decay acts on matrices, not on
    /// biases.
    pub fn descend(&mut self, loss: &Tensor, rate: f64, decay: f64, averaging: f64) {
        for p in &mut self.parameters {
            p.zero_grad();
        }
        loss.backward();
        let _guard = tch::no_grad_guard();
        self.step += 1;
        let t = self.step as f64;
        let correction = (1.0 - BETA2.powf(t)).sqrt() / (1.0 - BETA1.powf(t));
        // Early averages follow closely, or they would remember the start.
        let keep = averaging.min(t / (t + 9.0));
        for (i, p) in self.parameters.iter_mut().enumerate() {
            let g = p.grad();
            let (m, v) = (&mut self.m[i], &mut self.v[i]);
            let _ = m.g_mul_scalar_(BETA1).g_add_(&(&g * (1.0 - BETA1)));
            let _ = v.g_mul_scalar_(BETA2).g_add_(&(g.square() * (1.0 - BETA2)));
            if decay > 0.0 && p.dim() > 1 {
                let _ = p.g_mul_scalar_(1.0 - rate * decay);
            }
            let _ = p.g_sub_(&(&*m / (v.sqrt() + EPSILON) * (rate * correction)));
            let _ = self.average[i].g_mul_scalar_(keep).g_add_(&(&*p * (1.0 - keep)));
        }
    }
}
