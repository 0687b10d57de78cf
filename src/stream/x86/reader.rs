//! A reader of x86 instructions, of their lengths alone (Intel SDM volume 2, appendix A,
//! "Opcode Map"), fed one byte at a time.
//!
//! It needs no start: wherever reading begins, it falls into step with the code after a few
//! instructions. Bytes that are no code are read all the same. What 64-bit code has of its own
//! is not known: a REX prefix is read as an instruction of one byte, which it once was.

/// What follows an opcode.
mod form {
    /// A ModR/M byte.
    pub const MODRM: u8 = 1;
    /// An immediate byte.
    pub const BYTE: u8 = 2;
    /// An immediate of two bytes.
    pub const WORD: u8 = 4;
    /// An immediate of four bytes, two after an operand-size prefix.
    pub const FULL: u8 = 8;
    /// A prefix: the opcode is yet to come.
    pub const PREFIX: u8 = 16;
    /// TEST in the groups F6 and F7 only: the immediate is there if `reg` is below 2.
    pub const TEST: u8 = 32;
}

/// Forms of the opcodes of one byte.
static ONE: [u8; 256] = one();
/// Forms of those after 0F.
static TWO: [u8; 256] = two();

const fn one() -> [u8; 256] {
    use form::{BYTE, FULL, MODRM, PREFIX, TEST, WORD};
    let mut t = [0; 256];
    let mut i = 0;
    while i < 256 {
        t[i] = match i {
            0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3 => PREFIX,
            0x00..=0x3f => match i & 7 {
                0..=3 => MODRM,
                4 => BYTE,
                5 => FULL,
                _ => 0,
            },
            0x62 | 0x63 | 0x84..=0x8f | 0xc4 | 0xc5 | 0xd0..=0xd3 | 0xd8..=0xdf | 0xfe | 0xff => {
                MODRM
            }
            0x68 | 0xa0..=0xa3 | 0xa9 | 0xb8..=0xbf | 0xe8 | 0xe9 => FULL,
            0x69 | 0x81 | 0xc7 => MODRM | FULL,
            0x6b | 0x80 | 0x82 | 0x83 | 0xc0 | 0xc1 | 0xc6 => MODRM | BYTE,
            0x6a | 0x70..=0x7f | 0xa8 | 0xb0..=0xb7 | 0xcd | 0xd4 | 0xd5 | 0xe0..=0xe7 | 0xeb => {
                BYTE
            }
            0x9a | 0xea => FULL | WORD,
            0xc2 | 0xca => WORD,
            0xc8 => WORD | BYTE,
            0xf6 => MODRM | BYTE | TEST,
            0xf7 => MODRM | FULL | TEST,
            _ => 0,
        };
        i += 1;
    }
    t
}

const fn two() -> [u8; 256] {
    use form::{BYTE, FULL, MODRM};
    let mut t = [0; 256];
    let mut i = 0;
    while i < 256 {
        t[i] = match i {
            0x05..=0x09 | 0x0b | 0x30..=0x37 | 0x77 | 0xa0..=0xa2 | 0xa8..=0xaa | 0xc8..=0xcf => 0,
            0x80..=0x8f => FULL,
            0x70..=0x73 | 0xa4 | 0xac | 0xba | 0xc2 | 0xc4..=0xc6 => MODRM | BYTE,
            _ => MODRM,
        };
        i += 1;
    }
    t
}

/// What the next byte is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// A prefix or the opcode.
    #[default]
    Opcode,
    /// The second byte of an opcode.
    Second,
    /// ModR/M.
    ModRm,
    /// SIB.
    Sib,
    /// A displacement.
    Displacement,
    /// An immediate.
    Immediate,
}

/// What is known of the present instruction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reader {
    pub(super) part: Part,
    /// Bytes of the present displacement or immediate that are to come.
    pub(super) left: u8,
    form: u8,
    /// Whether the operand size is overridden.
    narrow: bool,
    /// The opcode, and 256 if 0F came before it.
    opcode: u16,
    modrm: u8,
    /// The last prefix.
    pub(super) prefix: u8,
    /// The bytes of the present displacement or immediate so far.
    pub(super) value: u32,
}

/// An operand of four bytes that is an address, relative to the instruction's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// Where a near call or jump goes.
    Near,
    /// Where data is, in 64-bit code: relative to RIP. In older code it is no relative address.
    /// The instruction ends so many bytes after the operand.
    Rip(u8),
}

impl Reader {
    /// Opcode and ModR/M.
    #[inline(always)]
    pub(super) fn operation(&self) -> u32 {
        u32::from(self.opcode) << 8 | u32::from(self.modrm)
    }

    /// Goes on after the opcode.
    #[inline(always)]
    fn after_opcode(&mut self) -> bool {
        if self.form & form::MODRM != 0 {
            self.part = Part::ModRm;
            return false;
        }
        self.immediate()
    }

    /// Goes on to the displacement; whether the instruction ends here.
    #[inline(always)]
    fn displacement(&mut self, absolute: bool) -> bool {
        self.left = match self.modrm >> 6 {
            1 => 1,
            2 => 4,
            0 if absolute => 4,
            _ => return self.immediate(),
        };
        self.part = Part::Displacement;
        false
    }

    /// Length of the immediate.
    #[inline(always)]
    fn immediate_len(&self) -> u8 {
        let has = |form| u8::from(self.form & form != 0);
        let full = if self.narrow { 2 } else { 4 };
        has(form::BYTE) + 2 * has(form::WORD) + full * has(form::FULL)
    }

    /// Goes on to the immediate; whether the instruction ends here.
    #[inline(always)]
    fn immediate(&mut self) -> bool {
        self.left = self.immediate_len();
        self.value = 0;
        self.part = Part::Immediate;
        self.left == 0
    }

