//! The portable kernel.

use super::{ByteLine, Kernel, LANES, Line, Set};

/// Plain Rust.
#[derive(Clone, Copy, Debug)]
pub struct Scalar;

impl Kernel for Scalar {
    const SET: Set = Set::Scalar;
    // more do not become vectors, or only of `multiply`
    const TOGETHER: usize = 1;
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
    unsafe fn multiply_bytes(mut sums: Self::Sums, w: &ByteLine, a: [u8; 4]) -> Self::Sums {
        let [a0, a1, a2, a3] = a.map(i16::from);
        let (even, odd) = ([[a0, a2]; LANES], [[a1, a3]; LANES]);
        let (even, odd) = (even.as_flattened(), odd.as_flattened());
        let mut twos = [0; 2 * LANES];
        for (i, w) in w.0.as_flattened().as_chunks::<2>().0.iter().enumerate() {
            // two weights are a number of 16 bits, from which shifts take either
            let w = i16::from_le_bytes(w.map(|w| w as u8));
            // two products together fit into 16 bits
            twos[i] = ((w << 8) >> 8) * even[i] + (w >> 8) * odd[i];
        }
        for o in 0..LANES {
            sums[o] += i32::from(twos[2 * o]) + i32::from(twos[2 * o + 1]);
        }
        sums
    }

    #[inline(always)]
    unsafe fn scale<const S: u32>(sums: Self::Sums, low: i16, high: i16) -> [i16; LANES] {
        sums.map(|s| (s >> S).clamp(low.into(), high.into()) as i16)
    }
}
