//! What can be asked on the command line, as it is typed.

use std::path::PathBuf;

use clap::{ArgAction, Args, Command, CommandFactory, Parser, Subcommand, ValueEnum};

use super::level::LevelArgs;
use super::rows::From;
pub(super) use super::train::TrainArgs;
use crate::container::limits::{MAX_BLOCK, MIN_BLOCK_OFFERED};
use crate::split::{MAX_CHECK, Split};

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

/// Options of every verb, also in MADEZIP_OPT.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Common {
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
    #[arg(long, global = true, value_parser = device)]
    pub device: Option<String>,
    /// No progress bar
    #[arg(long, global = true)]
    pub no_progress: bool,
}

/// What evaluates the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Engine {
    // whichever is faster here
    #[default]
    Auto,
    Torch,
    Native,
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

/// Where output goes and what becomes of the input.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct OutputArgs {
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
pub(super) struct Tuning {
    #[command(flatten)]
    pub level: LevelArgs,
    /// Content of a block, such as 16M [default: up to 16M, with -1 to -3 8M, and less where other
    /// content begins]
    #[arg(long, value_name = "SIZE", value_parser = block_size)]
    pub block_size: Option<u32>,
    /// Decode every block again before it is written; --rm does so, too
    #[arg(long)]
    pub verify: bool,
    /// Put the model into the archive (the default one: 8 MB), so that it can be read anywhere
    #[arg(long)]
    pub embed_model: bool,
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
    #[arg(long, value_name = "A..B", value_parser = range)]
    pub range: Option<ByteRange>,
    /// Only record K, or records K to M, of what was compressed with --split; M is
    /// excluded, and may be left out for the end
    #[arg(long, value_name = "K[..M]", value_parser = record, conflicts_with = "range")]
    pub record: Option<ByteRange>,
    /// Go into folders
    #[arg(short, long)]
    pub recursive: bool,
}

/// Bytes or records from `start` to before `end`, or to the end of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteRange {
    pub start: u64,
    pub end: Option<u64>,
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

/// What decoding may take.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Limits {
    /// Refuse archives whose blocks need more memory, such as 100M; recover leaves such blocks out
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub memlimit: Option<u64>,
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

/// How rows of bits are written.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct RowsArgs {
    /// Rows of bits, to be packed: how they are written (models of records)
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub from: Option<From>,
    /// Bytes before the first row (models of records)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub offset: usize,
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

/// What MADEZIP_OPT may hold.
#[derive(Debug, Default, Parser)]
#[command(name = "MADEZIP_OPT", no_binary_name = true, disable_help_flag = true)]
pub(super) struct Environment {
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

/// A number of bytes: digits, then nothing or K, M, G, T (powers of 1024), then
/// nothing, B or iB.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.to_ascii_uppercase();
    let shift = match unit.trim_end_matches("IB").trim_end_matches('B') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err("a size is a number with K, M, G or T after it, such as 16M".into()),
    };
    let number: u64 = number.parse().map_err(|_| "a size begins with a number, such as 16M")?;
    number.checked_mul(1 << shift).ok_or_else(|| "this is too large".into())
}

fn range(text: &str) -> Result<ByteRange, String> {
    let wrong = "a range is two numbers of bytes such as 0..100, or 1M.. to the end";
    let (start, end) = text.split_once("..").ok_or(wrong)?;
    let start = if start.is_empty() { 0 } else { size(start)? };
    let end = if end.is_empty() { None } else { Some(size(end)?) };
    if end.is_some_and(|end| end < start) {
        return Err(format!("{wrong}; this one ends before it begins"));
    }
    Ok(ByteRange { start, end })
}

fn record(text: &str) -> Result<ByteRange, String> {
    let wrong = "records are a number from 0 on, such as 17, or two such as 17..20";
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong);
    let (start, end) = match text.split_once("..") {
        None => (number(text)?, Some(number(text)?.checked_add(1).ok_or(wrong)?)),
        Some((start, "")) => (number(start)?, None),
        Some((start, end)) => (number(start)?, Some(number(end)?)),
    };
    if end.is_some_and(|end| end < start) {
        return Err(format!("{wrong}; these end before they begin"));
    }
    Ok(ByteRange { start, end })
}

/// The name of a device, as the torch engine takes it.
fn device(name: &str) -> Result<String, String> {
    let number = name.strip_prefix("cuda:").map(str::parse::<usize>);
    if matches!(name, "auto" | "cpu" | "cuda") || matches!(number, Some(Ok(_))) {
        Ok(name.into())
    } else {
        Err("not auto, cpu, cuda or cuda:N".into())
    }
}

fn block_size(text: &str) -> Result<u32, String> {
    let bytes = size(text)?;
    u32::try_from(bytes)
        .ok()
        .filter(|b| (MIN_BLOCK_OFFERED..=MAX_BLOCK).contains(b))
        .ok_or_else(|| "a block has 128K to 256M".into())
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

    #[test]
    fn sizes() {
        assert_eq!(size("0"), Ok(0));
        assert_eq!(size("12"), Ok(12));
        assert_eq!(size("12k"), Ok(12 << 10));
        assert_eq!(size("16MiB"), Ok(16 << 20));
        assert_eq!(size("3GB"), Ok(3 << 30));
        for bad in ["", "M", "1.5M", "-1", "16 M", "1X", "99999999999999T"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert_eq!(range("3..1K"), Ok(ByteRange { start: 3, end: Some(1024) }));
        assert_eq!(range("..5"), Ok(ByteRange { start: 0, end: Some(5) }));
        assert_eq!(range("7.."), Ok(ByteRange { start: 7, end: None }));
        for bad in ["", "5", "5..3", "a..b", "1...2"] {
            assert!(range(bad).is_err(), "{bad}");
        }
        assert_eq!(record("5"), Ok(ByteRange { start: 5, end: Some(6) }));
        assert_eq!(record("5..9"), Ok(ByteRange { start: 5, end: Some(9) }));
        assert_eq!(record("5.."), Ok(ByteRange { start: 5, end: None }));
        for bad in ["", "..", "..5", "a", "9..5", "-1", "18446744073709551615"] {
            assert!(record(bad).is_err(), "{bad}");
        }
        assert_eq!(block_size("128K"), Ok(1 << 17));
        assert_eq!(block_size("256M"), Ok(1 << 28));
        for bad in ["131071", "257M", "8G"] {
            assert!(block_size(bad).is_err(), "{bad}");
        }
    }
}
