//! Addresses that are found by reading instructions.
//!
//! Their position, that of the instruction's end, is counted from the beginning of the program
//! that they are in, so that copies of a program have the same addresses wherever they are. The
//! change is made to the 24 low bits of an operand where the byte above them is 00 or FF, which
//! does not change, and from the block's first byte to the last; what is read are the bytes
//! before the change, so that it is undone in the same way.

use byteorder::{ByteOrder, LittleEndian};

use super::reader::{Operand, Reader};
use super::{Targets, is_address};

/// What a program begins with: ELF files for 32 and 64 bits, and files of MS-DOS and Windows. The
/// name alone would also stand where programs look for it.
const BEGINNINGS: [u64; 3] = [
    beginning(*b"\x7fELF\x01\x01\x01"),
    beginning(*b"\x7fELF\x02\x01\x01"),
    beginning(*b"MZ\x90\0\x03\0\0"),
];

/// Seven bytes as a number.
const fn beginning([a, b, c, d, e, f, g]: [u8; 7]) -> u64 {
    u64::from_be_bytes([0, a, b, c, d, e, f, g])
}

/// Which way a change goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// To absolute addresses.
    Forward,
    /// Back to those of the program.
    Back,
}

/// Reads code from its beginning on.
#[derive(Debug, Default)]
struct Walk {
    reader: Reader,
    /// Bytes that were read,
    at: usize,
    /// the last eight of them,
    last: u64,
    /// and where the present program begins.
    origin: usize,
}

impl Walk {
    /// Takes in a byte.
    #[inline(always)]
    fn push(&mut self, byte: u8) {
        self.reader.push(byte);
        self.at += 1;
        self.last = self.last << 8 | u64::from(byte);
        if BEGINNINGS.contains(&(self.last & !0 >> 8)) {
            self.origin = self.at - 7;
        }
    }

    /// Goes to the next operand of some code that is an address, and tells the position that it
    /// is relative to.
    #[inline(always)]
    fn next(&mut self, code: &[u8], rip: bool) -> Option<(Operand, u32)> {
        while self.at + 4 <= code.len() {
            if let Some(operand) = self.reader.operand()
                && is_address(code[self.at + 3])
                && (rip || operand == Operand::Near)
            {
                let after = match operand {
                    Operand::Near => 0,
                    Operand::Rip(after) => after,
                };
                return Some((operand, (self.at - self.origin) as u32 + 4 + u32::from(after)));
            }
            self.push(code[self.at]);
        }
        None
    }
}

/// Changes addresses, those relative to RIP, too, or not; returns how many there were.
fn change(code: &mut [u8], rip: bool, way: Way) -> usize {
    let (mut walk, mut changed) = (Walk::default(), 0);
    while let Some((_, position)) = walk.next(code, rip) {
        let operand = &mut code[walk.at..walk.at + 4];
        let mut before = [0; 4];
        before.copy_from_slice(operand);
        let address = LittleEndian::read_u24(operand);
        let address = match way {
            Way::Forward => address.wrapping_add(position),
            Way::Back => address.wrapping_sub(position),
        };
        LittleEndian::write_u24(operand, address & 0xff_ffff);
        let relative = if way == Way::Back { operand } else { &mut before };
        relative.iter().for_each(|&byte| walk.push(byte));
        changed += 1;
    }
    changed
}

/// Makes addresses absolute; returns how many there were.
pub fn forward(code: &mut [u8], rip: bool) -> usize {
    change(code, rip, Way::Forward)
}

/// Makes them relative again; returns how many there were.
pub fn inverse(code: &mut [u8], rip: bool) -> usize {
    change(code, rip, Way::Back)
}

/// Whether code has addresses relative to RIP: those that it would have are targets indeed.
pub fn is_64_bit(code: &[u8]) -> bool {
    let (mut walk, mut targets) = (Walk::default(), Targets::default());
    while let Some((operand, position)) = walk.next(code, true) {
        let bytes = &code[walk.at..walk.at + 4];
        if operand != Operand::Near {
            targets.push(LittleEndian::read_u24(bytes), position);
        }
        bytes.iter().for_each(|&byte| walk.push(byte));
    }
    targets.are_absolute()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_a_program_have_the_same_addresses() {
        let program = [&b"\x7fELF\x02\x01\x01\0"[..], &[0x90; 9], &[0xe8, 4, 3, 2, 0], &[0xc3; 30]];
        let program = program.concat();
        let mut both = [&program[..], b"between", &program].concat();
        forward(&mut both, false);
        let second = program.len() + 7;
        assert_eq!(both[..program.len()], both[second..]);
        assert_eq!(both[18..22], [4 + 22, 3, 2, 0]);
    }

    #[test]
    fn an_operand_at_the_end_is_left_alone() {
        for (code, changed) in [(&[0xe8, 1, 0, 0, 0][..], 1), (&[0xe8, 1, 0, 0], 0), (&[0xe8], 0)] {
            let mut code = code.to_vec();
            assert_eq!(inverse(&mut code, true), changed);
        }
    }
}