    /// The operand that begins with the next byte, if it is an address.
    #[inline(always)]
    pub fn operand(&self) -> Option<Operand> {
        match self.part {
            Part::Immediate
                if self.left == 4 && matches!(self.opcode, 0xe8 | 0xe9 | 0x180..=0x18f) =>
            {
                Some(Operand::Near)
            }
            Part::Displacement if self.left == 4 && self.modrm & 0xc7 == 5 => {
                Some(Operand::Rip(self.immediate_len()))
            }
            _ => None,
        }
    }

    /// Takes in a byte, and begins anew after the instruction's last one.
    #[inline(always)]
    pub fn push(&mut self, byte: u8) {
        if self.step(byte) {
            *self = Self::default();
        }
    }

    /// Takes in a byte; whether it is the instruction's last.
    #[inline(always)]
    pub(super) fn step(&mut self, byte: u8) -> bool {
        match self.part {
            Part::Opcode if byte == 0x0f => {
                self.opcode = 0x100;
                self.part = Part::Second;
                false
            }
            Part::Opcode => {
                self.form = ONE[usize::from(byte)];
                if self.form & form::PREFIX != 0 {
                    self.prefix = byte;
                    self.narrow |= byte == 0x66;
                    return false;
                }
                self.opcode = byte.into();
                self.after_opcode()
            }
            Part::Second => {
                self.opcode = 0x100 | u16::from(byte);
                self.form = TWO[usize::from(byte)];
                self.after_opcode()
            }
            Part::ModRm => {
                self.modrm = byte;
                if self.form & form::TEST != 0 && byte & 0x30 != 0 {
                    self.form = form::MODRM;
                }
                if byte >> 6 != 3 && byte & 7 == 4 {
                    self.part = Part::Sib;
                    return false;
                }
                self.displacement(byte & 0xc7 == 5)
            }
            Part::Sib => self.displacement(self.modrm >> 6 == 0 && byte & 7 == 5),
            Part::Displacement | Part::Immediate => {
                self.value = self.value << 8 | u32::from(byte);
                self.left -= 1;
                self.left == 0 && (self.part == Part::Immediate || self.immediate())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of instructions, from the opcodes that they end with.
    fn lengths(code: &[u8]) -> Vec<usize> {
        let (mut lengths, mut length) = (Vec::new(), 0);
        let mut reader = Reader::default();
        for &byte in code {
            length += 1;
            if reader.step(byte) {
                lengths.push(length);
                (reader, length) = (Reader::default(), 0);
            }
        }
        assert_eq!(length, 0, "an instruction is not whole");
        lengths
    }

    #[test]
    fn instructions_have_their_lengths() {
        let cases: [(&[u8], &[usize]); 10] = [
            // push ebp; mov ebp, esp; sub esp, 8; ret
            (&[0x55, 0x8b, 0xec, 0x83, 0xec, 8, 0xc3], &[1, 2, 3, 1]),
            // mov eax, [esp + 4]; mov [ebp - 8], eax
            (&[0x8b, 0x44, 0x24, 4, 0x89, 0x45, 0xf8], &[4, 3]),
            // mov eax, [disp32]; lea edx, [eax*4 + disp32]
            (&[0x8b, 5, 1, 2, 3, 4, 0x8d, 0x14, 0x85, 1, 2, 3, 4], &[6, 7]),
            // call; jz near; jz short
            (&[0xe8, 0, 0, 0, 0, 0x0f, 0x84, 0, 0, 0, 0, 0x74, 5], &[5, 6, 2]),
            // mov eax, imm32; with the operand size changed
            (&[0xb8, 1, 2, 3, 4, 0x66, 0xb8, 1, 2], &[5, 4]),
            // test [eax], imm8; not [eax]; test eax, imm32; neg eax
            (&[0xf6, 0, 1, 0xf6, 0x10, 0xf7, 0xc0, 1, 2, 3, 4, 0xf7, 0xd8], &[3, 2, 6, 2]),
            // imul eax, [ebp + disp32], imm32; enter; movzx
            (&[0x69, 0x85, 1, 2, 3, 4, 5, 6, 7, 8, 0xc8, 1, 2, 3, 0x0f, 0xb6, 0xc0], &[10, 4, 3]),
            // mov dword [esp + disp8], imm32
            (&[0xc7, 0x44, 0x24, 8, 1, 2, 3, 4], &[8]),
            // rep movsd; jmp [disp32]
            (&[0xf3, 0xa5, 0xff, 0x25, 1, 2, 3, 4], &[2, 6]),
            // far jump; syscall
            (&[0xea, 1, 2, 3, 4, 5, 6, 0x0f, 5], &[7, 2]),
        ];
        for (code, want) in cases {
            assert_eq!(lengths(code), want, "{code:x?}");
        }
    }

    #[test]
    fn addresses_are_found() {
        let cases: [(&[u8], Option<Operand>); 8] = [
            (&[0xe8], Some(Operand::Near)),
            (&[0x55, 0xe9], Some(Operand::Near)),
            (&[0x0f, 0x8f], Some(Operand::Near)),
            (&[0xb8], None),
            (&[0xe8, 1], None),
            (&[0x8b, 0x05], Some(Operand::Rip(0))),
            (&[0xc7, 0x05], Some(Operand::Rip(4))),
            (&[0x8b, 0x85], None),
        ];
        for (code, want) in cases {
            let mut reader = Reader::default();
            code.iter().for_each(|&byte| reader.push(byte));
            assert_eq!(reader.operand(), want, "{code:x?}");
        }
    }
}
