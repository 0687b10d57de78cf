//! Training of stream models: gather evidence, fit the network, round it.

mod base;
mod corpus;
mod evidence;
mod fit;
mod language;
mod primed;
mod quantize;
mod run;
mod weights;

pub use base::{Adaptation, Adapted, adapt};
pub use corpus::{Corpus, TrainError};

pub use language::Options as LanguageOptions;
pub use run::{
    BEST_CONTEXTS, DEFAULT_CONTEXTS, DEFAULT_LANGUAGE, DEFAULT_PRIMED, DEFAULT_X86_CONTEXTS,
    FAST_CONTEXTS, Options, Outcome, checkpoint_of, train,
};
