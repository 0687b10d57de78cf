//! What was asked: the command line over MADEZIP_OPT over the defaults.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;

use super::args::{Common, Engine, Environment, Filter, Limits, OutputArgs, Tuning};
use crate::archive::{CompressOptions, DecompressOptions};

/// Environment variable with default options.
const VARIABLE: &str = "MADEZIP_OPT";
/// Threads unless the user says otherwise, at most: each takes the memory of a
/// block and of the model's tables.
const DEFAULT_THREADS: usize = 2;

/// What was asked, ready to run.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub quiet: u8,
    pub verbose: u8,
    pub threads: usize,
    pub models: Vec<PathBuf>,
    pub engine: Engine,
    pub device: String,
    pub progress: bool,
    pub filter: Filter,
    env_tuning: Tuning,
    env_limits: Limits,
    env_rm: bool,
}

impl Settings {
    pub fn new(typed: Common, filter: Filter) -> Result<Self> {
        let env = environment()?;
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = match typed.threads.or(env.common.threads) {
            None => cores().min(DEFAULT_THREADS),
            Some(0) => cores(),
            Some(n) if n > 4096 => bail!("-T {n}: at most 4096 threads"),
            Some(n) => n,
        };
        Ok(Self {
            quiet: if typed.verbose > 0 { typed.quiet } else { typed.quiet.max(env.common.quiet) },
            verbose: if typed.quiet > 0 {
                typed.verbose
            } else {
                typed.verbose.max(env.common.verbose)
            },
            threads,
            models: if typed.model.is_empty() { env.common.model } else { typed.model },
            engine: typed.engine.or(env.common.engine).unwrap_or_default(),
            device: typed.device.or(env.common.device).unwrap_or_else(|| "auto".into()),
            progress: !typed.no_progress && !env.common.no_progress,
            filter,
            env_tuning: env.tuning,
            env_limits: env.limits,
            env_rm: env.rm,
        })
    }

    pub fn compress_options(&self, tuning: &Tuning) -> CompressOptions {
        let number = tuning.level.number.or(self.env_tuning.level.number).unwrap_or(6);
        CompressOptions {
            block_size: tuning.block_size.or(self.env_tuning.block_size),
            threads: self.threads,
            verify: tuning.verify || self.env_tuning.verify,
            ..CompressOptions::default().with_level(number)
        }
    }

    pub fn embed_model(&self, tuning: &Tuning) -> bool {
        tuning.embed_model || self.env_tuning.embed_model
    }

    pub fn decompress_options(&self, limits: &Limits) -> DecompressOptions {
        DecompressOptions {
            threads: self.threads,
            memory_limit: limits.memlimit.or(self.env_limits.memlimit),
            content_limit: None,
        }
    }

    /// Whether the input files go after their outputs are safe.
    pub fn remove_input(&self, output: &OutputArgs) -> bool {
        output.rm || (self.env_rm && !output.keep)
    }
}

fn environment() -> Result<Environment> {
    let Some(value) = std::env::var_os(VARIABLE) else { return Ok(Environment::default()) };
    let value = value.to_str().with_context(|| format!("{VARIABLE} is not UTF-8"))?;
    let words = shlex::split(value)
        .with_context(|| format!("{VARIABLE} has an open quotation mark: {value}"))?;
    Environment::try_parse_from(words).map_err(|e| {
        let text = e.render().to_string();
        let text = text.lines().next().unwrap_or_default();
        anyhow::anyhow!("{VARIABLE}: {}", text.trim_start_matches("error: "))
    })
}
