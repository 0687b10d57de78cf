//! The AVX-512 kernel: `vpdpwssd` on pairs of inputs; tables are read as AVX2 does.

use std::arch::x86_64::{
    __m256i, __m512i, _mm_loadu_si128, _mm256_add_epi32, _mm256_adds_epi16, _mm256_loadu_si256,
    _mm256_max_epi16, _mm256_min_epi16, _mm256_mulhrs_epi16, _mm256_set_m128i, _mm256_set1_epi16,
    _mm256_setzero_si256, _mm256_storeu_si256,
};

use instructions::{
    _mm256_test_epi32_mask, _mm512_add_epi32, _mm512_adds_epi16, _mm512_castsi256_si512,
    _mm512_castsi512_si256, _mm512_cvtepi16_epi32, _mm512_cvtsepi32_epi16, _mm512_dpbusd_epi32,
    _mm512_dpwssd_epi32, _mm512_extracti64x4_epi64, _mm512_inserti64x4, _mm512_loadu_si512,
    _mm512_mulhrs_epi16, _mm512_reduce_add_epi32, _mm512_set1_epi16, _mm512_set1_epi32,
    _mm512_setzero_si512, _mm512_srai_epi32, _mm512_storeu_si512, _mm512_test_epi32_mask,
    _mm512_zextsi256_si512,
};

#[cfg(avx512_in_software)]
#[path = "software.rs"]
pub mod instructions;
/// The processor's.
#[cfg(not(avx512_in_software))]
pub mod instructions {
    pub use std::arch::x86_64::*;
}

use super::avx2::{self, pair_bits};
use super::{Avx2, ByteLine, Entry, Kernel, LANES, Line, Pairs, Scalar, Set};

/// AVX-512 with VNNI.
#[derive(Clone, Copy, Debug)]
pub struct Avx512;

/// Numbers in a register.
const WIDE: usize = 16;
/// Numbers in half a register.
const HALF: usize = 8;

/// Parts of `Σ w[i]·x[i]` whose sum is that sum modulo 2^32, for slices of the same
/// length, a multiple of 16.
///
/// # Safety
/// The processor has AVX-512 and VNNI.
#[inline(always)]
unsafe fn products(w: &[i16], x: &[i16]) -> __m512i {
    let (w, w_rest) = w.as_chunks::<{ 2 * WIDE }>();
    let (x, x_rest) = x.as_chunks::<{ 2 * WIDE }>();
    // SAFETY: chunks are whole registers or halves
    unsafe {
        let mut sum = _mm512_setzero_si512();
        for (w, x) in w.iter().zip(x) {
            let w = _mm512_loadu_si512(w.as_ptr().cast());
            let x = _mm512_loadu_si512(x.as_ptr().cast());
            sum = _mm512_dpwssd_epi32(sum, w, x);
        }
        for (w, x) in w_rest.as_chunks::<WIDE>().0.iter().zip(x_rest.as_chunks::<WIDE>().0) {
            let w = _mm512_zextsi256_si512(_mm256_loadu_si256(w.as_ptr().cast()));
            let x = _mm512_zextsi256_si512(_mm256_loadu_si256(x.as_ptr().cast()));
            sum = _mm512_dpwssd_epi32(sum, w, x);
        }
        sum
    }
}

impl Kernel for Avx512 {
    const SET: Set = Set::Avx512;
    const TOGETHER: usize = 8;
    // a product takes five cycles, and two begin in each
    const PATIENT: bool = false;
    type Sums = __m512i;

    #[inline(always)]
    unsafe fn load(sums: &[i32; LANES]) -> Self::Sums {
        // SAFETY: AVX-512 by the trait's contract; the array is a register
        unsafe { _mm512_loadu_si512(sums.as_ptr().cast()) }
    }

