//! Large zeroed tables, on huge pages where the system has them: a table is read
//! at random places, and with small pages most reads would also miss the TLB.

use memmap2::MmapMut;

/// Smaller tables are not worth a mapping.
const LARGE: usize = 1 << 21;

/// Zeroed bytes; only pages that are touched take memory.
#[derive(Debug)]
pub enum Memory {
    /// On the heap.
    Heap(Vec<u8>),
    /// A mapping of its own.
    Mapped(MmapMut),
}

impl Memory {
    /// `len` zero bytes.
    pub fn zeroed(len: usize) -> Self {
        if len >= LARGE
            && let Ok(map) = MmapMut::map_anon(len)
        {
            // advice: where it is not taken, small pages do
            #[cfg(target_os = "linux")]
            let _ = map.advise(memmap2::Advice::HugePage);
            return Self::Mapped(map);
        }
        Self::Heap(vec![0; len])
    }

    /// The bytes.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }

    /// The bytes, to write.
    #[inline(always)]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}

impl Clone for Memory {
    /// The same bytes in a memory of their own.
    fn clone(&self) -> Self {
        let mut copy = Self::zeroed(self.bytes().len());
        copy.bytes_mut().copy_from_slice(self.bytes());
        copy
    }

    /// The same bytes, in the memory that is there if its length is right.
    fn clone_from(&mut self, other: &Self) {
        if self.bytes().len() == other.bytes().len() {
            self.bytes_mut().copy_from_slice(other.bytes());
        } else {
            *self = other.clone();
        }
    }
}

/// A value at the start of a cache line: one that fills a line is read and written
/// at once.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Aligned<T>(pub T);

/// Rows of `2C` numbers, a multiple of eight, none of which lies in more cache lines than it
/// must.
#[derive(Debug)]
pub struct Rows<const C: usize> {
    eights: Vec<[i16; 8]>,
    /// Where the first row begins.
    first: usize,
}

impl<const C: usize> Rows<C> {
    /// Eights of a row.
    const WIDTH: usize = C / 4;

    /// Rows of these numbers.
    pub fn new(numbers: &[i16]) -> Self {
        Self::aligned(numbers.as_chunks().0)
    }

    fn aligned(rows: &[[i16; 8]]) -> Self {
        // allocators give 16 bytes of alignment, what eight numbers take
        const LINE: usize = 64 / size_of::<[i16; 8]>();
        let mut eights: Vec<[i16; 8]> = Vec::with_capacity(rows.len() + LINE);
        let first = match eights.as_ptr().align_offset(64) {
            offset if offset < LINE => offset,
            _ => 0,
        };
        eights.resize(first, [0; 8]);
        eights.extend_from_slice(rows);
        Self { eights, first }
    }

    /// All of them.
    #[inline(always)]
    pub fn rows(&self) -> &[[[i16; C]; 2]] {
        self.eights[self.first..].as_flattened().as_chunks().0.as_chunks().0
    }

    /// All of them, to write.
    #[inline(always)]
    pub fn rows_mut(&mut self) -> &mut [[[i16; C]; 2]] {
        self.eights[self.first..].as_flattened_mut().as_chunks_mut().0.as_chunks_mut().0
    }

    /// Fetches row number `n` into the cache, if there is one.
    #[inline(always)]
    pub fn prefetch(&self, n: usize) {
        prefetch(self.eights.as_ptr().wrapping_add(self.first + n * Self::WIDTH));
    }
}

impl<const C: usize> Clone for Rows<C> {
    fn clone(&self) -> Self {
        Self::aligned(&self.eights[self.first..])
    }

    fn clone_from(&mut self, other: &Self) {
        let (rows, other) = (&mut self.eights[self.first..], &other.eights[other.first..]);
        if rows.len() == other.len() {
            rows.copy_from_slice(other);
        } else {
            *self = Self::aligned(other);
        }
    }
}

/// Fetches what lies at an address into the cache, on processors that can.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, for any address: no memory is accessed
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_are_zero_and_writable() {
        for len in [0, 1, LARGE - 1, LARGE, LARGE + 12345] {
            let mut memory = Memory::zeroed(len);
            assert_eq!(memory.bytes().len(), len);
            assert!(memory.bytes().iter().all(|&b| b == 0));
            if let Some(last) = memory.bytes_mut().last_mut() {
                *last = 7;
            }
            assert_eq!(memory.bytes().last().copied().unwrap_or(7), 7);
        }
    }

    #[test]
    fn rows_are_aligned_and_copied_whole() {
        let numbers: Vec<i16> = (0..16 * 50).collect();
        let mut rows = Rows::<8>::new(&numbers);
        // other allocators may give less than what a line can begin in
        let is_aligned = |rows: &Rows<8>| {
            let known = cfg!(all(target_os = "linux", target_pointer_width = "64"));
            !known || rows.rows().as_ptr().addr().is_multiple_of(64)
        };
        assert!(is_aligned(&rows));
        assert_eq!(rows.rows().as_flattened().as_flattened(), numbers);
        rows.prefetch(49);
        rows.rows_mut()[49][1][7] = -1;
        let copy = rows.clone();
        assert!(is_aligned(&copy));
        assert_eq!(copy.rows(), rows.rows());
        for other in [&numbers[..], &numbers[..32], &[]] {
            rows.clone_from(&Rows::new(other));
            assert_eq!(rows.rows().as_flattened().as_flattened(), other);
        }
        assert_eq!(copy.rows()[49][1][7], -1);
    }
}
