//! A part for one kind of content: evidence, network, weights of the online stage.

use std::time::Instant;

use super::corpus::TrainError;
use super::documents::{Document, Documents, size};
use super::effort::{recurrent_to, sparing};
use super::evidence::{PIECE, Pass, Pieces, gather, learn_maps};
use super::fit::fit;
use super::options::{Options, checkpoint_of};
use super::quantize;
use super::weights::learn_weights;
use crate::engine::language_native::PackedLanguage;
use crate::stream::coding::{Coding, Level};
use crate::stream::content::Content;
use crate::stream::model::StreamModel;
use crate::stream::part::{Part, parse_contexts};
use crate::stream::row::has_language;
use crate::stream::start::slots::PrimedSlots;
use crate::stream::start::weights::OnlineWeights;

/// Bytes that the maps are learned from.
const MAP_BYTES: usize = 16 << 20;
/// Bytes that the online stage's weights are learned from.
const WEIGHT_BYTES: usize = 12 << 20;
/// Rows of the largest sets of weights: `runs`,
const FOLDED_RUNS: usize = 64;
/// `classes`, in the parts for special content, which is rarer, and in those of levels beside
/// the default one, which are for large files,
const FOLDED_CLASSES: usize = 256;
/// and in the default level's part for any content.
const PLAIN_CLASSES: usize = 1024;

/// Takes the lines that training has to say.
pub(super) type Say<'a> = &'a dyn Fn(&str);

/// A whole training in progress.
pub(super) struct Run<'a> {
    pub o: &'a Options,
    pub start: Instant,
    pub say: Say<'a>,
}

impl Run<'_> {
    pub fn say(&self, text: &str) {
        (self.say)(&format!("{:6.0} s  {text}", self.start.elapsed().as_secs_f64()));
    }

    /// Trains a part for documents of a kind of content; its losses in floating point and
    /// in integers, and the bits of evidence it learned from.
    pub fn part(
        &self,
        content: Content,
        documents: &Documents,
        shared: (&PrimedSlots, Option<&PackedLanguage>),
    ) -> Result<(Part, [f64; 2], u64), TrainError> {
        let o = self.o;
        let names = o.contexts_of(content);
        let contexts = &parse_contexts(names)?;
        let (primed, language) = shared;
        let language = language.filter(|_| has_language(contexts.len()));
        let (train_bytes, valid_bytes) = (size(&documents.train), size(&documents.valid));
        let level = o.base.as_ref().map_or(Level::Default, |(_, level)| *level);
        let hears = language.is_some_and(|l| l.recurrent_units() > 0);
        let recurrent_to =
            if hears { o.recurrent_to.unwrap_or(recurrent_to(level, content)) } else { 0 };
        let (limit, seed) = (o.limit, o.seed);
        let pass = Pass { content, contexts, limit, primed, language, recurrent_to, seed };
        let maps = learn_maps(pass, &documents.train, train_bytes.min(MAP_BYTES), &|_| {});
        self.say("maps learned");
        let gather = |documents: &[Document], bits: usize| {
            gather(pass, &maps, documents, bits / 8, &|_| {}).tensors(contexts.len(), pass.known())
        };
        let bits = match content {
            Content::Plain => o.bits,
            // there is less of them, and they are more alike
            Content::X86 | Content::Signal | Content::Bilevel => o.bits / 2,
        };
        let train = gather(&documents.train, bits);
        let valid = gather(&documents.valid, bits / 64);
        if train.count == 0 || valid.count == 0 {
            let got = (train_bytes + valid_bytes) as u64;
            return Err(TrainError::TooLittle { got, files: documents.train.len() });
        }
        let bytes = |pieces: &Pieces| pieces.count * PIECE as i64;
        self.say(&format!("evidence of {} bytes, {} held out", bytes(&train), bytes(&valid)));
        let checkpoint = o.checkpoint.as_ref().map(|path| checkpoint_of(content, path));
        let say = |text: &str| self.say(text);
        let fitted =
            fit(o, (contexts.len(), pass.known()), [&train, &valid], checkpoint.as_deref(), &say)?;
        let network = quantize::network(&fitted.network, contexts.len())?;
        let mut part = Part::new(names, o.limit, maps, network)?;
        part.sparing = sparing(level, content);
        part.recurrent_to = recurrent_to;
        Ok((part, [fitted.float, fitted.exact], train.count as u64 * PIECE as u64 * 8))
    }
}

/// Where the online stage of a part starts.
pub(super) fn weights_of(
    o: &Options,
    model: &StreamModel,
    content: Content,
    documents: &Documents,
) -> OnlineWeights {
    let bytes = (2 * size(&documents.train)).min(WEIGHT_BYTES);
    let weights = learn_weights(model, content, &documents.train, bytes, o.seed);
    let contexts = model.part(Coding::of(content)).contexts.len();
    let classes = match (content, &o.base) {
        (Content::Plain, None | Some((_, Level::Default))) => PLAIN_CLASSES,
        _ => FOLDED_CLASSES,
    };
    weights.folded(contexts, FOLDED_RUNS, classes)
}
