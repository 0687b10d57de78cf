//! `madezip compress`.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::args::{CompressArgs, RowsArgs};
use super::codecs::{Chosen, Codecs};
use super::console::Console;
use super::files::{inputs, is_dash};
use super::input::Input;
use super::job::{self, Destination, Taken};
use super::names::{archive_name, is_archive_name};
use super::progress::Bar;
use super::rows::{self, From};
use super::settings::Settings;
use crate::archive::{CompressOptions, compress};
use crate::codec::BlockCodec;
use crate::split::Records;

pub(super) fn run(args: CompressArgs, settings: Settings, console: &Console) -> Result<()> {
    let CompressArgs { files, output, tuning, rows, split, record_check, recursive } = args;
    let force = output.force;
    let files = inputs(files, recursive, |f| !is_archive_name(f), console);
    job::check_outputs(&output, files.len())?;
    let remove = settings.remove_input(&output);
    let model = Codecs::new(&settings).choose(&settings)?;
    let mut options = model.options(&settings, &tuning, remove)?;
    let converting = rows.from.is_some_and(|from| from != From::Bits);
    let mut dims = None;
    let codec = if rows.from.is_some() || rows.offset > 0 {
        let offset = if converting { 0 } else { rows.offset };
        let codec = model.records(offset)?.context(
            "--from and --offset are for models of records, and this model is for any file",
        )?;
        dims = Some(codec.layout().dims());
        Arc::new(codec)
    } else {
        model.codec(options.verify)?
    };
    if converting && remove {
        bail!("--from packs rows anew: the file cannot be made from them again; leave out --rm");
    }
    options.records = split.map(|rule| Records { rule, check: record_check.unwrap_or(0) });
    Chosen::check_level(codec.as_ref(), &options, console);
    console.note(1, None, &format!("model {}", model.words()));
    console.note(1, None, &format!("engines: {}", codec.passes()));
    // the default model is for any file
    let may_be_of_records = rows.from.is_none() && !settings.models.is_empty();
    let mut taken = Taken::by(&files);
    for path in &files {
        if may_be_of_records
            && let Some(from) = rows::written_as(path)
            && model.is_of_records()?
        {
            let text = "it does not look like packed rows, which the model is for:";
            console.note(0, Some(path), &format!("{text} --from {from} packs it first"));
        }
        let named = output.stdout || output.output.as_ref().is_some_and(|o| !o.is_dir());
        if !named && !force && is_archive_name(path) {
            console
                .warn(Some(path), "it is an archive already and is left alone; -f compresses it");
            continue;
        }
        let name = (!is_dash(path)).then(|| archive_name(path));
        let result = job::destination(&output, path, name).and_then(|to| {
            taken.once(&to, || match converting {
                true => converted(path, &to, force, &rows, dims, &options, codec.as_ref(), console),
                false => one(path, &to, force, remove, options.clone(), codec.as_ref(), console),
            })
        });
        if let Err(e) = result {
            console.error(Some(path), &e);
        }
    }
    Ok(())
}

/// Packs the rows of one input and compresses them.
#[allow(clippy::too_many_arguments)]
fn converted(
    path: &Path,
    to: &Destination,
    force: bool,
    rows: &RowsArgs,
    dims: Option<usize>,
    options: &CompressOptions,
    codec: &dyn BlockCodec,
    console: &Console,
) -> Result<()> {
    let start = Instant::now();
    let table = rows::table(path, rows.from, dims, rows.offset, console)
        .context("its rows do not fit the model")?;
    let input = Input::open(path)?;
    let mut output = job::open_output(to, &input, true, force)?;
    let size = table.rows.len() as u64;
    let options = CompressOptions { content_size: Some(size), ..options.clone() };
    let bar = Bar::new(console, path, options.content_size);
    let summary = compress(&table.rows[..], &mut output, codec, &options, &bar)?;
    drop(bar);
    job::finish(output, &input, path, false, console)?;
    let text = format!("{} rows of {} bits, packed: decompressing gives", table.len(), table.dims);
    console.note(0, Some(path), &format!("{text} packed rows, not this file"));
    let seconds = start.elapsed().as_secs_f64();
    console.note(1, Some(path), &job::sizes(summary.raw, summary.archive, seconds));
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
