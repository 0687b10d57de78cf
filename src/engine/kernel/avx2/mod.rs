//! The AVX2 kernel: `vpmaddwd` on pairs of inputs.

mod places;
mod sums;
mod turn;

use std::arch::x86_64::{
    __m128i, __m256i, _mm_add_epi32, _mm_cmpeq_epi8, _mm_cvtsi32_si128, _mm_insert_epi16,
    _mm_loadl_epi64, _mm_loadu_si128, _mm_setr_epi16, _mm_setzero_si128, _mm_storeu_si128,
    _mm_unpacklo_epi32, _mm_unpacklo_epi64, _mm256_add_epi32, _mm256_adds_epi16, _mm256_and_si256,
    _mm256_blendv_epi8, _mm256_castsi256_ps, _mm256_castsi256_si128, _mm256_cmpeq_epi32,
    _mm256_cmpgt_epi32, _mm256_cvtepi8_epi32, _mm256_cvtepi16_epi32, _mm256_cvtepi32_ps,
    _mm256_cvttps_epi32, _mm256_div_ps, _mm256_extracti128_si256, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_max_epi16, _mm256_max_epi32, _mm256_min_epi16,
    _mm256_movemask_ps, _mm256_mulhrs_epi16, _mm256_mullo_epi32, _mm256_or_si256,
    _mm256_packs_epi32, _mm256_permute4x64_epi64, _mm256_set_m128i, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_si256, _mm256_slli_epi32, _mm256_sra_epi32,
    _mm256_srai_epi32, _mm256_srli_epi32, _mm256_storeu_si256, _mm256_sub_epi32,
};

use self::places::{joined, near_places, places};
pub(super) use self::sums::{added, approach, interpolate, weigh};
use self::sums::{products, total};
pub(super) use self::turn::{transpose, transpose_back};
use super::{ByteLine, Kernel, LANES, Line, Pairs, Scalar, Set};
use crate::stream::adaptive::{Entry, MAX_LIMIT};

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

/// Numbers in a register.
const WIDE: usize = 8;

/// Eight numbers whose last four give way to others, see [`Kernel::assemble`].
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
pub(super) unsafe fn ending(mut numbers: __m128i, last: [i16; 4]) -> __m128i {
    // SAFETY: the caller's
    unsafe {
        numbers = _mm_insert_epi16::<4>(numbers, last[0].into());
        numbers = _mm_insert_epi16::<5>(numbers, last[1].into());
        numbers = _mm_insert_epi16::<6>(numbers, last[2].into());
        _mm_insert_epi16::<7>(numbers, last[3].into())
    }
}

/// [`Kernel::assemble`] of eight contexts without a second part: one store, as what reads it
/// reads it at once.
///
/// # Safety
/// The processor has AVX2, and `C` is 8.
#[inline(always)]
pub(super) unsafe fn assemble_eight<const C: usize>(
    x: &mut [[i16; C]; 2],
    first: &[i16; C],
    third: &[i16; C],
    last: [i16; 4],
) {
    assert!(C == WIDE);
    // SAFETY: the arrays are halves of a register, and one
    unsafe {
        let first = _mm_loadu_si128(first.as_ptr().cast());
        let third = ending(_mm_loadu_si128(third.as_ptr().cast()), last);
        _mm256_storeu_si256(x.as_mut_ptr().cast(), _mm256_set_m128i(third, first));
    }
}

impl Kernel for Avx2 {
    const SET: Set = Set::Avx2;
    type Sums = [__m256i; 2];

    #[inline(always)]
    unsafe fn gather_entries<const N: usize>(table: &[[u8; 4]], index: &[u32; N]) -> [u32; N] {
        debug_assert!(index.iter().all(|&i| (i as usize) < table.len()));
        const { assert!(N.is_multiple_of(WIDE)) };
        let mut out = [0; N];
        for (out, index) in out.as_chunks_mut::<WIDE>().0.iter_mut().zip(index.as_chunks().0) {
            // SAFETY: the indices are inside the table by the trait's contract
            unsafe {
                let places = places(index);
                let mut values = [0; WIDE];
                for i in 0..WIDE {
                    values[i] = u32::from_ne_bytes(*table.get_unchecked(places[i]));
                }
                *out = joined(values);
            }
        }
        out
    }

