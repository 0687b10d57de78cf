//! `madezip report` with a model of records.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::archive::{CompressOptions, compress};
use crate::cli::args::RowsArgs;
use crate::cli::console::Console;
use crate::cli::json;
use crate::cli::progress::Bar;
use crate::cli::rows::{self, From};
use crate::cli::table::table;
use crate::records::{RecordsCodec, Table};
use crate::report::records::{RecordsReport, Wanted};

/// What was asked for beside the files.
pub(super) struct Asked {
    pub rows: RowsArgs,
    pub per_row: usize,
    pub fit: Option<PathBuf>,
    pub json: bool,
}

/// A model of records, bound to an engine.
pub(super) struct Records {
    pub codec: RecordsCodec,
    /// Words about the model.
    pub words: String,
    /// Bytes of its file.
    pub bytes: usize,
}

/// One file of `report --json`.
#[derive(Serialize)]
struct File {
    file: String,
    /// The model, by name and id.
    model: String,
    #[serde(flatten)]
    report: RecordsReport,
}

pub(super) fn run(
    files: &[PathBuf],
    asked: &Asked,
    model: &Records,
    options: CompressOptions,
    console: &Console,
) -> Result<()> {
    let dims = Some(model.codec.layout().dims());
    let read = |path: &Path, offset: usize| {
        // rows of any content are rows: packed bits may look like text
        let from = asked.rows.from.unwrap_or(From::Bits);
        rows::table(path, Some(from), dims, offset, console)
    };
    let fit = asked.fit.as_ref().map(|path| read(path, 0)).transpose()?;
    let mut reports = Vec::new();
    for path in files {
        let report = read(path, asked.rows.offset)
            .and_then(|table| one(path, &table, asked, fit.as_ref(), model, &options, console));
        match report {
            Ok(report) => reports.push(report),
            Err(e) => console.error(Some(path), &e),
        }
    }
    if asked.json {
        return json::print("madezip-report-records", &reports);
    }
    for report in &reports {
        json::text_out(&text(report))?;
    }
    Ok(())
}

fn one(
    path: &Path,
    table: &Table,
    asked: &Asked,
    fitted: Option<&Table>,
    model: &Records,
    options: &CompressOptions,
    console: &Console,
) -> Result<File> {
    let size = Some(table.rows.len() as u64);
    let options = CompressOptions { content_size: size, ..options.clone() };
    let bar = Bar::new(console, path, size);
    // the rows alone: what stands before the first is no row
    let summary = compress(&table.rows[..], io::sink(), &model.codec, &options, &bar)?;
    drop(bar);
    let wanted = Wanted { per_row: asked.per_row, fitted };
    let report = RecordsReport::new(&model.codec, table, summary.archive, model.bytes, wanted)
        .context("the model cannot be evaluated")?;
    Ok(File { file: path.to_string_lossy().into_owned(), model: model.words.clone(), report })
}

/// Dimensions that the text names; JSON has all.
const DEAREST: usize = 5;

fn text(file: &File) -> String {
    let r = &file.report;
    let mut text = format!(
        "{}: {} rows of {} bits, model {}\n{:.4} ± {:.4} nats a row\n",
        file.file, r.rows, r.dims, file.model, r.nats_per_row, r.standard_error
    );
    let row = |name: &str, bytes: f64, per_dim: f64, note: &str| {
        vec![name.to_string(), format!("{bytes:.0}"), format!("{per_dim:.5}"), note.to_string()]
    };
    let mut lines = vec![
        ["", "bytes", "bits/dim", ""].map(String::from).to_vec(),
        row("ideal", r.ideal_bytes, r.ideal_bits_per_dimension, "-sum of log2 p"),
        row("archive", r.archive_bytes as f64, r.coded_bits_per_dimension, "all included"),
        row(
            "archive + model",
            r.archive_bytes as f64 + r.model_bytes as f64,
            r.coded_bits_per_dimension_with_model,
            "",
        ),
    ];
    lines.extend(r.baselines.iter().map(|b| row(&b.name, b.bytes, b.bits_per_dimension, b.note)));
    text.push_str(&table(&lines));
    let mut dims: Vec<(usize, f64)> = r.dimensions.iter().copied().enumerate().collect();
    dims.sort_by(|a, b| b.1.total_cmp(&a.1));
    let dearest = dims.iter().take(DEAREST).map(|(d, bits)| format!("{d} ({bits:.3})"));
    let dearest: Vec<String> = dearest.collect();
    text.push_str(&format!("dearest dimensions (bits a row): {}\n", dearest.join(", ")));
    if !r.by_cost.is_empty() {
        let mut lines = vec![["row", "nats"].map(String::from).to_vec()];
        lines.extend(r.by_cost.iter().map(|c| vec![c.row.to_string(), format!("{:.3}", c.nats)]));
        text.push_str(&table(&lines));
    }
    text
}
