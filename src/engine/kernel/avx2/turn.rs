//! Rows of bytes turned into columns, and back.

use std::arch::x86_64::{
    __m128i, _mm_loadu_si128, _mm_setzero_si128, _mm_storeu_si128, _mm_unpackhi_epi8,
    _mm_unpacklo_epi8,
};

/// `N` rows of sixteen bytes, a power of two, in so many rounds, each of which turns the index
/// (row, column) of a byte by one bit. Four rounds make columns of sixteen rows; of eight,
/// three put two columns into each register, and four more undo that.
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
unsafe fn turned<const N: usize>(mut r: [__m128i; N], rounds: u32) -> [__m128i; N] {
    for _ in 0..rounds {
        let old = r;
        for j in 0..N / 2 {
            // SAFETY: the caller's
            unsafe {
                r[2 * j] = _mm_unpacklo_epi8(old[j], old[j + N / 2]);
                r[2 * j + 1] = _mm_unpackhi_epi8(old[j], old[j + N / 2]);
            }
        }
    }
    r
}

/// [`Kernel::transpose`] with `vpunpck`, sixteen rows at a time, or all eight.
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
pub(in crate::engine::kernel) unsafe fn transpose<const N: usize>(
    rows: &[[u8; 16]; N],
    columns: &mut [[u8; N]; 16],
) {
    const { assert!(N == 8 || N.is_multiple_of(16)) };
    if N == 8 {
        // SAFETY: a row is a register, and so are two columns
        unsafe {
            let mut r = [_mm_setzero_si128(); 8];
            for (r, row) in r.iter_mut().zip(rows) {
                *r = _mm_loadu_si128(row.as_ptr().cast());
            }
            let columns = columns.as_flattened_mut().as_chunks_mut::<16>().0;
            for (columns, r) in columns.iter_mut().zip(turned(r, 3)) {
                _mm_storeu_si128(columns.as_mut_ptr().cast(), r);
            }
        }
    }
    for (n, rows) in rows.as_chunks::<16>().0.iter().enumerate() {
        // SAFETY: a row is a register, and so is what is stored in a column
        unsafe {
            let mut r = [_mm_setzero_si128(); 16];
            for (r, row) in r.iter_mut().zip(rows) {
                *r = _mm_loadu_si128(row.as_ptr().cast());
            }
            for (column, r) in columns.iter_mut().zip(turned(r, 4)) {
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
pub(in crate::engine::kernel) unsafe fn transpose_back<const N: usize>(
    columns: &[[u8; N]; 16],
    rows: &mut [[u8; 16]; N],
) {
    const { assert!(N == 8 || N.is_multiple_of(16)) };
    if N == 8 {
        // SAFETY: a row is a register, and so are two columns
        unsafe {
            let mut r = [_mm_setzero_si128(); 8];
            let columns = columns.as_flattened().as_chunks::<16>().0;
            for (r, columns) in r.iter_mut().zip(columns) {
                *r = _mm_loadu_si128(columns.as_ptr().cast());
            }
            for (row, r) in rows.iter_mut().zip(turned(r, 4)) {
                _mm_storeu_si128(row.as_mut_ptr().cast(), r);
            }
        }
    }
    for (n, rows) in rows.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        // SAFETY: a row is a register, and so is what is read of a column
        unsafe {
            let mut r = [_mm_setzero_si128(); 16];
            for (r, column) in r.iter_mut().zip(columns) {
                *r = _mm_loadu_si128(column[16 * n..][..16].as_ptr().cast());
            }
            for (row, r) in rows.iter_mut().zip(turned(r, 4)) {
                _mm_storeu_si128(row.as_mut_ptr().cast(), r);
            }
        }
    }
}
