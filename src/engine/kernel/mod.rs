//! Matrix–vector kernels, one for each instruction set, all exactly the sums of
//! [`Linear`](crate::made::integer::Linear). Callers are generic over [`Kernel`] and marked
//! `#[inline(always)]`; [`with_kernel`](crate::with_kernel) instantiates them inside a function
//! compiled for the instruction set, so that plain loops are vectorized for it
//! too.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod isa;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod neon;
mod packed;
mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::{Avx512, instructions};
pub use isa::{Isa, Set};
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
pub use neon::Neon;
pub use packed::{
    ByteLine, LANES, Line, PART, Packed, PackedTable, Weights, activations, all_sums, begun,
    sums_of_rows,
};
pub use scalar::Scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use simd128::Simd128;

use crate::made::logistic::{LOGIT_LIMIT, SQUASH};
use crate::stream::adaptive::{self, Entry};

/// Pairs of 16-bit probabilities.
pub type Pairs = [[u16; 2]; 4];

/// An instruction set's way to multiply.
pub trait Kernel: Copy + Send + Sync + 'static {
    /// Whose kernel this is.
    const SET: Set;

    /// Whether a chain of [`Self::multiply`] is as fast as several.
    const PATIENT: bool = true;

    /// How many [`Self::Sums`] are best made together: there are registers for them and for
    /// what is multiplied.
    const TOGETHER: usize = 4;

    /// A register, or some, of [`LANES`] sums.
    type Sums: Copy;

    /// Reads sums.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    unsafe fn load(sums: &[i32; LANES]) -> Self::Sums;

    /// Writes sums.
    ///
    /// # Safety
    /// As for [`Self::load`].
    unsafe fn store(sums: Self::Sums) -> [i32; LANES];

    /// `sums[o] + row[o]`.
    ///
    /// # Safety
    /// As for [`Self::load`].
    unsafe fn add(sums: Self::Sums, row: &[i16; LANES]) -> Self::Sums;

    /// Adds sums to sums.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    unsafe fn plus(a: Self::Sums, b: Self::Sums) -> Self::Sums;

    /// `sums[o] + w[o][0]·a[0] + w[o][1]·a[1]`.
    ///
    /// # Safety
    /// As for [`Self::load`].
    unsafe fn multiply(sums: Self::Sums, w: &Line, a: [i16; 2]) -> Self::Sums;

    /// `sums[o] + Σ w[o][i]·a[i]`, weights within ±64.
    ///
    /// # Safety
    /// As for [`Self::load`].
    unsafe fn multiply_bytes(sums: Self::Sums, w: &ByteLine, a: [u8; 4]) -> Self::Sums;

    /// `clamp(sums[o] >> S, low, high)`, bounds of 16 bits.
    ///
    /// # Safety
    /// As for [`Self::load`].
    unsafe fn scale<const S: u32>(sums: Self::Sums, low: i16, high: i16) -> [i16; LANES];

    /// `table[index[i]]` for every i.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set, and every index is below
    /// the table's length less one.
    #[inline(always)]
    unsafe fn gather_i16<const N: usize>(table: &[i16], index: &[u32; N]) -> [i16; N] {
        // loops, here and below: a closure would not be compiled for the instruction set
        let mut out = [0; N];
        for i in 0..N {
            out[i] = table[index[i] as usize];
        }
        out
    }

    /// [`squash`](crate::made::logistic::squash) of all.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn squash<const N: usize>(logits: &[i32; N]) -> [u16; N] {
        let (mut places, mut p) = ([0; N], [0; N]);
        for i in 0..N {
            places[i] = (logits[i].clamp(-LOGIT_LIMIT, LOGIT_LIMIT - 1) + LOGIT_LIMIT) as u32;
        }
        // SAFETY: the caller's; a clamped logit is inside the table, with one entry after it
        let found = unsafe { Self::gather_i16(&SQUASH, &places) };
        for i in 0..N {
            p[i] = found[i] as u16;
        }
        p
    }

    /// `table[index[i]]` for every i.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn gather_bytes<const N: usize>(table: &[u32; 256], index: &[u8; N]) -> [u32; N] {
        let mut out = [0; N];
        for i in 0..N {
            out[i] = table[usize::from(index[i])];
        }
        out
    }

    /// `table[i][index[i]]` for every i.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn gather_rows<const N: usize>(table: &[[u32; 256]; N], index: &[u8; N]) -> [u32; N] {
        let mut out = [0; N];
        for i in 0..N {
            out[i] = table[i][usize::from(index[i])];
        }
        out
    }

    /// `table[i][index[i]] = values[i]` for every i.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn scatter_rows<const N: usize>(
        table: &mut [[u32; 256]; N],
        index: &[u8; N],
        values: &[u32; N],
    ) {
        for i in 0..N {
            table[i][usize::from(index[i])] = values[i];
        }
    }

    /// `table[index[i]]` for every i, numbers as they are in memory.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set, and every index is below
    /// the table's length.
    #[inline(always)]
    unsafe fn gather_entries<const N: usize>(table: &[[u8; 4]], index: &[u32; N]) -> [u32; N] {
        let mut out = [0; N];
        for i in 0..N {
            out[i] = u32::from_ne_bytes(table[index[i] as usize]);
        }
        out
    }

    /// `table[index[i]] = values[i]` for every i in turn, numbers as they are in memory.
    ///
    /// # Safety
    /// As for [`Self::gather_entries`].
    #[inline(always)]
    unsafe fn scatter_entries<const N: usize>(
        table: &mut [[u8; 4]],
        index: &[u32; N],
        values: &[u32; N],
    ) {
        for i in 0..N {
            table[index[i] as usize] = values[i].to_ne_bytes();
        }
    }

    /// `table[index[i]]` for every i, after the first four bytes of each as a number as it
    /// is in memory.
    ///
    /// # Safety
    /// As for [`Self::gather_entries`].
    #[inline(always)]
    unsafe fn gather_slots<const N: usize>(
        table: &[[u8; 16]],
        index: &[u32; N],
    ) -> ([u32; N], [[u8; 16]; N]) {
        let (mut places, mut slots) = ([0; N], [[0; 16]; N]);
        for i in 0..N {
            places[i] = 4 * index[i];
        }
        // SAFETY: the caller's; a slot has four words
        let words = unsafe { Self::gather_entries(table.as_flattened().as_chunks().0, &places) };
        for i in 0..N {
            slots[i] = table[index[i] as usize];
        }
        (words, slots)
    }

    /// The logits of a row ([`crate::stream::row::Row::x`]) from its parts: all of
    /// `first`; `second`, then the places of `third` after it, of which the last four
    /// give way to `last`.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn assemble<const C: usize>(
        x: &mut [[i16; C]; 2],
        first: &[i16; C],
        second: &[i16],
        third: &[i16; C],
        last: [i16; 4],
    ) {
        x[0] = *first;
        x[1] = *third;
        x[1][..second.len()].copy_from_slice(second);
        x[1][C - 4..].copy_from_slice(&last);
    }

    /// `same[i]` where `a[i]` is `b[i]`, else `other[i]`.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn select<const N: usize>(
        a: &[u8; N],
        b: &[u8; N],
        same: &[u32; N],
        other: &[u32; N],
    ) -> [u32; N] {
        let mut out = [0; N];
        for i in 0..N {
            out[i] = if a[i] == b[i] { same[i] } else { other[i] };
        }
        out
    }

    /// [`adaptive::updated`] of all.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn updated<const N: usize>(entries: &[Entry; N], bit: u32, limit: u32) -> [Entry; N] {
        let mut out = [0; N];
        for i in 0..N {
            out[i] = adaptive::updated(entries[i], bit, limit);
        }
        out
    }

    /// The sum of `(a·(4096 - weight) + b·weight) / 4096`, rounded down, over all pairs.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set; `weight` is below 4096.
    #[inline(always)]
    unsafe fn interpolate(pairs: &Pairs, weight: u32) -> u32 {
        pairs.iter().fold(0, |sum, &[a, b]| {
            sum + ((u32::from(a) * (4096 - weight) + u32::from(b) * weight) >> 12)
        })
    }

    /// All probabilities moved by 2^-`RATE` of their distance from a bit's, rounded up (but for
    /// the largest distances, whose rounding saturates at 16 bits).
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn approach<const RATE: i32>(pairs: &Pairs, bit: u32) -> Pairs {
        let target = 0u16.wrapping_sub(bit as u16);
        pairs.map(|pair| {
            pair.map(|p| {
                let distance = p ^ target;
                (distance - (distance.saturating_add((1 << RATE) - 1) >> RATE)) ^ target
            })
        })
    }

    /// Which numbers are not zero: bit i for number i, at most 32.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn nonzero<const N: usize>(numbers: &[u32; N]) -> u32 {
        const { assert!(N <= 32) };
        let mut bits = 0;
        for i in 0..N {
            bits |= u32::from(numbers[i] != 0) << i;
        }
        bits
    }

    /// Rows as columns.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn transpose<const N: usize>(rows: &[[u8; 16]; N], columns: &mut [[u8; N]; 16]) {
        for (i, row) in rows.iter().enumerate() {
            for (j, &value) in row.iter().enumerate() {
                columns[j][i] = value;
            }
        }
    }

    /// Columns as rows: undoes [`Self::transpose`].
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn transpose_back<const N: usize>(columns: &[[u8; N]; 16], rows: &mut [[u8; 16]; N]) {
        for (i, row) in rows.iter_mut().enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                *value = columns[j][i];
            }
        }
    }

    /// `Σ w[i]·x[i]` modulo 2^32, for slices of the same length, a multiple of 16.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn dot(w: &[i16], x: &[i16]) -> i32 {
        w.iter().zip(x).fold(0, |s: i32, (&w, &x)| s.wrapping_add(i32::from(w) * i32::from(x)))
    }

    /// [`Self::dot`] of up to eight slices with the same one, then zeros.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn dots<const N: usize>(w: [&[i16]; N], x: &[i16]) -> [i32; 8] {
        const { assert!(N <= 8) };
        // not in a closure, which would not be compiled for the instruction set
        let mut sums = [0; 8];
        for i in 0..N {
            // SAFETY: the caller's
            sums[i] = unsafe { Self::dot(w[i], x) };
        }
        sums
    }

    /// `Σ floor(x[i]·floor(w[i] / 4) / 2^8)` for two `w`; terms and sums are within 32
    /// bits.
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn weigh(w: [&[i32; 8]; 2], x: &[i32; 8]) -> [i32; 2] {
        let mut sums = [0; 2];
        for (sum, w) in sums.iter_mut().zip(w) {
            for i in 0..8 {
                *sum += (x[i] * (w[i] >> 2)) >> 8;
            }
        }
        sums
    }

    /// `w[i] += floor((x[i]·error + 2^14) / 2^15)`, saturating, for slices as in
    /// [`Self::dot`].
    ///
    /// # Safety
    /// The processor has the kernel's instruction set.
    #[inline(always)]
    unsafe fn learn(w: &mut [i16], x: &[i16], error: i16) {
        for (w, &x) in w.iter_mut().zip(x) {
            let step = (i32::from(x) * i32::from(error) + (1 << 14)) >> 15;
            *w = (i32::from(*w) + step).clamp(-32768, 32767) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::integer::Linear;
    use crate::made::logistic::STRETCH;
    use crate::with_kernel;
    use proptest::prelude::*;

    type Sums = (Vec<i32>, Vec<[i16; LANES]>);

    /// A layer's sums, and its activations.
    #[inline(always)]
    fn forward<K: Kernel>(w: &Packed, a: &[[i16; 2]]) -> Sums {
        let mut all = (vec![0; w.groups * LANES], vec![[0; LANES]; w.groups]);
        // SAFETY: `with_kernel` has the proof of the instruction set
        unsafe {
            all_sums::<K, _>(w, w.groups, a, all.0.as_chunks_mut().0);
            activations::<K, 3, 0>(w, &w.bias, [], a, 8191, &mut all.1);
        }
        all
    }

    /// Four bytes of each of up to so many steps.
    type Fours = [[u8; 4]; 32];

    /// The sums of a layer of bytes for some rows, one after the other and together.
    #[inline(always)]
    fn bytes<K: Kernel>(w: &Packed<ByteLine>, rows: &[Fours]) -> Vec<i32> {
        let mut all = vec![[0; LANES]; w.groups * rows.len()];
        let mut together = all.clone();
        // SAFETY: `with_kernel` has the proof of the instruction set
        unsafe {
            for (row, out) in rows.iter().zip(all.chunks_exact_mut(w.groups)) {
                all_sums::<K, _>(w, w.groups, row, out);
            }
            sums_of_rows::<K, _, _>(w, rows, &mut together);
        }
        assert!(together == all, "{} rows", rows.len());
        all.into_iter().flatten().collect()
    }

    type Moved = ([u32; 8], Vec<[u8; 4]>, [[i16; 16]; 2], [[u8; 16]; 16]);

    /// What is gathered and scattered, assembled and turned.
    #[inline(always)]
    fn moved<K: Kernel>(table: &[[u8; 4]], index: &[u32; 8], numbers: &[i16; 16]) -> Moved {
        let mut all = table.to_vec();
        let (mut x, mut columns) = ([[0; 16]; 2], [[0; 16]; 16]);
        let rows: [[u8; 16]; 16] =
            std::array::from_fn(|i| std::array::from_fn(|j| (i * 16 + j) as u8 ^ numbers[i] as u8));
        // SAFETY: `with_kernel` has the proof of the instruction set; the caller's indices
        // are inside the table
        unsafe {
            let gathered = K::gather_entries(table, index);
            for bit in [0, 1] {
                let want = Scalar::updated(&gathered, bit, 255);
                assert_eq!(K::updated(&gathered, bit, 255), want);
            }
            let (a, b) = ([1, 2, 3, 0xff, 5, 6, 7, 8], [1, 0, 3, 0xff, 0, 6, 0, 0]);
            let other = gathered.map(|v| !v);
            let want = Scalar::select(&a, &b, &gathered, &other);
            assert_eq!(K::select(&a, &b, &gathered, &other), want);
            assert_eq!((want[0], want[1], want[3]), (gathered[0], !gathered[1], gathered[3]));
            let slots: &[[u8; 16]] = table.as_flattened().as_chunks().0;
            let places = index.map(|i| i / 4);
            assert_eq!(K::gather_slots(slots, &places), Scalar::gather_slots(slots, &places));
            let places = index.map(|i| 2 * i);
            assert_eq!(K::gather_i16(&STRETCH, &places), Scalar::gather_i16(&STRETCH, &places));
            let maps: Vec<[u32; 256]> =
                (0..8).map(|i| std::array::from_fn(|j| adaptive::RATE[j] ^ i << 20)).collect();
            let Some(maps) = maps.first_chunk::<8>() else { unreachable!("eight rows") };
            assert_eq!(K::gather_rows(maps, &a), Scalar::gather_rows(maps, &a));
            assert_eq!(K::gather_bytes(&maps[3], &a), Scalar::gather_bytes(&maps[3], &a));
            K::scatter_entries(&mut all, index, &gathered.map(|v| v ^ 0xabcd_ef01));
            let second: [i16; 8] = std::array::from_fn(|i| numbers[i] ^ 1);
            let third = numbers.map(|n| n ^ 2);
            K::assemble(&mut x, numbers, &second, &third, [5, 6, 7, 8]);
            K::transpose(&rows, &mut columns);
            let mut back = [[0; 16]; 16];
            K::transpose_back(&columns, &mut back);
            assert_eq!(back, rows);
            let [low, high] = [0, 8].map(|at| std::array::from_fn(|i| numbers[at + i]));
            let (mut eight, mut want) = ([[0; 8]; 2], [[0; 8]; 2]);
            K::assemble(&mut eight, &low, &[], &high, [5, 6, 7, 8]);
            Scalar::assemble(&mut want, &low, &[], &high, [5, 6, 7, 8]);
            assert_eq!(eight, want);
            let Some(rows) = rows.first_chunk::<8>() else { unreachable!("eight rows") };
            let (mut eight, mut want, mut back) = ([[0; 8]; 16], [[0; 8]; 16], [[0; 16]; 8]);
            K::transpose(rows, &mut eight);
            Scalar::transpose(rows, &mut want);
            assert_eq!(eight, want);
            K::transpose_back(&eight, &mut back);
            assert_eq!(&back, rows);
            (gathered, all, x, columns)
        }
    }

    #[test]
    fn every_kernel_moves_alike() {
        let table: Vec<[u8; 4]> = (0..500u32).map(|i| (i * 0x9e37).to_ne_bytes()).collect();
        // places that occur twice: the later value stays
        let index = [3, 499, 0, 77, 3, 200, 499, 1];
        let numbers = std::array::from_fn(|i| (i as i16 - 8) * 1234);
        let want = moved::<Scalar>(&table, &index, &numbers);
        assert_eq!(want.0[1], 499 * 0x9e37);
        assert_eq!(
            (want.2[1][7], want.2[1][8], want.2[1][15]),
            (numbers[7] ^ 1, numbers[8] ^ 2, 8)
        );
        for isa in Isa::available() {
            let (table, index, numbers) = (&table[..], &index, &numbers);
            let got = with_kernel!(isa, moved(
                table: &[[u8; 4]], index: &[u32; 8], numbers: &[i16; 16]
            ) -> Moved);
            assert_eq!(got, want, "{isa}");
        }
    }

    /// Entries of every count, and pairs of every distance, after a bit.
    #[inline(always)]
    fn learnt<K: Kernel>() -> (Vec<[Entry; 8]>, Vec<Pairs>, Vec<u32>) {
        let (mut entries, mut pairs, mut sums) = (Vec::new(), Vec::new(), Vec::new());
        for first in (0..=adaptive::MAX_LIMIT as u32).step_by(8) {
            for p in [0, 1, 0x1f_ffff, 0x2a_5a5a, 0x3f_ffff] {
                let all = std::array::from_fn(|i| p << 10 | (first + i as u32));
                // SAFETY: `with_kernel` has the proof of the instruction set
                entries.extend([0, 1].map(|bit| unsafe { K::updated(&all, bit, 1000) }));
            }
        }
        for first in (0..=u16::MAX).step_by(8) {
            let all = [0, 2, 4, 6].map(|i| [first + i, first + i + 1]);
            // SAFETY: as above
            unsafe {
                pairs.extend([0, 1].map(|bit| K::approach::<5>(&all, bit)));
                let far = all.map(|[a, b]| [a, !b]);
                let weight = u32::from(first / 16);
                sums.extend([all, far].map(|pairs| K::interpolate(&pairs, weight)));
            }
        }
        (entries, pairs, sums)
    }

    #[test]
    fn every_kernel_learns_alike() {
        let want = learnt::<Scalar>();
        for isa in Isa::available() {
            let got = with_kernel!(isa, learnt() -> (Vec<[Entry; 8]>, Vec<Pairs>, Vec<u32>));
            assert!(got == want, "{isa}");
        }
    }

    proptest! {
        #[test]
        fn every_kernel_equals_the_reference(
            inputs in 1usize..70, outputs in 1usize..150, seed in any::<u64>(), extreme in any::<bool>()
        ) {
            let mut state = seed | 1;
            let mut next = |bound: i64| {
                state ^= state << 13; state ^= state >> 7; state ^= state << 17;
                if extreme { if state & 1 == 0 { bound } else { -bound } }
                else { (state % (2 * bound as u64 + 1)) as i64 - bound }
            };
            let layer = Linear {
                inputs, outputs,
                weights: (0..inputs * outputs).map(|_| next(32767) as i16).collect(),
                bias: (0..outputs).map(|_| next(1 << 20) as i32).collect(),
            };
            let a: Vec<i16> = (0..inputs).map(|_| next(255) as i16).collect();
            let mut want = vec![0; outputs];
            layer.apply(&a, &mut want);
            let packed: Packed = Packed::new(&layer);
            let mut pairs = vec![[0; 2]; packed.steps];
            for (i, &x) in a.iter().enumerate() {
                pairs[i / 2][i % 2] = x;
            }
            let scaled: Vec<i16> = want.iter().map(|s| (s >> 3).clamp(0, 8191) as i16).collect();
            for isa in Isa::available() {
                let (packed, pairs) = (&packed, &pairs[..]);
                let got = with_kernel!(isa, forward(packed: &Packed, pairs: &[[i16; 2]]) -> Sums);
                prop_assert_eq!(&got.0[..outputs], &want[..], "{}", isa);
                prop_assert_eq!(&got.1.as_flattened()[..outputs], &scaled[..], "{}", isa);
            }
            let layer = Linear {
                weights: layer.weights.iter().map(|&w| (w >> 8).clamp(-64, 64)).collect(),
                ..layer
            };
            let packed = Packed::new(&layer);
            let width = packed.groups * LANES;
            let (mut rows, mut wanted) = (vec![[[0; 4]; 32]; inputs % 10], Vec::new());
            for (n, row) in rows.iter_mut().enumerate() {
                let a: Vec<i16> = a.iter().map(|a| (a + 37 * n as i16) & 255).collect();
                layer.apply(&a, &mut want);
                wanted.extend_from_slice(&want);
                wanted.resize((n + 1) * width, 0);
                for (to, &a) in row.as_flattened_mut().iter_mut().zip(&a) {
                    *to = a as u8;
                }
            }
            for isa in Isa::available() {
                let (packed, rows) = (&packed, &rows[..]);
                let got = with_kernel!(
                    isa,
                    bytes(packed: &Packed<ByteLine>, rows: &[Fours]) -> Vec<i32>
                );
                prop_assert_eq!(&got, &wanted, "{}", isa);
            }
        }
    }
}
