//! The NEON kernel: widening multiply-adds, one input of a pair after the other; of bytes, two
//! products in 16 bits.

use std::arch::aarch64::{
    int32x4_t, vaddq_s32, vaddw_high_s16, vaddw_s16, vdupq_n_s16, vdupq_n_s32, vdupq_n_u32,
    vget_low_s16, vld1q_s8, vld1q_s16, vld1q_s32, vld2q_s16, vmaxq_s16, vminq_s16,
    vmlal_high_n_s16, vmlal_n_s16, vmlaq_s16, vmulq_s16, vpadalq_s16, vqmovn_high_s32, vqmovn_s32,
    vreinterpretq_s16_s8, vreinterpretq_s16_u32, vshlq_n_s16, vshlq_s32, vshrq_n_s16, vst1q_s16,
    vst1q_s32,
};

use super::{ByteLine, Kernel, LANES, Line, Set};

/// NEON, which every 64-bit ARM processor has; little-endian ones alone, for the halves of
/// numbers.
#[derive(Clone, Copy, Debug)]
pub struct Neon;

// SAFETY of all blocks: NEON is part of the target; loads and stores are of the arrays'
// whole length.
impl Kernel for Neon {
    const SET: Set = Set::Neon;
    type Sums = [int32x4_t; 4];

    #[inline(always)]
    unsafe fn load(sums: &[i32; LANES]) -> Self::Sums {
        let at = sums.as_ptr();
        // SAFETY: as above
        unsafe {
            [vld1q_s32(at), vld1q_s32(at.add(4)), vld1q_s32(at.add(8)), vld1q_s32(at.add(12))]
        }
    }

    #[inline(always)]
    unsafe fn store(sums: Self::Sums) -> [i32; LANES] {
        let mut out = [0; LANES];
        for (part, sums) in out.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
            // SAFETY: as above
            unsafe { vst1q_s32(part.as_mut_ptr(), sums) };
        }
        out
    }

    #[inline(always)]
    unsafe fn add(sums: Self::Sums, row: &[i16; LANES]) -> Self::Sums {
        // SAFETY: as above
        unsafe {
            let (low, high) = (vld1q_s16(row.as_ptr()), vld1q_s16(row.as_ptr().add(8)));
            [
                vaddw_s16(sums[0], vget_low_s16(low)),
                vaddw_high_s16(sums[1], low),
                vaddw_s16(sums[2], vget_low_s16(high)),
                vaddw_high_s16(sums[3], high),
            ]
        }
    }

    #[inline(always)]
    unsafe fn plus(a: Self::Sums, b: Self::Sums) -> Self::Sums {
        // SAFETY: NEON by the trait's contract
        unsafe {
            [
                vaddq_s32(a[0], b[0]),
                vaddq_s32(a[1], b[1]),
                vaddq_s32(a[2], b[2]),
                vaddq_s32(a[3], b[3]),
            ]
        }
    }

    #[inline(always)]
    unsafe fn multiply(mut sums: Self::Sums, w: &Line, a: [i16; 2]) -> Self::Sums {
        let w = w.0.as_flattened();
        for (half, sums) in sums.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            // SAFETY: as above; 16 numbers a half, eight for each input of the pair
            unsafe {
                let pairs = vld2q_s16(w[LANES * half..][..LANES].as_ptr());
                for (w, a) in [(pairs.0, a[0]), (pairs.1, a[1])] {
                    sums[0] = vmlal_n_s16(sums[0], vget_low_s16(w), a);
                    sums[1] = vmlal_high_n_s16(sums[1], w, a);
                }
            }
        }
        sums
    }

    #[inline(always)]
    unsafe fn multiply_bytes(mut sums: Self::Sums, w: &ByteLine, a: [u8; 4]) -> Self::Sums {
        let [a0, a1, a2, a3] = a.map(u32::from);
        let (w, _) = w.0.as_chunks::<4>();
        // SAFETY: as above; two products together fit into 16 bits
        unsafe {
            let [even, odd] =
                [a0 | a2 << 16, a1 | a3 << 16].map(|two| vreinterpretq_s16_u32(vdupq_n_u32(two)));
            for (sums, w) in sums.iter_mut().zip(w) {
                // two weights are a number of 16 bits, from which shifts take either
                let w = vreinterpretq_s16_s8(vld1q_s8(w.as_flattened().as_ptr()));
                let twos = vmulq_s16(vshrq_n_s16::<8>(vshlq_n_s16::<8>(w)), even);
                *sums = vpadalq_s16(*sums, vmlaq_s16(twos, vshrq_n_s16::<8>(w), odd));
            }
        }
        sums
    }

    #[inline(always)]
    unsafe fn scale<const S: u32>(sums: Self::Sums, low: i16, high: i16) -> [i16; LANES] {
        let mut out = [0; LANES];
        for (half, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            // SAFETY: as above; narrowing saturates to 16 bits, which no bound is beyond
            unsafe {
                let shift = vdupq_n_s32(-(S as i32));
                let [first, second] =
                    [2 * half, 2 * half + 1].map(|part| vshlq_s32(sums[part], shift));
                let all = vqmovn_high_s32(vqmovn_s32(first), second);
                let all = vmaxq_s16(vminq_s16(all, vdupq_n_s16(high)), vdupq_n_s16(low));
                vst1q_s16(out.as_mut_ptr(), all);
            }
        }
        out
    }
}
