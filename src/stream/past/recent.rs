//! What contexts are made of.

use super::tables::{Period, Tables};
use crate::stream::content::Content;
use crate::stream::contexts::{Context, class, join};
use crate::stream::signal::near::Near;
use crate::stream::signal::pixels::Pixels;
use crate::stream::signal::regions::Regions;
use crate::stream::x86::instruction::Instruction;
use crate::stream::x86::reader::Operand;

/// What the next byte's contexts are made of. It is small: one for a byte that may come costs
/// little.
#[derive(Clone, Copy, Debug)]
pub struct Recent {
    /// The last eight bytes, the newest in the low bits.
    pub last: u64,
    /// The eight before these.
    older: u64,
    word: u32,
    word_start: u32,
    word_1: u32,
    word_2: u32,
    column: u32,
    line: usize,
    line_above: usize,
    shape: u32,
    /// What followed the byte before the last one, and what the last one.
    pub(super) followers: [u16; 2],
    masked: u32,
    digits: u32,
    fields: u32,
    field: u32,
    above: u8,
    pub(super) period: Period,
    /// The bytes one row up, one row up and one on, two rows up.
    up: [u8; 3],
    cell: u32,
    pub(super) special: Special,
}

/// What is known besides of some kinds of content.
#[derive(Clone, Copy, Debug)]
pub(super) enum Special {
    Nothing,
    Code(Instruction),
    Signal(Near),
    Bilevel(Pixels),
}

impl Special {
    /// Before the first byte of a block; `regions` are where it has samples.
    pub(super) fn new(content: Content, regions: &Regions) -> Self {
        match content {
            Content::Plain => Self::Nothing,
            Content::X86 => Self::Code(Instruction::default()),
            Content::Signal => Self::Signal(Near::new(regions.first(), &[])),
            Content::Bilevel => Self::Bilevel(Pixels::new(regions.first(), &[])),
        }
    }
}

impl Recent {
    /// Before the first byte of a block.
    pub(super) fn new(special: Special) -> Self {
        Self {
            last: 0,
            older: 0,
            word: 0,
            word_start: 0,
            word_1: 0,
            word_2: 0,
            column: 0,
            line: 0,
            line_above: 0,
            shape: 0,
            followers: [0; 2],
            masked: 0,
            digits: 0,
            fields: 0,
            field: 0,
            above: 0,
            period: Period::START,
            up: [0; 3],
            cell: 0,
            special,
        }
    }

