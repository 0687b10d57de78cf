//! How a block is coded: at which level, and as what content. It chooses a part of the
//! model, and stands in the payload's first byte.

use super::content::Content;
use super::x86::Addresses;

/// How much time a block is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// The parts that every model has.
    #[default]
    Default,
    /// Parts of more contexts.
    Best,
    /// Parts of fewer contexts, which no language model speaks to.
    Fast,
}

impl Level {
    /// All levels, by their number in the flags.
    pub const ALL: [Self; 3] = [Self::Default, Self::Best, Self::Fast];

    /// What the names of its parts' tensors and metadata begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Default => "",
            Self::Best => "best.",
            Self::Fast => "fast.",
        }
    }

    /// The level of a number from 1 to 9.
    pub const fn of_number(number: u8) -> Self {
        match number {
            1..=3 => Self::Fast,
            0 | 4..=6 => Self::Default,
            _ => Self::Best,
        }
    }
}

/// How a block is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coding {
    /// The level.
    pub level: Level,
    /// The kind of content.
    pub content: Content,
    /// Which addresses of x86 code are absolute; the default of other content.
    pub addresses: Addresses,
}

/// The flag of x86 code; the two bits above it are the level,
const X86: u8 = 1;
/// and those above these say that it is a signal, or bilevel pictures.
const SIGNAL: u8 = 8;
const BILEVEL: u8 = 16;
/// The flags of content, of which one at most is set.
const CONTENT: u8 = X86 | SIGNAL | BILEVEL;
/// The two bits above these are the number of the addresses, 0 without code.
const ADDRESSES: u8 = 32;

/// Whether flags have bits of rules that came after version 0.1: what is not known of these is
/// known to a later one.
pub const fn is_extended(flags: u8) -> bool {
    flags >= ADDRESSES
}

impl Coding {
    /// At the default level.
    pub fn of(content: Content) -> Self {
        Self::at(Level::Default, content)
    }

    /// At some level.
    pub fn at(level: Level, content: Content) -> Self {
        Self { level, content, addresses: Addresses::default() }
    }

    /// Whether the same part of a model is for both.
    pub fn same_part(self, other: Self) -> bool {
        (self.level, self.content) == (other.level, other.content)
    }

    /// Whether match models know what addresses are.
    pub fn follows_addresses(self) -> bool {
        self.content == Content::X86 && self.addresses != Addresses::Scanned
    }

    /// The payload's flags.
    pub fn flags(self) -> u8 {
        let content = match self.content {
            Content::Plain => 0,
            Content::X86 => X86 | (self.addresses as u8 * ADDRESSES),
            Content::Signal => SIGNAL,
            Content::Bilevel => BILEVEL,
        };
        content | (self.level as u8) << 1
    }

    /// The coding that flags stand for, if they do.
    pub fn from_flags(flags: u8) -> Option<Self> {
        let content = match flags & CONTENT {
            0 => Content::Plain,
            X86 => Content::X86,
            SIGNAL => Content::Signal,
            BILEVEL => Content::Bilevel,
            _ => return None,
        };
        let level = *Level::ALL.get(usize::from(flags & !CONTENT & (ADDRESSES - 1)) / 2)?;
        let addresses = match flags / ADDRESSES {
            0 if content != Content::X86 => Addresses::default(),
            number if content == Content::X86 => *Addresses::ALL.get(usize::from(number))?,
            _ => return None,
        };
        Some(Self { level, content, addresses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_say_it_all() {
        let known: Vec<Coding> = (0..=255).filter_map(Coding::from_flags).collect();
        let ways = Content::ALL.len() - 1 + Addresses::ALL.len();
        assert_eq!(known.len(), Level::ALL.len() * ways);
        for coding in known {
            assert_eq!(Coding::from_flags(coding.flags()), Some(coding));
        }
    }
}
