//! The portable kernel.

use super::{Kernel, LANES, Line, Set};

/// Plain Rust.
#[derive(Clone, Copy, Debug)]
pub struct Scalar;

impl Kernel for Scalar {
    const SET: Set = Set::Scalar;
    type Sums = [i32; LANES];

    #[inline(always)]
    unsafe fn load(sums: &[i32; LANES]) -> Self::Sums {
        *sums
    }

    #[inline(always)]
    unsafe fn store(sums: Self::Sums) -> [i32; LANES] {
        sums
    }

    #[inline(always)]
    unsafe fn add(mut sums: Self::Sums, row: &[i16; LANES]) -> Self::Sums {
        for (s, &r) in sums.iter_mut().zip(row) {
            *s += i32::from(r);
        }
        sums
    }

    #[inline(always)]
    unsafe fn plus(mut a: Self::Sums, b: Self::Sums) -> Self::Sums {
        for i in 0..LANES {
            a[i] += b[i];
        }
        a
    }

    #[inline(always)]
    unsafe fn multiply(mut sums: Self::Sums, w: &Line, a: [i16; 2]) -> Self::Sums {
        let [a0, a1] = a.map(i32::from);
        for (s, w) in sums.iter_mut().zip(&w.0) {
            *s += i32::from(w[0]) * a0 + i32::from(w[1]) * a1;
        }
        sums
    }

    #[inline(always)]
    unsafe fn scale<const S: u32>(sums: Self::Sums, low: i16, high: i16) -> [i16; LANES] {
        sums.map(|s| (s >> S).clamp(low.into(), high.into()) as i16)
    }
}
