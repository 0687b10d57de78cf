//! `madezip test`.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

use super::args::TestArgs;
use super::codecs::Codecs;
use super::console::Console;
use super::decompress::content_size;
use super::files::inputs;
use super::input::Input;
use super::job;
use super::json;
use super::names::is_archive_name;
use super::progress::Bar;
use super::settings::Settings;
use crate::archive::{self, DecompressOptions, Summary};

/// One file of `test --json`.
#[derive(Debug, Serialize)]
struct Tested {
    /// Its name as given.
    file: String,
    /// Whether every byte is right.
    ok: bool,
    /// Bytes of content, if all is right.
    content_bytes: Option<u64>,
    /// Bytes of archive, if all is right.
    archive_bytes: Option<u64>,
    /// What is wrong.
    error: Option<String>,
}

pub(super) fn run(args: TestArgs, settings: &Settings, console: &Console) -> Result<()> {
    let files = inputs(args.files, args.recursive, is_archive_name, console);
    let options = settings.decompress_options(&args.limits);
    let codecs = Codecs::new(settings);
    let mut tested = Vec::new();
    for path in &files {
        let start = Instant::now();
        let result = one(path, &options, &codecs.beside(path), console);
        tested.push(Tested {
            file: path.to_string_lossy().into_owned(),
            ok: result.is_ok(),
            content_bytes: result.as_ref().ok().map(|s| s.raw),
            archive_bytes: result.as_ref().ok().map(|s| s.archive),
            error: result.as_ref().err().map(|e| format!("{e:#}")),
        });
        match result {
            Ok(s) => {
                let sizes = job::sizes(s.raw, s.archive, start.elapsed().as_secs_f64());
                console.note(1, Some(path), &format!("ok, {sizes}"));
            }
            Err(e) => console.error(Some(path), &e),
        }
    }
    if args.json { json::print("madezip-test", &tested) } else { Ok(()) }
}

fn one(
    path: &Path,
    options: &DecompressOptions,
    codecs: &Codecs,
    console: &Console,
) -> Result<Summary> {
    let mut input = Input::open_archive(path)?;
    let content = if console.bar { content_size(&mut input)? } else { None };
    let bar = Bar::new(console, path, content);
    Ok(archive::test(input.reader(), codecs, options, &bar)?)
}
