//! x86 code: its instructions, and addresses made absolute.
//!
//! A call or jump names its target relative to where it stands, so that calls of
//! one function all differ. With the position added they are all the same.

pub mod instruction;
mod read;
pub mod reader;
mod scanned;

use std::ops::Range;

use byteorder::{ByteOrder, LittleEndian};

/// Fewer calls are not worth a change.
const FEWEST: usize = 32;

/// Which addresses are made absolute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addresses {
    /// Those behind bytes that look like the opcode of a near call or jump: of archives of
    /// version 0.1, which are read and no longer written.
    Scanned,
    /// Those of near calls and jumps.
    #[default]
    Near,
    /// Those relative to RIP, too: of 64-bit code.
    Rip,
}

impl Addresses {
    /// All of them, by their number in the flags.
    pub const ALL: [Self; 3] = [Self::Scanned, Self::Near, Self::Rip];

    /// Those of a block of code.
    pub fn of(code: &[u8]) -> Self {
        if read::is_64_bit(code) { Self::Rip } else { Self::Near }
    }

    /// Makes them absolute; returns how many there were. What looks like code may have none.
    pub fn forward(self, code: &mut [u8]) -> usize {
        match self {
            Self::Scanned => scanned::forward(code),
            Self::Near | Self::Rip => read::forward(code, self == Self::Rip),
        }
    }

    /// Makes them relative again; returns how many there were.
    pub fn inverse(self, code: &mut [u8]) -> usize {
        match self {
            Self::Scanned => scanned::inverse(code),
            Self::Near | Self::Rip => read::inverse(code, self == Self::Rip),
        }
    }
}

/// Whether the 24 low bits of an operand are an address, by the byte above them.
#[inline(always)]
pub(super) const fn is_address(top: u8) -> bool {
    matches!(top, 0 | 0xff)
}

/// Whether a changeable operand begins at `i`.
#[inline(always)]
fn is_operand(data: &[u8], i: usize) -> bool {
    let opcode = data[i - 1];
    let matches = opcode & 0xfe == 0xe8 || (opcode & 0xf0 == 0x80 && i >= 2 && data[i - 2] == 0x0f);
    matches && is_address(data[i + 3])
}

/// How many near calls stand in a range of some data.
pub fn calls(data: &[u8], range: Range<usize>) -> usize {
    let starts = range.start + 1..(range.end + 1).min(data.len().saturating_sub(3));
    starts.filter(|&i| data[i - 1] == 0xe8 && is_operand(data, i)).count()
}

/// Whether a block looks like x86 code: among its calls, absolute targets come
/// again clearly more often than relative ones do.
pub fn is_likely(data: &[u8]) -> bool {
    let mut targets = Targets::default();
    for i in 1..data.len().saturating_sub(3) {
        if data[i - 1] == 0xe8 && is_operand(data, i) {
            targets.push(LittleEndian::read_u24(&data[i..]), i as u32);
        }
    }
    targets.are_absolute()
}

/// Counts how often targets come again, as they stand and as they are with their position.
#[derive(Debug)]
struct Targets {
    /// How many there are,
    count: usize,
    /// and how many come again, relative and absolute.
    again: [usize; 2],
    /// The last targets that hash to each place.
    seen: Vec<[u32; 2]>,
}

impl Default for Targets {
    fn default() -> Self {
        Self { count: 0, again: [0; 2], seen: vec![[u32::MAX; 2]; 1 << 14] }
    }
}

impl Targets {
    /// Takes in one, relative to a position.
    fn push(&mut self, relative: u32, position: u32) {
        self.count += 1;
        let absolute = relative.wrapping_add(position) & 0xff_ffff;
        for (kind, target) in [relative, absolute].into_iter().enumerate() {
            let place = &mut self.seen[(target.wrapping_mul(0x9e37_79b1) >> 18) as usize][kind];
            self.again[kind] += usize::from(*place == target);
            *place = target;
        }
    }

    /// Whether they are targets indeed: absolute ones come again clearly more often.
    fn are_absolute(&self) -> bool {
        self.count >= FEWEST && self.again[1] > self.again[0] + self.count / 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Code that calls five functions from everywhere, and reads four variables relative to
    /// RIP.
    fn code(rip: bool) -> Vec<u8> {
        let mut data = Vec::new();
        for n in 0..400u32 {
            data.extend([0x55, 0x8b, 0xc0 | n as u8 & 7, 0xe8]);
            let target = 0x100 * (n * n % 5);
            data.extend(target.wrapping_sub(data.len() as u32 + 4).to_le_bytes());
            data.extend([0xc7, 5]);
            let place = if rip { 0x5000 + 8 * (n * n * n % 11 % 4) } else { 0x80 };
            let back = if rip { data.len() as u32 + 8 } else { 0 };
            data.extend(place.wrapping_sub(back).to_le_bytes());
            data.extend([1, 0, 0, 0]);
        }
        data
    }

    /// The operands at a place of each round of [`code`], of which there is one in 18 bytes.
    fn operands(data: &[u8], at: usize) -> Vec<u32> {
        let mut operands: Vec<u32> =
            data.chunks_exact(18).map(|round| LittleEndian::read_u24(&round[at..])).collect();
        operands.sort_unstable();
        operands.dedup();
        operands
    }

    #[test]
    fn code_is_found_and_gets_simpler() {
        for (rip, of) in [(false, Addresses::Near), (true, Addresses::Rip)] {
            let code = code(rip);
            assert!(is_likely(&code));
            assert_eq!(Addresses::of(&code), of);
            for addresses in Addresses::ALL {
                let mut data = code.clone();
                addresses.forward(&mut data);
                // the first few calls reach back over the beginning
                assert!(operands(&data, 4).len() <= 8, "{addresses:?}: {:?}", operands(&data, 4));
                if addresses == of {
                    assert!(operands(&data, 10).len() <= 4, "{addresses:?}");
                }
                assert!(addresses.inverse(&mut data) > 390);
                assert_eq!(data, code);
            }
        }
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
                prop_oneof![
                    Just(vec![0xe8u8]), Just(vec![0xe9]), Just(vec![0]), Just(vec![0xff]),
                    Just(vec![0x0f]), Just(vec![0x84]), Just(vec![0xc7, 5]),
                    Just(b"\x7fELF\x02\x01\x01".to_vec()), any::<u8>().prop_map(|b| vec![b])
                ],
                0..300
            )
        ) {
            let data = data.concat();
            for addresses in Addresses::ALL {
                let mut changed = data.clone();
                let count = addresses.forward(&mut changed);
                prop_assert_eq!(addresses.inverse(&mut changed), count);
                prop_assert_eq!(&changed, &data);
            }
        }
    }
}
