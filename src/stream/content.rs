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
}

impl Content {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Plain, Self::X86, Self::Signal];

    /// What the names of the tensors and metadata of its own part begin with, in a level.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::X86 => "x86.",
            Self::Signal => "signal.",
        }
    }
}
