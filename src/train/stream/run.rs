//! A whole training: documents, language model, primed statistics, and for each kind of
//! content a [part](super::part).

use std::panic::resume_unwind;
use std::thread::ScopedJoinHandle;
use std::time::Instant;

use super::corpus::{Corpus, TrainError};
use super::documents::{self, Document, Documents, size, take};
use super::language;
use super::options::Options;
use super::part::{Run, Say, weights_of};
use super::primed::learn_primed;
use crate::engine::kernel::Isa;
use crate::engine::language_native::PackedLanguage;
use crate::made::ModelError;
use crate::made::file::ModelFile;
use crate::stream::block::{self, Input};
use crate::stream::coding::Level;
use crate::stream::content::Content;
use crate::stream::contexts::Context;
use crate::stream::model::{Parts, StreamModel};
use crate::stream::part::{Part, parse_contexts};
use crate::stream::row::has_language;

/// Share of the documents that the statistics are primed with; the network must
/// see how good they are for others.
const PRIMED_SHARE: f64 = 0.4;
/// Bytes of a held-out document that are coded.
const CODED_BYTES: usize = 1 << 16;

/// What came of it. Losses are bits per byte of the network for plain content alone, on
/// held-out documents.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Outcome {
    /// In floating point.
    pub valid: f64,
    /// In integers, as it will code.
    pub valid_quantized: f64,
    /// Really coded, with the online stage: the beginnings of the documents.
    pub coded: f64,
    /// Epochs run.
    pub epochs: usize,
    /// Bytes of the corpus.
    pub corpus_bytes: u64,
    /// Bits of evidence learned from.
    pub bits: u64,
    /// Seconds.
    pub seconds: f64,
}

impl Run<'_> {
    /// A model whose default level is what was learned, with the other parts of the base's
    /// level that are to stay.
    fn assemble(&self, learned: &[(Content, Part, Documents)]) -> Result<StreamModel, TrainError> {
        let o = self.o;
        let own = |content| {
            let part = learned.iter().find(|(own, _, _)| *own == content).map(|l| l.1.clone());
            let known = o.known().filter(|_| o.only.is_some() || o.wants(content));
            match (part, known.and_then(|known| known.own_part(content))) {
                (Some(part), _) => Some(part),
                (None, Some(part)) => {
                    let name = name(content);
                    if o.stays(content) {
                        self.say(&format!(
                            "{name}: that part of the level stays as it is, unless --part names it"
                        ));
                    } else if o.only.is_none() {
                        self.say(&format!(
                            "too little to learn from ({name}): that part of the level stays as it is"
                        ));
                    }
                    Some(part.clone())
                }
                (None, None) => None,
            }
        };
        let plain = own(Content::Plain).ok_or(TrainError::TooLittle { got: 0, files: 0 })?;
        let parts = Content::SPECIAL
            .into_iter()
            .fold(Parts::new(plain), |parts, content| parts.with(content, own(content)));
        Ok(match (&o.base, o.only) {
            // which pictures are coded as such is tried at the fast level
            (Some((base, _)), Some(_)) => base.clone().with_level(Level::Default, parts)?,
            _ => StreamModel::of_parts(parts)?,
        })
    }
}