    #[inline(always)]
    unsafe fn store(sums: Self::Sums) -> [i32; LANES] {
        let mut out = [0; LANES];
        // SAFETY: as above
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sums) };
        out
    }

    #[inline(always)]
    unsafe fn add(sums: Self::Sums, row: &[i16; LANES]) -> Self::Sums {
        // SAFETY: AVX-512 by the trait's contract; the array is half a register
        unsafe {
            let row = _mm256_loadu_si256(row.as_ptr().cast());
            _mm512_add_epi32(sums, _mm512_cvtepi16_epi32(row))
        }
    }

    #[inline(always)]
    unsafe fn plus(a: Self::Sums, b: Self::Sums) -> Self::Sums {
        // SAFETY: AVX-512 by the trait's contract
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    unsafe fn multiply(sums: Self::Sums, w: &Line, a: [i16; 2]) -> Self::Sums {
        // SAFETY: VNNI by the trait's contract; a line is a register
        unsafe {
            let w = _mm512_loadu_si512(w.0.as_ptr().cast());
            _mm512_dpwssd_epi32(sums, w, _mm512_set1_epi32(pair_bits(a)))
        }
    }

    #[inline(always)]
    unsafe fn multiply_bytes(sums: Self::Sums, w: &ByteLine, a: [u8; 4]) -> Self::Sums {
        // SAFETY: as above; a line is a register
        unsafe {
            let w = _mm512_loadu_si512(w.0.as_ptr().cast());
            _mm512_dpbusd_epi32(sums, _mm512_set1_epi32(i32::from_le_bytes(a)), w)
        }
    }

    #[inline(always)]
    unsafe fn scale<const S: u32>(sums: Self::Sums, low: i16, high: i16) -> [i16; LANES] {
        let mut out = [0; LANES];
        // SAFETY: AVX-512 by the trait's contract; the array is half a register
        unsafe {
            // narrowing saturates to 16 bits, which no bound is beyond
            let all = _mm512_cvtsepi32_epi16(_mm512_srai_epi32::<S>(sums));
            let all = _mm256_min_epi16(all, _mm256_set1_epi16(high));
            let all = _mm256_max_epi16(all, _mm256_set1_epi16(low));
            _mm256_storeu_si256(out.as_mut_ptr().cast(), all);
        }
        out
    }

    // From here to `updated`: gathers and scatters of AVX-512 are microcode on some processors
    // (Zen 4: 8 % of all time), no faster than AVX2's loads on others.

    #[inline(always)]
    unsafe fn gather_entries<const N: usize>(table: &[[u8; 4]], index: &[u32; N]) -> [u32; N] {
        // SAFETY: the caller's
        unsafe { Avx2::gather_entries(table, index) }
    }

    #[inline(always)]
    unsafe fn scatter_entries<const N: usize>(
        table: &mut [[u8; 4]],
        index: &[u32; N],
        values: &[u32; N],
    ) {
        // SAFETY: the caller's
        unsafe { Avx2::scatter_entries(table, index, values) }
    }

    #[inline(always)]
    unsafe fn gather_slots<const N: usize>(
        table: &[[u8; 16]],
        index: &[u32; N],
    ) -> ([u32; N], [[u8; 16]; N]) {
        // SAFETY: the caller's
        unsafe { Avx2::gather_slots(table, index) }
    }

    #[inline(always)]
    unsafe fn gather_i16<const N: usize>(table: &[i16], index: &[u32; N]) -> [i16; N] {
        // SAFETY: the caller's
        unsafe { Avx2::gather_i16(table, index) }
    }

    #[inline(always)]
    unsafe fn gather_bytes<const N: usize>(table: &[u32; 256], index: &[u8; N]) -> [u32; N] {
        // SAFETY: the caller's
        unsafe { Avx2::gather_bytes(table, index) }
    }

    #[inline(always)]
    unsafe fn gather_rows<const N: usize>(table: &[[u32; 256]; N], index: &[u8; N]) -> [u32; N] {
        // SAFETY: the caller's
        unsafe { Avx2::gather_rows(table, index) }
    }

    #[inline(always)]
    unsafe fn select<const N: usize>(
        a: &[u8; N],
        b: &[u8; N],
        same: &[u32; N],
        other: &[u32; N],
    ) -> [u32; N] {
        // SAFETY: the caller's
        unsafe { Avx2::select(a, b, same, other) }
    }

    #[inline(always)]
    unsafe fn updated<const N: usize>(entries: &[Entry; N], bit: u32, limit: u32) -> [Entry; N] {
        // SAFETY: the caller's
        unsafe { Avx2::updated(entries, bit, limit) }
    }

    // one store, for what reads it soon after: a read of more than one store has to wait
    #[inline(always)]
    unsafe fn assemble<const C: usize>(
        x: &mut [[i16; C]; 2],
        first: &[i16; C],
        second: &[i16],
        third: &[i16; C],
        last: [i16; 4],
    ) {
        if C == HALF && second.is_empty() {
            // SAFETY: AVX2 is a part of AVX-512
            return unsafe { avx2::assemble_eight(x, first, third, last) };
        }
        if C != WIDE || second.len() != HALF {
            // SAFETY: the caller's
            return unsafe { Scalar::assemble(x, first, second, third, last) };
        }
        // SAFETY: AVX-512 by the trait's contract; the arrays are halves and quarters of
        // a register
        unsafe {
            let first = _mm256_loadu_si256(first.as_ptr().cast());
            let second = _mm_loadu_si128(second.as_ptr().cast());
            let third = avx2::ending(_mm_loadu_si128(third.as_ptr().add(HALF).cast()), last);
            let rest = _mm256_set_m128i(third, second);
            let all = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(first), rest);
            _mm512_storeu_si512(x.as_mut_ptr().cast(), all);
        }
    }

    #[inline(always)]
    unsafe fn nonzero<const N: usize>(numbers: &[u32; N]) -> u32 {
        const { assert!(N <= 32 && N.is_multiple_of(HALF)) };
        let (wide, rest) = numbers.as_chunks::<WIDE>();
        let mut bits = 0;
        // SAFETY: AVX-512 by the trait's contract; chunks are registers and halves
        unsafe {
            for (i, numbers) in rest.as_chunks::<HALF>().0.iter().enumerate() {
                let numbers = _mm256_loadu_si256(numbers.as_ptr().cast());
                let mask = _mm256_test_epi32_mask(numbers, numbers);
                bits |= u32::from(mask) << (WIDE * wide.len() + HALF * i);
            }
            for (i, numbers) in wide.iter().enumerate() {
                let numbers = _mm512_loadu_si512(numbers.as_ptr().cast());
                bits |= u32::from(_mm512_test_epi32_mask(numbers, numbers)) << (WIDE * i);
            }
        }
        bits
    }

    #[inline(always)]
    unsafe fn transpose<const N: usize>(rows: &[[u8; 16]; N], columns: &mut [[u8; N]; 16]) {
        // SAFETY: AVX-512 by the trait's contract
        unsafe { avx2::transpose(rows, columns) }
    }

    #[inline(always)]
    unsafe fn transpose_back<const N: usize>(columns: &[[u8; N]; 16], rows: &mut [[u8; 16]; N]) {
        // SAFETY: AVX-512 by the trait's contract
        unsafe { avx2::transpose_back(columns, rows) }
    }

    #[inline(always)]
    unsafe fn dot(w: &[i16], x: &[i16]) -> i32 {
        // SAFETY: AVX-512 by the trait's contract
        unsafe { _mm512_reduce_add_epi32(products(w, x)) }
    }

    #[inline(always)]
    unsafe fn dots<const N: usize>(w: [&[i16]; N], x: &[i16]) -> [i32; 8] {
        const { assert!(N <= 8) };
        // SAFETY: AVX-512 by the trait's contract
        unsafe {
            let mut half = [_mm256_setzero_si256(); 8];
            for (half, w) in half.iter_mut().zip(w) {
                let sum = products(w, x);
                let (low, high) =
                    (_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64::<1>(sum));
                *half = _mm256_add_epi32(low, high);
            }
            avx2::added(half)
        }
    }

    #[inline(always)]
    unsafe fn interpolate(pairs: &Pairs, weight: u32) -> u32 {
        // SAFETY: AVX by the trait's contract
        unsafe { avx2::interpolate(pairs, weight) }
    }

    #[inline(always)]
    unsafe fn approach<const RATE: i32>(pairs: &Pairs, bit: u32) -> Pairs {
        // SAFETY: AVX by the trait's contract
        unsafe { avx2::approach::<RATE>(pairs, bit) }
    }

    #[inline(always)]
    unsafe fn weigh(w: [&[i32; 8]; 2], x: &[i32; 8]) -> [i32; 2] {
        // SAFETY: AVX-512 by the trait's contract
        unsafe { avx2::weigh(w, x) }
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
