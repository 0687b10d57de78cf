//! The AVX2 kernel: `vpmaddwd` on pairs of inputs, up to 64 outputs at a time, so
//! that their sums stay in registers.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_adds_epi16, _mm256_loadu_si256, _mm256_madd_epi16,
    _mm256_mulhrs_epi16, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_storeu_si256,
};

use super::{Kernel, LANES, Packed};

/// AVX2.
#[derive(Clone, Copy, Debug)]
pub struct Avx2;

/// Outputs of a register.
const WIDTH: usize = 8;

/// Sums of `GROUPS` · [`LANES`] outputs from `o` on.
///
/// # Safety
/// The processor has AVX2; `o + GROUPS * LANES <= w.outputs`, `a` and `sums` are
/// as long as `w` wants, and `w.weights` as it says.
#[inline(always)]
unsafe fn groups<const GROUPS: usize, const REGISTERS: usize>(
    w: &Packed,
    a: &[i16],
    sums: &mut [i32],
    o: usize,
) {
    const { assert!(GROUPS * LANES == REGISTERS * WIDTH) };
    // SAFETY: the sums o.. and, for each pair, the 2·GROUPS·LANES weights from
    // 2·(pair·outputs + o) on are inside their slices by the caller's promise
    unsafe {
        let s = sums.as_mut_ptr().add(o).cast::<__m256i>();
        let mut acc = [_mm256_loadu_si256(s); REGISTERS];
        for (r, acc) in acc.iter_mut().enumerate() {
            *acc = _mm256_loadu_si256(s.add(r));
        }
        let mut row = w.weights.as_ptr().add(2 * o);
        let mut x = a.as_ptr();
        for _ in 0..w.inputs / 2 {
            let pair = _mm256_set1_epi32(x.cast::<i32>().read_unaligned());
            for (r, acc) in acc.iter_mut().enumerate() {
                let weights = _mm256_loadu_si256(row.cast::<__m256i>().add(r));
                *acc = _mm256_add_epi32(*acc, _mm256_madd_epi16(weights, pair));
            }
            row = row.wrapping_add(2 * w.outputs);
            x = x.wrapping_add(2);
        }
        for (r, acc) in acc.iter().enumerate() {
            _mm256_storeu_si256(s.add(r), *acc);
        }
    }
}

impl Kernel for Avx2 {
    #[inline(always)]
    unsafe fn accumulate(w: &Packed, a: &[i16], sums: &mut [i32]) {
        assert!(a.len() >= w.inputs && sums.len() >= w.outputs);
        assert!(w.weights.len() == w.inputs * w.outputs);
        let mut o = 0;
        while o < w.outputs {
            // SAFETY: AVX2 by the trait's contract, the rest was just asserted
            unsafe {
                match (w.outputs - o) / LANES {
                    1 => groups::<1, { LANES / WIDTH }>(w, a, sums, o),
                    2 => groups::<2, { 2 * LANES / WIDTH }>(w, a, sums, o),
                    3 => groups::<3, { 3 * LANES / WIDTH }>(w, a, sums, o),
                    _ => groups::<4, { 4 * LANES / WIDTH }>(w, a, sums, o),
                }
            }
            o += 4 * LANES;
        }
    }

    #[inline(always)]
    unsafe fn learn(w: &mut [i16], x: &[i16], error: i16) {
        // SAFETY: AVX2 by the trait's contract; chunks of 16 are whole registers
        unsafe {
            let error = _mm256_set1_epi16(error);
            for (w, x) in w.as_chunks_mut::<16>().0.iter_mut().zip(x.as_chunks::<16>().0) {
                let w = w.as_mut_ptr().cast::<__m256i>();
                let x = _mm256_loadu_si256(x.as_ptr().cast());
                let step = _mm256_mulhrs_epi16(x, error);
                _mm256_storeu_si256(w, _mm256_adds_epi16(_mm256_loadu_si256(w), step));
            }
        }
    }
}
