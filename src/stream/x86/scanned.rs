//! Addresses that are found by bytes that look like opcodes: those of archives of version 0.1.
//!
//! The change is made to the 24 low bits behind the opcodes E8 and E9 and 0F 80 to 0F 8F where
//! the byte above them is 00 or FF, from the block's last byte to the first, and undone in the
//! other direction, in which each place is found again because neither the opcode nor that byte
//! changes.

use std::ops::Range;

use byteorder::{ByteOrder, LittleEndian};

use super::is_operand;

/// Places where an operand may begin.
fn places(data: &[u8]) -> Range<usize> {
    1..data.len().saturating_sub(3)
}

/// Changes the operands at some places, by their positions; returns how many there were.
fn change(data: &mut [u8], places: impl Iterator<Item = usize>, by: fn(u32, u32) -> u32) -> usize {
    let mut changed = 0;
    for i in places {
        if is_operand(data, i) {
            let value = by(LittleEndian::read_u24(&data[i..]), i as u32);
            LittleEndian::write_u24(&mut data[i..], value & 0xff_ffff);
            changed += 1;
        }
    }
    changed
}

/// Makes addresses absolute; returns how many there were.
pub fn forward(data: &mut [u8]) -> usize {
    let places = places(data).rev();
    change(data, places, u32::wrapping_add)
}

/// Makes them relative again; returns how many there were.
pub fn inverse(data: &mut [u8]) -> usize {
    let places = places(data);
    change(data, places, u32::wrapping_sub)
}
