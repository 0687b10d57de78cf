//! The AVX-512 kernel: `vpmaddwd` on pairs of inputs, sixteen outputs at a time.
//! (`vpdpwssd` would save the addition but has four times its latency, and a
//! single step is bound by latency.)

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_loadu_si512, _mm512_madd_epi16, _mm512_set1_epi32,
    _mm512_storeu_si512,
};

use super::{Kernel, LANES, Packed};

/// AVX-512.
#[derive(Clone, Copy, Debug)]
pub struct Avx512;

impl Kernel for Avx512 {
    #[inline(always)]
    unsafe fn accumulate(w: &Packed, a: &[i16], sums: &mut [i32]) {
        let (pairs, outputs) = (w.inputs / 2, w.outputs);
        assert!(a.len() >= w.inputs && sums.len() >= outputs && outputs % LANES == 0);
        assert!(w.weights.len() == w.inputs * outputs);
        let mut o = 0;
        while o < outputs {
            // SAFETY: AVX-512 by the trait's contract; o + 16 <= outputs, so the
            // sums o..o+16 and, for each pair, the 32 weights from
            // 2·(pair·outputs + o) on are inside their slices (asserted above)
            unsafe {
                let s = sums.as_mut_ptr().add(o).cast::<__m512i>();
                let mut s0 = _mm512_loadu_si512(s);
                for pair in 0..pairs {
                    let x =
                        _mm512_set1_epi32(a.as_ptr().add(2 * pair).cast::<i32>().read_unaligned());
                    let row = w.weights.as_ptr().add(2 * (pair * outputs + o)).cast::<__m512i>();
                    s0 = _mm512_add_epi32(s0, _mm512_madd_epi16(_mm512_loadu_si512(row), x));
                }
                _mm512_storeu_si512(s, s0);
            }
            o += LANES;
        }
    }
}
