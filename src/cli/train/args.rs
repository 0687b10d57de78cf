//! What `madezip train` can be told.

// Without libtorch the options are still understood, to say what is missing.
#![cfg_attr(not(feature = "torch"), allow(dead_code))]

use std::convert::Infallible;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::rows::{From, both, pair};
use crate::records::dependence::Method;
use crate::stream::coding::Level;
use crate::stream::content::Content;

/// Words with single spaces between.
fn words(text: &str) -> Result<String, Infallible> {
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// madezip train
#[derive(Debug, Args)]
pub(in crate::cli) struct TrainArgs {
    /// What the model is for
    #[arg(long, value_enum)]
    pub kind: Kind,
    /// Data to learn from
    #[arg(value_name = "DATA", required = true)]
    pub data: Vec<PathBuf>,
    /// Write the model to this file
    #[arg(short, long, value_name = "MODEL")]
    pub output: PathBuf,
    /// Overwrite the model file
    #[arg(short, long)]
    pub force: bool,
    /// What the model says that it was trained on [default: the names of DATA, after what
    /// --base was]
    #[arg(long, value_name = "TEXT")]
    pub trained_on: Option<String>,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Epochs
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Go on where training that was stopped left off, from the checkpoints beside MODEL
    #[arg(long)]
    pub resume: bool,
    #[command(flatten)]
    pub stream: StreamArgs,
    #[command(flatten)]
    pub records: RecordsArgs,
}

/// Kinds of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Kind {
    /// Any files
    Stream,
    /// Rows of bits
    Records,
}

/// Where the order of the dimensions comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum OrderingArg {
    Natural,
    Random,
    Learned(Method),
}

fn ordering(text: &str) -> Result<OrderingArg, String> {
    match text {
        "natural" => Ok(OrderingArg::Natural),
        "random" => Ok(OrderingArg::Random),
        "learned:chow-liu" => Ok(OrderingArg::Learned(Method::ChowLiu)),
        "learned:information" => Ok(OrderingArg::Learned(Method::Information)),
        _ => Err("natural, random, learned:chow-liu or learned:information".into()),
    }
}

/// Levels of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LevelArg {
    Best,
    Default,
    Fast,
}

impl LevelArg {
    /// The level.
    pub const fn level(self) -> Level {
        match self {
            Self::Best => Level::Best,
            Self::Default => Level::Default,
            Self::Fast => Level::Fast,
        }
    }
}

/// A part of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PartArg {
    /// For any content
    Plain,
    /// For x86 code
    X86,
    /// For sounds and pictures
    Signal,
    /// For pictures of one bit a pixel
    Bilevel,
}

impl PartArg {
    /// As the library has it.
    pub const fn content(self) -> Content {
        match self {
            Self::Plain => Content::Plain,
            Self::X86 => Content::X86,
            Self::Signal => Content::Signal,
            Self::Bilevel => Content::Bilevel,
        }
    }
}

/// Options of `--kind stream`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of --kind stream")]
pub(in crate::cli) struct StreamArgs {
    /// Contexts of the statistics: 8, 16 or 32 words [default: the default model's]
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub contexts: Option<String>,
    /// Those of x86 code, of which 256 KiB are needed; "": treat it as other content
    /// [default: the default model's]
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub x86_contexts: Option<String>,
    /// Those of sounds and pictures (WAV, AIFF, BMP, PGM, PPM, TIFF), likewise
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub signal_contexts: Option<String>,
    /// Those of pictures of one bit a pixel (PBM, BMP, TIFF, or bare), likewise
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub bilevel_contexts: Option<String>,
    /// Start from a model, such as default, that is to know SAMPLES (given as DATA)
    /// too: minutes instead of hours, and some kilobytes of samples are enough
    #[arg(long, value_name = "MODEL")]
    pub base: Option<PathBuf>,
    /// With --base: bytes of samples that every block is read after, at most
    /// (a second for some 200,000)
    #[arg(long, value_name = "BYTES", default_value_t = 262_144, requires = "base")]
    pub text: usize,
    /// With --base: train this level of it anew on DATA; its language model and its primed
    /// statistics stay
    #[arg(long, value_enum, requires = "base")]
    pub level: Option<LevelArg>,
    /// With --level: train this part of it alone
    #[arg(long, value_enum, requires = "level")]
    pub part: Option<PartArg>,
    /// Slots of statistics that the model brings along (about 5 bytes each); 0: none
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub primed: usize,
    /// Those of the contexts that they are for [default: the default model's]
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub primed_contexts: Option<String>,
    /// Bytes that the language model learns from, counted as often as they are seen;
    /// 0: no language model [default: three times those of the data, 20 million at most]
    #[arg(long, value_name = "BYTES")]
    pub language_bytes: Option<u64>,
    /// Take the language model of a model file instead of training one, or with --level that of
    /// the base, whose other levels are then to be trained again
    #[arg(long, value_name = "MODEL", conflicts_with = "language_bytes")]
    pub language_of: Option<PathBuf>,
    /// What the language model looks at [default: b1 b2 … b16 word before]
    #[arg(long, value_name = "WORDS", value_parser = words)]
    pub language: Option<String>,
    /// Units of its two layers
    #[arg(long, value_name = "N,N", value_parser = both::<usize>, default_value = "256,64")]
    pub language_units: (usize, usize),
    /// Rows of its tables of words, a power of two, and units they are added to
    #[arg(long, value_name = "N,N", value_parser = both::<usize>, default_value = "16384,64")]
    pub language_words: (usize, usize),
    /// Highest learning rates of its layers and of its tables
    #[arg(long, value_name = "X,X", value_parser = both::<f64>, default_value = "0.002,0.15")]
    pub language_rates: (f64, f64),
    /// Units of its recurrent layer's state and of the layer above that, such as 256,128: the
    /// layer speaks in blocks that --recurrent-to allows [default: no such layer]
    #[arg(long, value_name = "N,N", value_parser = both::<usize>)]
    pub language_recurrent: Option<(usize, usize)>,
    /// Bytes of the longest block in which the recurrent layer of the language model speaks to
    /// what is trained [default: 65536, at the best level any but for x86 code]
    #[arg(long, value_name = "BYTES")]
    pub recurrent_to: Option<u64>,
    /// Begin with what a checkpoint of a language model of the same shape
    /// (NAME.language.safetensors) has learned; given more than once, with the mean of them
    #[arg(long, value_name = "FILE", conflicts_with = "language_of")]
    pub language_from: Vec<PathBuf>,
    /// Matrix products of the language model in bfloat16 while it learns (fast where the
    /// processor has them)
    #[arg(long)]
    pub language_bf16: bool,
    /// Units of the layer that a byte's bits share
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub context_units: usize,
    /// Units of the hidden layer, or of both
    #[arg(long, value_name = "N[,N]", value_delimiter = ',', num_args = 1, default_value = "32")]
    pub units: Vec<usize>,
    /// Bytes of data to use, at most, chosen at random
    #[arg(long, value_name = "BYTES", default_value_t = 64_000_000)]
    pub most: usize,
    /// Bits of evidence to keep in memory and learn from (about 90 bytes each); half as
    /// many of x86 code, and of sounds and pictures
    #[arg(long, value_name = "BITS", default_value_t = 20_000_000)]
    pub bits: usize,
    /// Bound of the statistics' counts
    #[arg(long, value_name = "N", default_value_t = 255)]
    pub limit: u32,
    /// Share of the documents held out
    #[arg(long, value_name = "X", default_value_t = 0.05)]
    pub holdout: f64,
    /// Bytes of a batch
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub batch_bytes: usize,
    /// Highest learning rate
    #[arg(long, value_name = "X", default_value_t = 3e-3)]
    pub rate: f64,
}

