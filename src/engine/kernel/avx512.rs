//! The AVX-512 kernel: `vpdpwssd` on pairs of inputs, up to 64 outputs at a time,
//! so that their sums stay in registers; gathers and scatters.

use std::arch::x86_64::{
    __m256i, __m512i, _mm256_adds_epi16, _mm256_loadu_si256, _mm256_mulhrs_epi16,
    _mm256_set1_epi16, _mm256_storeu_si256, _mm512_add_epi32, _mm512_adds_epi16,
    _mm512_cvtepi32_epi16, _mm512_dpwssd_epi32, _mm512_i32gather_epi32, _mm512_i32scatter_epi32,
    _mm512_loadu_si512, _mm512_mulhrs_epi16, _mm512_reduce_add_epi32, _mm512_set1_epi16,
    _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512, _mm512_zextsi256_si512,
};

use super::{Kernel, LANES, Packed};

/// AVX-512 with VNNI.
#[derive(Clone, Copy, Debug)]
pub struct Avx512;

/// Sums of `GROUPS` · [`LANES`] outputs from `o` on, in `CHAINS` independent
/// chains, because each product waits for the sum it is added to.
///
/// # Safety
/// The processor has AVX-512 and VNNI; `o + GROUPS * LANES <= w.outputs`, `a` and
/// `sums` are as long as `w` wants, and `w.weights` as it says.
#[inline(always)]
unsafe fn groups<const GROUPS: usize, const CHAINS: usize>(
    w: &Packed,
    a: &[i16],
    sums: &mut [i32],
    o: usize,
) {
    // SAFETY: the sums o.. and, for each pair, the 2·GROUPS·LANES weights from
    // 2·(pair·outputs + o) on are inside their slices by the caller's promise
    unsafe {
        let s = sums.as_mut_ptr().add(o).cast::<__m512i>();
        let mut acc = [[_mm512_setzero_si512(); GROUPS]; CHAINS];
        for (g, acc) in acc[0].iter_mut().enumerate() {
            *acc = _mm512_loadu_si512(s.add(g));
        }
        let mut row = w.weights.as_ptr().add(2 * o);
        let mut x = a.as_ptr();
        let pairs = w.inputs / 2;
        let mut step = |acc: &mut [__m512i; GROUPS]| {
            let pair = _mm512_set1_epi32(x.cast::<i32>().read_unaligned());
            for (g, acc) in acc.iter_mut().enumerate() {
                let weights = _mm512_loadu_si512(row.cast::<__m512i>().add(g));
                *acc = _mm512_dpwssd_epi32(*acc, weights, pair);
            }
            row = row.wrapping_add(2 * w.outputs);
            x = x.wrapping_add(2);
        };
        for _ in 0..pairs / CHAINS {
            for acc in &mut acc {
                step(acc);
            }
        }
        for _ in 0..pairs % CHAINS {
            step(&mut acc[0]);
        }
        for g in 0..GROUPS {
            let mut sum = acc[0][g];
            for acc in &acc[1..] {
                sum = _mm512_add_epi32(sum, acc[g]);
            }
            _mm512_storeu_si512(s.add(g), sum);
        }
    }
}

/// Numbers in a register.
const WIDE: usize = 16;

impl Kernel for Avx512 {
    #[inline(always)]
    unsafe fn accumulate(w: &Packed, a: &[i16], sums: &mut [i32]) {
        assert!(a.len() >= w.inputs && sums.len() >= w.outputs);
        assert!(w.weights.len() == w.inputs * w.outputs);
        let mut o = 0;
        while o < w.outputs {
            // SAFETY: AVX-512 by the trait's contract, the rest was just asserted
            unsafe {
                match (w.outputs - o) / LANES {
                    1 => groups::<1, 4>(w, a, sums, o),
                    2 => groups::<2, 4>(w, a, sums, o),
                    3 => groups::<3, 2>(w, a, sums, o),
                    _ => groups::<4, 2>(w, a, sums, o),
                }
            }
            o += 4 * LANES;
        }
    }

    #[inline(always)]
    unsafe fn gather<const N: usize>(table: &[u32], index: &[u32; N]) -> [u32; N] {
        debug_assert!(index.iter().all(|&i| (i as usize) < table.len()));
        let mut out = [0; N];
        let (indices, rest) = index.as_chunks::<WIDE>();
        let (outs, out_rest) = out.as_chunks_mut::<WIDE>();
        for (out, index) in outs.iter_mut().zip(indices) {
            // SAFETY: the indices are inside the table by the trait's contract
            unsafe {
                let index = _mm512_loadu_si512(index.as_ptr().cast());
                let values = _mm512_i32gather_epi32::<4>(index, table.as_ptr().cast());
                _mm512_storeu_si512(out.as_mut_ptr().cast(), values);
            }
        }
        for (out, &i) in out_rest.iter_mut().zip(rest) {
            *out = table[i as usize];
        }
        out
    }

