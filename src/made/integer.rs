//! The arithmetic of a layer: the one definition every engine must reproduce.
//!
//! A [`Linear`] maps activations `a` (integers) to sums
//! `s[o] = bias[o] + Σ_i weights[o][i] · a[i]`, exact in `i32` (checked when a
//! model is loaded: [`Linear::sum_bound`]). Hidden sums become activations with
//! [`activate`]. There is no rounding anywhere else. This scalar code is the
//! reference; `engine/` holds the fast ones.

/// Largest sum that a layer may reach, proven from its real weights at load
/// time: |s| < 2^30 leaves room for a table look-up added on top.
pub const SUM_LIMIT: i64 = 1 << 30;

/// A dense integer layer; masked connections are zero weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linear {
    /// Number of inputs.
    pub inputs: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// Weights, row-major `[outputs][inputs]`.
    pub weights: Vec<i16>,
    /// One per output, in units of the sum.
    pub bias: Vec<i32>,
}

impl Linear {
    /// `sums[o] = bias[o] + Σ weights[o][i]·a[i]`; `a.len() == inputs`,
    /// `sums.len() == outputs`.
    pub fn apply(&self, a: &[i16], sums: &mut [i32]) {
        assert_eq!(a.len(), self.inputs);
        assert_eq!(sums.len(), self.outputs);
        for (o, sum) in sums.iter_mut().enumerate() {
            let row = &self.weights[o * self.inputs..(o + 1) * self.inputs];
            *sum = self.bias[o]
                + row.iter().zip(a).map(|(&w, &x)| i32::from(w) * i32::from(x)).sum::<i32>();
        }
    }

    /// The largest |sum| any partial sum can reach for activations with
    /// |a| ≤ `max_input`: max over outputs of |bias| + Σ|w|·max_input.
    pub fn sum_bound(&self, max_input: i64) -> i64 {
        self.weights
            .chunks_exact(self.inputs.max(1))
            .zip(&self.bias)
            .map(|(row, &b)| {
                i64::from(b).abs()
                    + row.iter().map(|&w| i64::from(w).abs()).sum::<i64>() * max_input
            })
            .max()
            .unwrap_or(0)
    }
}

/// A hidden unit's activation: `clamp(floor(sum / 2^shift), 0, max)`.
#[inline(always)]
pub fn activate(sum: i32, shift: u32, max: i16) -> i16 {
    (sum >> shift).clamp(0, i32::from(max)) as i16
}

/// A logit (fraction bits [`super::logistic::LOGIT_BITS`]) from an output sum:
/// `floor(sum / 2^shift)`, unclamped.
#[inline(always)]
pub fn requantize(sum: i32, shift: u32) -> i32 {
    sum >> shift
}
