//! A whole training: documents, language model, primed statistics, and for each kind of
//! content a part: evidence, network, weights of the online stage.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;
use std::time::Instant;

use tch::Device;

use super::corpus::{Corpus, TrainError};
use super::evidence::{PIECE, Pass, Pieces, gather, learn_maps};
use super::fit::fit;
use super::primed::learn_primed;
use super::weights::learn_weights;
use super::{language, quantize};
use crate::engine::kernel::Isa;
use crate::engine::language_native::PackedLanguage;
use crate::made::ModelError;
use crate::made::file::ModelFile;
use crate::stream::block::{self, Input};
use crate::stream::coding::{Coding, Level};
use crate::stream::content::Content;
use crate::stream::contexts::Context;
use crate::stream::language::Language;
use crate::stream::model::StreamModel;
use crate::stream::part::{Part, parse_contexts};
use crate::stream::row::has_language;
use crate::stream::start::slots::PrimedSlots;
use crate::stream::x86;

/// Bytes of a block from which on the default level leaves something out: less is quick.
const SPARING_FROM: u64 = 1 << 20;

/// What to train, and for how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// Files and folders.
    pub data: Vec<PathBuf>,
    /// Bytes of data to use, at most.
    pub most: usize,
    /// The model that gets another level, with its language model and primed slots.
    pub base: Option<(StreamModel, Level)>,
    /// The contexts, as in a model file.
    pub contexts: String,
    /// Those of the part for x86 code; empty: no such part.
    pub x86_contexts: String,
    /// Those of the contexts whose statistics the model brings along.
    pub primed_contexts: String,
    /// Slots of statistics that the model brings along, at most.
    pub primed: usize,
    /// The language model, if it is to be trained,
    pub language: language::Options,
    /// and if it is there already.
    pub language_ready: Option<Language>,
    /// Context units (degree 0, once a byte).
    pub context_units: usize,
    /// Units of the first hidden layer (which reads the evidence), and of the second
    /// if there is one.
    pub units: (usize, Option<usize>),
    /// Bound of the adaptive maps' counts.
    pub limit: u32,
    /// Bits of evidence to keep for training; half as many of x86 code.
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
    /// Where checkpoints go (after every epoch), if anywhere; those of the part for x86
    /// code have one more extension, `x86`.
    pub checkpoint: Option<PathBuf>,
    /// Continue from the checkpoint.
    pub resume: bool,
    /// cpu, cuda or cuda:N.
    pub device: Device,
}

/// The contexts of the default model.
pub const DEFAULT_CONTEXTS: &str =
    "o1 o2 o3 o4 o6 word pair s2 s34 row rows column shape follow skip cell";

/// Those of its part for x86 code: primed ones in the same places.
pub const DEFAULT_X86_CONTEXTS: &str =
    "o1 o2 o3 o4 again code0 code1 s2 s34 codes4 opcode operand codes2 code3 code2 codes3";

/// Those of the best level, and of its part for x86 code: the default ones, and as many
/// more.
pub const BEST_CONTEXTS: [&str; 2] = [
    "o1 o2 o3 o4 o6 word pair s2 s34 row rows column shape follow skip cell \
     o0 o8 s23 s13 s3 field s24 s134 s5 s45 s56 s67 s78 s15 s1235 s16",
    "o1 o2 o3 o4 again code0 code1 s2 s34 codes4 opcode operand codes2 code3 code2 codes3 \
     o0 o5 o6 row rows cell s23 s13 s3 s24 s134 s5 s45 s56 s15 s16",
];

/// Those of the fast level, and of its part for x86 code: primed ones in the same places.
pub const FAST_CONTEXTS: [&str; 2] =
    ["o1 o2 o3 o4 o6 pair shape rows", "o1 o2 o3 o4 again codes3 opcode operand"];

/// The contexts that are primed: others say more about a file when they have seen
/// nothing but it.
pub const DEFAULT_PRIMED: &str = "o2 o3 o4 o6";

/// The inputs of a language model where nobody names them.
pub const DEFAULT_LANGUAGE: &str =
    "b1 b2 b3 b4 b5 b6 b7 b8 b9 b10 b11 b12 b13 b14 b15 b16 word before";

/// Takes the lines that training has to say.
pub(super) type Say<'a> = &'a dyn Fn(&str);

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

