//! What compress and decompress share: where output goes, and the input's end.

use std::collections::HashSet;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::args::OutputArgs;
use super::console::Console;
use super::files::is_dash;
use super::input::Input;
use super::output::Output;

/// Where the output of an input goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    Stdout,
    File(PathBuf),
}

/// Refuses one output file for several inputs.
pub(super) fn check_outputs(args: &OutputArgs, inputs: usize) -> Result<()> {
    match &args.output {
        Some(out) if inputs > 1 && !is_dash(out) && !out.is_dir() => bail!(
            "-o {} is one file, and there are {inputs} inputs; name a folder, or use -c",
            out.display()
        ),
        _ => Ok(()),
    }
}

/// Files that a run reads or has written: none of its outputs may replace them, not even
/// with -f.
#[derive(Debug)]
pub(super) struct Taken {
    inputs: HashSet<PathBuf>,
    written: HashSet<PathBuf>,
}

impl Taken {
    /// The inputs of a run.
    pub fn by(inputs: &[PathBuf]) -> Self {
        let inputs = match inputs {
            // that an output is its own input is found out where it is opened
            [_] => HashSet::new(),
            _ => inputs.iter().filter_map(|p| std::fs::canonicalize(p).ok()).collect(),
        };
        Self { inputs, written: HashSet::new() }
    }

    /// Writes an output that is no other input of the run, and that none before this one has
    /// written.
    pub fn once(&mut self, to: &Destination, write: impl FnOnce() -> Result<()>) -> Result<()> {
        // as the system names it, however it was spelled
        let name = || match to {
            Destination::File(path) => std::fs::canonicalize(path).ok(),
            Destination::Stdout => None,
        };
        if let Some(name) = name() {
            let why = if self.written.contains(&name) {
                "was just written for another input"
            } else if self.inputs.contains(&name) {
                "is itself to be read here, and would be overwritten"
            } else {
                ""
            };
            if !why.is_empty() {
                bail!("{} {why}; compress or restore this one by itself, with -o", name.display());
            }
        }
        write()?;
        self.written.extend(name().filter(|name| name.is_file()));
        Ok(())
    }
}

/// Chooses where output goes; `name` is the default name beside the input, if
/// one can be made.
pub(super) fn destination(
    args: &OutputArgs,
    input: &Path,
    name: Option<PathBuf>,
) -> Result<Destination> {
    let unnamed = "its name does not end in .mdz, so the output has no name; use -o FILE or -c";
    match &args.output {
        _ if args.stdout => Ok(Destination::Stdout),
        Some(out) if is_dash(out) => Ok(Destination::Stdout),
        Some(out) if out.is_dir() => {
            if is_dash(input) {
                bail!("-o {} is a folder, and stdin has no name in it", out.display());
            }
            let name = name.context(unnamed)?;
            let name = name.file_name().context("it has no file name")?;
            Ok(Destination::File(out.join(name)))
        }
        Some(out) => Ok(Destination::File(out.clone())),
        None if is_dash(input) => Ok(Destination::Stdout),
        None => Ok(Destination::File(name.context(unnamed)?)),
    }
}

/// Opens the output. `archive` says that an archive is written.
pub(super) fn open_output(
    destination: &Destination,
    input: &Input,
    archive: bool,
    force: bool,
) -> Result<Output> {
    match destination {
        Destination::Stdout => Output::stdout(archive, force),
        Destination::File(path) => {
            let is_input = input.is_at(path);
            if is_input.with_context(|| format!("whether {} is the input", path.display()))? {
                bail!("the output would be the input itself");
            }
            let output = Output::file(path, force, input.regular().is_some())?;
            if archive && !force && output.is_terminal() {
                bail!("{} is a terminal, and gets no archive; -f writes it", path.display());
            }
            Ok(output)
        }
    }
}

/// Brings the output to its place and, with `remove`, takes the input away if it
/// is still the file that was read.
pub(super) fn finish(
    output: Output,
    input: &Input,
    path: &Path,
    remove: bool,
    console: &Console,
) -> Result<()> {
    let safe = output.is_file();
    if let Some(lost) = output.finish(input.regular())? {
        console.warn(Some(path), &lost);
    }
    let Input::File(file, before) = input else { return Ok(()) };
    let unchanged = |now: io::Result<Metadata>| {
        now.is_ok_and(|now| {
            now.is_file()
                && now.len() == before.len()
                && now.modified().ok() == before.modified().ok()
        })
    };
    if before.is_file() && !unchanged(file.metadata()) {
        let kept = if remove { " and is kept" } else { "" };
        console.warn(Some(path), &format!("it changed while it was read{kept}"));
        return Ok(());
    }
    if remove && safe {
        // the name itself: a link, or another file by now, is not ours to remove
        let is_it = || input.is_at(path).unwrap_or(false);
        if !unchanged(std::fs::symlink_metadata(path)) || !is_it() {
            console.warn(Some(path), "it is a link or another file now, and is kept");
        } else {
            std::fs::remove_file(path).context("the input cannot be removed")?;
        }
    }
    Ok(())
}

/// `3,524 → 1,207 bytes`, percent, bits per byte, speed.
pub(super) fn sizes(raw: u64, archive: u64, seconds: f64) -> String {
    let ratio = if raw == 0 {
        String::new()
    } else {
        let r = archive as f64 / raw as f64;
        format!(", {:.2} %, {:.3} bits/byte", 100.0 * r, 8.0 * r)
    };
    let speed = raw as f64 / 1e6 / seconds.max(1e-6);
    format!("{raw} bytes, archive {archive} bytes{ratio}, {speed:.2} MB/s")
}