    #[inline(always)]
    unsafe fn scatter_entries<const N: usize>(
        table: &mut [[u8; 4]],
        index: &[u32; N],
        values: &[u32; N],
    ) {
        debug_assert!(index.iter().all(|&i| (i as usize) < table.len()));
        const { assert!(N.is_multiple_of(WIDE)) };
        let indices = index.as_chunks::<WIDE>().0;
        for (values, index) in values.as_chunks::<WIDE>().0.iter().zip(indices) {
            // SAFETY: as above
            unsafe {
                let places = places(index);
                for i in 0..WIDE {
                    *table.get_unchecked_mut(places[i]) = values[i].to_ne_bytes();
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn gather_i16<const N: usize>(table: &[i16], index: &[u32; N]) -> [i16; N] {
        debug_assert!(index.iter().all(|&i| (i as usize) < table.len()));
        let mut out = [0; N];
        let (indices, rest) = index.as_chunks::<WIDE>();
        let (outs, out_rest) = out.as_chunks_mut::<WIDE>();
        for (out, index) in outs.iter_mut().zip(indices) {
            // SAFETY: the indices are inside the table by the trait's contract; the array is
            // half a register
            unsafe {
                let near = table.len() <= 1 << 16;
                let places = if near { near_places(index) } else { places(index) };
                let mut v = [0; WIDE];
                for i in 0..WIDE {
                    v[i] = *table.get_unchecked(places[i]);
                }
                let all = _mm_setr_epi16(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]);
                _mm_storeu_si128(out.as_mut_ptr().cast(), all);
            }
        }
        for (out, &i) in out_rest.iter_mut().zip(rest) {
            *out = table[i as usize];
        }
        out
    }

    #[inline(always)]
    unsafe fn gather_bytes<const N: usize>(table: &[u32; 256], index: &[u8; N]) -> [u32; N] {
        const { assert!(N.is_multiple_of(WIDE)) };
        let mut out = [0; N];
        for (out, index) in out.as_chunks_mut::<WIDE>().0.iter_mut().zip(index.as_chunks().0) {
            let index: &[u8; WIDE] = index;
            let mut values = [0; WIDE];
            for i in 0..WIDE {
                values[i] = table[usize::from(index[i])];
            }
            // SAFETY: AVX2 by the trait's contract
            unsafe { *out = joined(values) };
        }
        out
    }

    #[inline(always)]
    unsafe fn gather_rows<const N: usize>(table: &[[u32; 256]; N], index: &[u8; N]) -> [u32; N] {
        const { assert!(N.is_multiple_of(WIDE)) };
        let mut out = [0; N];
        for (n, out) in out.as_chunks_mut::<WIDE>().0.iter_mut().enumerate() {
            let mut values = [0; WIDE];
            for i in 0..WIDE {
                let row = WIDE * n + i;
                values[i] = table[row][usize::from(index[row])];
            }
            // SAFETY: AVX2 by the trait's contract
            unsafe { *out = joined(values) };
        }
        out
    }

    #[inline(always)]
    unsafe fn gather_slots<const N: usize>(
        table: &[[u8; 16]],
        index: &[u32; N],
    ) -> ([u32; N], [[u8; 16]; N]) {
        debug_assert!(index.iter().all(|&i| (i as usize) < table.len()));
        const { assert!(N.is_multiple_of(WIDE)) };
        let (mut words, mut slots) = ([0; N], [[0; 16]; N]);
        for i in 0..N / 4 {
            // SAFETY: the indices are inside the table by the trait's contract; a slot is a
            // register, and so are four words
            unsafe {
                let mut r = [_mm_setzero_si128(); 4];
                for j in 0..4 {
                    let slot = table.get_unchecked(index[4 * i + j] as usize);
                    r[j] = _mm_loadu_si128(slot.as_ptr().cast());
                    _mm_storeu_si128(slots[4 * i + j].as_mut_ptr().cast(), r[j]);
                }
                let [low, high] = [_mm_unpacklo_epi32(r[0], r[1]), _mm_unpacklo_epi32(r[2], r[3])];
                let firsts = _mm_unpacklo_epi64(low, high);
                _mm_storeu_si128(words[4 * i..][..4].as_mut_ptr().cast(), firsts);
            }
        }
        (words, slots)
    }

    #[inline(always)]
    unsafe fn select<const N: usize>(
        a: &[u8; N],
        b: &[u8; N],
        same: &[u32; N],
        other: &[u32; N],
    ) -> [u32; N] {
        const { assert!(N.is_multiple_of(WIDE)) };
        let mut out = [0; N];
        for i in 0..N / WIDE {
            let part = WIDE * i..WIDE * (i + 1);
            // SAFETY: AVX2 by the trait's contract; parts of numbers are registers, those of
            // bytes halves of small ones
            unsafe {
                let a = _mm_loadl_epi64(a[part.clone()].as_ptr().cast());
                let b = _mm_loadl_epi64(b[part.clone()].as_ptr().cast());
                let equal = _mm256_cvtepi8_epi32(_mm_cmpeq_epi8(a, b));
                let same = _mm256_loadu_si256(same[part.clone()].as_ptr().cast());
                let other = _mm256_loadu_si256(other[part.clone()].as_ptr().cast());
                let all = _mm256_blendv_epi8(other, same, equal);
                _mm256_storeu_si256(out[part].as_mut_ptr().cast(), all);
            }
        }
        out
    }

    #[inline(always)]
    unsafe fn updated<const N: usize>(entries: &[Entry; N], bit: u32, limit: u32) -> [Entry; N] {
        const { assert!(N.is_multiple_of(WIDE)) };
        let mut out = [0; N];
        let chunks = entries.as_chunks::<WIDE>().0;
        for (out, entries) in out.as_chunks_mut::<WIDE>().0.iter_mut().zip(chunks) {
            // SAFETY: AVX2 by the trait's contract; chunks are registers, and counts 10 bits
            unsafe {
                let entries = _mm256_loadu_si256(entries.as_ptr().cast());
                let count = _mm256_and_si256(entries, _mm256_set1_epi32(MAX_LIMIT as i32));
                // `RATE`, which no division of floats of 24 bits can miss: a quotient that is
                // no whole number is further from one than they are apart
                let odd = _mm256_add_epi32(_mm256_slli_epi32::<1>(count), _mm256_set1_epi32(3));
                let rates = _mm256_div_ps(_mm256_set1_ps(65536.0), _mm256_cvtepi32_ps(odd));
                let rates = _mm256_cvttps_epi32(rates);
                // as in `adaptive::updated_at`
                let target = _mm256_set1_epi32((bit << 22) as i32 - bit as i32);
                let p = _mm256_srli_epi32::<10>(entries);
                let miss = _mm256_srai_epi32::<6>(_mm256_sub_epi32(target, p));
                let step = _mm256_srai_epi32::<9>(_mm256_mullo_epi32(miss, rates));
                let p = _mm256_max_epi32(_mm256_add_epi32(p, step), _mm256_setzero_si256());
                let more = _mm256_cmpgt_epi32(_mm256_set1_epi32(limit as i32), count);
                let all =
                    _mm256_or_si256(_mm256_slli_epi32::<10>(p), _mm256_sub_epi32(count, more));
                _mm256_storeu_si256(out.as_mut_ptr().cast(), all);
            }
        }
        out
    }

    // one store a half, for what reads it soon after: a read of more than one store has to wait
    #[inline(always)]
    unsafe fn assemble<const C: usize>(
        x: &mut [[i16; C]; 2],
        first: &[i16; C],
        second: &[i16],
        third: &[i16; C],
        last: [i16; 4],
    ) {
        if C == WIDE && second.is_empty() {
            // SAFETY: AVX2 by the trait's contract
            return unsafe { assemble_eight(x, first, third, last) };
        }
        if C != 2 * WIDE || second.len() != WIDE {
            // SAFETY: the caller's
            return unsafe { Scalar::assemble(x, first, second, third, last) };
        }
        // SAFETY: AVX2 by the trait's contract; the arrays are registers, and halves of
        // them
        unsafe {
            let first = _mm256_loadu_si256(first.as_ptr().cast());
            let second = _mm_loadu_si128(second.as_ptr().cast());
            let third = ending(_mm_loadu_si128(third.as_ptr().add(WIDE).cast()), last);
            _mm256_storeu_si256(x[0].as_mut_ptr().cast(), first);
            _mm256_storeu_si256(x[1].as_mut_ptr().cast(), _mm256_set_m128i(third, second));
        }
    }

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
    unsafe fn multiply_bytes(sums: Self::Sums, w: &ByteLine, a: [u8; 4]) -> Self::Sums {
        let at = w.0.as_ptr().cast::<__m256i>();
        // SAFETY: as above; sums of two products do not saturate with such weights
        unsafe {
            let a = _mm256_set1_epi32(i32::from_le_bytes(a));
            let one = _mm256_set1_epi16(1);
            let low = _mm256_maddubs_epi16(a, _mm256_loadu_si256(at));
            let high = _mm256_maddubs_epi16(a, _mm256_loadu_si256(at.add(1)));
            let (low, high) = (_mm256_madd_epi16(low, one), _mm256_madd_epi16(high, one));
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
            let (low, high) = (_mm256_castsi256_si128(all), _mm256_extracti128_si256::<1>(all));
            total(_mm_add_epi32(low, high))
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
    unsafe fn interpolate(pairs: &Pairs, weight: u32) -> u32 {
        // SAFETY: AVX2 by the trait's contract
        unsafe { interpolate(pairs, weight) }
    }

    #[inline(always)]
    unsafe fn approach<const RATE: i32>(pairs: &Pairs, bit: u32) -> Pairs {
        // SAFETY: AVX2 by the trait's contract
        unsafe { approach::<RATE>(pairs, bit) }
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
