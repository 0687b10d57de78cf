//! The AVX2 kernel: `vpmaddwd` on pairs of inputs.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_add_epi32, _mm_cvtsi32_si128, _mm_cvtsi128_si32, _mm_extract_epi32,
    _mm_loadu_si128, _mm_setzero_si128, _mm_shuffle_epi32, _mm_storeu_si128, _mm_unpackhi_epi8,
    _mm_unpacklo_epi8, _mm256_add_epi32, _mm256_adds_epi16, _mm256_castsi256_ps,
    _mm256_castsi256_si128, _mm256_cmpeq_epi32, _mm256_cvtepi16_epi32, _mm256_extracti128_si256,
    _mm256_hadd_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_max_epi16, _mm256_min_epi16,
    _mm256_movemask_ps, _mm256_mulhrs_epi16, _mm256_mullo_epi32, _mm256_packs_epi32,
    _mm256_permute2x128_si256, _mm256_permute4x64_epi64, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_setzero_si256, _mm256_sra_epi32, _mm256_srai_epi32, _mm256_storeu_si256,
};

use super::{Kernel, LANES, Line};

/// AVX2.
#[derive(Clone, Copy, Debug)]
pub struct Avx2;

/// A pair as the 32 bits that stand in memory for it.
#[inline(always)]
pub(super) fn pair_bits([a, b]: [i16; 2]) -> i32 {
    i32::from(b) << 16 | i32::from(a as u16)
}

/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn shifted<const S: u32>(sums: __m256i) -> __m256i {
    // SAFETY: the caller's
    unsafe { _mm256_sra_epi32(sums, _mm_cvtsi32_si128(S as i32)) }
}

/// Sixteen rows of bytes as columns.
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
unsafe fn turned(mut r: [__m128i; 16]) -> [__m128i; 16] {
    // each round turns the index (row, column) of a byte by one bit
    for _ in 0..4 {
        let old = r;
        for j in 0..8 {
            // SAFETY: the caller's
            unsafe {
                r[2 * j] = _mm_unpacklo_epi8(old[j], old[j + 8]);
                r[2 * j + 1] = _mm_unpackhi_epi8(old[j], old[j + 8]);
            }
        }
    }
    r
}

/// [`Kernel::transpose`] with `vpunpck`, sixteen rows at a time.
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
pub(super) unsafe fn transpose<const N: usize>(rows: &[[u8; 16]; N], columns: &mut [[u8; N]; 16]) {
    const { assert!(N.is_multiple_of(16)) };
    for (n, rows) in rows.as_chunks::<16>().0.iter().enumerate() {
        // SAFETY: a row is a register, and so is what is stored in a column
        unsafe {
            let mut r = [_mm_setzero_si128(); 16];
            for (r, row) in r.iter_mut().zip(rows) {
                *r = _mm_loadu_si128(row.as_ptr().cast());
            }
            for (column, r) in columns.iter_mut().zip(turned(r)) {
                _mm_storeu_si128(column[16 * n..][..16].as_mut_ptr().cast(), r);
            }
        }
    }
}

/// [`Kernel::transpose_back`], likewise.
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
pub(super) unsafe fn transpose_back<const N: usize>(
    columns: &[[u8; N]; 16],
    rows: &mut [[u8; 16]; N],
) {
    const { assert!(N.is_multiple_of(16)) };
    for (n, rows) in rows.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        // SAFETY: a row is a register, and so is what is read of a column
        unsafe {
            let mut r = [_mm_setzero_si128(); 16];
            for (r, column) in r.iter_mut().zip(columns) {
                *r = _mm_loadu_si128(column[16 * n..][..16].as_ptr().cast());
            }
            for (row, r) in rows.iter_mut().zip(turned(r)) {
                _mm_storeu_si128(row.as_mut_ptr().cast(), r);
            }
        }
    }
}

