//! Training of stream models: gather evidence, fit the network, round it.

mod base;
mod contexts;
mod corpus;
mod documents;
mod effort;
mod evidence;
mod fit;
mod language;
mod options;
mod part;
mod primed;
mod quantize;
mod run;
mod weights;

pub use base::{Adaptation, Adapted, adapt};
pub use corpus::{Corpus, TrainError};

pub use contexts::{DEFAULT_LANGUAGE, DEFAULT_PRIMED, contexts_of};
pub use language::Options as LanguageOptions;
pub use options::{Options, checkpoint_of};
pub use run::{Outcome, train};
