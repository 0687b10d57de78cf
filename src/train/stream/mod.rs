//! Training of stream models: gather evidence, fit the network, round it.

mod corpus;
mod evidence;
mod fit;
mod quantize;

pub use corpus::{Corpus, TrainError};
pub use fit::{DEFAULT_CONTEXTS, Options, Outcome, train};
