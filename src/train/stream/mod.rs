//! Training of stream models: gather evidence, fit the network, round it.

mod base;
mod corpus;
mod evidence;
mod fit;
mod language;
mod primed;
mod quantize;
mod weights;

pub use base::{Adaptation, Adapted, adapt};
pub use corpus::{Corpus, TrainError};
pub use fit::{DEFAULT_CONTEXTS, DEFAULT_LANGUAGE, DEFAULT_PRIMED, Options, Outcome, train};
pub use language::Options as LanguageOptions;
