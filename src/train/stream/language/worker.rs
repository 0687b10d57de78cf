//! A thread's share of the lanes.

use std::panic::resume_unwind;
use std::thread;

use tch::{Device, Kind, Reduction, Tensor, no_grad};

use super::cell::Trace;
use super::lanes::Lanes;
use super::layers::{Layers, activation};
use super::tables::Tables;

/// Steps between two updates.
pub(super) const STEPS: usize = 48;

/// A thread's lanes.
pub(super) struct Worker<'a> {
    lanes: Lanes<'a>,
    trace: Option<Trace>,
    kind: Kind,
}

/// What some steps cost, and what is to be learned from them.
#[derive(Default)]
pub(super) struct Work {
    /// Nats of all bits, by the feed-forward layers and by the recurrent one.
    pub losses: [f64; 2],
    /// Gradients of both, in the order of [`Layers::all`].
    pub gradients: Vec<Tensor>,
    /// Rows of the tables, `[place][table]`, and the gradients of their sums, `[place][unit]`.
    pub tables: Vec<(Vec<u16>, Vec<f32>)>,
}

impl<'a> Worker<'a> {
    /// `units`: of the recurrent layer's state, if there is one.
    pub fn new(lanes: Lanes<'a>, [n, units]: [usize; 2], kind: Kind, device: Device) -> Self {
        let shape = [STEPS as i64, n as i64, units as i64];
        let trace = (units > 0).then(|| Trace::new(shape, kind, device));
        Self { lanes, trace, kind }
    }

    /// The next steps; the gradients of the losses' sum too if they are to be learned from.
    fn work(&mut self, layers: &Layers, tables: &Tables, is_learning: bool) -> Work {
        let chunk = self.lanes.chunk(STEPS);
        let (kind, device) = (self.kind, layers.bias.device());
        let units = layers.bias.size()[0] as usize;
        let mut sums = vec![0.0; chunk.rows.len() / tables.len() * units];
        tables.sums(&chunk.rows, &mut sums);
        let sums = Tensor::from_slice(&sums).view([-1, units as i64]).to(device) + &layers.bias;
        let first = activation(&sums).set_requires_grad(is_learning);
        let loss = |logits: Tensor| {
            let reduction = Reduction::Sum;
            logits.binary_cross_entropy_with_logits::<Tensor>(&chunk.bits, None, None, reduction)
        };
        let plain = loss(layers.head.logits(&first, None, &chunk.nodes, kind));
        let mut losses = [plain.double_value(&[]), 0.0];
        let mut total = plain;
        let input = first.detach().to_kind(kind);
        let mut states = None;
        if let (Some(trace), Some((cell, head))) = (&mut self.trace, &layers.recurrent) {
            no_grad(|| trace.forward(cell, &chunk, &input));
            let size = trace.after.size();
            let after = trace.after.detach().view([-1, size[2]]).set_requires_grad(is_learning);
            let recurrent = loss(head.logits(&first, Some(&after), &chunk.nodes, kind));
            losses[1] = recurrent.double_value(&[]);
            total += recurrent;
            states = Some(after);
        }
        if !is_learning {
            return Work { losses, ..Work::default() };
        }
        total.backward();
        no_grad(|| {
            let mut d_first = first.grad();
            let cell = match (&mut self.trace, &layers.recurrent, states) {
                (Some(trace), Some((cell, _)), Some(states)) => {
                    let d_after = states.grad().view_as(&trace.after);
                    let (gradients, d_input) = trace.backward(cell, &chunk, &input, &d_after);
                    d_first += d_input;
                    Some(gradients)
                }
                _ => None,
            };
            // through the activation
            let passed = sums.eq_tensor(&first).logical_and(&sums.gt(0.0));
            let d_sums = d_first * passed;
            let bias = d_sums.sum_dim_intlist([0i64].as_slice(), false, Kind::Float);
            let gradients = layers.gradients(bias, cell);
            let d_sums = d_sums.to(Device::Cpu).contiguous().view([-1]);
            let mut of_sums = vec![0.0; d_sums.numel()];
            d_sums.copy_data(&mut of_sums, d_sums.numel());
            Work {
                losses,
                gradients: gradients.all().into_iter().map(Tensor::shallow_clone).collect(),
                tables: vec![(chunk.rows, of_sums)],
            }
        })
    }
}

/// The next steps of all workers, side by side.
pub(super) fn work(
    workers: &mut [Worker],
    layers: &Layers,
    tables: &Tables,
    is_learning: bool,
) -> Work {
    let done: Vec<Work> = thread::scope(|scope| {
        let threads: Vec<_> = workers
            .iter_mut()
            .map(|worker| {
                let layers = layers.leaves(worker.kind);
                scope.spawn(move || worker.work(&layers, tables, is_learning))
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap_or_else(|e| resume_unwind(e))).collect()
    });
    done.into_iter()
        .reduce(|mut sum, mut next| {
            for (sum, next) in sum.losses.iter_mut().zip(next.losses) {
                *sum += next;
            }
            for (sum, next) in sum.gradients.iter_mut().zip(&next.gradients) {
                *sum += next;
            }
            sum.tables.append(&mut next.tables);
            sum
        })
        .unwrap_or_default()
}
