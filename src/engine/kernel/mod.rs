//! Matrix–vector kernels, one for each instruction set, all exactly the sums of
//! [`Linear`]. Callers are generic over [`Kernel`] and marked
//! `#[inline(always)]`; [`with_kernel`](crate::with_kernel) instantiates them inside a function
//! compiled for the instruction set, so that plain loops are vectorized for it
//! too.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod isa;
mod scalar;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
pub use isa::Isa;
pub use scalar::Scalar;

use crate::made::integer::Linear;

/// Outputs are padded to a multiple of this.
pub const LANES: usize = 16;

/// Weights laid out for the kernels: pairs of inputs, `[pair][output][2]`,
/// outputs padded with zeros to a multiple of [`LANES`].
#[derive(Clone, Debug)]
pub struct Packed {
    /// Number of inputs, even.
    pub inputs: usize,
    /// Number of outputs, a multiple of [`LANES`].
    pub outputs: usize,
    /// `inputs · outputs` weights.
    pub weights: Vec<i16>,
    /// One per output.
    pub bias: Vec<i32>,
}

impl Packed {
    /// Lays out a layer.
    pub fn new(layer: &Linear) -> Self {
        let inputs = layer.inputs.next_multiple_of(2);
        let outputs = layer.outputs.next_multiple_of(LANES);
        let mut weights = vec![0; inputs * outputs];
        for o in 0..layer.outputs {
            for i in 0..layer.inputs {
                weights[(i / 2 * outputs + o) * 2 + i % 2] = layer.weights[o * layer.inputs + i];
            }
        }
        let mut bias = layer.bias.clone();
        bias.resize(outputs, 0);
        Self { inputs, outputs, weights, bias }
    }
}

/// An instruction set's way to multiply.
pub trait Kernel: Copy + Send + Sync + 'static {
    /// `sums[o] += Σ_i w[o][i]·a[i]`, wrapping nowhere because the model's sums
    /// are proven to fit. `a.len() >= w.inputs`, `sums.len() >= w.outputs`.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    unsafe fn accumulate(w: &Packed, a: &[i16], sums: &mut [i32]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_kernel_equals_the_reference(
            inputs in 1usize..70, outputs in 1usize..70, seed in any::<u64>(), extreme in any::<bool>()
        ) {
            let mut state = seed | 1;
            let mut next = |bound: i64| {
                state ^= state << 13; state ^= state >> 7; state ^= state << 17;
                if extreme { if state & 1 == 0 { bound } else { -bound } }
                else { (state % (2 * bound as u64 + 1)) as i64 - bound }
            };
            let layer = Linear {
                inputs, outputs,
                weights: (0..inputs * outputs).map(|_| next(32767) as i16).collect(),
                bias: (0..outputs).map(|_| next(1 << 20) as i32).collect(),
            };
            let a: Vec<i16> = (0..inputs).map(|_| next(255) as i16).collect();
            let mut want = vec![0; outputs];
            layer.apply(&a, &mut want);
            let packed = Packed::new(&layer);
            let mut padded = a.clone();
            padded.resize(packed.inputs, 0);
            for isa in Isa::available() {
                let mut got = packed.bias.clone();
                isa.accumulate(&packed, &padded, &mut got);
                prop_assert_eq!(&got[..outputs], &want[..], "{}", isa);
            }
        }
    }
}
