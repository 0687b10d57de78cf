//! The bytes before the next one, as contexts see them.

mod recent;
mod tables;

pub use recent::Recent;
use recent::Special;
use tables::Tables;

use super::content::Content;
use super::signal::regions::Regions;

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
        let recent = Recent::new(Special::new(content, regions));
        Self { recent, tables: Tables::new(content, regions) }
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
        if let Some(&byte) = block.last() {
            recent.push(byte, block, &self.tables);
        }
        recent
    }

    /// Becomes `start` again, after `record` was pushed from there, byte by byte.
    pub fn restore(&mut self, start: &Self, record: &[u8]) {
        self.recent = start.recent;
        self.tables.restore(&start.tables, start.recent.last as u16, record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::contexts::Context;
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
