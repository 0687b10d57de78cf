//! Where the bits of a row lie, and the order in which they are coded.

use crate::made::Ordering;

/// Rows of packed bits, most significant bit first.
#[derive(Clone, Debug)]
pub struct Layout {
    sequence: Vec<usize>,
}

impl Layout {
    /// Rows of `ordering.dims()` bits, at least one, coded in that order.
    pub fn new(ordering: &Ordering) -> Self {
        Self { sequence: ordering.sequence() }
    }

    /// Bits of a row that are data.
    pub fn dims(&self) -> usize {
        self.sequence.len()
    }

    /// The dimensions in coding order.
    pub fn sequence(&self) -> &[usize] {
        &self.sequence
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.dims().div_ceil(8)
    }

    /// Bits of a row that are padding; 0..=7.
    pub fn padding(&self) -> usize {
        self.row_bytes() * 8 - self.dims()
    }

    /// Appends the bits of whole rows in coding order, one byte (0 or 1) each.
    pub fn unpack(&self, rows: &[u8], bits: &mut Vec<u8>) {
        bits.reserve(rows.len() / self.row_bytes() * self.dims());
        for row in rows.chunks_exact(self.row_bytes()) {
            bits.extend(self.sequence.iter().map(|&d| row[d / 8] >> (7 - d % 8) & 1));
        }
    }

    /// Sets the `t`-th coded bit of a row to one.
    #[inline]
    pub fn set(&self, row: &mut [u8], t: usize) {
        let d = self.sequence[t];
        row[d / 8] |= 0x80 >> (d % 8);
    }

    /// The padding bits of a row, in the low [`Layout::padding`] bits.
    pub fn padding_of(&self, row: &[u8]) -> u8 {
        row.last().map_or(0, |&b| b & ((1u16 << self.padding()) - 1) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_most_significant_first_and_in_coding_order() {
        let layout = Layout::new(&Ordering::natural(11));
        let row = [0b1010_0001, 0b0110_0101];
        let mut bits = Vec::new();
        layout.unpack(&row, &mut bits);
        assert_eq!(bits, [1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 1]);
        assert_eq!(layout.padding_of(&row), 0b00101);
        let mut back = [0; 2];
        (0..11).filter(|&t| bits[t] == 1).for_each(|t| layout.set(&mut back, t));
        assert_eq!(back, [row[0], row[1] & 0b1110_0000]);

        let reversed = Layout::new(&Ordering::from_sequence(&[2, 1, 0]).unwrap());
        let mut bits = Vec::new();
        reversed.unpack(&[0b1000_0000], &mut bits);
        assert_eq!(bits, [0, 0, 1]);
    }

    #[test]
    fn whole_bytes_have_no_padding() {
        let layout = Layout::new(&Ordering::natural(16));
        assert_eq!((layout.padding(), layout.row_bytes()), (0, 2));
        assert_eq!(layout.padding_of(&[255, 255]), 0);
    }
}