/// Trains a stream model.
pub fn train(options: &Options, say: Say) -> Result<(ModelFile, Outcome), TrainError> {
    let o = options;
    let run = Run { o, start: Instant::now(), say };
    let contexts = parse_contexts(o.contexts_of(Content::Plain))?;
    let primed_contexts = o
        .primed_contexts
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<Vec<Context>, _>>()
        .map_err(|e| ModelError::metadata("primed", e.to_string()))?;
    // a base's primed slots and parts were learned from different documents, but not
    // from those of one part alone
    let has_primed = o.only.is_none() && (o.base.is_some() || o.primed > 0);
    let share = if has_primed { PRIMED_SHARE } else { 0.0 };
    let wanted = |d: &[u8]| o.only.is_none_or(|only| documents::is(only, d));
    let mut corpus = Corpus::read(&o.data, o.most, share, o.holdout, o.seed, wanted)?;
    let (train_bytes, valid_bytes) = (bytes(&corpus.train), bytes(&corpus.valid));
    run.say(&format!(
        "{} documents, {train_bytes} bytes; held out: {} documents, {valid_bytes} bytes",
        corpus.train.len(),
        corpus.valid.len()
    ));
    let language = match (&o.base, &o.language_ready) {
        (Some((base, _)), _) => base.language(),
        (None, Some(language)) => Some(language.clone()),
        (None, None) if !has_language(contexts.len()) => None,
        (None, None) => {
            let documents: Vec<&[u8]> =
                corpus.primed.iter().chain(&corpus.train).map(|d| &d[..]).collect();
            let held_out: Vec<&[u8]> = corpus.valid.iter().map(|d| &d[..]).collect();
            language::train(&o.language, &documents, &held_out, &|text| run.say(text))?
        }
    };
    let packed_language = language.as_ref().map(PackedLanguage::new);
    let held_out = corpus.valid.clone();
    let primed = match &o.base {
        Some((base, _)) => base.primed.clone(),
        None => {
            // as they are coded, but in one order: code after all others
            let code = take(Content::X86, &mut corpus.primed);
            corpus.primed.extend(code.into_iter().map(|d| d.bytes));
            learn_primed(&contexts, &primed_contexts, &corpus.primed, o.primed)
        }
    };
    if o.primed > 0 && o.base.is_none() {
        run.say(&format!(
            "{} slots primed, from {} other documents, {} bytes",
            primed.as_slice().len(),
            corpus.primed.len(),
            bytes(&corpus.primed)
        ));
    }
    let mut outcome = Outcome {
        valid: 0.0,
        valid_quantized: 0.0,
        coded: 0.0,
        epochs: o.epochs,
        corpus_bytes: (train_bytes + valid_bytes) as u64,
        bits: 0,
        seconds: 0.0,
    };
    let mut learned = Vec::new();
    for (content, documents) in kinds(o, corpus) {
        run.say(&format!("{}: {} bytes to learn from", name(content), size(&documents.train)));
        let language = packed_language.as_ref().filter(|_| !content.has_samples());
        let (part, [float, exact], bits) = run.part(content, &documents, (&primed, language))?;
        (outcome.valid, outcome.valid_quantized, outcome.bits) = (float, exact, bits);
        learned.push((content, part, documents));
    }
    let mut model = run.assemble(&learned)?.with_language(language);
    model.primed = primed;
    let weights = std::thread::scope(|scope| {
        let model = &model;
        let threads: Vec<_> = learned
            .iter()
            .map(|(content, _, documents)| {
                scope.spawn(|| weights_of(o, model, *content, documents))
            })
            .collect();
        // without them a part would be a worse one, and nobody would know
        let join = |thread: ScopedJoinHandle<_>| thread.join().unwrap_or_else(|e| resume_unwind(e));
        threads.into_iter().map(join).collect::<Vec<_>>()
    });
    for ((content, _, _), weights) in learned.iter().zip(weights) {
        if let Some(part) = model.default.own(*content) {
            part.weights = weights;
        }
    }
    run.say("weights of the online stage learned");
    outcome.coded = coded_size(&model, &held_out)?;
    run.say(&format!("held out, as it will be coded: {:.4} bits/byte", outcome.coded));
    outcome.seconds = run.start.elapsed().as_secs_f64();
    if let Some((base, level)) = &o.base {
        model = base.clone().with_level(*level, model.default)?;
    }
    Ok((model.to_file(), outcome))
}

/// The documents that a part is learned from, for each part; plain content is the last.
fn kinds(o: &Options, mut corpus: Corpus) -> Vec<(Content, Documents)> {
    let mut kinds = Vec::new();
    let mut others = Documents::default();
    for content in Content::SPECIAL {
        let [train, valid] =
            [&mut corpus.train, &mut corpus.valid].map(|documents| take(content, documents));
        let documents = Documents::new(train, valid);
        if o.stays(content) {
            continue;
        }
        if o.wants(content) && documents.are_enough(content) {
            kinds.push((content, documents));
        } else {
            others.append(documents);
        }
    }
    if o.only.is_some_and(|only| only != Content::Plain) {
        return kinds;
    }
    // what is left is plain
    let [train, valid] = [corpus.train, corpus.valid]
        .map(|left| left.into_iter().map(|d| Document::new(Content::Plain, d)).collect());
    let mut plain = Documents::new(train, valid);
    plain.append(others);
    if !plain.are_enough(Content::Plain) {
        kinds.drain(..).for_each(|(_, documents)| plain.append(documents));
    }
    kinds.push((Content::Plain, plain));
    kinds
}

fn name(content: Content) -> &'static str {
    match content {
        Content::Plain => "other content",
        Content::X86 => "x86 code",
        Content::Signal => "sounds and pictures",
        Content::Bilevel => "bilevel pictures",
    }
}

fn bytes(documents: &[Vec<u8>]) -> usize {
    documents.iter().map(Vec::len).sum()
}

/// Bits per byte of documents' beginnings, each coded on its own.
pub(super) fn coded_size(model: &StreamModel, documents: &[Vec<u8>]) -> Result<f64, TrainError> {
    let (mut raw, mut coded) = (0, 0);
    for document in documents {
        let part = &document[..document.len().min(CODED_BYTES)];
        raw += part.len();
        let input = &Input::alone(model, part, Level::Default);
        coded += block::encode(Isa::best(), model, input, 2, &|_| {})?.payload.len();
    }
    Ok(coded as f64 * 8.0 / raw.max(1) as f64)
}
