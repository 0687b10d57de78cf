//! Addresses of x86 code in a match: how far they are from those of the earlier code.
//!
//! A function that two programs have is at another place in each of them. Its calls then go to
//! addresses that differ by the same number from those that they went to in the first program,
//! as long as the functions called lie together in both.

use crate::stream::x86::is_address;
use crate::stream::x86::reader::Operand;

/// Addresses of one page, by their upper bits, share a shift.
const PAGE_BITS: u32 = 12;
/// No shift of a page is known.
const UNKNOWN: u32 = u32::MAX;

/// The shifts of addresses, modulo 2²⁴, and the operand that the next byte is in.
#[derive(Clone, Debug)]
pub struct Shifts {
    /// Of each page of the earlier code.
    pages: Box<[u32; 1 << (24 - PAGE_BITS)]>,
    /// The last one of calls, and of data.
    last: [u32; 2],
    /// Bytes of the present operand that are to come; 0 outside.
    left: usize,
    /// The present operand as it is expected.
    expected: [u8; 4],
    /// The address in the earlier code,
    from: u32,
    /// and whether it is one of data.
    of_data: bool,
}

impl Default for Shifts {
    fn default() -> Self {
        Self {
            pages: Box::new([UNKNOWN; 1 << (24 - PAGE_BITS)]),
            last: [0; 2],
            left: 0,
            expected: [0; 4],
            from: 0,
            of_data: false,
        }
    }
}

impl Shifts {
    /// Whether the next byte is in an operand.
    #[inline(always)]
    pub fn are_here(&self) -> bool {
        self.left > 0
    }

    /// Takes in that a byte of the present operand is known; `last` are the last eight bytes.
    #[inline(always)]
    pub fn next(&mut self, last: u64) {
        self.left -= 1;
        if self.left == 0 {
            let address = (last as u32).swap_bytes() & 0xff_ffff;
            let shift = address.wrapping_sub(self.from) & 0xff_ffff;
            self.pages[(self.from >> PAGE_BITS) as usize] = shift;
            self.last[usize::from(self.of_data)] = shift;
        }
    }

    /// An operand begins that was `source` in the earlier code.
    #[inline(always)]
    pub fn begin(&mut self, operand: Operand, source: [u8; 4]) {
        if !is_address(source[3]) {
            return;
        }
        self.from = u32::from_le_bytes(source) & 0xff_ffff;
        self.of_data = operand != Operand::Near;
        let shift = match self.pages[(self.from >> PAGE_BITS) as usize] {
            UNKNOWN => self.last[usize::from(self.of_data)],
            shift => shift,
        };
        self.expected = (self.from.wrapping_add(shift)).to_le_bytes();
        self.expected[3] = source[3];
        self.left = 4;
    }

    /// The byte that is expected next, in an operand.
    #[inline(always)]
    pub fn expected(&self) -> u8 {
        self.expected[4 - self.left]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes in an operand; returns what was expected of it.
    fn pass(shifts: &mut Shifts, operand: Operand, source: u32, actual: u32) -> Option<u32> {
        shifts.begin(operand, source.to_le_bytes());
        if !shifts.are_here() {
            return None;
        }
        let (mut expected, mut last) = ([0; 4], 0);
        for (byte, expected) in actual.to_le_bytes().into_iter().zip(&mut expected) {
            *expected = shifts.expected();
            last = last << 8 | u64::from(byte);
            shifts.next(last);
        }
        assert!(!shifts.are_here());
        Some(u32::from_le_bytes(expected))
    }

    #[test]
    fn addresses_of_a_page_move_together() {
        let (near, rip) = (Operand::Near, Operand::Rip(4));
        let mut shifts = Shifts::default();
        let mut pass = |operand, source, actual| pass(&mut shifts, operand, source, actual);
        assert_eq!(pass(near, 0x5100, 0x5100), Some(0x5100));
        assert_eq!(pass(near, 0x5120, 0x6150), Some(0x5120), "not known yet");
        assert_eq!(pass(near, 0x5f00, 0x6f30), Some(0x6f30), "the same page");
        assert_eq!(pass(near, 0x9000, 0x9000), Some(0xa030), "the last shift");
        assert_eq!(pass(near, 0x5003, 0), Some(0x6033), "each page has its own");
        assert_eq!(pass(rip, 0x8000, 0x7ff0), Some(0x8000), "data moves by itself");
        assert_eq!(pass(rip, 0xff00_0010, 0), Some(0xff00_0000), "24 bits");
        assert_eq!(pass(rip, 0x0100_0010, 0), None, "not an address");
    }
}
