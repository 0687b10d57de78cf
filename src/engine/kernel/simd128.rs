//! The WebAssembly kernel: pairs of products in one instruction; of bytes, two products in 16
//! bits.

use std::arch::wasm32::{
    i16x8_add, i16x8_max, i16x8_min, i16x8_mul, i16x8_narrow_i32x4, i16x8_shl, i16x8_shr,
    i16x8_splat, i32x4_add, i32x4_dot_i16x8, i32x4_extadd_pairwise_i16x8, i32x4_extend_high_i16x8,
    i32x4_extend_low_i16x8, i32x4_shr, i32x4_splat, v128, v128_load, v128_store,
};

use super::{ByteLine, Kernel, LANES, Line, Set};

/// 128-bit SIMD, which a WebAssembly module has or does not have as a whole.
#[derive(Clone, Copy, Debug)]
pub struct Simd128;

// SAFETY of all blocks: the module has the instructions where this is compiled; loads and stores
// are of the arrays' whole length.
impl Kernel for Simd128 {
    const SET: Set = Set::Simd128;
    type Sums = [v128; 4];

    #[inline(always)]
    unsafe fn load(sums: &[i32; LANES]) -> Self::Sums {
        let mut out = [i32x4_splat(0); 4];
        for (out, part) in out.iter_mut().zip(sums.as_chunks::<4>().0) {
            // SAFETY: as above
            *out = unsafe { v128_load(part.as_ptr().cast()) };
        }
        out
    }

    #[inline(always)]
    unsafe fn store(sums: Self::Sums) -> [i32; LANES] {
        let mut out = [0; LANES];
        for (part, sums) in out.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
            // SAFETY: as above
            unsafe { v128_store(part.as_mut_ptr().cast(), sums) };
        }
        out
    }

    #[inline(always)]
    unsafe fn add(mut sums: Self::Sums, row: &[i16; LANES]) -> Self::Sums {
        for (sums, row) in sums.as_chunks_mut::<2>().0.iter_mut().zip(row.as_chunks::<8>().0) {
            // SAFETY: as above
            let row = unsafe { v128_load(row.as_ptr().cast()) };
            sums[0] = i32x4_add(sums[0], i32x4_extend_low_i16x8(row));
            sums[1] = i32x4_add(sums[1], i32x4_extend_high_i16x8(row));
        }
        sums
    }

    #[inline(always)]
    unsafe fn plus(mut a: Self::Sums, b: Self::Sums) -> Self::Sums {
        for (a, b) in a.iter_mut().zip(b) {
            *a = i32x4_add(*a, b);
        }
        a
    }

    #[inline(always)]
    unsafe fn multiply(mut sums: Self::Sums, w: &Line, [a0, a1]: [i16; 2]) -> Self::Sums {
        let a = i32x4_splat(i32::from(a0 as u16) | i32::from(a1) << 16);
        for (sums, w) in sums.iter_mut().zip(w.0.as_chunks::<4>().0) {
            // SAFETY: as above
            let w = unsafe { v128_load(w.as_ptr().cast()) };
            *sums = i32x4_add(*sums, i32x4_dot_i16x8(w, a));
        }
        sums
    }

    #[inline(always)]
    unsafe fn multiply_bytes(mut sums: Self::Sums, w: &ByteLine, a: [u8; 4]) -> Self::Sums {
        let [a0, a1, a2, a3] = a.map(i32::from);
        let (even, odd) = (i32x4_splat(a0 | a2 << 16), i32x4_splat(a1 | a3 << 16));
        for (sums, w) in sums.iter_mut().zip(w.0.as_chunks::<4>().0) {
            // SAFETY: as above
            let w = unsafe { v128_load(w.as_ptr().cast()) };
            // two weights are a number of 16 bits, from which shifts take either
            let first = i16x8_mul(i16x8_shr(i16x8_shl(w, 8), 8), even);
            let second = i16x8_mul(i16x8_shr(w, 8), odd);
            // two products together fit into 16 bits
            let twos = i16x8_add(first, second);
            *sums = i32x4_add(*sums, i32x4_extadd_pairwise_i16x8(twos));
        }
        sums
    }

    #[inline(always)]
    unsafe fn scale<const S: u32>(sums: Self::Sums, low: i16, high: i16) -> [i16; LANES] {
        let mut out = [0; LANES];
        let halves = sums.as_chunks::<2>().0;
        for (out, half) in out.as_chunks_mut::<8>().0.iter_mut().zip(halves) {
            // narrowing saturates to 16 bits, which no bound is beyond
            let all = i16x8_narrow_i32x4(i32x4_shr(half[0], S), i32x4_shr(half[1], S));
            let all = i16x8_max(i16x8_min(all, i16x8_splat(high)), i16x8_splat(low));
            // SAFETY: as above
            unsafe { v128_store(out.as_mut_ptr().cast(), all) };
        }
        out
    }
}