    /// Takes in `byte`, the last one of `block`, which is all that is known.
    #[inline(always)]
    pub(super) fn push(&mut self, byte: u8, block: &[u8], tables: &Tables) {
        let Tables { follow, values, .. } = tables;
        let before = self.last as u8;
        self.older = self.older << 8 | self.last >> 56;
        self.last = self.last << 8 | u64::from(byte);
        let followed = self.followers[1] << 8 | u16::from(byte);
        self.followers =
            [followed, if byte == before { followed } else { follow[usize::from(byte)] }];
        self.shape = self.shape << 4 | class(byte);
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | 128..=255 => {
                let folded = if byte.is_ascii_uppercase() { byte + 32 } else { byte };
                if self.word == 0 {
                    self.word_start = u32::from(before);
                }
                self.word = join(self.word, u32::from(folded));
            }
            _ if self.word != 0 => {
                self.word_2 = self.word_1;
                self.word_1 = self.word;
                self.word = 0;
            }
            _ => {}
        }
        if byte.is_ascii_digit() {
            self.masked = self.masked << 8 | u32::from(b'0');
            self.digits += 1;
        } else {
            self.masked = self.masked << 8 | u32::from(byte);
            self.digits = 0;
        }
        match byte {
            b'\n' => {
                self.line_above = self.line;
                self.line = block.len();
                self.column = 0;
                self.fields = 0;
                self.field = 0;
            }
            b',' | b'\t' | b';' | b'|' | b' ' | b':' | b'=' => {
                self.column += 1;
                self.fields += 1;
                self.field = 0;
            }
            _ => {
                self.column += 1;
                self.field = self.field << 8 | u32::from(byte);
            }
        }
        let at = self.line_above + self.column as usize;
        self.above = if at < self.line { block[at] } else { b'\n' };
        let n = block.len();
        self.period = tables.period(n, self.last as u16, self.period.length);
        let row = self.period.length;
        self.up = if n >= 2 * row {
            [block[n - row], block[n - row + 1], block[n - 2 * row]]
        } else {
            [0; 3]
        };
        self.cell = (n % row) as u32;
        match (&mut self.special, values) {
            (Special::Code(instruction), Some(values)) => instruction.push(byte, values),
            (Special::Signal(near), _) => {
                let region = tables.regions.get(tables.passed_at(n));
                *near = Near::new(region, block);
            }
            (Special::Bilevel(pixels), _) => {
                let region = tables.regions.get(tables.passed_at(n));
                *pixels = Pixels::new(region, block);
            }
            _ => {}
        }
    }

    /// The classes of the last three bytes (see [`Context::Shape`]), in x86 code
    /// [`Instruction::class`], in signals [`Near::class`], in bilevel pictures, where `partial`
    /// is known of the next byte, [`Pixels::class`]: 0..4096.
    #[inline(always)]
    pub fn classes(&self, partial: u32) -> u16 {
        let shape = (self.shape & 0xfff) as u16;
        match &self.special {
            Special::Nothing => shape,
            Special::Code(instruction) => instruction.class(),
            Special::Signal(near) => near.class(shape),
            Special::Bilevel(_) => self.pixels().map_or(shape, |p| p.class(self.last, partial)),
        }
    }

    /// The last two bytes, the last one first; in bilevel pictures [`Pixels::bytes`].
    #[inline(always)]
    pub fn before(&self, partial: u32) -> [u8; 2] {
        match self.pixels() {
            Some(pixels) => pixels.bytes(self.last, partial),
            None => [self.last as u8, (self.last >> 8) as u8],
        }
    }

    /// What is near the next byte, if it is of a bilevel picture.
    #[inline(always)]
    pub fn pixels(&self) -> Option<&Pixels> {
        match &self.special {
            Special::Bilevel(pixels) if pixels.are_here() => Some(pixels),
            _ => None,
        }
    }

    /// The operand that begins with the next byte, if it is an address of x86 code.
    #[inline(always)]
    pub fn operand(&self) -> Option<Operand> {
        match &self.special {
            Special::Code(instruction) => instruction.operand(),
            _ => None,
        }
    }

    /// The last sixteen bytes, the last one first.
    #[inline(always)]
    pub fn bytes(&self) -> [u8; 16] {
        (u128::from(self.older) << 64 | u128::from(self.last)).to_le_bytes()
    }

    /// The byte at a distance, 1..=16.
    #[inline(always)]
    pub fn byte(&self, distance: u8) -> u8 {
        self.bytes()[usize::from(distance.wrapping_sub(1) % 16)]
    }

    /// Hash of one context for the byte after those taken in; `h` is its
    /// [`start_hash`](crate::stream::contexts::start_hash).
    #[inline(always)]
    pub fn hash(&self, context: Context, h: u32) -> u32 {
        let last = self.last;
        let c1 = u32::from(last as u8);
        match context {
            Context::Bytes(mask) => {
                let bytes = last & mask;
                join(join(h, bytes as u32), (bytes >> 32) as u32)
            }
            Context::Byte(n) => join(h, self.byte(n).into()),
            Context::WordBefore => join(h, self.word_1),
            Context::Word => {
                join(join(h, self.word), self.word_start.max(c1 * u32::from(self.word == 0)))
            }
            Context::WordPair => {
                join(join(join(h, self.word), self.word_1), if self.word == 0 { c1 } else { 0 })
            }
            Context::WordSkip => join(join(join(h, self.word), self.word_1), self.word_2),
            Context::Column => join(join(h, self.column), u32::from(self.above)),
            Context::Above => join(join(h, u32::from(self.above)), c1),
            Context::Shape => join(h, self.shape),
            Context::Follow => join(join(h, u32::from(self.followers[1])), c1),
            Context::Number => join(join(h, self.masked), self.digits),
            Context::Row => join(join(h, self.up[0].into()), c1),
            Context::Rows => join(h, u32::from_le_bytes([self.up[0], self.up[1], self.up[2], 0])),
            Context::Cell => join(join(h, self.cell), self.up[0].into()),
            Context::Field => join(join(h, self.fields), self.field),
            Context::Code(code) => match &self.special {
                Special::Code(instruction) => code.hash(instruction, h),
                _ => h,
            },
            Context::Signal(sample) => match &self.special {
                Special::Signal(near) => sample.hash(near, last, h),
                _ => h,
            },
            Context::Pixels(template) => match &self.special {
                Special::Bilevel(pixels) => pixels.hash(template, last, 1, h),
                _ => h,
            },
        }
    }
}
