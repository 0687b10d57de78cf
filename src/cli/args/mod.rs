//! What can be asked on the command line, as it is typed.

mod options;
mod values;

use std::path::PathBuf;

use clap::{Args, Command, CommandFactory, Parser, Subcommand};

use super::level::LevelArgs;
use super::rows::From;
pub(super) use super::train::TrainArgs;
use crate::split::{MAX_CHECK, Split};
pub(super) use options::{Common, Engine, Environment, Limits, OutputArgs, RowsArgs, Tuning};
pub(super) use values::ByteRange;

const EXAMPLES: &str = "\
Examples:
  madezip compress book.txt             write book.txt.mdz, keep book.txt
  madezip decompress book.txt.mdz       write book.txt
  tar -I madezip -cf tree.tar.mdz tree  with tar; the same to list and extract";

const MORE_EXAMPLES: &str = "  \
  madezip compress -c - <a.log >a.mdz   through a pipe
  madezip report *.csv                  sizes and bits per byte, nothing written

Without a verb, madezip compresses stdin to stdout, and with -d decompresses.
MADEZIP_OPT holds default options, such as \"-T 4 --no-progress\".
Exit status: 0 done, 1 error, 2 done with a warning.";

/// The definition of the command line. Its help is a screen with the verbs and
/// what is needed most; the help of a verb, and the manual, have everything.
pub(super) fn command() -> Command {
    let command = Cli::command().after_help(format!("{EXAMPLES}\n{MORE_EXAMPLES}"));
    let verbs = command
        .get_subcommands()
        .map(|verb| format!("  {:12} {}\n", verb.get_name(), verb.get_about().unwrap_or_default()));
    let verbs: String = verbs.collect();
    let help = format!(
        "{{about}}\n\
         Usage: madezip VERB [OPTIONS] [FILE]...\n       \
         madezip [-d] <INPUT >OUTPUT          without a verb: a filter\n\n\
         {verbs}\n\
         Often: -9 small, -o OUT, -c stdout, -f force, --rm, -r folders, -T N, -m MODEL.\n\
         `madezip help VERB` has all options. Exit: 0 done, 1 error, 2 warning.\n\n\
         {EXAMPLES}"
    );
    command.help_template(help)
}

/// Lossless compression with masked autoencoders.
#[derive(Debug, Parser)]
#[command(name = "madezip", version, about, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub verb: Option<Verb>,
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub filter: Filter,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Compress files
    #[command(visible_alias = "c")]
    Compress(CompressArgs),
    /// Restore files from archives
    #[command(visible_aliases = ["d", "x"])]
    Decompress(DecompressArgs),
    /// Prove archives without writing anything
    #[command(visible_alias = "t")]
    Test(TestArgs),
    /// Save what is intact in a damaged archive
    Recover(RecoverArgs),
    /// Show what archives hold
    #[command(visible_alias = "list")]
    Info(InfoArgs),
    /// Measure how well files compress, without writing anything
    Report(ReportArgs),
    /// Make a model from samples of your data
    Train(Box<TrainArgs>),
    /// Draw rows from a model of records
    Sample(SampleArgs),
    /// List the models at hand, install and remove some
    Models(ModelsArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write those of all commands
    Man(ManArgs),
}

/// Options of the filter, which is madezip without a verb.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Filter {
    /// Without a verb: decompress
    #[arg(short, long)]
    pub decompress: bool,
    /// Without a verb: write to stdout, as is done anyway
    #[arg(short = 'c', long, hide = true)]
    pub stdout: bool,
    #[command(flatten)]
    pub level: LevelArgs,
}

/// madezip compress
#[derive(Debug, Args)]
pub(super) struct CompressArgs {
    /// Files; - or none is stdin
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub tuning: Tuning,
    #[command(flatten)]
    pub rows: RowsArgs,
    /// Code every record by itself, so that any can be had alone: lines, nul,
    /// len:N (N bytes each) or json (the elements of an array)
    #[arg(long, value_name = "RULE", conflicts_with_all = ["from", "offset"])]
    pub split: Option<Split>,
    /// Bytes of a checksum for each record, 0 to 4 [default: 0]
    #[arg(long, value_name = "N", requires = "split")]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=i64::from(MAX_CHECK)))]
    pub record_check: Option<u8>,
    /// Go into folders
    #[arg(short, long)]
    pub recursive: bool,
}

