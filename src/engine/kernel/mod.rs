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

    /// `table[index[i]]` for every i.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set, and every index is below
    /// the table's length.
    #[inline(always)]
    unsafe fn gather<const N: usize>(table: &[u32], index: &[u32; N]) -> [u32; N] {
        index.map(|i| table[i as usize])
    }

    /// `table[index[i]]` for every i.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set, and every index is below
    /// the table's length less one.
    #[inline(always)]
    unsafe fn gather_i16<const N: usize>(table: &[i16], index: &[u32; N]) -> [i16; N] {
        index.map(|i| table[i as usize])
    }

    /// `table[index[i]] = values[i]` for every i; the indices differ.
    ///
    /// # Safety
    /// As for [`Self::gather`].
    #[inline(always)]
    unsafe fn scatter<const N: usize>(table: &mut [u32], index: &[u32; N], values: &[u32; N]) {
        for i in 0..N {
            table[index[i] as usize] = values[i];
        }
    }

    /// `Σ w[i]·x[i]` modulo 2^32, for slices of the same length, a multiple of 16.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn dot(w: &[i16], x: &[i16]) -> i32 {
        w.iter().zip(x).fold(0, |s: i32, (&w, &x)| s.wrapping_add(i32::from(w) * i32::from(x)))
    }

    /// `w[i] += floor((x[i]·error + 2^14) / 2^15)`, saturating, for slices as in
    /// [`Self::dot`].
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn learn(w: &mut [i16], x: &[i16], error: i16) {
        for (w, &x) in w.iter_mut().zip(x) {
            let step = (i32::from(x) * i32::from(error) + (1 << 14)) >> 15;
            *w = (i32::from(*w) + step).clamp(-32768, 32767) as i16;
        }
    }
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