/// [`Kernel::weigh`].
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
pub(super) unsafe fn weigh([a, b]: [&[i32; 8]; 2], x: &[i32; 8]) -> [i32; 2] {
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

/// Parts of `Σ w[i]·x[i]` whose sum is that sum modulo 2^32, for slices of the same
/// length, a multiple of 16.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn products(w: &[i16], x: &[i16]) -> __m256i {
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
pub(super) unsafe fn added([a, b, c, d, e, f, g, h]: [__m256i; 8]) -> [i32; 8] {
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

impl Kernel for Avx2 {
    type Sums = [__m256i; 2];

    #[inline(always)]
    unsafe fn load(sums: &[i32; LANES]) -> Self::Sums {
        let at = sums.as_ptr().cast::<__m256i>();
        // SAFETY: as above
        unsafe { [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))] }
    }

    #[inline(always)]
    unsafe fn store(sums: Self::Sums) -> [i32; LANES] {
        let mut out = [0; LANES];
        let at = out.as_mut_ptr().cast::<__m256i>();
        // SAFETY: as above
        unsafe {
            _mm256_storeu_si256(at, sums[0]);
            _mm256_storeu_si256(at.add(1), sums[1]);
        }
        out
    }

    #[inline(always)]
    unsafe fn add(sums: Self::Sums, row: &[i16; LANES]) -> Self::Sums {
        let at = row.as_ptr();
        // SAFETY: as above
        unsafe {
            let low = _mm256_cvtepi16_epi32(_mm_loadu_si128(at.cast()));
            let high = _mm256_cvtepi16_epi32(_mm_loadu_si128(at.add(8).cast()));
            [_mm256_add_epi32(sums[0], low), _mm256_add_epi32(sums[1], high)]
        }
    }

    #[inline(always)]
    unsafe fn plus(a: Self::Sums, b: Self::Sums) -> Self::Sums {
        // SAFETY: AVX2 by the trait's contract
        unsafe { [_mm256_add_epi32(a[0], b[0]), _mm256_add_epi32(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn multiply(sums: Self::Sums, w: &Line, a: [i16; 2]) -> Self::Sums {
        let at = w.0.as_ptr().cast::<__m256i>();
        // SAFETY: as above
        unsafe {
            let a = _mm256_set1_epi32(pair_bits(a));
            let low = _mm256_madd_epi16(_mm256_loadu_si256(at), a);
            let high = _mm256_madd_epi16(_mm256_loadu_si256(at.add(1)), a);
            [_mm256_add_epi32(sums[0], low), _mm256_add_epi32(sums[1], high)]
        }
    }

    #[inline(always)]
    unsafe fn scale<const S: u32>(sums: Self::Sums, low: i16, high: i16) -> [i16; LANES] {
        let mut out = [0; LANES];
        // SAFETY: as above
        unsafe {
            // packing saturates to 16 bits, which no bound is beyond, and mixes halves
            let packed = _mm256_packs_epi32(shifted::<S>(sums[0]), shifted::<S>(sums[1]));
            let all = _mm256_permute4x64_epi64::<0b11_01_10_00>(packed);
            let all = _mm256_min_epi16(all, _mm256_set1_epi16(high));
            let all = _mm256_max_epi16(all, _mm256_set1_epi16(low));
            _mm256_storeu_si256(out.as_mut_ptr().cast(), all);
        }
        out
    }

    #[inline(always)]
    unsafe fn transpose<const N: usize>(rows: &[[u8; 16]; N], columns: &mut [[u8; N]; 16]) {
        // SAFETY: AVX2 by the trait's contract
        unsafe { transpose(rows, columns) }
    }

    #[inline(always)]
    unsafe fn transpose_back<const N: usize>(columns: &[[u8; N]; 16], rows: &mut [[u8; 16]; N]) {
        // SAFETY: AVX2 by the trait's contract
        unsafe { transpose_back(columns, rows) }
    }

    #[inline(always)]
    unsafe fn dot(w: &[i16], x: &[i16]) -> i32 {
        // SAFETY: AVX2 by the trait's contract
        unsafe {
            let all = products(w, x);
            let all =
                _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256::<1>(all));
            let all = _mm_add_epi32(all, _mm_shuffle_epi32::<0b11_10_11_10>(all));
            let all = _mm_add_epi32(all, _mm_shuffle_epi32::<0b01_01_01_01>(all));
            _mm_cvtsi128_si32(all)
        }
    }

    #[inline(always)]
    unsafe fn dots<const N: usize>(w: [&[i16]; N], x: &[i16]) -> [i32; 8] {
        const { assert!(N <= 8) };
        // SAFETY: AVX2 by the trait's contract
        unsafe {
            let mut sums = [_mm256_setzero_si256(); 8];
            for i in 0..N {
                sums[i] = products(w[i], x);
            }
            added(sums)
        }
    }

    #[inline(always)]
    unsafe fn nonzero<const N: usize>(numbers: &[u32; N]) -> u32 {
        const { assert!(N <= 32 && N.is_multiple_of(8)) };
        let mut zeros = 0;
        for (i, numbers) in numbers.as_chunks::<8>().0.iter().enumerate() {
            // SAFETY: AVX2 by the trait's contract; a chunk is a register
            unsafe {
                let numbers = _mm256_loadu_si256(numbers.as_ptr().cast());
                let zero = _mm256_cmpeq_epi32(numbers, _mm256_setzero_si256());
                zeros |= (_mm256_movemask_ps(_mm256_castsi256_ps(zero)) as u32) << (8 * i);
            }
        }
        !zeros & (u32::MAX >> (32 - N))
    }

    #[inline(always)]
    unsafe fn weigh(w: [&[i32; 8]; 2], x: &[i32; 8]) -> [i32; 2] {
        // SAFETY: AVX2 by the trait's contract
        unsafe { weigh(w, x) }
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
