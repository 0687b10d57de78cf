//! `madezip report`.

mod records;

use std::io::{self, Read};
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};

use super::args::ReportArgs;
use super::codecs::{Chosen, Codecs};
use super::console::Console;
use super::files::inputs;
use super::input::Input;
use super::json;
use super::progress::Bar;
use super::rows::From;
use super::settings::Settings;
use super::table::table;
use crate::archive::{CompressOptions, compress};
use crate::catalog::hex;
use crate::codec::BlockCodec;
use crate::report::files::FileReport;
use records::{Asked, Records};

pub(super) fn run(args: ReportArgs, settings: &Settings, console: &Console) -> Result<()> {
    let files = inputs(args.files, args.recursive, |_| true, console);
    let model = Codecs::new(settings).choose(settings)?;
    let options = model.options(settings, &args.tuning, false)?;
    let converting = args.rows.from.is_some_and(|from| from != From::Bits);
    let offset = if converting { 0 } else { args.rows.offset };
    if let Some(codec) = model.records(offset)? {
        let codec = codec.with_threads(settings.threads);
        let asked = Asked {
            rows: args.rows,
            per_row: args.per_row.unwrap_or(0),
            fit: args.fit,
            json: args.json,
        };
        let (words, bytes) = (model.words(), model.bytes());
        return records::run(&files, &asked, &Records { codec, words, bytes }, options, console);
    }
    if args.rows.from.is_some() || offset > 0 || args.per_row.is_some() || args.fit.is_some() {
        bail!("--from, --offset, --per-row and --fit are for models of records: name one with -m");
    }
    console.note(1, None, &format!("model {}", model.words()));
    let codec = model.codec(options.verify)?;
    Chosen::check_level(codec.as_ref(), &options, console);
    let mut reports = Vec::new();
    for path in &files {
        match one(path, options.clone(), codec.as_ref(), console) {
            Ok(report) => reports.push(report),
            Err(e) => console.error(Some(path), &e),
        }
    }
    if args.json {
        return json::print("madezip-report", &reports);
    }
    if reports.is_empty() { Ok(()) } else { json::text_out(&text(&reports)) }
}

fn one(
    path: &Path,
    mut options: CompressOptions,
    codec: &dyn BlockCodec,
    console: &Console,
) -> Result<FileReport> {
    let start = Instant::now();
    let mut input = Input::open(path)?;
    options.content_size = input.size();
    let bar = Bar::new(console, path, options.content_size);
    let reader = input.reader().take(options.content_size.unwrap_or(u64::MAX));
    let summary = compress(reader, io::sink(), codec, &options, &bar)?;
    let name = path.to_string_lossy().into_owned();
    let seconds = start.elapsed().as_secs_f64();
    Ok(FileReport::new(name, hex(&codec.model_id()), &summary, seconds))
}

fn text(reports: &[FileReport]) -> String {
    let head = [
        "file",
        "bytes",
        "coded",
        "bits/byte",
        "bits/dim",
        "ideal",
        "payload",
        "over ideal",
        "coded %",
        "run %",
        "stored %",
        "MB/s",
    ];
    let mut rows = vec![head.map(String::from).to_vec()];
    let number =
        |x: Option<f64>, digits: usize| x.map_or_else(|| "-".into(), |x| format!("{x:.digits$}"));
    for r in reports {
        let over = r.coded_payload_bytes as f64 - r.ideal_bytes;
        let any_coded = r.coded_content_bytes > 0;
        let mut row = vec![
            r.file.clone(),
            r.bytes.to_string(),
            r.coded_bytes.to_string(),
            number(r.bits_per_byte, 4),
            number(r.bits_per_dimension, 5),
            number(any_coded.then_some(r.ideal_bytes), 1),
            number(any_coded.then_some(r.coded_payload_bytes as f64), 0),
            number(any_coded.then_some(over), 1),
        ];
        row.extend(r.blocks.iter().map(|b| format!("{:.1}", 100.0 * b.share)));
        row.push(format!("{:.2}", r.bytes as f64 / 1e6 / r.seconds.max(1e-6)));
        rows.push(row);
    }
    if reports.len() > 1 {
        let bytes: u64 = reports.iter().map(|r| r.bytes).sum();
        let coded: u64 = reports.iter().map(|r| r.coded_bytes).sum();
        let per = |n: u64| (n > 0).then(|| 8.0 * coded as f64 / n as f64);
        rows.push(vec![
            "total".into(),
            bytes.to_string(),
            coded.to_string(),
            number(per(bytes), 4),
            number(per(8 * bytes), 5),
        ]);
    }
    table(&rows)
}
