//! The bytes before the next one, as contexts see them.

use super::content::Content;
use super::contexts::{Context, class, join};
use super::signal::near::Near;
use super::signal::pixels::Pixels;
use super::signal::regions::Regions;
use super::x86::instruction::{Instruction, Values};
use super::x86::reader::Operand;

/// Rows are shorter than this.
const MAX_PERIOD: usize = 1024;

/// What contexts are made of. It is small: one for a byte that may come costs little.
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
    followers: [u16; 2],
    masked: u32,
    digits: u32,
    fields: u32,
    field: u32,
    above: u8,
    period: Period,
    /// The bytes one row up, one row up and one on, two rows up.
    up: [u8; 3],
    cell: u32,
    special: Special,
}

/// What is known besides of some kinds of content.
#[derive(Clone, Copy, Debug)]
enum Special {
    Nothing,
    Code(Instruction),
    Signal(Near),
    Bilevel(Pixels),
}

/// A guess at the length of rows: the distance at which pairs of bytes come again most
/// often, of late.
#[derive(Clone, Copy, Debug)]
struct Period {
    length: usize,
    /// How long ago the last pair of bytes came before, and the votes for that distance;
    /// 0 if it is too far for a row.
    distance: usize,
    votes: u16,
}

/// What the past is looked up in: [`Recent`] knows what its last byte changes in them.
#[derive(Clone, Debug)]
struct Tables {
    /// The last two bytes after each byte.
    follow: Box<[u16; 256]>,
    /// Where each pair of bytes ended last.
    pairs: Box<[u32; 1 << 16]>,
    /// Votes for each length of rows.
    votes: Box<[u16; MAX_PERIOD]>,
    /// Of x86 code only.
    values: Option<Values>,
    /// Where samples are, and how many of these end before the next byte.
    regions: Regions,
    passed: usize,
}

impl Tables {
    /// The length of rows when `n` bytes are known, of which `pair` are the last two.
    #[inline(always)]
    fn period(&self, n: usize, pair: u16, length: usize) -> Period {
        let distance = n - self.pairs[usize::from(pair)] as usize;
        if !(2..MAX_PERIOD).contains(&distance) {
            return Period { length, distance: 0, votes: 0 };
        }
        let votes = self.votes[distance].saturating_add(8);
        let better = votes > self.votes[length].saturating_add(32);
        Period { length: if better { distance } else { length }, distance, votes }
    }

    /// Takes in what the last of `n` bytes changes.
    #[inline(always)]
    fn note(&mut self, n: usize, recent: &Recent) {
        let [c1, c2] = [recent.last as u8, (recent.last >> 8) as u8];
        self.follow[usize::from(c2)] = recent.followers[0];
        self.pairs[usize::from(u16::from_le_bytes([c1, c2]))] = n as u32;
        let Period { distance, votes, .. } = recent.period;
        if distance != 0 {
            self.votes[distance] = votes;
        }
        if n.is_multiple_of(1024) {
            for votes in self.votes.iter_mut() {
                *votes -= *votes >> 3;
            }
        }
        if let (Some(values), Special::Code(instruction)) = (&mut self.values, &recent.special) {
            values.note(instruction);
        }
        self.passed = self.passed_at(n);
    }

    /// How many regions end before the byte after `n`.
    #[inline(always)]
    fn passed_at(&self, n: usize) -> usize {
        let ended = self.regions[self.passed..].iter().take_while(|r| r.end() <= n);
        self.passed + ended.count()
    }
}

/// All bytes so far: fed one at a time.
#[derive(Clone, Debug)]
pub struct Past {
    recent: Recent,
    tables: Tables,
}

impl Default for Past {
    fn default() -> Self {
        Self::new(Content::Plain, &Regions::default())
    }
}

impl Past {
    /// Before the first byte of a block; `regions` are where it has samples.
    pub fn new(content: Content, regions: &Regions) -> Self {
        let code = content == Content::X86;
        let special = match content {
            Content::Plain => Special::Nothing,
            Content::X86 => Special::Code(Instruction::default()),
            Content::Signal => Special::Signal(Near::new(regions.first(), &[])),
            Content::Bilevel => Special::Bilevel(Pixels::new(regions.first(), &[])),
        };
        Self {
            recent: Recent {
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
                period: Period { length: 2, distance: 0, votes: 0 },
                up: [0; 3],
                cell: 0,
                special,
            },
            tables: Tables {
                follow: Box::new([0; 256]),
                pairs: Box::new([0; 1 << 16]),
                votes: Box::new([0; MAX_PERIOD]),
                values: code.then(Values::default),
                regions: regions.clone(),
                passed: 0,
            },
        }
    }

    /// What contexts are made of.
    #[inline(always)]
    pub fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Takes in the last byte of `block`, all that is known so far.
    #[inline(always)]
    pub fn push(&mut self, block: &[u8]) {
        self.accept(self.after(block), block);
    }

    /// Becomes what [`Self::after`] has told of the same block.
    #[inline(always)]
    pub fn accept(&mut self, recent: Recent, block: &[u8]) {
        self.recent = recent;
        if !block.is_empty() {
            self.tables.note(block.len(), &recent);
        }
    }

