//! What a new part spends on long blocks.

use crate::stream::coding::Level;
use crate::stream::content::Content;
use crate::stream::effort::{Effort, Sparing};

/// Bytes of a block from which on something is left out: less is quick.
const FROM: u64 = 1 << 20;
/// Bytes of the longest block that the language model's recurrent layer speaks in, where time
/// counts: longer ones have statistics of their own.
const RECURRENT_TO: u64 = 1 << 16;

/// What is left out in long blocks. Code is no language, nor are samples. Sure is about 0.98.
pub fn sparing(level: Level, content: Content) -> Option<Sparing> {
    let effort = match (level, content) {
        (Level::Default, Content::Plain) => Effort { no_language: 16, no_direct: 32, sure: 1000 },
        (Level::Default, _) => Effort { no_language: 0, no_direct: 32, sure: 1000 },
        // the recurrent layer takes nearly half of the time
        (Level::Best, Content::Plain) => Effort { no_language: 32, ..Effort::FULL },
        (Level::Best | Level::Fast, _) => return None,
    };
    Some(Sparing { from: FROM, effort })
}

/// Bytes of the longest block that the recurrent layer speaks in, where there is a language model.
pub fn recurrent_to(level: Level, content: Content) -> u64 {
    match (level, content) {
        (Level::Fast, _) => 0,
        (Level::Best, Content::Plain) => u32::MAX.into(),
        (Level::Default | Level::Best, _) => RECURRENT_TO,
    }
}
