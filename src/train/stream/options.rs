//! What to train.

use std::path::{Path, PathBuf};

use tch::Device;

use super::language;
use crate::stream::coding::Level;
use crate::stream::content::Content;
use crate::stream::language::Language;
use crate::stream::model::{Parts, StreamModel};

/// What to train, and for how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// Files and folders.
    pub data: Vec<PathBuf>,
    /// Bytes of data to use, at most.
    pub most: usize,
    /// The model that gets another level, with its language model and primed slots.
    pub base: Option<(StreamModel, Level)>,
    /// The contexts of each part, as in a model file, in the order of [`Content::ALL`]; empty:
    /// no such part.
    pub contexts: [String; Content::ALL.len()],
    /// The one part of the base's level that is to be learned; else all that there is
    /// enough content for.
    pub only: Option<Content>,
    /// Those of the contexts whose statistics the model brings along.
    pub primed_contexts: String,
    /// Slots of statistics that the model brings along, at most.
    pub primed: usize,
    /// The language model, if it is to be trained,
    pub language: language::Options,
    /// and if it is there already.
    pub language_ready: Option<Language>,
    /// Bytes of the longest block that the language model's recurrent layer speaks in; `None`:
    /// as the level and the content have it.
    pub recurrent_to: Option<u64>,
    /// Context units (degree 0, once a byte).
    pub context_units: usize,
    /// Units of the first hidden layer (which reads the evidence), and of the second
    /// if there is one.
    pub units: (usize, Option<usize>),
    /// Bound of the adaptive maps' counts.
    pub limit: u32,
    /// Bits of evidence to keep for training; half as many for a part of special content.
    pub bits: usize,
    /// Passes over them.
    pub epochs: usize,
    /// Bytes in a batch.
    pub batch: usize,
    /// Highest learning rate.
    pub rate: f64,
    /// Share of documents held out.
    pub holdout: f64,
    /// Seed of every random choice.
    pub seed: u64,
    /// Where checkpoints go (after every epoch), if anywhere; those of the parts for
    /// special content have one more extension, such as `x86`.
    pub checkpoint: Option<PathBuf>,
    /// Continue from the checkpoint.
    pub resume: bool,
    /// cpu, cuda or cuda:N.
    pub device: Device,
}

impl Options {
    pub(super) fn contexts_of(&self, content: Content) -> &str {
        &self.contexts[content as usize]
    }

    /// Whether there is to be a part for a kind of content.
    pub(super) fn wants(&self, content: Content) -> bool {
        self.only.is_none_or(|only| only == content) && !self.contexts_of(content).trim().is_empty()
    }

    /// The base's level that is trained anew, if it has it.
    pub(super) fn known(&self) -> Option<&Parts> {
        self.base.as_ref().and_then(|(base, level)| base.level(*level))
    }

    /// Whether the base's part for signals or bilevel pictures stays, though there are some
    /// among the documents: few, as a rule, of those that it was learned from.
    pub(super) fn stays(&self, content: Content) -> bool {
        let own = self.known().and_then(|known| known.own_part(content));
        self.only.is_none()
            && content.has_samples()
            && own.is_some_and(|part| part.names == self.contexts_of(content))
    }
}

/// Where the checkpoints of a part go.
pub fn checkpoint_of(content: Content, path: &Path) -> PathBuf {
    match content {
        Content::Plain => path.into(),
        Content::X86 | Content::Signal | Content::Bilevel => {
            path.with_extension(format!("{}safetensors", content.prefix()))
        }
    }
}