/// Options of `--kind records`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of --kind records")]
pub(in crate::cli) struct RecordsArgs {
    /// Rows to choose the model by [default: every tenth row of DATA, at random]
    #[arg(long, value_name = "DATA")]
    pub valid: Option<PathBuf>,
    /// Bits of a row
    #[arg(long, value_name = "D")]
    pub dims: Option<usize>,
    /// Bytes before the first packed row
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub offset: usize,
    /// How the data is written [default: what it looks like]
    #[arg(long, value_enum)]
    pub from: Option<From>,
    /// Units of the hidden layers, such as 500,500; 0 for none (FVSBN)
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "500")]
    pub hidden: Vec<usize>,
    /// Rows are bitmaps of this size: trains a convolutional MADE
    #[arg(long, value_name = "HxW", value_parser = pair)]
    pub shape: Option<(usize, usize)>,
    /// Lines up and pixels to either side that a pixel's window reaches
    #[arg(long, value_name = "UPxSIDE", value_parser = pair, default_value = "10x10", requires = "shape")]
    pub window: (usize, usize),
    /// Least chance of an easy pixel to be looked at in an epoch; 1 looks at all
    #[arg(long, value_name = "X", default_value_t = 0.1, requires = "shape")]
    pub least_chance: f64,
    /// Learns also from bitmaps moved by up to so many pixels each way (and knows that they are)
    #[arg(long, value_name = "N", default_value_t = 0, requires = "shape")]
    pub moves: usize,
    /// Matrix products in bfloat16 (fast where the processor has them)
    #[arg(long)]
    pub bf16: bool,
    /// Order in which dimensions are coded: natural, random (by the seed),
    /// learned:chow-liu (as they join the tree), learned:information (most
    /// informed next)
    #[arg(long, value_parser = ordering, default_value = "natural")]
    pub ordering: OrderingArg,
    /// Orderings under which rows are mixed: the one named, and random ones
    #[arg(long, value_name = "K", default_value_t = 1, conflicts_with = "shape")]
    pub orderings: usize,
    /// Masks whose probabilities are averaged, for each ordering
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub masks: usize,
    /// Degrees spread evenly instead of sampled
    #[arg(long)]
    pub even_degrees: bool,
    /// Links from inputs straight to outputs
    #[arg(long)]
    pub direct: bool,
    /// Weights shared over the dimensions (NADE): --hidden N is N units for each
    #[arg(long)]
    pub tied: bool,
    /// Epochs with weights and activations rounded, after the others
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub quantized_epochs: usize,
    /// Rows of a batch
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub batch: usize,
    /// Highest learning rate
    #[arg(long, value_name = "X", default_value_t = 1e-3)]
    pub learning_rate: f64,
    /// Weight decay
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    pub weight_decay: f64,
    /// Leaves out links from inputs straight to outputs (all, with --hidden 0)
    /// whose gradient is not this many standard errors from zero; 1 suits tables
    /// of few rows
    #[arg(long, value_name = "X", default_value_t = 0.0, conflicts_with = "shape")]
    pub l1: f64,
    /// Share of hidden units left out in training
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    pub dropout: f64,
    /// Decay of the running average of the weights
    #[arg(long, value_name = "X", default_value_t = 0.999)]
    pub averaging: f64,
    /// Epochs without a gain before training ends; 0: never
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub patience: usize,
    /// Bits of a hidden activation
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub activation_bits: u32,
    /// Bits of a weight
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub weight_bits: u32,
}
