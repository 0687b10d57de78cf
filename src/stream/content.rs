//! What a block holds, as far as a stream model makes a difference.

/// A kind of content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// Anything.
    #[default]
    Plain,
    /// Programs for x86 processors.
    X86,
}

impl Content {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Plain, Self::X86];
}