    #[inline(always)]
    unsafe fn gather_i16<const N: usize>(table: &[i16], index: &[u32; N]) -> [i16; N] {
        debug_assert!(index.iter().all(|&i| (i as usize) + 1 < table.len()));
        let mut out = [0; N];
        let (indices, rest) = index.as_chunks::<WIDE>();
        let (outs, out_rest) = out.as_chunks_mut::<WIDE>();
        for (out, index) in outs.iter_mut().zip(indices) {
            // SAFETY: each reads two entries, inside the table by the trait's
            // contract, and keeps the first
            unsafe {
                let index = _mm512_loadu_si512(index.as_ptr().cast());
                let values = _mm512_i32gather_epi32::<2>(index, table.as_ptr().cast());
                _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(values));
            }
        }
        for (out, &i) in out_rest.iter_mut().zip(rest) {
            *out = table[i as usize];
        }
        out
    }

    #[inline(always)]
    unsafe fn scatter<const N: usize>(table: &mut [u32], index: &[u32; N], values: &[u32; N]) {
        debug_assert!(index.iter().all(|&i| (i as usize) < table.len()));
        let (indices, rest) = index.as_chunks::<WIDE>();
        let (chunks, values_rest) = values.as_chunks::<WIDE>();
        for (values, index) in chunks.iter().zip(indices) {
            // SAFETY: the indices are inside the table by the trait's contract
            unsafe {
                let index = _mm512_loadu_si512(index.as_ptr().cast());
                let values = _mm512_loadu_si512(values.as_ptr().cast());
                _mm512_i32scatter_epi32::<4>(table.as_mut_ptr().cast(), index, values);
            }
        }
        for (&value, &i) in values_rest.iter().zip(rest) {
            table[i as usize] = value;
        }
    }

    #[inline(always)]
    unsafe fn dot(w: &[i16], x: &[i16]) -> i32 {
        let (w, w_rest) = w.as_chunks::<{ 2 * WIDE }>();
        let (x, x_rest) = x.as_chunks::<{ 2 * WIDE }>();
        // SAFETY: AVX-512 by the trait's contract; chunks are whole registers
        unsafe {
            let mut sum = _mm512_setzero_si512();
            for (w, x) in w.iter().zip(x) {
                let w = _mm512_loadu_si512(w.as_ptr().cast());
                let x = _mm512_loadu_si512(x.as_ptr().cast());
                sum = _mm512_dpwssd_epi32(sum, w, x);
            }
            for (w, x) in w_rest.as_chunks::<WIDE>().0.iter().zip(x_rest.as_chunks::<WIDE>().0) {
                let half =
                    |a: &[i16; WIDE]| _mm512_zextsi256_si512(_mm256_loadu_si256(a.as_ptr().cast()));
                sum = _mm512_dpwssd_epi32(sum, half(w), half(x));
            }
            _mm512_reduce_add_epi32(sum)
        }
    }

    #[inline(always)]
    unsafe fn learn(w: &mut [i16], x: &[i16], error: i16) {
        let (w, w_rest) = w.as_chunks_mut::<{ 2 * WIDE }>();
        let (x, x_rest) = x.as_chunks::<{ 2 * WIDE }>();
        // SAFETY: AVX-512 by the trait's contract; chunks are whole registers
        unsafe {
            let errors = _mm512_set1_epi16(error);
            for (w, x) in w.iter_mut().zip(x) {
                let w = w.as_mut_ptr().cast();
                let step = _mm512_mulhrs_epi16(_mm512_loadu_si512(x.as_ptr().cast()), errors);
                _mm512_storeu_si512(w, _mm512_adds_epi16(_mm512_loadu_si512(w), step));
            }
            let errors = _mm256_set1_epi16(error);
            let (w, x) = (w_rest.as_chunks_mut::<WIDE>().0, x_rest.as_chunks::<WIDE>().0);
            for (w, x) in w.iter_mut().zip(x) {
                let w = w.as_mut_ptr().cast::<__m256i>();
                let step = _mm256_mulhrs_epi16(_mm256_loadu_si256(x.as_ptr().cast()), errors);
                _mm256_storeu_si256(w, _mm256_adds_epi16(_mm256_loadu_si256(w), step));
            }
        }
    }
}
