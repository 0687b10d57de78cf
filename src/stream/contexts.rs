//! Contexts: what of the past a statistic is kept for.
//!
//! At every byte boundary each context of a model is turned into a 32-bit hash
//! of some view of the bytes before; the statistics of the next byte's bits are
//! kept under it. The list is part of the model (metadata `contexts`), written
//! as words such as `o3` or `word`.

use thiserror::Error;

use super::content::Content;
use super::past::Recent;
use super::signal::near::Signal;
use super::signal::pixels::Template;
use super::x86::instruction::Instruction;
use crate::made::file::decimal;

/// One kind of context. Distances count back from the next byte: 1 is the byte
/// just before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// `o0` … `o8`, the last n bytes; or `s` and distances, such as `s23`, only
    /// these bytes, each distance 1..=8 once. Held as a mask of [`Recent::last`].
    Bytes(u64),
    /// `b1` … `b16`: the byte at that distance.
    Byte(u8),
    /// `before`: the word before.
    WordBefore,
    /// `word`: the word so far (letters, case folded; bytes above 127) and the
    /// byte before it.
    Word,
    /// `pair`: the word so far and the word before.
    WordPair,
    /// `skip`: the word before and the word before that one, and the word so far.
    WordSkip,
    /// `column`: the column, counted from the last line feed, and the byte above.
    Column,
    /// `above`: the byte above and the byte before.
    Above,
    /// `shape`: the classes (letter, digit, space, …) of the last eight bytes.
    Shape,
    /// `follow`: what followed the last two occurrences of the byte before, and
    /// the byte before.
    Follow,
    /// `number`: the last four bytes with digits made equal, and the length of
    /// the number so far.
    Number,
    /// `row`: the byte one row up and the byte before. Rows have the length that
    /// repetitions suggest (the distances at which pairs of bytes come again).
    Row,
    /// `rows`: the bytes one and two rows up, and the one after the first of them.
    Rows,
    /// `cell`: the position in the row, and the byte one row up.
    Cell,
    /// `field`: the number of separators since the line feed and the bytes since
    /// the last separator (at most four).
    Field,
    /// In x86 code, see [`Code`].
    Code(Code),
    /// In sounds and pictures, see [`Signal`].
    Signal(Signal),
    /// In bilevel pictures, see [`Template`].
    Pixels(Template),
}

impl Context {
    /// The kind of content that it is for alone, if it is not for any.
    pub(super) fn content(&self) -> Option<Content> {
        match self {
            Self::Code(_) => Some(Content::X86),
            Self::Signal(_) => Some(Content::Signal),
            Self::Pixels(_) => Some(Content::Bilevel),
            _ => None,
        }
    }
}

/// Contexts of x86 code: what is known of the present instruction, with instructions
/// before it. The instruction *so far* is what [`Instruction::so_far`] and
/// [`Instruction::value`] tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// `code0` … `code3`: so far; opcode and ModR/M of the n instructions before.
    Before(u8),
    /// `codes2` … `codes4`: so far; the opcodes of the n instructions before.
    Opcodes(u8),
    /// `operand`: so far, without mod and reg of the ModR/M.
    Operand,
    /// `again`: so far; the displacement or immediate that this opcode and ModR/M had
    /// the last time.
    Again,
    /// `opcode`: so far, without ModR/M and value; opcode and ModR/M of the instruction
    /// before.
    Opcode,
}

/// A word of the list is not a context.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("unknown context {0:?}")]
pub struct UnknownContext(pub String);

impl std::str::FromStr for Context {
    type Err = UnknownContext;

    fn from_str(word: &str) -> Result<Self, UnknownContext> {
        let unknown = || UnknownContext(word.chars().take(20).collect());
        if let Some((_, sample)) = Signal::NAMES.iter().find(|(name, _)| *name == word) {
            return Ok(Self::Signal(*sample));
        }
        Ok(match word {
            "word" => Self::Word,
            "before" => Self::WordBefore,
            "pair" => Self::WordPair,
            "skip" => Self::WordSkip,
            "column" => Self::Column,
            "above" => Self::Above,
            "shape" => Self::Shape,
            "follow" => Self::Follow,
            "number" => Self::Number,
            "field" => Self::Field,
            "row" => Self::Row,
            "rows" => Self::Rows,
            "cell" => Self::Cell,
            "code0" => Self::Code(Code::Before(0)),
            "code1" => Self::Code(Code::Before(1)),
            "code2" => Self::Code(Code::Before(2)),
            "code3" => Self::Code(Code::Before(3)),
            "codes2" => Self::Code(Code::Opcodes(2)),
            "codes3" => Self::Code(Code::Opcodes(3)),
            "codes4" => Self::Code(Code::Opcodes(4)),
            "operand" => Self::Code(Code::Operand),
            "again" => Self::Code(Code::Again),
            "opcode" => Self::Code(Code::Opcode),
            _ => match word.split_at_checked(1) {
                Some(("o", n)) => match decimal(n) {
                    Some(0) => Self::Bytes(0),
                    Some(n @ 1..=8) => Self::Bytes(!0 >> (64 - 8 * n)),
                    _ => return Err(unknown()),
                },
                Some(("b", n)) => match decimal(n) {
                    Some(n @ 1..=16) => Self::Byte(n),
                    _ => return Err(unknown()),
                },
                Some(("p", numbers)) => Self::Pixels(Template::parse(numbers).ok_or_else(unknown)?),
                Some(("s", distances)) if !distances.is_empty() => {
                    let mut mask = 0u64;
                    for c in distances.bytes() {
                        if !(b'1'..=b'8').contains(&c) {
                            return Err(unknown());
                        }
                        let own = 0xff << (8 * (c - b'1'));
                        if mask & own != 0 {
                            return Err(unknown());
                        }
                        mask |= own;
                    }
                    Self::Bytes(mask)
                }
                _ => return Err(unknown()),
            },
        })
    }
}

