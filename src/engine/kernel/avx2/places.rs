//! Places of a gather out of a register, and what was found there into one.

use std::arch::x86_64::{
    _mm_cvtsi128_si64, _mm_extract_epi16, _mm_extract_epi64, _mm_packus_epi32,
    _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_setr_epi32,
    _mm256_storeu_si256,
};

use super::WIDE;

/// Eight places, out of a register: two at a time, which takes half the instructions.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
pub(in crate::engine::kernel) unsafe fn places(index: &[u32; WIDE]) -> [usize; WIDE] {
    let mut places = [0; WIDE];
    // SAFETY: the caller's; the array is a register
    unsafe {
        let index = _mm256_loadu_si256(index.as_ptr().cast());
        let (low, high) = (_mm256_castsi256_si128(index), _mm256_extracti128_si256::<1>(index));
        let pairs = [
            _mm_cvtsi128_si64(low),
            _mm_extract_epi64::<1>(low),
            _mm_cvtsi128_si64(high),
            _mm_extract_epi64::<1>(high),
        ];
        for i in 0..WIDE / 2 {
            places[2 * i] = pairs[i] as u32 as usize;
            places[2 * i + 1] = (pairs[i] as u64 >> 32) as usize;
        }
    }
    places
}

/// [`places`] below 2^16.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
pub(in crate::engine::kernel) unsafe fn near_places(index: &[u32; WIDE]) -> [usize; WIDE] {
    // SAFETY: the caller's; the array is a register
    unsafe {
        let index = _mm256_loadu_si256(index.as_ptr().cast());
        let (low, high) = (_mm256_castsi256_si128(index), _mm256_extracti128_si256::<1>(index));
        // as 16 bits a place comes out with one instruction that need not be masked
        let all = _mm_packus_epi32(low, high);
        [
            _mm_extract_epi16::<0>(all) as usize,
            _mm_extract_epi16::<1>(all) as usize,
            _mm_extract_epi16::<2>(all) as usize,
            _mm_extract_epi16::<3>(all) as usize,
            _mm_extract_epi16::<4>(all) as usize,
            _mm_extract_epi16::<5>(all) as usize,
            _mm_extract_epi16::<6>(all) as usize,
            _mm_extract_epi16::<7>(all) as usize,
        ]
    }
}

/// Eight numbers in a register: in one piece, for what reads them from memory soon after
/// must not find several.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
pub(in crate::engine::kernel) unsafe fn joined(
    [a, b, c, d, e, f, g, h]: [u32; WIDE],
) -> [u32; WIDE] {
    let [a, b, c, d] = [a as i32, b as i32, c as i32, d as i32];
    let [e, f, g, h] = [e as i32, f as i32, g as i32, h as i32];
    let mut out = [0; WIDE];
    // SAFETY: the caller's; the array is a register
    unsafe {
        let all = _mm256_setr_epi32(a, b, c, d, e, f, g, h);
        _mm256_storeu_si256(out.as_mut_ptr().cast(), all);
    }
    out
}
