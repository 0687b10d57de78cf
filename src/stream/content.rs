//! What a block holds, as far as a stream model makes a difference.

/// A kind of content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// Anything.
    #[default]
    Plain,
    /// Programs for x86 processors.
    X86,
    /// Sounds and pictures that are not compressed, for the most part.
    Signal,
    /// Pictures of one bit a pixel, likewise.
    Bilevel,
}

impl Content {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Plain, Self::X86, Self::Signal, Self::Bilevel];

    /// Those beside plain content.
    pub const SPECIAL: [Self; 3] = [Self::X86, Self::Signal, Self::Bilevel];

    /// Whether it is told by a list of regions.
    pub const fn has_samples(self) -> bool {
        matches!(self, Self::Signal | Self::Bilevel)
    }

    /// What the names of the tensors and metadata of its own part begin with, in a level.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::X86 => "x86.",
            Self::Signal => "signal.",
            Self::Bilevel => "bilevel.",
        }
    }
}
