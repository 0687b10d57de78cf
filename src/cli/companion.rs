//! `madezip-torch`, the same program linked with libtorch. Loading the library takes
//! several times as long as compressing a small file, so it is called only where it is
//! needed.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::args::{Engine, Verb};
use super::settings::Settings;

const NAME: &str = "madezip-torch";

/// Whether a verb with these settings is the companion's.
pub(super) fn is_needed(verb: Option<&Verb>, settings: &Settings) -> bool {
    match verb {
        Some(Verb::Train(_)) => true,
        Some(Verb::Completions(_) | Verb::Man(_)) => false,
        _ if settings.engine == Engine::Torch || settings.device.starts_with("cuda") => true,
        _ => may_use_device(verb, settings) && has_nvidia_driver() && is_there(),
    }
}

/// Bytes of files that are too few for a device, in all.
const FEW: u64 = 32 << 10;

/// Whether a CUDA device may be used though nobody has asked for it: in long passes of records, of
/// which the shipped default model has none.
fn may_use_device(verb: Option<&Verb>, settings: &Settings) -> bool {
    let has_long_passes = match verb {
        Some(Verb::Compress(args)) => !are_few_bytes(&args.files),
        Some(Verb::Report(args)) => !are_few_bytes(&args.files),
        Some(_) => false,
        None => !settings.filter.decompress,
    };
    has_long_passes
        && settings.engine == Engine::Auto
        && settings.device == "auto"
        && !settings.models.is_empty()
}

/// Whether that is known of these files.
fn are_few_bytes(files: &[PathBuf]) -> bool {
    let len = |path: &PathBuf| Some(path.metadata().ok().filter(Metadata::is_file)?.len());
    let all: Option<u64> = files.iter().map(len).sum();
    !files.is_empty() && all.is_some_and(|bytes| bytes < FEW)
}

/// Whether there is a companion at all.
fn is_there() -> bool {
    cfg!(feature = "torch") && beside().is_ok_and(|path| path.exists())
}

fn has_nvidia_driver() -> bool {
    // containers may have the one or the other
    let signs = ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg"];
    signs.iter().any(|p| Path::new(p).exists())
}

/// Goes on as the companion: the same arguments, input and output. Comes back with its
/// exit code where a program cannot become another, or with an error.
pub(super) fn run() -> Result<u8> {
    if cfg!(not(feature = "torch")) {
        bail!(
            "this madezip was built without libtorch, which training, --engine torch and \
             --device cuda need"
        );
    }
    let path = beside()?;
    let mut command = Command::new(&path);
    command.args(std::env::args_os().skip(1));
    #[cfg(unix)]
    let result: std::io::Result<u8> = Err(std::os::unix::process::CommandExt::exec(&mut command));
    #[cfg(not(unix))]
    let result = command.status().map(|status| status.code().map_or(1, |code| code as u8));
    result.with_context(|| {
        format!("{} cannot be run: it has libtorch, which is needed here", path.display())
    })
}

/// Where the companion is: in the folder of this program.
fn beside() -> Result<PathBuf> {
    let program = std::env::current_exe().context("where this program lies")?;
    // a link to the program may lie elsewhere
    let program = program.canonicalize().unwrap_or(program);
    Ok(program.with_file_name(NAME).with_extension(std::env::consts::EXE_EXTENSION))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use clap::Parser;

    #[test]
    fn a_device_that_nobody_asked_for_is_for_passes_of_named_models() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let few = format!("compress -m m {}", file.path().display());
        let many = tempfile::NamedTempFile::new().unwrap();
        many.as_file().set_len(FEW).unwrap();
        let enough = format!("{few} {}", many.path().display());
        for (line, may) in [
            (&few[..], false),
            (&enough, true),
            ("compress -m m", true),
            ("compress -m m f", true),
            ("report -m m f", true),
            ("-m m", true),
            ("-d -m m", false),
            ("compress f", false),
            ("compress -m m --device cpu f", false),
            ("compress -m m --engine native f", false),
            ("decompress -m m f", false),
            ("test -m m f", false),
            ("info f", false),
        ] {
            let cli = Cli::parse_from(["madezip"].into_iter().chain(line.split(' ')));
            let settings = Settings::new(cli.common, cli.filter).unwrap();
            assert_eq!(may_use_device(cli.verb.as_ref(), &settings), may, "{line}");
        }
    }
}
