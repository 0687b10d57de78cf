//! How a block is coded: at which level, and as what content. It chooses a part of the
//! model, and stands in the payload's first byte.

use super::content::Content;

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
}

/// The flag of x86 code; the two bits above it are the level,
const X86: u8 = 1;
/// and those above these say that it is a signal, or bilevel pictures.
const SIGNAL: u8 = 8;
const BILEVEL: u8 = 16;
/// The flags of content, of which one at most is set.
const CONTENT: u8 = X86 | SIGNAL | BILEVEL;

impl Coding {
    /// At the default level.
    pub const fn of(content: Content) -> Self {
        Self { level: Level::Default, content }
    }

    /// The payload's flags.
    pub fn flags(self) -> u8 {
        let content = match self.content {
            Content::Plain => 0,
            Content::X86 => X86,
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
        let level = *Level::ALL.get(usize::from(flags & !CONTENT) / 2)?;
        Some(Self { level, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_say_it_all() {
        let known: Vec<Coding> = (0..=255).filter_map(Coding::from_flags).collect();
        assert_eq!(known.len(), Level::ALL.len() * Content::ALL.len());
        for coding in known {
            assert_eq!(Coding::from_flags(coding.flags()), Some(coding));
        }
    }
}
