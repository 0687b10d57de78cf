//! Adam with decoupled weight decay (Kingma and Ba 2015, Loshchilov and Hutter
//! 2019), and the running average of the weights. Own code because a checkpoint
//! needs its state.

use tch::{Device, Tensor};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;
/// Elements that a step on the CPU passes over, several times, before it goes on to others.
const PIECE: i64 = 1 << 16;

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
        let gradients = Tensor::run_backward(&[loss], &self.parameters, false, false);
        let _guard = tch::no_grad_guard();
        self.step += 1;
        let t = self.step as f64;
        let correction = (1.0 - BETA2.powf(t)).sqrt() / (1.0 - BETA1.powf(t));
        // Early averages follow closely, or they would remember the start.
        let keep = by.averaging.min(t / (t + 9.0));
        for (i, (parameter, gradient)) in self.parameters.iter().zip(&gradients).enumerate() {
            let decay = if parameter.dim() > 1 { by.rate * by.decay } else { 0.0 };
            let l1 = if by.sparse == Some(i) { by.rate * by.l1 } else { 0.0 };
            let mut parts = [parameter, &self.m[i], &self.v[i], &self.average[i]].map(pieces);
            for (n, g) in pieces(&gradient.contiguous()).iter().enumerate() {
                let [p, m, v, average] = parts.each_mut().map(|part| &mut part[n]);
                let _ = m.lerp_(g, 1.0 - BETA1);
                let _ = v.lerp_(&g.square(), 1.0 - BETA2);
                if decay > 0.0 {
                    let _ = p.g_mul_scalar_(1.0 - decay);
                }
                // Inside of the root: numbers near zero have slow ones.
                let mut divisor = (&*v + EPSILON * EPSILON).sqrt();
                let _ = divisor.g_mul_scalar_(-1.0 / (by.rate * correction));
                let _ = p.addcdiv_(m, &divisor);
                if l1 > 0.0 {
                    let shrunk = (p.abs() - l1).relu() * p.sign();
                    p.copy_(&shrunk);
                }
                let _ = average.lerp_(p, 1.0 - keep);
            }
        }
    }
}

/// A tensor's elements, which they share, in pieces that a cache holds; on a device in one: there
/// it is starting that takes time.
fn pieces(tensor: &Tensor) -> Vec<Tensor> {
    let flat = tensor.detach().view(-1);
    if flat.device() == Device::Cpu { flat.split(PIECE, 0) } else { vec![flat] }
}
