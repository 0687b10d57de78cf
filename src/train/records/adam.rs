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

/// How large a step is.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The learning rate.
    pub rate: f64,
    /// Decay of matrices, not of biases, per unit of learning rate.
    pub decay: f64,
    /// What the running average keeps.
    pub averaging: f64,
    /// How far the elements of one parameter move to zero, per unit of learning
    /// rate: those stay there whose gradient's mean is below this share of its
    /// root mean square.
    pub l1: f64,
    /// The number of that parameter.
    pub sparse: Option<usize>,
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

    /// One step down the gradients of `loss`.
    pub fn descend(&mut self, loss: &Tensor, by: &Step) {
        for p in &mut self.parameters {
            p.zero_grad();
        }
        loss.backward();
        let _guard = tch::no_grad_guard();
        self.step += 1;
        let t = self.step as f64;
        let correction = (1.0 - BETA2.powf(t)).sqrt() / (1.0 - BETA1.powf(t));
        // Early averages follow closely, or they would remember the start.
        let keep = by.averaging.min(t / (t + 9.0));
        for (i, p) in self.parameters.iter_mut().enumerate() {
            let g = p.grad();
            let (m, v) = (&mut self.m[i], &mut self.v[i]);
            let _ = m.lerp_(&g, 1.0 - BETA1);
            let _ = v.lerp_(&g.square(), 1.0 - BETA2);
            if by.decay > 0.0 && p.dim() > 1 {
                let _ = p.g_mul_scalar_(1.0 - by.rate * by.decay);
            }
            let mut divisor = v.sqrt();
            let _ = divisor.g_add_scalar_(EPSILON).g_mul_scalar_(-1.0 / (by.rate * correction));
            let _ = p.addcdiv_(m, &divisor);
            if by.l1 > 0.0 && by.sparse == Some(i) {
                let shrunk = (p.abs() - by.rate * by.l1).relu() * p.sign();
                p.copy_(&shrunk);
            }
            let _ = self.average[i].lerp_(p, 1.0 - keep);
        }
    }
}