/// Character classes of [`Context::Shape`].
pub(super) const fn class(byte: u8) -> u32 {
    match byte {
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        b'0'..=b'9' => 3,
        b' ' | b'\t' => 4,
        b'\n' | b'\r' => 5,
        b'.' | b',' | b';' | b':' | b'!' | b'?' => 6,
        b'"' | b'\'' | b'`' => 7,
        b'(' | b'[' | b'{' | b'<' => 8,
        b')' | b']' | b'}' | b'>' => 9,
        b'-' | b'_' | b'/' | b'\\' | b'=' | b'+' | b'*' | b'&' | b'|' => 10,
        0 => 11,
        1..=31 => 12,
        128..=191 => 13,
        192..=255 => 14,
        _ => 15,
    }
}

/// Odd multipliers that spread the parts of a context over 32 bits.
const MIX: u32 = 0x9e37_79b1;
const MIX_2: u32 = 0x85eb_ca6b;

#[inline(always)]
fn spread(h: u32) -> u32 {
    let h = (h ^ h >> 15).wrapping_mul(MIX_2);
    h ^ h >> 13
}

#[inline(always)]
pub(super) fn join(h: u32, value: u32) -> u32 {
    (h.wrapping_add(value).wrapping_add(1)).wrapping_mul(MIX).rotate_left(11)
}

/// What the hash of a model's context number `i` begins with, to keep the contexts
/// apart.
pub fn start_hash(i: u32) -> u32 {
    spread(i.wrapping_mul(MIX))
}

/// Bits of a slot's hash that go by its nibble, the lowest ones. Those above go by the
/// context alone, so that the slots of its second nibbles are in the page of memory that the
/// first one's is in: to find a page costs more than to read from it.
const NIBBLE_BITS: u32 = 14;

/// The slot hash of a context: of its byte's first nibble (`nibble` = 0), or of
/// the second after the first one (`nibble` = 16 + its value).
#[inline(always)]
pub fn slot_hash(context: u32, nibble: u32) -> u32 {
    const OWN: u32 = (1 << NIBBLE_BITS) - 1;
    let own = spread(context.wrapping_add(nibble.wrapping_mul(0x2c1b_3c6d)));
    spread(context) & !OWN | own & OWN
}

/// The row of a table of the language model: the byte itself if there is a row for
/// each, else the upper bits of a hash. `rows` is a power of two of at least 2.
#[inline(always)]
pub fn language_row(past: &Recent, context: Context, h: u32, rows: usize) -> usize {
    match context {
        Context::Byte(n) if rows == 256 => past.byte(n).into(),
        _ => spread(past.hash(context, h)) as usize >> (32 - rows.ilog2()),
    }
}

impl Code {
    #[inline(always)]
    pub(super) fn hash(self, instruction: &Instruction, h: u32) -> u32 {
        let (so_far, value) = (instruction.so_far(), instruction.value());
        let all = |mask: u32| join(join(h, so_far & mask), value);
        match self {
            Self::Before(n) => {
                (0..usize::from(n)).fold(all(!0), |h, i| join(h, instruction.before(i)))
            }
            Self::Opcodes(n) => {
                (0..usize::from(n)).fold(all(!0), |h, i| join(h, instruction.before(i) >> 8))
            }
            Self::Operand => all(!0xf8),
            Self::Again => join(all(!0), instruction.last_value()),
            Self::Opcode => join(join(h, so_far >> 8), instruction.before(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse() {
        assert_eq!("o3".parse(), Ok(Context::Bytes(0xff_ffff)));
        assert_eq!("s24".parse(), Ok(Context::Bytes(0xff00_ff00)));
        assert_eq!("word".parse(), Ok(Context::Word));
        assert_eq!("wests".parse(), Ok(Context::Signal(Signal::Wests)));
        assert_eq!("b16".parse(), Ok(Context::Byte(16)));
        for bad in
            ["", "b0", "b17", "o9", "s", "s0", "o", "ö", "wörd", "o33", "o+3", "b+1", "p", "p4.9"]
        {
            assert!(bad.parse::<Context>().is_err(), "{bad}");
        }
    }
}
