//! `madezip decompress`.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use super::args::{ByteRange, DecompressArgs};
use super::codecs::Codecs;
use super::console::Console;
use super::files::inputs;
use super::input::Input;
use super::job::{self, Destination, Taken};
use super::names::{content_name, is_archive_name};
use super::progress::Bar;
use super::settings::Settings;
use crate::archive::{
    DecompressOptions, Member, NoProgress, decompress, decompress_range, decompress_records,
    scan_each,
};

pub(super) fn run(args: DecompressArgs, settings: Settings, console: &Console) -> Result<()> {
    let DecompressArgs { files, mut output, limits, recursive, range, record } = args;
    let range = range.map(Part::Bytes).or(record.map(Part::Records));
    let files = inputs(files, recursive, is_archive_name, console);
    job::check_outputs(&output, files.len())?;
    if range.is_some() && output.output.is_none() {
        // a part does not take the whole's name
        output.stdout = true;
    }
    let remove = settings.remove_input(&output) && range.is_none();
    let options = settings.decompress_options(&limits);
    let codecs = Codecs::new(&settings);
    let mut taken = Taken::by(&files);
    for path in &files {
        let result = job::destination(&output, path, content_name(path)).and_then(|to| {
            let codecs = codecs.beside(path);
            taken.once(&to, || match range {
                Some(range) => part(path, &to, range, output.force, &options, &codecs, console),
                None => one(path, &to, output.force, remove, &options, &codecs, console),
            })
        });
        if let Err(e) = result {
            console.error(Some(path), &e);
        }
    }
    Ok(())
}

/// Of the content, what is wanted.
#[derive(Clone, Copy)]
enum Part {
    Bytes(ByteRange),
    Records(ByteRange),
}

/// Decompresses one input.
pub(super) fn one(
    path: &Path,
    to: &Destination,
    force: bool,
    remove: bool,
    options: &DecompressOptions,
    codecs: &Codecs,
    console: &Console,
) -> Result<()> {
    let start = Instant::now();
    let mut input = Input::open_archive(path)?;
    let content = if console.bar { content_size(&mut input)? } else { None };
    let mut output = job::open_output(to, &input, false, force)?;
    let bar = Bar::new(console, path, content);
    let summary = decompress(input.reader(), &mut output, codecs, options, &bar)?;
    drop(bar);
    job::finish(output, &input, path, remove, console)?;
    let seconds = start.elapsed().as_secs_f64();
    console.note(1, Some(path), &job::sizes(summary.raw, summary.archive, seconds));
    Ok(())
}

/// Decompresses some bytes or records of one input.
fn part(
    path: &Path,
    to: &Destination,
    part: Part,
    force: bool,
    options: &DecompressOptions,
    codecs: &Codecs,
    console: &Console,
) -> Result<()> {
    let mut input = Input::open_archive(path)?;
    let mut output = job::open_output(to, &input, false, force)?;
    let file = input.seekable().context("a part needs a file that can seek, not a pipe")?;
    let (Part::Bytes(range) | Part::Records(range)) = part;
    let all: fn(&Member) -> u64 = match part {
        Part::Bytes(_) => Member::content,
        Part::Records(_) => Member::records,
    };
    let end = match range.end {
        Some(end) => end,
        None => {
            let mut sum = 0u64;
            scan_each(file, |member| sum = sum.saturating_add(all(&member)))?;
            sum.max(range.start)
        }
    };
    let range = range.start..end;
    match part {
        Part::Bytes(_) => decompress_range(file, &mut output, range, codecs, options, &NoProgress)?,
        Part::Records(_) => {
            decompress_records(file, &mut output, range, codecs, options, &NoProgress)?
        }
    };
    job::finish(output, &input, path, false, console)
}

/// Bytes of the content, for the progress bar: nothing where it cannot be had,
/// for decompression will say why.
pub(super) fn content_size(input: &mut Input) -> Result<Option<u64>> {
    use std::io::Seek;
    let Some(file) = input.seekable() else { return Ok(None) };
    let mut content = 0u64;
    let scanned = scan_each(file, |member| content = content.saturating_add(member.content()));
    file.rewind()?;
    Ok(scanned.ok().map(|()| content))
}