/// madezip decompress
#[derive(Debug, Args)]
pub(super) struct DecompressArgs {
    /// Archives; - or none is stdin
    #[arg(value_name = "ARCHIVE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub limits: Limits,
    /// Only these bytes of the content, to stdout unless -o is given; B is
    /// excluded, and may be left out for the end
    #[arg(long, value_name = "A..B", value_parser = values::range)]
    pub range: Option<ByteRange>,
    /// Only record K, or records K to M, of what was compressed with --split; M is
    /// excluded, and may be left out for the end
    #[arg(long, value_name = "K[..M]", value_parser = values::record, conflicts_with = "range")]
    pub record: Option<ByteRange>,
    /// Go into folders
    #[arg(short, long)]
    pub recursive: bool,
}

/// madezip recover
#[derive(Debug, Args)]
pub(super) struct RecoverArgs {
    /// The damaged archive
    #[arg(value_name = "ARCHIVE")]
    pub file: PathBuf,
    /// Write to this file [default: the content's name with .recovered]; - is stdout
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Write to stdout
    #[arg(short = 'c', long, conflicts_with = "output")]
    pub stdout: bool,
    #[command(flatten)]
    pub limits: Limits,
    /// Overwrite a file
    #[arg(short, long)]
    pub force: bool,
    /// Write what was lost as JSON to stderr
    #[arg(long)]
    pub json: bool,
}

/// madezip completions
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// madezip man
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// madezip test
#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Archives; - or none is stdin
    #[arg(value_name = "ARCHIVE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub limits: Limits,
    /// Go into folders
    #[arg(short, long)]
    pub recursive: bool,
    /// Write JSON to stdout
    #[arg(long)]
    pub json: bool,
}

/// madezip info
#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    /// Archives; - or none is stdin
    #[arg(value_name = "ARCHIVE")]
    pub files: Vec<PathBuf>,
    /// Go into folders
    #[arg(short, long)]
    pub recursive: bool,
    /// Write JSON to stdout
    #[arg(long)]
    pub json: bool,
}

/// madezip report
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Files; - or none is stdin
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub tuning: Tuning,
    #[command(flatten)]
    pub rows: RowsArgs,
    /// List the N dearest rows (models of records)
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "20")]
    pub per_row: Option<usize>,
    /// Fit the simple baselines to these rows (models of records)
    #[arg(long, value_name = "ROWS")]
    pub fit: Option<PathBuf>,
    /// Go into folders
    #[arg(short, long)]
    pub recursive: bool,
    /// Write JSON to stdout
    #[arg(long)]
    pub json: bool,
}

/// madezip sample
#[derive(Debug, Args)]
pub(super) struct SampleArgs {
    /// How many rows; with --condition, how many for each given row [default: 1]
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1)]
    pub rows: usize,
    /// Seed; equal seeds give equal rows
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Write packed rows to this file; - is stdout
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Draw the rows as bitmaps into this PNG file
    #[arg(long, value_name = "OUT")]
    pub png: Option<PathBuf>,
    /// Size of a bitmap [default: the model's]
    #[arg(long, value_name = "HxW", value_parser = super::rows::pair)]
    pub shape: Option<(usize, usize)>,
    /// Complete these rows
    #[arg(long, value_name = "ROWS", requires = "keep")]
    pub condition: Option<PathBuf>,
    /// How many dimensions of them are given: the first K in the model's order
    #[arg(long, value_name = "K", requires = "condition")]
    pub keep: Option<usize>,
    /// How ROWS are written [default: what they look like]
    #[arg(long, value_enum)]
    pub from: Option<From>,
    /// Overwrite files
    #[arg(short, long)]
    pub force: bool,
}

/// madezip models
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ModelsArgs {
    /// What to do; without it, the models are listed
    #[command(subcommand)]
    pub what: Option<ModelsVerb>,
    /// Write JSON to stdout
    #[arg(long)]
    pub json: bool,
}

/// What to do with models.
#[derive(Debug, Subcommand)]
pub(super) enum ModelsVerb {
    /// List the models at hand
    List {
        /// Write JSON to stdout
        #[arg(long)]
        json: bool,
    },
    /// Put model files into the user's data folder
    Install {
        /// Model files
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Name to install it under [default: the file's, without its ending]
        #[arg(long)]
        name: Option<String>,
        /// Replace another model of that name
        #[arg(short, long)]
        force: bool,
    },
    /// Remove installed models
    Remove {
        /// Their names
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_sound() {
        command().debug_assert();
        Environment::command().debug_assert();
    }

    #[test]
    fn help_fits_a_screen() {
        // as the program prints it, on a screen of 24 lines with a prompt
        let help = command().try_get_matches_from(["madezip", "--help"]).unwrap_err().to_string();
        assert!(help.lines().count() <= 23, "{} lines:\n{help}", help.lines().count());
        assert!(help.lines().all(|l| l.chars().count() < 80), "{help}");
        for verb in command().get_subcommands() {
            assert!(help.contains(&format!("\n  {} ", verb.get_name())), "{help}");
        }
    }
}