/// A whole training in progress.
struct Run<'a> {
    o: &'a Options,
    start: Instant,
    say: Say<'a>,
}

/// The documents of one kind of content, as they are coded.
struct Documents {
    train: Vec<Vec<u8>>,
    valid: Vec<Vec<u8>>,
}

impl Documents {
    /// One at least is held out where there are two.
    fn new(mut train: Vec<Vec<u8>>, mut valid: Vec<Vec<u8>>) -> Self {
        if size(&valid) < PIECE && train.len() > 1 {
            valid.extend(train.pop());
        }
        Self { train, valid }
    }

    /// Whether there are at least so many bytes to learn from, and some to look at.
    fn are_enough(&self, bytes: usize) -> bool {
        size(&self.train) >= bytes && size(&self.valid) >= PIECE
    }
}

/// Takes the documents of x86 code out of others, with their addresses absolute.
fn take_x86(documents: &mut Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let is_x86 = |d: &mut Vec<u8>| x86::is_likely(d);
    let mut taken: Vec<Vec<u8>> = documents.extract_if(.., is_x86).collect();
    for document in &mut taken {
        x86::forward(document);
    }
    taken
}

fn size(documents: &[Vec<u8>]) -> usize {
    documents.iter().map(Vec::len).sum()
}

impl Run<'_> {
    fn say(&self, text: &str) {
        (self.say)(&format!("{:6.0} s  {text}", self.start.elapsed().as_secs_f64()));
    }

    /// Trains a part for documents of a kind of content; its losses in floating point and
    /// in integers, and the bits of evidence it learned from.
    fn part(
        &self,
        content: Content,
        names: &str,
        documents: &Documents,
        shared: (&PrimedSlots, Option<&PackedLanguage>),
    ) -> Result<(Part, [f64; 2], u64), TrainError> {
        let o = self.o;
        let contexts = &parse_contexts(names)?;
        let (primed, language) = shared;
        let language = language.filter(|_| has_language(contexts.len()));
        let (train_bytes, valid_bytes) = (size(&documents.train), size(&documents.valid));
        let pass = Pass { content, contexts, limit: o.limit, primed, language, seed: o.seed };
        let maps = learn_maps(pass, &documents.train, train_bytes.min(MAP_BYTES), &|_| {});
        self.say("maps learned");
        let gather = |documents: &[Vec<u8>], bits: usize| {
            gather(pass, &maps, documents, bits / 8, &|_| {}).tensors(contexts.len(), pass.known())
        };
        let bits = match content {
            Content::Plain => o.bits,
            // there is less of it, and it is more alike
            Content::X86 => o.bits / 2,
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
        let level = o.base.as_ref().map_or(Level::Default, |(_, level)| *level);
        part.sparing_from = match level {
            Level::Default => Some(SPARING_FROM),
            Level::Best | Level::Fast => None,
        };
        Ok((part, [fitted.float, fitted.exact], train.count as u64 * PIECE as u64 * 8))
    }
}

/// Where the checkpoints of a part go.
pub fn checkpoint_of(content: Content, path: &Path) -> PathBuf {
    match content {
        Content::Plain => path.into(),
        Content::X86 => path.with_extension("x86.safetensors"),
    }
}

