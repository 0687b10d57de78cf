//! The AVX-512 instructions that the kernel uses, in plain Rust, under the processor's names.
//!
//! With `RUSTFLAGS='--cfg avx512_in_software'` the kernel runs on them, and every test and
//! archive of it can be tried on a processor that has AVX2 alone (`make test-avx512`). What each
//! does is Intel's description of it, element by element.

use std::arch::x86_64::{__m256i, __m512i};
use std::mem::transmute;

/// Elements of a register, and back.
macro_rules! elements {
    ($($to:ident, $from:ident: $register:ty, [$element:ty; $n:expr];)*) => {$(
        #[allow(dead_code)] // of two registers one way alone is used
        #[inline(always)]
        fn $to(register: $register) -> [$element; $n] {
            // SAFETY: the same size, and every pattern of bits is a number
            unsafe { transmute(register) }
        }

        #[allow(dead_code)]
        #[inline(always)]
        fn $from(elements: [$element; $n]) -> $register {
            // SAFETY: as above
            unsafe { transmute(elements) }
        }
    )*};
}

elements! {
    i32x16, from_i32x16: __m512i, [i32; 16];
    i16x32, from_i16x32: __m512i, [i16; 32];
    i8x64, from_i8x64: __m512i, [i8; 64];
    u8x64, from_u8x64: __m512i, [u8; 64];
    halves, from_halves: __m512i, [__m256i; 2];
    i32x8, from_i32x8: __m256i, [i32; 8];
    i16x16, from_i16x16: __m256i, [i16; 16];
}

/// Functions of registers alone, unsafe as the processor's are.
macro_rules! instructions {
    ($(fn $name:ident $(<const $c:ident: $ct:ty>)? ($($arg:ident: $ty:ty),*) -> $ret:ty $body:block)*) => {$(
        #[doc = "Of the same name.\n\n# Safety\nNone is needed."]
        #[inline(always)]
        pub unsafe fn $name $(<const $c: $ct>)? ($($arg: $ty),*) -> $ret $body
    )*};
}

instructions! {
    fn _mm512_setzero_si512() -> __m512i { from_i32x16([0; 16]) }
    fn _mm512_set1_epi32(a: i32) -> __m512i { from_i32x16([a; 16]) }
    fn _mm512_set1_epi16(a: i16) -> __m512i { from_i16x32([a; 32]) }
    fn _mm512_castsi512_si256(a: __m512i) -> __m256i { halves(a)[0] }
    // what the upper half holds is undefined: something that a test would find
    fn _mm512_castsi256_si512(a: __m256i) -> __m512i { from_halves([a, from_i32x8([0x5ca1_ab1e; 8])]) }
    fn _mm512_zextsi256_si512(a: __m256i) -> __m512i { from_halves([a, from_i32x8([0; 8])]) }
    fn _mm512_extracti64x4_epi64<const I: i32>(a: __m512i) -> __m256i { halves(a)[I as usize] }
    fn _mm512_inserti64x4<const I: i32>(a: __m512i, b: __m256i) -> __m512i {
        let mut all = halves(a);
        all[I as usize] = b;
        from_halves(all)
    }
    fn _mm512_add_epi32(a: __m512i, b: __m512i) -> __m512i {
        let (a, b) = (i32x16(a), i32x16(b));
        from_i32x16(std::array::from_fn(|i| a[i].wrapping_add(b[i])))
    }
    fn _mm512_adds_epi16(a: __m512i, b: __m512i) -> __m512i {
        let (a, b) = (i16x32(a), i16x32(b));
        from_i16x32(std::array::from_fn(|i| a[i].saturating_add(b[i])))
    }
    fn _mm512_mulhrs_epi16(a: __m512i, b: __m512i) -> __m512i {
        let (a, b) = (i16x32(a), i16x32(b));
        let product = |i: usize| ((i32::from(a[i]) * i32::from(b[i]) >> 14) + 1) >> 1;
        from_i16x32(std::array::from_fn(|i| product(i) as i16))
    }
    fn _mm512_dpwssd_epi32(sums: __m512i, a: __m512i, b: __m512i) -> __m512i {
        let (sums, a, b) = (i32x16(sums), i16x32(a), i16x32(b));
        let product = |i: usize| i32::from(a[i]) * i32::from(b[i]);
        let sum = |i: usize| sums[i].wrapping_add(product(2 * i)).wrapping_add(product(2 * i + 1));
        from_i32x16(std::array::from_fn(sum))
    }
    fn _mm512_dpbusd_epi32(sums: __m512i, a: __m512i, b: __m512i) -> __m512i {
        let (sums, a, b) = (i32x16(sums), u8x64(a), i8x64(b));
        let product = |i: usize| i32::from(a[i]) * i32::from(b[i]);
        let sum = |i: usize| (4 * i..4 * i + 4).fold(sums[i], |s, i| s.wrapping_add(product(i)));
        from_i32x16(std::array::from_fn(sum))
    }
    fn _mm512_srai_epi32<const S: u32>(a: __m512i) -> __m512i {
        from_i32x16(i32x16(a).map(|v| v >> S.min(31)))
    }
    fn _mm512_reduce_add_epi32(a: __m512i) -> i32 {
        i32x16(a).iter().fold(0, |sum, &v| sum.wrapping_add(v))
    }
    fn _mm512_cvtepi16_epi32(a: __m256i) -> __m512i { from_i32x16(i16x16(a).map(i32::from)) }
    fn _mm512_cvtsepi32_epi16(a: __m512i) -> __m256i {
        from_i16x16(i32x16(a).map(|v| v.clamp(i16::MIN.into(), i16::MAX.into()) as i16))
    }
    fn _mm512_test_epi32_mask(a: __m512i, b: __m512i) -> u16 {
        let (a, b) = (i32x16(a), i32x16(b));
        (0..16).map(|i| u16::from(a[i] & b[i] != 0) << i).sum()
    }
    fn _mm256_test_epi32_mask(a: __m256i, b: __m256i) -> u8 {
        let (a, b) = (i32x8(a), i32x8(b));
        (0..8).map(|i| u8::from(a[i] & b[i] != 0) << i).sum()
    }
}

/// Of the same name.
///
/// # Safety
/// A register can be read there.
#[inline(always)]
pub unsafe fn _mm512_loadu_si512(from: *const __m512i) -> __m512i {
    // SAFETY: the caller's
    unsafe { from.read_unaligned() }
}

/// Of the same name.
///
/// # Safety
/// A register can be written there.
#[inline(always)]
pub unsafe fn _mm512_storeu_si512(to: *mut __m512i, a: __m512i) {
    // SAFETY: the caller's
    unsafe { to.write_unaligned(a) }
}
