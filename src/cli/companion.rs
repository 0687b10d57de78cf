//! `madezip-torch`, the same program linked with libtorch. Loading the library takes
//! several times as long as compressing a small file, so it is called only where it is
//! needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::args::{Engine, Verb};
use super::settings::Settings;

const NAME: &str = "madezip-torch";

/// Whether a verb with these settings needs libtorch.
pub(super) fn is_needed(verb: Option<&Verb>, settings: &Settings) -> bool {
    let on_device = || {
        // long passes of records run on a CUDA device where there is one; the shipped default
        // does not
        settings.engine == Engine::Auto
            && settings.device == "auto"
            && !settings.models.is_empty()
            && has_nvidia_driver()
    };
    match verb {
        Some(Verb::Train(_)) => true,
        Some(Verb::Completions(_) | Verb::Man(_)) => false,
        _ => settings.engine == Engine::Torch || settings.device.starts_with("cuda") || on_device(),
    }
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
