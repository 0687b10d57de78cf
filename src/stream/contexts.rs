//! Contexts: what of the past a statistic is kept for.
//!
//! At every byte boundary each context of a model is turned into a 32-bit hash
//! of some view of the bytes before; the statistics of the next byte's bits are
//! kept under it. The list is part of the model (metadata `contexts`), written
//! as words such as `o3` or `word`.

use thiserror::Error;

use super::content::Content;
use super::instruction::Instruction;

/// One kind of context. Distances count back from the next byte: 1 is the byte
/// just before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// `o0` … `o8`, the last n bytes; or `s` and distances, such as `s23`, only
    /// these bytes, each distance 1..=8. Held as a mask of [`Past::last`].
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
                Some(("o", n)) => match n.parse() {
                    Ok(0) => Self::Bytes(0),
                    Ok(n @ 1..=8) => Self::Bytes(!0 >> (64 - 8 * n)),
                    _ => return Err(unknown()),
                },
                Some(("b", n)) => match n.parse() {
                    Ok(n @ 1..=16) => Self::Byte(n),
                    _ => return Err(unknown()),
                },
                Some(("s", distances)) if !distances.is_empty() => {
                    let mut mask = 0u64;
                    for c in distances.bytes() {
                        if !(b'1'..=b'8').contains(&c) {
                            return Err(unknown());
                        }
                        mask |= 0xff << (8 * (c - b'1'));
                    }
                    Self::Bytes(mask)
                }
                _ => return Err(unknown()),
            },
        })
    }
}