/// Trains a stream model.
pub fn train(options: &Options, say: Say) -> Result<(ModelFile, Outcome), TrainError> {
    let o = options;
    let run = Run { o, start: Instant::now(), say };
    let contexts = parse_contexts(&o.contexts)?;
    let primed_contexts = o
        .primed_contexts
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<Vec<Context>, _>>()
        .map_err(|e| ModelError::metadata("primed", e.to_string()))?;
    let has_primed = o.base.is_some() || o.primed > 0;
    let share = if has_primed { PRIMED_SHARE } else { 0.0 };
    let mut corpus = Corpus::read(&o.data, o.most, share, o.holdout, o.seed)?;
    let (train_bytes, valid_bytes) = (size(&corpus.train), size(&corpus.valid));
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
    let x86_primed = take_x86(&mut corpus.primed);
    corpus.primed.extend(x86_primed);
    let primed = match &o.base {
        Some((base, _)) => base.primed.clone(),
        None => learn_primed(&contexts, &primed_contexts, &corpus.primed, o.primed),
    };
    if o.primed > 0 && o.base.is_none() {
        run.say(&format!(
            "{} slots primed, from {} other documents, {} bytes",
            primed.as_slice().len(),
            corpus.primed.len(),
            size(&corpus.primed)
        ));
    }
    let code = Documents::new(take_x86(&mut corpus.train), take_x86(&mut corpus.valid));
    let mut plain = Documents::new(corpus.train, corpus.valid);
    let has_x86 =
        !o.x86_contexts.trim().is_empty() && code.are_enough(X86_BYTES) && plain.are_enough(1);
    let shared = (&primed, packed_language.as_ref());
    let x86 = if has_x86 {
        run.say(&format!("x86 code: {} bytes to learn from", size(&code.train)));
        Some(run.part(Content::X86, &o.x86_contexts, &code, shared)?.0)
    } else {
        plain.train.extend(code.train.iter().cloned());
        plain.valid.extend(code.valid.iter().cloned());
        None
    };
    run.say(&format!("other content: {} bytes to learn from", size(&plain.train)));
    let (part, [float, exact], bits) = run.part(Content::Plain, &o.contexts, &plain, shared)?;
    let mut model = StreamModel::new(part)?.with_x86(x86)?.with_language(language);
    model.primed = primed;
    let weights = |content, documents: &Documents| {
        let bytes = (2 * size(&documents.train)).min(WEIGHT_BYTES);
        let weights = learn_weights(&model, content, &documents.train, bytes, o.seed);
        match o.base {
            None | Some((_, Level::Default)) => weights,
            Some(_) => {
                let contexts = model.part(Coding::of(content)).contexts.len();
                weights.folded(contexts, FOLDED_ROWS)
            }
        }
    };
    let (plain_weights, x86_weights) = std::thread::scope(|scope| {
        let code = has_x86.then(|| scope.spawn(|| weights(Content::X86, &code)));
        let plain = weights(Content::Plain, &plain);
        // without them the part would be a worse one, and nobody would know
        let join = |code: ScopedJoinHandle<_>| code.join().unwrap_or_else(|e| resume_unwind(e));
        (plain, code.map(join))
    });
    model.default.plain.weights = plain_weights;
    if let (Some(x86), Some(weights)) = (&mut model.default.x86, x86_weights) {
        x86.weights = weights;
    }
    run.say("weights of the online stage learned");
    let coded = coded_size(&model, &held_out)?;
    run.say(&format!("held out, as it will be coded: {coded:.4} bits/byte"));
    let outcome = Outcome {
        valid: float,
        valid_quantized: exact,
        coded,
        epochs: o.epochs,
        corpus_bytes: (train_bytes + valid_bytes) as u64,
        bits,
        seconds: run.start.elapsed().as_secs_f64(),
    };
    if let Some((base, level)) = &o.base {
        let mut parts = model.default;
        let known = base.level(*level).and_then(|known| known.x86.clone());
        if !has_x86 && known.is_some() && !o.x86_contexts.trim().is_empty() {
            run.say("too little x86 code to learn from: that part of the level stays as it is");
            parts.x86 = known;
        }
        model = base.clone().with_level(*level, parts)?;
    }
    Ok((model.to_file(), outcome))
}

/// Bytes that the maps are learned from.
const MAP_BYTES: usize = 16 << 20;
/// Fewer bytes of x86 code are not worth a part of their own.
const X86_BYTES: usize = 1 << 18;
/// Share of the documents that the statistics are primed with; the network must
/// see how good they are for others.
const PRIMED_SHARE: f64 = 0.4;
/// Bytes that the online stage's weights are learned from.
const WEIGHT_BYTES: usize = 12 << 20;
/// Rows of the largest set of weights in the parts of levels beside the default one, which
/// are for large files.
const FOLDED_ROWS: usize = 256;
/// Bytes of a held-out document that are coded.
const CODED_BYTES: usize = 1 << 16;

/// Bits per byte of documents' beginnings, each coded on its own.
pub(super) fn coded_size(model: &StreamModel, documents: &[Vec<u8>]) -> Result<f64, TrainError> {
    let (mut raw, mut coded) = (0, 0);
    for document in documents {
        let part = &document[..document.len().min(CODED_BYTES)];
        raw += part.len();
        let input = &Input::new(model, part, Level::Default);
        coded += block::encode(Isa::best(), model, input, 2, &|_| {})?.payload.len();
    }
    Ok(coded as f64 * 8.0 / raw.max(1) as f64)
}
