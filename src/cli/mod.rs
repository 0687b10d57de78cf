//! The command line: `args` says what can be asked, `settings` what was asked,
//! and then there is one file a verb.

mod args;
mod codecs;
mod companion;
mod console;
mod files;
mod input;
mod interrupt;
mod job;
mod json;
mod level;
mod names;
mod output;
mod progress;
mod rows;
mod settings;
mod table;

mod compress;
mod decompress;
mod filter;
mod info;
mod manual;
mod models;
mod recover;
mod report;
mod sample;
mod test;
mod train;

use std::process::ExitCode;

use clap::FromArgMatches;

use args::{Cli, Verb};
use console::Console;
use settings::Settings;

/// Runs the program: its arguments in, its exit code out.
///
/// 0: everything was done; 1: something was not, wrong usage included;
/// 2: everything was done, but there is something to know.
///
/// What needs libtorch is left to the program `madezip-torch` beside this one.
pub fn main() -> ExitCode {
    ExitCode::from(run(None))
}

/// The same, linked with libtorch.
#[cfg(feature = "torch")]
pub fn main_with_libtorch() -> ExitCode {
    crate::codec::link_libtorch();
    leave(run(Some(train::run)))
}

/// Ends the program at once: unlearning libtorch's operators takes longer than a small
/// file. Whatever has to happen at the end has happened: outputs are guarded by values
/// that are gone.
#[cfg(feature = "torch")]
fn leave(code: u8) -> ExitCode {
    #[cfg(unix)]
    {
        use std::io::Write;
        let _ = std::io::stdout().flush();
        signal_hook::low_level::exit(code.into());
    }
    #[cfg(not(unix))]
    ExitCode::from(code)
}

/// Whether a file was named where a verb should be, as other compressors have it, and the user
/// was told how it is done here.
fn says_what_to_do(e: &clap::Error) -> bool {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let Some(ContextValue::String(name)) = e.get(ContextKind::InvalidSubcommand) else {
        return false;
    };
    let path = std::path::Path::new(name);
    if e.kind() != ErrorKind::InvalidSubcommand || !path.exists() {
        return false;
    }
    let verb = if names::is_archive_name(path) { "decompress" } else { "compress" };
    eprintln!(
        "madezip: {name} is a file, and what to do with it comes first: madezip {verb} {name}"
    );
    true
}

/// `madezip train`, in programs that are linked with libtorch.
type Train = fn(args::TrainArgs, &Settings, &Console) -> anyhow::Result<()>;

fn run(train: Option<Train>) -> u8 {
    let parsed = args::command().try_get_matches().and_then(|m| Cli::from_arg_matches(&m));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(e) => {
            // help and version are no errors
            if !says_what_to_do(&e) {
                let _ = e.print();
            }
            return e.use_stderr().into();
        }
    };
    let settings = match Settings::new(cli.common, cli.filter) {
        Ok(settings) => settings,
        Err(e) => {
            eprintln!("madezip: {e:#}");
            return 1;
        }
    };
    let console = Console::new(&settings);
    if train.is_none() && companion::is_needed(cli.verb.as_ref(), &settings) {
        return companion::run().unwrap_or_else(|e| {
            console.error(None, &e);
            console.exit_code()
        });
    }
    interrupt::install(&console);
    let result = match cli.verb {
        None => filter::run(&settings, &console),
        Some(_) if settings.filter.decompress => {
            Err(anyhow::anyhow!("-d goes without a verb: madezip -d <ARCHIVE >FILE"))
        }
        Some(_) if settings.filter.stdout => {
            Err(anyhow::anyhow!("-c goes after the verb: madezip compress -c FILE"))
        }
        Some(_) if settings.filter.level.number.is_some() => {
            Err(anyhow::anyhow!("a level goes after the verb: madezip compress -9 FILE"))
        }
        Some(Verb::Compress(args)) => compress::run(args, settings, &console),
        Some(Verb::Decompress(args)) => decompress::run(args, settings, &console),
        Some(Verb::Test(args)) => test::run(args, &settings, &console),
        Some(Verb::Info(args)) => info::run(args, &settings, &console),
        Some(Verb::Report(args)) => report::run(args, &settings, &console),
        Some(Verb::Sample(args)) => sample::run(args, &settings, &console),
        Some(Verb::Recover(args)) => recover::run(args, &settings, &console),
        Some(Verb::Completions(args)) => manual::completions(args),
        Some(Verb::Man(args)) => manual::run(args),
        Some(Verb::Train(args)) => match train {
            Some(train) => train(*args, &settings, &console),
            None => unreachable!("left to the companion"),
        },
        Some(Verb::Models(args)) => models::run(args, &settings, &console),
    };
    if let Err(e) = result {
        console.error(None, &e);
    }
    console.exit_code()
}
