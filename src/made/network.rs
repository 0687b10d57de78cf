//! The integer MADE of a row of bits, and its scalar reference.

use super::architecture::Architecture;
use super::degrees::max_hidden_degree;
use super::error::ModelError;
use super::integer::{Linear, SUM_LIMIT, activate, requantize};
use super::logistic::squash;
use super::masks::{self, Rule};
use super::ordering::Ordering;

/// A checked network: every weight outside the masks is zero, no sum can leave
/// the range of [`SUM_LIMIT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    architecture: Architecture,
    ordering: Ordering,
    degrees: Vec<Vec<Vec<u32>>>,
    hidden: Vec<Linear>,
    output: Linear,
    direct: Option<Linear>,
}

/// The layers of a network, before they are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers {
    /// Hidden layers, from the inputs up.
    pub hidden: Vec<Linear>,
    /// The output layer.
    pub output: Linear,
    /// Direct links from inputs to outputs; their bias is zero.
    pub direct: Option<Linear>,
}

impl Layers {
    /// Every layer, with the name its tensors have.
    pub fn named(&self) -> impl Iterator<Item = (String, &Linear)> {
        let hidden = self.hidden.iter().enumerate().map(|(l, h)| (format!("hidden.{l}"), h));
        let direct = self.direct.iter().map(|d| ("direct".into(), d));
        hidden.chain([("output".into(), &self.output)]).chain(direct)
    }
}

impl Made {
    /// Puts a network together.
    ///
    /// `degrees` is `[mask][layer][unit]`. With one mask every weight that it
    /// forbids must be zero; with several, every weight that all forbid.
    pub fn new(
        architecture: Architecture,
        ordering: Ordering,
        degrees: Vec<Vec<Vec<u32>>>,
        layers: Layers,
    ) -> Result<Self, ModelError> {
        architecture.check()?;
        let Layers { hidden, output, direct } = layers;
        let made = Self { architecture, ordering, degrees, hidden, output, direct };
        made.check_shapes()?;
        made.check_masks()?;
        made.check_sums()?;
        Ok(made)
    }

    /// Puts together a network in which every weight that all masks forbid is
    /// taken as zero.
    pub(super) fn pruned(
        architecture: Architecture,
        ordering: Ordering,
        degrees: Vec<Vec<Vec<u32>>>,
        layers: &Layers,
    ) -> Result<Self, ModelError> {
        architecture.check()?;
        let Layers { hidden, output, direct } = layers.clone();
        let mut made = Self { architecture, ordering, degrees, hidden, output, direct };
        made.check_shapes()?;
        let degrees: Vec<_> = (0..made.architecture.masks).map(|k| made.unit_degrees(k)).collect();
        let ranks = made.ordering.ranks();
        let prune = |linear: &mut Linear, allowed: &dyn Fn(usize, usize) -> bool| {
            let inputs = linear.inputs;
            for (n, w) in linear.weights.iter_mut().enumerate() {
                *w *= i16::from(allowed(n % inputs, n / inputs));
            }
        };
        for (l, linear) in made.hidden.iter_mut().enumerate() {
            prune(linear, &|i, o| degrees.iter().any(|d| masks::into_hidden(d[l][i], d[l + 1][o])));
        }
        let last = made.hidden.len();
        prune(&mut made.output, &|i, o| {
            degrees.iter().any(|d| masks::into_output(d[last][i], ranks[o]))
        });
        if let Some(direct) = &mut made.direct {
            prune(direct, &|i, o| masks::into_output(ranks[i], ranks[o]));
        }
        made.check_sums()?;
        Ok(made)
    }

    /// The shape.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The order of the dimensions.
    pub fn ordering(&self) -> &Ordering {
        &self.ordering
    }

    /// Degrees of the hidden units, `[mask][layer][unit]`.
    pub fn degrees(&self) -> &[Vec<Vec<u32>>] {
        &self.degrees
    }

    /// The layers, with the weights that any of the masks lets through.
    pub fn layers(&self) -> Layers {
        Layers {
            hidden: self.hidden.clone(),
            output: self.output.clone(),
            direct: self.direct.clone(),
        }
    }

