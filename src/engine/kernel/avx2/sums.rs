//! Sums of products, and the arithmetic of the last mixers and the APMs.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_add_epi32, _mm_adds_epu16, _mm_cvtsi128_si32, _mm_extract_epi32,
    _mm_loadu_si128, _mm_madd_epi16, _mm_set1_epi16, _mm_set1_epi32, _mm_shuffle_epi32,
    _mm_srli_epi16, _mm_srli_epi32, _mm_storeu_si128, _mm_sub_epi16, _mm_xor_si128,
    _mm256_add_epi32, _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_hadd_epi32,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_mullo_epi32, _mm256_permute2x128_si256,
    _mm256_setzero_si256, _mm256_srai_epi32, _mm256_storeu_si256,
};

#[cfg(doc)]
use crate::engine::kernel::Kernel;
use crate::engine::kernel::Pairs;

/// [`Kernel::weigh`].
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
pub(in crate::engine::kernel) unsafe fn weigh([a, b]: [&[i32; 8]; 2], x: &[i32; 8]) -> [i32; 2] {
    // SAFETY: the arrays are registers
    unsafe {
        let x = _mm256_loadu_si256(x.as_ptr().cast());
        // no closure, which would not be compiled for the instruction set
        let mut terms = [x; 2];
        for (terms, w) in terms.iter_mut().zip([a, b]) {
            let w = _mm256_srai_epi32::<2>(_mm256_loadu_si256(w.as_ptr().cast()));
            *terms = _mm256_srai_epi32::<8>(_mm256_mullo_epi32(x, w));
        }
        // each step halves the parts of both sums
        let all = _mm256_hadd_epi32(terms[0], terms[1]);
        let all = _mm256_hadd_epi32(all, all);
        let all = _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256::<1>(all));
        [_mm_extract_epi32::<0>(all), _mm_extract_epi32::<1>(all)]
    }
}

/// The sum of a register's four numbers, modulo 2^32.
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
pub(in crate::engine::kernel) unsafe fn total(all: __m128i) -> i32 {
    // SAFETY: the caller's
    unsafe {
        let all = _mm_add_epi32(all, _mm_shuffle_epi32::<0b11_10_11_10>(all));
        let all = _mm_add_epi32(all, _mm_shuffle_epi32::<0b01_01_01_01>(all));
        _mm_cvtsi128_si32(all)
    }
}

/// [`Kernel::interpolate`].
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
pub(in crate::engine::kernel) unsafe fn interpolate(pairs: &Pairs, weight: u32) -> u32 {
    const HALF: i16 = i16::MIN;
    // SAFETY: the caller's; four pairs are a register
    unsafe {
        let pairs = _mm_loadu_si128(pairs.as_ptr().cast());
        // less one half they are signed; the weights are 2^12 together
        let pairs = _mm_xor_si128(pairs, _mm_set1_epi16(HALF));
        let weights = _mm_set1_epi32((weight << 16 | (4096 - weight)) as i32);
        let halves = _mm_set1_epi32(-i32::from(HALF) << 12);
        let all = _mm_add_epi32(_mm_madd_epi16(pairs, weights), halves);
        total(_mm_srli_epi32::<12>(all)) as u32
    }
}

/// [`Kernel::approach`].
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
pub(in crate::engine::kernel) unsafe fn approach<const RATE: i32>(
    pairs: &Pairs,
    bit: u32,
) -> Pairs {
    let mut out = *pairs;
    // SAFETY: the caller's; four pairs are a register
    unsafe {
        let target = _mm_set1_epi32(0i32.wrapping_sub(bit as i32));
        let distance = _mm_xor_si128(_mm_loadu_si128(pairs.as_ptr().cast()), target);
        let rounded = _mm_adds_epu16(distance, _mm_set1_epi16((1 << RATE) - 1));
        let step = _mm_srli_epi16::<RATE>(rounded);
        let all = _mm_xor_si128(_mm_sub_epi16(distance, step), target);
        _mm_storeu_si128(out.as_mut_ptr().cast(), all);
    }
    out
}

/// Parts of `Σ w[i]·x[i]` whose sum is that sum modulo 2^32, for slices of the same
/// length, a multiple of 16.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
pub(in crate::engine::kernel) unsafe fn products(w: &[i16], x: &[i16]) -> __m256i {
    // SAFETY: chunks are whole registers
    unsafe {
        let mut sum = _mm256_setzero_si256();
        for (w, x) in w.as_chunks::<16>().0.iter().zip(x.as_chunks::<16>().0) {
            let w = _mm256_loadu_si256(w.as_ptr().cast());
            let x = _mm256_loadu_si256(x.as_ptr().cast());
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(w, x));
        }
        sum
    }
}

/// The sums of the parts of each of eight registers, modulo 2^32.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
pub(in crate::engine::kernel) unsafe fn added([a, b, c, d, e, f, g, h]: [__m256i; 8]) -> [i32; 8] {
    let mut out = [0; 8];
    // SAFETY: the caller's; eight sums are a register
    unsafe {
        // each step halves the parts of every sum
        let (ab, cd) = (_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        let (ef, gh) = (_mm256_hadd_epi32(e, f), _mm256_hadd_epi32(g, h));
        let (low, high) = (_mm256_hadd_epi32(ab, cd), _mm256_hadd_epi32(ef, gh));
        let all = _mm256_add_epi32(
            _mm256_permute2x128_si256::<0x20>(low, high),
            _mm256_permute2x128_si256::<0x31>(low, high),
        );
        _mm256_storeu_si256(out.as_mut_ptr().cast(), all);
    }
    out
}