/// Character classes of [`Context::Shape`].
const fn class(byte: u8) -> u32 {
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
fn join(h: u32, value: u32) -> u32 {
    (h.wrapping_add(value).wrapping_add(1)).wrapping_mul(MIX).rotate_left(11)
}

/// What the hash of a model's context number `i` begins with, to keep the contexts
/// apart.
pub fn start_hash(i: u32) -> u32 {
    spread(i.wrapping_mul(MIX))
}

/// The slot hash of a context: of its byte's first nibble (`nibble` = 0), or of
/// the second after the first one (`nibble` = 16 + its value).
#[inline(always)]
pub fn slot_hash(context: u32, nibble: u32) -> u32 {
    spread(context.wrapping_add(nibble.wrapping_mul(0x2c1b_3c6d)))
}

/// The row of a table of the language model: the byte itself if there is a row for
/// each, else the upper bits of a hash. `rows` is a power of two of at least 2.
#[inline(always)]
pub fn language_row(past: &Past, context: Context, h: u32, rows: usize) -> usize {
    match context {
        Context::Byte(n) if rows == 256 => past.byte(n).into(),
        _ => spread(past.hash(context, h)) as usize >> (32 - rows.ilog2()),
    }
}

impl Code {
    #[inline(always)]
    fn hash(self, instruction: &Instruction, h: u32) -> u32 {
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

/// The running state from which contexts are made: fed one byte at a time.
#[derive(Clone, Debug)]
pub struct Past {
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
    follow: Box<[u16; 256]>,
    masked: u32,
    digits: u32,
    fields: u32,
    field: u32,
    above: u8,
    period: Period,
    /// The bytes one row up, one row up and one on, two rows up.
    up: [u8; 3],
    cell: u32,
    /// Of x86 code only.
    instruction: Option<Box<Instruction>>,
}

/// Guesses the length of rows: the distance at which pairs of bytes come again
/// most often, of late.
#[derive(Clone, Debug)]
struct Period {
    last: Box<[u32; 1 << 16]>,
    votes: Box<[u16; MAX_PERIOD]>,
    length: usize,
}

impl Default for Past {
    fn default() -> Self {
        Self::new(Content::Plain)
    }
}

/// Rows are shorter than this.
const MAX_PERIOD: usize = 1024;

impl Default for Period {
    fn default() -> Self {
        Self { last: Box::new([0; 1 << 16]), votes: Box::new([0; MAX_PERIOD]), length: 2 }
    }
}

impl Period {
    /// `n` bytes are known, `pair` are the last two.
    #[inline(always)]
    fn push(&mut self, n: usize, pair: u16) {
        let last = &mut self.last[pair as usize];
        let distance = n - *last as usize;
        *last = n as u32;
        if (2..MAX_PERIOD).contains(&distance) {
            self.votes[distance] = self.votes[distance].saturating_add(8);
            if self.votes[distance] > self.votes[self.length].saturating_add(32) {
                self.length = distance;
            }
        }
        if n.is_multiple_of(1024) {
            for v in self.votes.iter_mut() {
                *v -= *v >> 3;
            }
        }
    }
}

impl Past {
    /// Before the first byte of a block.
    pub fn new(content: Content) -> Self {
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
            follow: Box::new([0; 256]),
            masked: 0,
            digits: 0,
            fields: 0,
            field: 0,
            above: 0,
            period: Period::default(),
            up: [0; 3],
            cell: 0,
            instruction: (content == Content::X86).then(Box::default),
        }
    }

    /// Takes in the last byte of `block`, all that is known so far.
    #[inline(always)]
    pub fn push(&mut self, block: &[u8]) {
        let Some(&byte) = block.last() else { return };
        let before = self.last as u8;
        self.older = self.older << 8 | self.last >> 56;
        self.last = self.last << 8 | u64::from(byte);
        let followers = &mut self.follow[before as usize];
        *followers = *followers << 8 | u16::from(byte);
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
        self.period.push(n, self.last as u16);
        let row = self.period.length;
        self.up = if n >= 2 * row {
            [block[n - row], block[n - row + 1], block[n - 2 * row]]
        } else {
            [0; 3]
        };
        self.cell = (n % row) as u32;
        if let Some(instruction) = &mut self.instruction {
            instruction.push(byte);
        }
    }

    /// Becomes `start` again, after `record` was pushed from there, byte by byte.
    pub fn restore(&mut self, start: &Self, record: &[u8]) {
        // every field by name, so that none is forgotten
        let Self {
            last,
            older,
            word,
            word_start,
            word_1,
            word_2,
            column,
            line,
            line_above,
            shape,
            follow,
            masked,
            digits,
            fields,
            field,
            above,
            period,
            up,
            cell,
            instruction,
        } = start;
        self.instruction.clone_from(instruction);
        let mut pair = *last as u16;
        for &byte in record {
            pair = pair << 8 | u16::from(byte);
            self.period.last[pair as usize] = period.last[pair as usize];
        }
        self.period.votes.copy_from_slice(&period.votes[..]);
        self.period.length = period.length;
        self.follow.copy_from_slice(&follow[..]);
        self.last = *last;
        self.older = *older;
        self.word = *word;
        self.word_start = *word_start;
        self.word_1 = *word_1;
        self.word_2 = *word_2;
        self.column = *column;
        self.line = *line;
        self.line_above = *line_above;
        self.shape = *shape;
        self.masked = *masked;
        self.digits = *digits;
        self.fields = *fields;
        self.field = *field;
        self.above = *above;
        self.up = *up;
        self.cell = *cell;
    }

    /// The classes of the last three bytes (see [`Context::Shape`]), in x86 code
    /// [`Instruction::class`]: 0..4096.
    #[inline(always)]
    pub fn classes(&self) -> u16 {
        match &self.instruction {
            None => (self.shape & 0xfff) as u16,
            Some(instruction) => instruction.class(),
        }
    }

    /// The last sixteen bytes, the last one first.
    #[inline(always)]
    pub fn bytes(&self) -> [u8; 16] {
        (u128::from(self.older) << 64 | u128::from(self.last)).to_le_bytes()
    }

    /// The byte at a distance, 1..=16.
    #[inline(always)]
    fn byte(&self, distance: u8) -> u8 {
        self.bytes()[usize::from(distance.wrapping_sub(1) % 16)]
    }

    /// Hash of one context for the byte after those pushed; `h` is its
    /// [`start_hash`].
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
            Context::Follow => join(join(h, u32::from(self.follow[c1 as usize])), c1),
            Context::Number => join(join(h, self.masked), self.digits),
            Context::Row => join(join(h, self.up[0].into()), c1),
            Context::Rows => join(h, u32::from_le_bytes([self.up[0], self.up[1], self.up[2], 0])),
            Context::Cell => join(join(h, self.cell), self.up[0].into()),
            Context::Field => join(join(h, self.fields), self.field),
            Context::Code(code) => match &self.instruction {
                None => h,
                Some(instruction) => code.hash(instruction, h),
            },
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
        assert_eq!("b16".parse(), Ok(Context::Byte(16)));
        for bad in ["", "b0", "b17", "o9", "s", "s0", "o", "ö", "wörd", "o33"] {
            assert!(bad.parse::<Context>().is_err(), "{bad}");
        }
    }

    fn after(text: &[u8]) -> Past {
        let mut past = Past::default();
        for n in 1..=text.len() {
            past.push(&text[..n]);
        }
        past
    }

    #[test]
    fn contexts_see_what_they_should() {
        let same = |c: Context, a: &[u8], b: &[u8]| after(a).hash(c, 1) == after(b).hash(c, 1);
        assert!(same(Context::Bytes(0xffff), b"xxab", b"yyab"));
        assert!(!same(Context::Bytes(0xffff), b"xaab", b"xbbb"));
        assert!(same(Context::Bytes(0xff00), b"qa1", b"za2"));
        assert!(same(Context::Word, b"one Two", b"and two"));
        assert!(!same(Context::WordPair, b"one two", b"and two"));
        assert!(!same(Context::Above, b"abc\nxb", b"abd\nxb"));
        assert!(same(Context::Above, b"abc\nx", b"bbq\nx"));
        assert!(same(Context::Number, b"id=17;", b"id=35;"));
        assert!(same(Context::Field, b"a,b,cd", b"q,r,cd"));
    }
}
