//! The portable kernel.

use super::{Kernel, Packed};

/// Plain Rust.
#[derive(Clone, Copy, Debug)]
pub struct Scalar;

impl Kernel for Scalar {
    #[inline(always)]
    unsafe fn accumulate(w: &Packed, a: &[i16], sums: &mut [i32]) {
        let sums = &mut sums[..w.outputs];
        for (pair, a) in w.weights.chunks_exact(2 * w.outputs).zip(a[..w.inputs].chunks_exact(2)) {
            let (a0, a1) = (i32::from(a[0]), i32::from(a[1]));
            for (s, w) in sums.iter_mut().zip(pair.chunks_exact(2)) {
                *s += i32::from(w[0]) * a0 + i32::from(w[1]) * a1;
            }
        }
    }
}
