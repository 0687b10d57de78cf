//! Addresses that are found by bytes that look like opcodes: those of archives of version 0.1.
//!
//! The change is made to the 24 low bits behind the opcodes E8 and E9 and 0F 80 to 0F 8F where
//! the byte above them is 00 or FF, from the block's last byte to the first, and undone in the
//! other direction, in which each place is found again because neither the opcode nor that byte
//! changes.

use byteorder::{ByteOrder, LittleEndian};

use super::is_operand;

/// Makes addresses absolute; returns how many there were.
pub fn forward(data: &mut [u8]) -> usize {
    let mut changed = 0;
    for i in (1..data.len().saturating_sub(3)).rev() {
        if is_operand(data, i) {
            let value = LittleEndian::read_u24(&data[i..]).wrapping_add(i as u32);
            LittleEndian::write_u24(&mut data[i..], value & 0xff_ffff);
            changed += 1;
        }
    }
    changed
}

/// Makes them relative again; returns how many there were.
pub fn inverse(data: &mut [u8]) -> usize {
    let mut changed = 0;
    for i in 1..data.len().saturating_sub(3) {
        if is_operand(data, i) {
            let value = LittleEndian::read_u24(&data[i..]).wrapping_sub(i as u32);
            LittleEndian::write_u24(&mut data[i..], value & 0xff_ffff);
            changed += 1;
        }
    }
    changed
}
