//! Where in an x86 instruction the next byte stands, and the instructions before it.

use super::reader::{Operand, Reader};

/// Bits of a place in [`Values`].
const VALUE_BITS: u32 = 12;

/// The instruction that the next byte belongs to, and those before it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Instruction {
    now: Reader,
    /// Opcode and ModR/M of the four instructions before, the last first.
    before: [u32; 4],
    /// What the last byte changes in [`Values`]: a place and its value.
    ended: Option<(u16, u32)>,
    last_value: u32,
}

/// The last displacement or immediate after an opcode and ModR/M, by their hash.
#[derive(Clone, Debug)]
pub struct Values(Box<[u32; 1 << VALUE_BITS]>);

impl Default for Values {
    fn default() -> Self {
        Self(Box::new([0; 1 << VALUE_BITS]))
    }
}

impl Values {
    /// Takes in what the last byte changes.
    #[inline(always)]
    pub fn note(&mut self, instruction: &Instruction) {
        if let Some((place, value)) = instruction.ended {
            self.0[usize::from(place) % (1 << VALUE_BITS)] = value;
        }
    }

    /// As if `ended` were noted already.
    #[inline(always)]
    fn get(&self, place: u16, ended: Option<(u16, u32)>) -> u32 {
        match ended {
            Some((at, value)) if at == place => value,
            _ => self.0[usize::from(place) % (1 << VALUE_BITS)],
        }
    }
}

impl Instruction {
    /// Takes in a byte; all before it are noted in `values`.
    #[inline(always)]
    pub fn push(&mut self, byte: u8, values: &Values) {
        let before = self.now;
        let ends = self.now.step(byte);
        self.ended = (before.left == 1)
            .then(|| (Self::place(before.operation()), before.value << 8 | u32::from(byte)));
        if ends {
            let [a, b, c, _] = self.before;
            self.before = [self.now.operation(), a, b, c];
            self.now = Reader::default();
        }
        self.last_value = values.get(Self::place(self.now.operation()), self.ended);
    }

    /// The operand that begins with the next byte, if it is an address.
    #[inline(always)]
    pub fn operand(&self) -> Option<Operand> {
        self.now.operand()
    }

    #[inline(always)]
    fn place(operation: u32) -> u16 {
        (operation.wrapping_mul(0x9e37_79b1) >> (32 - VALUE_BITS)) as u16
    }

    /// Opcode and ModR/M as far as they are known (17 bits); above them, from bit 24 on,
    /// how many bytes of the present displacement or immediate are to come, and from bit
    /// 27 on which part of the instruction the next byte is: 0 prefix or opcode, 1 the
    /// opcode after 0F, 2 ModR/M, 3 SIB, 4 displacement, 5 immediate.
    #[inline(always)]
    pub fn so_far(&self) -> u32 {
        let Reader { part, left, .. } = self.now;
        (part as u32) << 27 | u32::from(left) << 24 | self.now.operation()
    }

    /// The bytes of the present displacement or immediate so far, and 2²⁴ times the
    /// prefix.
    #[inline(always)]
    pub fn value(&self) -> u32 {
        self.now.value.wrapping_add(u32::from(self.now.prefix) << 24)
    }

    /// The last displacement or immediate after the present opcode and ModR/M.
    #[inline(always)]
    pub fn last_value(&self) -> u32 {
        self.last_value
    }

    /// Opcode and ModR/M of the instruction `n + 1` before, n up to 3.
    #[inline(always)]
    pub fn before(&self, n: usize) -> u32 {
        self.before[n]
    }

    /// What chooses weights of the online stage, 0..4096: part and bytes to come as in
    /// [`Self::so_far`], and six bits of the opcode before.
    #[inline(always)]
    pub fn class(&self) -> u16 {
        ((self.so_far() >> 24 << 6) as u16) | ((self.before[0] >> 8) as u16 & 63)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_told() {
        let (mut i, mut values) = (Instruction::default(), Values::default());
        for byte in [0x55, 0x8b, 0x45, 0xf8, 0x8b] {
            i.push(byte, &values);
            values.note(&i);
        }
        assert_eq!(i.before(0), 0x8b45);
        assert_eq!(i.before(1), 0x5500);
        assert_eq!(i.so_far(), 2 << 27 | 0x8b00);
        assert_eq!(i.class(), 2 << 9 | 0x0b);
        i.push(0x45, &values);
        assert_eq!(i.so_far(), 4 << 27 | 1 << 24 | 0x8b45);
        assert_eq!((i.value(), i.last_value()), (0, 0xf8));
    }
}
