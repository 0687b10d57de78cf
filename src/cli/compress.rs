//! `madezip compress`.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};

use super::args::CompressArgs;
use super::codecs::{Codecs, Prepared};
use super::console::Console;
use super::files::{inputs, is_dash};
use super::input::Input;
use super::job::{self, Destination};
use super::names::{archive_name, is_archive_name};
use super::progress::Bar;
use super::settings::Settings;
use crate::archive::{CompressOptions, compress};
use crate::codec::BlockCodec;

pub(super) fn run(args: CompressArgs, settings: Settings, console: &Console) -> Result<()> {
    let CompressArgs { files, output, tuning, recursive } = args;
    let force = output.force;
    let files = inputs(files, recursive, |f| force || !is_archive_name(f), console);
    job::check_outputs(&output, files.len())?;
    let remove = settings.remove_input(&output);
    let Prepared { codec, options, words } = Codecs::prepare(&settings, &tuning, remove)?;
    console.note(1, None, &format!("model {words}"));
    for path in &files {
        let named = output.stdout || output.output.as_ref().is_some_and(|o| !o.is_dir());
        if !named && !force && is_archive_name(path) {
            console
                .warn(Some(path), "it is an archive already and is left alone; -f compresses it");
            continue;
        }
        let name = (!is_dash(path)).then(|| archive_name(path));
        let result = job::destination(&output, path, name)
            .and_then(|to| one(path, &to, force, remove, options.clone(), codec.as_ref(), console));
        if let Err(e) = result {
            console.error(Some(path), &e);
        }
    }
    Ok(())
}

/// Compresses one input.
pub(super) fn one(
    path: &Path,
    to: &Destination,
    force: bool,
    remove: bool,
    mut options: CompressOptions,
    codec: &dyn BlockCodec,
    console: &Console,
) -> Result<()> {
    let start = Instant::now();
    let mut input = Input::open(path)?;
    if matches!(to, Destination::File(_)) && remove && input.regular().is_none() && !is_dash(path) {
        bail!("it is no regular file and cannot be removed; leave out --rm");
    }
    let mut output = job::open_output(to, &input, true, force)?;
    // a file that grows meanwhile is taken as long as it was
    options.content_size = input.size();
    let bar = Bar::new(console, path, options.content_size);
    let reader = input.reader().take(options.content_size.unwrap_or(u64::MAX));
    let summary = compress(reader, &mut output, codec, &options, &bar)?;
    drop(bar);
    job::finish(output, &input, path, remove, console)?;
    let sizes = job::sizes(summary.raw, summary.archive, start.elapsed().as_secs_f64());
    let proven = if options.verify { ", decoded and compared" } else { "" };
    console.note(1, Some(path), &format!("{sizes}{proven}"));
    Ok(())
}
