//! The AVX2 kernel: `vpmaddwd` on pairs of inputs.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi32,
    _mm256_storeu_si256,
};

use super::{Kernel, LANES, Packed};

/// AVX2.
#[derive(Clone, Copy, Debug)]
pub struct Avx2;

impl Kernel for Avx2 {
    #[inline(always)]
    unsafe fn accumulate(w: &Packed, a: &[i16], sums: &mut [i32]) {
        let (pairs, outputs) = (w.inputs / 2, w.outputs);
        assert!(a.len() >= w.inputs && sums.len() >= outputs && outputs % LANES == 0);
        assert!(w.weights.len() == w.inputs * outputs);
        let mut o = 0;
        while o < outputs {
            // SAFETY: AVX2 by the trait's contract; o + 16 <= outputs, so the sums
            // o..o+16 and, for each pair, the 32 weights from
            // 2·(pair·outputs + o) on are inside their slices (asserted above)
            unsafe {
                let s = sums.as_mut_ptr().add(o).cast::<__m256i>();
                let mut s0 = _mm256_loadu_si256(s);
                let mut s1 = _mm256_loadu_si256(s.add(1));
                for pair in 0..pairs {
                    let x =
                        _mm256_set1_epi32(a.as_ptr().add(2 * pair).cast::<i32>().read_unaligned());
                    let row = w.weights.as_ptr().add(2 * (pair * outputs + o)).cast::<__m256i>();
                    s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(_mm256_loadu_si256(row), x));
                    s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(_mm256_loadu_si256(row.add(1)), x));
                }
                _mm256_storeu_si256(s, s0);
                _mm256_storeu_si256(s.add(1), s1);
            }
            o += LANES;
        }
    }
}
