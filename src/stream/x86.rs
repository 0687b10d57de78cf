//! Addresses of x86 code made absolute.
//!
//! A call or jump names its target relative to where it stands, so that calls of
//! one function all differ. With the position added they are all the same. The
//! change is made to the 24 low bits behind the opcodes E8 and E9 and 0F 80 to
//! 0F 8F where the byte above them is 00 or FF, from the block's last byte to the
//! first, and undone in the other direction, in which each place is found again
//! because neither the opcode nor that byte changes.

use std::ops::Range;

use byteorder::{ByteOrder, LittleEndian};

/// Fewer calls are not worth a change.
const FEWEST: usize = 32;

/// Whether a changeable operand begins at `i`.
#[inline(always)]
fn is_operand(data: &[u8], i: usize) -> bool {
    let opcode = data[i - 1];
    let matches = opcode & 0xfe == 0xe8 || (opcode & 0xf0 == 0x80 && i >= 2 && data[i - 2] == 0x0f);
    matches && matches!(data[i + 3], 0 | 0xff)
}

/// Makes addresses absolute.
pub fn forward(data: &mut [u8]) {
    for i in (1..data.len().saturating_sub(3)).rev() {
        if is_operand(data, i) {
            let value = LittleEndian::read_u24(&data[i..]).wrapping_add(i as u32);
            LittleEndian::write_u24(&mut data[i..], value & 0xff_ffff);
        }
    }
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

/// How many near calls stand in a range of some data.
pub fn calls(data: &[u8], range: Range<usize>) -> usize {
    let starts = range.start + 1..(range.end + 1).min(data.len().saturating_sub(3));
    starts.filter(|&i| data[i - 1] == 0xe8 && is_operand(data, i)).count()
}

/// Whether a block looks like x86 code: among its calls, absolute targets come
/// again clearly more often than relative ones do.
pub fn is_likely(data: &[u8]) -> bool {
    let mut calls = 0;
    let mut again = [0usize; 2];
    // the last few targets that hash to each place
    let mut seen = vec![[u32::MAX; 2]; 1 << 14];
    for i in 1..data.len().saturating_sub(3) {
        if data[i - 1] != 0xe8 || !is_operand(data, i) {
            continue;
        }
        calls += 1;
        let relative = LittleEndian::read_u24(&data[i..]);
        let absolute = relative.wrapping_add(i as u32) & 0xff_ffff;
        for (kind, target) in [relative, absolute].into_iter().enumerate() {
            let place = &mut seen[(target.wrapping_mul(0x9e37_79b1) >> 18) as usize][kind];
            again[kind] += usize::from(*place == target);
            *place = target;
        }
    }
    calls >= FEWEST && again[1] > again[0] + calls / 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Code that calls five functions from everywhere.
    fn code() -> Vec<u8> {
        let mut data = Vec::new();
        for n in 0..400u32 {
            data.extend([0x55, 0x8b, n as u8, 0xe8]);
            let target = 0x100 * (n * n % 5);
            data.extend(target.wrapping_sub(data.len() as u32).to_le_bytes());
        }
        data
    }

    #[test]
    fn code_is_found_and_gets_simpler() {
        let mut data = code();
        assert!(is_likely(&data));
        forward(&mut data);
        let mut targets: Vec<u32> =
            (4..data.len() - 4).step_by(8).map(|i| LittleEndian::read_u24(&data[i..])).collect();
        targets.sort_unstable();
        targets.dedup();
        assert!(targets.len() <= 6, "{targets:?}");
        assert!(inverse(&mut data) > 390);
        assert_eq!(data, code());
    }

    #[test]
    fn text_and_noise_are_left_alone() {
        assert!(!is_likely(b"not code at all".repeat(1000).as_slice()));
        let noise: Vec<u8> =
            (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        assert!(!is_likely(&noise));
        assert!(!is_likely(&[0xe8; 5000]));
        assert!(!is_likely(&[]));
    }

    proptest! {
        #[test]
        fn every_change_is_undone(
            data in proptest::collection::vec(
                prop_oneof![Just(0xe8u8), Just(0xe9), Just(0), Just(0xff), Just(0x0f), Just(0x84), any::<u8>()],
                0..300
            )
        ) {
            let mut changed = data.clone();
            forward(&mut changed);
            inverse(&mut changed);
            prop_assert_eq!(changed, data);
        }
    }
}
