//! `madezip recover`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::args::RecoverArgs;
use super::codecs::Codecs;
use super::console::Console;
use super::files::is_dash;
use super::input::Input;
use super::job::{Destination, open_output};
use super::names::content_name;
use super::progress::Bar;
use super::settings::Settings;
use crate::archive::{Loss, recover};

/// One loss of `recover --json`.
#[derive(Debug, Serialize)]
struct Lost<'a> {
    /// Where it begins in the archive.
    archive_start: u64,
    /// Where it ends in the archive.
    archive_end: u64,
    /// Where in the recovered content it is missing.
    at: u64,
    /// Bytes of content lost; null if that is not known.
    content_bytes: Option<u64>,
    /// What is wrong there.
    why: &'a str,
}

pub(super) fn run(args: RecoverArgs, settings: &Settings, console: &Console) -> Result<()> {
    let path = &args.file;
    let to = match args.output {
        _ if args.stdout => Destination::Stdout,
        Some(out) if is_dash(&out) => Destination::Stdout,
        Some(out) => Destination::File(out),
        None if is_dash(path) => bail!("an archive is recovered from a file, not from a pipe"),
        None => {
            let mut name = content_name(path).unwrap_or_else(|| path.clone()).into_os_string();
            name.push(".recovered");
            Destination::File(PathBuf::from(name))
        }
    };
    let options = settings.decompress_options(&args.limits);
    let work = || -> Result<Vec<Loss>> {
        let mut input = Input::open(path)?;
        let mut output = open_output(&to, &input, false, args.force)?;
        let codecs = Codecs::new(settings).beside(path);
        let file = input.seekable().context("an archive is recovered from a file on disk")?;
        let bar = Bar::new(console, path, None);
        let recovered = recover(file, &mut output, &codecs, &options, &bar)?;
        drop(bar);
        let summary = &recovered.summary;
        if let (0, [first, ..]) = (summary.blocks(), &recovered.losses[..]) {
            bail!("nothing of it can be recovered: {}", first.why);
        }
        output.finish(input.regular())?;
        let (blocks, bytes) = (summary.blocks(), summary.raw);
        console.note(0, Some(path), &format!("{bytes} bytes recovered, in {blocks} intact blocks"));
        Ok(recovered.losses)
    };
    let losses = match work() {
        Ok(losses) => losses,
        Err(e) => {
            console.error(Some(path), &e);
            return Ok(());
        }
    };
    if args.json {
        let lost: Vec<Lost<'_>> = losses
            .iter()
            .map(|l| Lost {
                archive_start: l.archive.start,
                archive_end: l.archive.end,
                at: l.at,
                content_bytes: l.content,
                why: &l.why,
            })
            .collect();
        eprintln!("{}", serde_json::to_string_pretty(&lost)?);
    }
    for loss in &losses {
        console.warn(Some(path), &words(loss));
    }
    Ok(())
}

fn words(loss: &Loss) -> String {
    let lost = match loss.content {
        Some(n) => format!("{n} bytes of content"),
        None => "an unknown number of bytes".into(),
    };
    format!(
        "lost {lost} at {} of the output (archive offsets {} to {}): {}",
        loss.at, loss.archive.start, loss.archive.end, loss.why
    )
}