    /// What comes after the last byte of `block`, whose other bytes are all that was
    /// taken in.
    #[inline(always)]
    pub fn after(&self, block: &[u8]) -> Recent {
        let mut recent = self.recent;
        let Some(&byte) = block.last() else { return recent };
        let Tables { follow, values, .. } = &self.tables;
        let before = recent.last as u8;
        recent.older = recent.older << 8 | recent.last >> 56;
        recent.last = recent.last << 8 | u64::from(byte);
        let followed = recent.followers[1] << 8 | u16::from(byte);
        recent.followers =
            [followed, if byte == before { followed } else { follow[usize::from(byte)] }];
        recent.shape = recent.shape << 4 | class(byte);
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | 128..=255 => {
                let folded = if byte.is_ascii_uppercase() { byte + 32 } else { byte };
                if recent.word == 0 {
                    recent.word_start = u32::from(before);
                }
                recent.word = join(recent.word, u32::from(folded));
            }
            _ if recent.word != 0 => {
                recent.word_2 = recent.word_1;
                recent.word_1 = recent.word;
                recent.word = 0;
            }
            _ => {}
        }
        if byte.is_ascii_digit() {
            recent.masked = recent.masked << 8 | u32::from(b'0');
            recent.digits += 1;
        } else {
            recent.masked = recent.masked << 8 | u32::from(byte);
            recent.digits = 0;
        }
        match byte {
            b'\n' => {
                recent.line_above = recent.line;
                recent.line = block.len();
                recent.column = 0;
                recent.fields = 0;
                recent.field = 0;
            }
            b',' | b'\t' | b';' | b'|' | b' ' | b':' | b'=' => {
                recent.column += 1;
                recent.fields += 1;
                recent.field = 0;
            }
            _ => {
                recent.column += 1;
                recent.field = recent.field << 8 | u32::from(byte);
            }
        }
        let at = recent.line_above + recent.column as usize;
        recent.above = if at < recent.line { block[at] } else { b'\n' };
        let n = block.len();
        recent.period = self.tables.period(n, recent.last as u16, recent.period.length);
        let row = recent.period.length;
        recent.up = if n >= 2 * row {
            [block[n - row], block[n - row + 1], block[n - 2 * row]]
        } else {
            [0; 3]
        };
        recent.cell = (n % row) as u32;
        match (&mut recent.special, values) {
            (Special::Code(instruction), Some(values)) => instruction.push(byte, values),
            (Special::Signal(near), _) => {
                let region = self.tables.regions.get(self.tables.passed_at(n));
                *near = Near::new(region, block);
            }
            (Special::Bilevel(pixels), _) => {
                let region = self.tables.regions.get(self.tables.passed_at(n));
                *pixels = Pixels::new(region, block);
            }
            _ => {}
        }
        recent
    }

    /// Becomes `start` again, after `record` was pushed from there, byte by byte.
    pub fn restore(&mut self, start: &Self, record: &[u8]) {
        // every field by name, so that none is forgotten
        let Self { recent, tables } = start;
        let Tables { follow, pairs, votes, values, regions: _, passed } = tables;
        self.recent = *recent;
        let mut pair = recent.last as u16;
        for &byte in record {
            pair = pair << 8 | u16::from(byte);
            self.tables.pairs[usize::from(pair)] = pairs[usize::from(pair)];
        }
        self.tables.follow.copy_from_slice(&follow[..]);
        self.tables.votes.copy_from_slice(&votes[..]);
        self.tables.values.clone_from(values);
        self.tables.passed = *passed;
    }
}

impl Recent {
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
    /// [`start_hash`](super::contexts::start_hash).
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::signal::layout::{Layout, Rows};
    use crate::stream::signal::regions::Region;
    use crate::stream::testing::Random;

    fn after(text: &[u8]) -> Past {
        let mut past = Past::default();
        for n in 1..=text.len() {
            past.push(&text[..n]);
        }
        past
    }

    #[test]
    fn contexts_see_what_they_should() {
        let same = |c: Context, a: &[u8], b: &[u8]| {
            after(a).recent().hash(c, 1) == after(b).recent().hash(c, 1)
        };
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

    /// A byte that did not come leaves nothing behind.
    #[test]
    fn guesses_change_nothing() {
        let mut random = Random(3);
        let rows = Some(Rows { used: 30, stride: 31 });
        let layout = Layout { width: 1, big_endian: false, channels: 3, rows, bilevel: false };
        let region = |start| Region { start, len: 31 * 20, layout };
        let regions: Regions = [region(100), region(100 + 31 * 20)].into_iter().collect();
        for content in Content::ALL {
            let mut past = Past::new(content, &regions);
            let mut other = past.clone();
            let mut block = Vec::new();
            for byte in random.bytes(3000) {
                block.push(byte ^ 1);
                let _ = other.after(&block);
                block.pop();
                block.push(byte);
                let recent = other.after(&block);
                other.accept(recent, &block);
                past.push(&block);
            }
            assert_eq!(format!("{past:?}"), format!("{other:?}"));
        }
    }
}