    /// The network under mask number `k`, forbidden weights zero.
    ///
    /// # Panics
    /// When there is no such mask.
    pub fn masked(&self, k: usize) -> MaskedMade {
        let degrees = self.unit_degrees(k);
        let apply = |linear: &Linear, from: &[u32], to: &[u32], rule: Rule| {
            let mut linear = linear.clone();
            let mask = masks::mask(from, to, rule);
            linear.weights.iter_mut().zip(mask).for_each(|(w, allowed)| *w *= i16::from(allowed));
            linear
        };
        let hidden = self
            .hidden
            .iter()
            .enumerate()
            .map(|(l, h)| apply(h, &degrees[l], &degrees[l + 1], masks::into_hidden))
            .collect();
        let ranks = self.ordering.ranks();
        MaskedMade {
            architecture: self.architecture.clone(),
            hidden,
            output: apply(&self.output, &degrees[degrees.len() - 1], ranks, masks::into_output),
            direct: self.direct.clone(),
            degrees: degrees[1..].to_vec(),
        }
    }

    /// Probabilities (16 bits, of a one) of every dimension of a row, by the
    /// scalar reference; `bits` holds one 0 or 1 per dimension.
    ///
    /// # Panics
    /// When `bits` does not have the row's length.
    pub fn probabilities(&self, bits: &[u8]) -> Vec<u16> {
        let mut total = vec![0u32; self.architecture.dims];
        for k in 0..self.architecture.masks {
            for (t, logit) in total.iter_mut().zip(self.masked(k).logits(bits)) {
                *t += u32::from(squash(logit));
            }
        }
        total.into_iter().map(|t| mean_probability(t, self.architecture.masks)).collect()
    }

    /// Degrees of inputs and hidden units under mask `k`.
    fn unit_degrees(&self, k: usize) -> Vec<Vec<u32>> {
        let inputs = std::iter::once(self.ordering.ranks().to_vec());
        inputs.chain(self.degrees[k].iter().cloned()).collect()
    }

    fn check_shapes(&self) -> Result<(), ModelError> {
        let a = &self.architecture;
        let wrong = |what: String| Err(ModelError::Architecture(what));
        if self.ordering.dims() != a.dims {
            return wrong(format!("the ordering has {} dimensions", self.ordering.dims()));
        }
        if self.degrees.len() != a.masks || self.hidden.len() != a.hidden.len() {
            return wrong("the numbers of masks or layers do not fit".into());
        }
        if a.direct != self.direct.is_some() {
            return wrong("the direct links do not fit".into());
        }
        let max = max_hidden_degree(a.dims);
        for mask in &self.degrees {
            if mask.iter().map(Vec::len).ne(a.hidden.iter().copied()) {
                return wrong("the numbers of degrees do not fit the hidden layers".into());
            }
            if let Some(m) = mask.iter().flatten().find(|&&m| m == 0 || m > max) {
                return wrong(format!("degree {m} of a hidden unit is not in 1..={max}"));
            }
        }
        let widths = a.widths();
        let shape = |name: &str, l: &Linear, inputs: usize, outputs: usize| {
            let fits = l.inputs == inputs
                && l.outputs == outputs
                && l.weights.len() == inputs * outputs
                && l.bias.len() == outputs;
            if fits {
                Ok(())
            } else {
                Err(ModelError::tensor(name, format!("should be [{outputs}, {inputs}]")))
            }
        };
        for (l, linear) in self.hidden.iter().enumerate() {
            shape(&format!("hidden.{l}"), linear, widths[l], widths[l + 1])?;
        }
        shape("output", &self.output, widths[widths.len() - 1], a.dims)?;
        if let Some(direct) = &self.direct {
            shape("direct", direct, a.dims, a.dims)?;
            if direct.bias.iter().any(|&b| b != 0) {
                return Err(ModelError::tensor("direct", "has a bias"));
            }
        }
        Ok(())
    }

