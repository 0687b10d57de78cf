//! What is left out where it would change little and time counts: a byte of a long
//! repetition needs no language model, a bit that is nearly certain no network.

use super::content::Content;

/// From where on something is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// The language model is silent for a byte whose long match has at least this length.
    pub no_language: u32,
    /// No context has a direct line for a byte whose long match has at least this length.
    pub no_direct: u32,
    /// The network is not asked about a bit for which five quarters of the mean logit of the
    /// weight sets, without the network's, is at least this or below its negative.
    pub sure: i32,
}

impl Effort {
    /// Nothing is left out.
    pub const FULL: Self = Self { no_language: u32::MAX, no_direct: u32::MAX, sure: i32::MAX };
    /// For blocks that take long; sure is about 0.98. Code is no language, nor are samples.
    pub const fn sparing(content: Content) -> Self {
        let no_language = match content {
            Content::Plain => 16,
            Content::X86 | Content::Signal | Content::Bilevel => 0,
        };
        Self { no_language, no_direct: 32, sure: 1000 }
    }
}
