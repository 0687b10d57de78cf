//! Options that several verbs have.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, ValueEnum};

use super::values;
use crate::cli::level::LevelArgs;
use crate::cli::rows::From;

/// Options of every verb, also in MADEZIP_OPT.
#[derive(Clone, Debug, Default, Args)]
pub struct Common {
    /// Say less: -q no warnings, -qq no errors
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub quiet: u8,
    /// Say more: sizes, models, engines
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Threads; 0 means all cores [default: all, at most 2]
    #[arg(short = 'T', long, global = true, value_name = "N")]
    pub threads: Option<usize>,
    /// Model: a file, a name or the beginning of an id
    #[arg(short, long, global = true, value_name = "MODEL")]
    pub model: Vec<PathBuf>,
    /// What evaluates the network: auto, torch, native [default: auto]
    #[arg(long, global = true, value_enum, hide_possible_values = true)]
    pub engine: Option<Engine>,
    /// Where the torch engine runs: auto, cpu, cuda, cuda:N [default: auto]
    #[arg(long, global = true, value_parser = values::device)]
    pub device: Option<String>,
    /// No progress bar
    #[arg(long, global = true)]
    pub no_progress: bool,
}

/// What evaluates the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    // whichever is faster here
    #[default]
    Auto,
    Torch,
    Native,
}

/// Where output goes and what becomes of the input.
#[derive(Clone, Debug, Default, Args)]
pub struct OutputArgs {
    /// Write to this file, or into this folder; - is stdout
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Write to stdout
    #[arg(short = 'c', long, conflicts_with = "output")]
    pub stdout: bool,
    /// Overwrite files; write archives to a terminal; compress archives again
    #[arg(short, long)]
    pub force: bool,
    /// Keep the input files (the default)
    #[arg(short, long, overrides_with = "rm")]
    pub keep: bool,
    /// Remove each input file once its output is safely on disk
    #[arg(long, overrides_with = "keep")]
    pub rm: bool,
}

/// Options of compression, also in MADEZIP_OPT.
#[derive(Clone, Debug, Default, Args)]
pub struct Tuning {
    #[command(flatten)]
    pub level: LevelArgs,
    /// Content of a block, such as 16M [default: up to 16M, with -1 to -3 8M, and less where other
    /// content begins]
    #[arg(long, value_name = "SIZE", value_parser = values::block_size)]
    pub block_size: Option<u32>,
    /// Decode every block again before it is written; --rm does so, too
    #[arg(long)]
    pub verify: bool,
    /// Put the model into the archive (the default one: 8 MB), so that it can be read anywhere
    #[arg(long)]
    pub embed_model: bool,
}

/// What decoding may take.
#[derive(Clone, Debug, Default, Args)]
pub struct Limits {
    /// Refuse archives whose blocks need more memory, such as 100M; recover leaves such blocks out
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub memlimit: Option<u64>,
}

/// How rows of bits are written.
#[derive(Clone, Debug, Default, Args)]
pub struct RowsArgs {
    /// Rows of bits, to be packed: how they are written (models of records)
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub from: Option<From>,
    /// Bytes before the first row (models of records)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub offset: usize,
}

/// What MADEZIP_OPT may hold.
#[derive(Debug, Default, Parser)]
#[command(name = "MADEZIP_OPT", no_binary_name = true, disable_help_flag = true)]
pub struct Environment {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub tuning: Tuning,
    #[command(flatten)]
    pub limits: Limits,
    #[arg(short, long, overrides_with = "rm")]
    pub keep: bool,
    #[arg(long, overrides_with = "keep")]
    pub rm: bool,
}
