//! The files that arguments mean.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::console::Console;

/// `-`, which is stdin as an input and stdout as an output.
pub(super) fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// The inputs that arguments mean: none is stdin; with `recursive`, folders
/// become the files in them that `wanted` wants, sorted. Folders that cannot be
/// read are reported and passed over.
pub(super) fn inputs(
    args: Vec<PathBuf>,
    recursive: bool,
    wanted: impl Fn(&Path) -> bool,
    console: &Console,
) -> Vec<PathBuf> {
    if args.is_empty() {
        return vec![PathBuf::from("-")];
    }
    if !recursive {
        return args;
    }
    let mut files = Vec::new();
    for arg in args {
        if !is_dash(&arg) && arg.is_dir() {
            walk(&arg, &wanted, &mut files, console);
        } else {
            files.push(arg);
        }
    }
    files
}

fn walk(
    folder: &Path,
    wanted: &impl Fn(&Path) -> bool,
    files: &mut Vec<PathBuf>,
    console: &Console,
) {
    let read = || -> Result<Vec<_>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder).context("the folder cannot be read")? {
            let entry = entry.context("the folder cannot be read")?;
            entries.push((entry.path(), entry.file_type().context("the folder cannot be read")?));
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(entries)
    };
    match read() {
        Err(e) => console.error(Some(folder), &e),
        Ok(entries) => {
            for (path, kind) in entries {
                // links are not followed: no file twice, no endless walk
                if kind.is_dir() {
                    walk(&path, wanted, files, console);
                } else if kind.is_file() && wanted(&path) {
                    files.push(path);
                }
            }
        }
    }
}