    fn check_masks(&self) -> Result<(), ModelError> {
        let degrees: Vec<_> = (0..self.architecture.masks).map(|k| self.unit_degrees(k)).collect();
        let ranks = self.ordering.ranks();
        let check = |name: String, linear: &Linear, allowed: &dyn Fn(usize, usize) -> bool| {
            for (o, row) in linear.weights.chunks_exact(linear.inputs).enumerate() {
                if let Some(i) = (0..linear.inputs).find(|&i| row[i] != 0 && !allowed(i, o)) {
                    return Err(ModelError::tensor(
                        name,
                        format!("weight [{o}, {i}] is outside the mask and not zero"),
                    ));
                }
            }
            Ok(())
        };
        for (l, linear) in self.hidden.iter().enumerate() {
            check(format!("hidden.{l}"), linear, &|i, o| {
                degrees.iter().any(|d| masks::into_hidden(d[l][i], d[l + 1][o]))
            })?;
        }
        let last = self.hidden.len();
        check("output".into(), &self.output, &|i, o| {
            degrees.iter().any(|d| masks::into_output(d[last][i], ranks[o]))
        })?;
        match &self.direct {
            Some(direct) => {
                check("direct".into(), direct, &|i, o| masks::into_output(ranks[i], ranks[o]))
            }
            None => Ok(()),
        }
    }

    fn check_sums(&self) -> Result<(), ModelError> {
        let bounds = SumBounds::of(&self.architecture, &self.hidden, &self.output, &self.direct);
        let all = bounds.hidden.iter().chain([&bounds.output]);
        match all.copied().max() {
            Some(b) if b >= SUM_LIMIT => {
                ModelError::check_limit("the bound of a sum", b as u64, SUM_LIMIT as u64 - 1)
            }
            _ => Ok(()),
        }
    }
}

/// The largest |partial sum| of each layer, proven from the weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SumBounds {
    /// Of each hidden layer.
    pub hidden: Vec<i64>,
    /// Of the output layer, the shifted direct links included.
    pub output: i64,
}

impl SumBounds {
    fn of(a: &Architecture, hidden: &[Linear], output: &Linear, direct: &Option<Linear>) -> Self {
        let max = i64::from(a.max_activation());
        let input_of = |l: usize| if l == 0 { 1 } else { max };
        Self {
            hidden: hidden.iter().enumerate().map(|(l, h)| h.sum_bound(input_of(l))).collect(),
            output: output.sum_bound(input_of(hidden.len()))
                + direct.as_ref().map_or(0, |d| d.sum_bound(1) << a.direct_shift),
        }
    }
}

/// The mean of `masks` probabilities whose sum is `total`, rounded; in 1..=65535
/// when each of them is.
#[inline]
pub fn mean_probability(total: u32, masks: usize) -> u16 {
    let k = masks as u32;
    ((total + k / 2) / k) as u16
}

/// A network under one mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedMade {
    /// The shape; `masks` counts those of the whole model.
    pub architecture: Architecture,
    /// Hidden layers.
    pub hidden: Vec<Linear>,
    /// Output layer.
    pub output: Linear,
    /// Direct links.
    pub direct: Option<Linear>,
    /// Degrees of the hidden units, `[layer][unit]`.
    pub degrees: Vec<Vec<u32>>,
}

impl MaskedMade {
    /// Logits of every dimension: the reference that engines must reproduce.
    ///
    /// # Panics
    /// When `bits` does not have the row's length.
    pub fn logits(&self, bits: &[u8]) -> Vec<i32> {
        let a = &self.architecture;
        let inputs: Vec<i16> = bits.iter().map(|&b| i16::from(b)).collect();
        let mut activations = inputs.clone();
        for (layer, &shift) in self.hidden.iter().zip(&a.hidden_shifts) {
            let mut sums = vec![0; layer.outputs];
            layer.apply(&activations, &mut sums);
            activations = sums.iter().map(|&s| activate(s, shift, a.max_activation())).collect();
        }
        let mut sums = vec![0; self.output.outputs];
        self.output.apply(&activations, &mut sums);
        if let Some(direct) = &self.direct {
            let mut links = vec![0; direct.outputs];
            direct.apply(&inputs, &mut links);
            sums.iter_mut().zip(links).for_each(|(s, d)| *s += d << a.direct_shift);
        }
        sums.into_iter().map(|s| requantize(s, a.output_shift)).collect()
    }

    /// The largest partial sums this mask can reach.
    pub fn sum_bounds(&self) -> SumBounds {
        SumBounds::of(&self.architecture, &self.hidden, &self.output, &self.direct)
    }
}
