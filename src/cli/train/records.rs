//! `madezip train --kind records`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::args::{OrderingArg, RecordsArgs, TrainArgs};
use crate::catalog::hex;
use crate::cli::console::Console;
use crate::cli::rows;
use crate::cli::settings::Settings;
use crate::engine::torch::TorchDevice;
use crate::made::degrees::DegreeRule;
use crate::made::file::TRAINED_ON;
use crate::made::random::SplitMix64;
use crate::records::Table;
use crate::train::records::{
    BitmapOptions, Options, OrderingChoice, Progress, train, train_bitmaps,
};

/// Share of the rows that are held out when no validation rows are given.
const HOLD_OUT: usize = 10;

pub(super) fn run(args: TrainArgs, settings: &Settings, console: &Console) -> Result<()> {
    let output = &args.output;
    if output.exists() && !args.force {
        bail!("{} exists; -f overwrites it", output.display());
    }
    tch::set_num_threads(settings.threads.max(1) as i32);
    let (train_rows, valid_rows) = tables(&args, console)?;
    let dims = train_rows.dims as f64;
    console.note(
        0,
        None,
        &format!(
            "{} rows to learn from, {} to choose by, {} bits each",
            train_rows.len(),
            valid_rows.len(),
            train_rows.dims,
        ),
    );
    let mut say = |p: &Progress| {
        let per_dim = |nats: f64| nats / dims / std::f64::consts::LN_2;
        console.note(
            0,
            None,
            &format!(
                "{}epoch {}/{}: train {:.5} valid {:.5} best {:.5} bits/dim ({:.3} nats/row), \
                 {} s left",
                if p.quantized { "rounded, " } else { "" },
                p.epoch,
                p.epochs,
                per_dim(p.train),
                per_dim(p.valid),
                per_dim(p.best),
                p.best,
                p.left.as_secs()
            ),
        );
        true
    };
    let checkpoint = checkpoint(&args)?;
    let device = super::device(settings, console)?;
    let per_dim = |nats: f64| nats / dims / std::f64::consts::LN_2;
    let (mut file, text) = if args.records.shape.is_some() {
        let options = bitmap_options(&args, device, &checkpoint);
        let report = train_bitmaps(&train_rows, &valid_rows, &options, &mut say)?;
        let text = format!(
            "valid {:.5} bits/dim before rounding (estimated), {:.5} rounded ({:.3} nats/row)",
            per_dim(report.float),
            per_dim(report.rounded),
            report.rounded
        );
        (report.made.to_file(), text)
    } else {
        let options = options(&args, &train_rows, device, &checkpoint);
        let report = train(&train_rows, &valid_rows, &options, &mut say)?;
        let text = format!(
            "valid {:.5} bits/dim before rounding, {:.5} rounded, {:.5} after training with \
             rounding ({:.3} nats/row)",
            per_dim(report.float),
            per_dim(report.rounded),
            per_dim(report.quantized),
            report.valid()
        );
        (report.model.to_file(), text)
    };
    file.metadata.insert(TRAINED_ON.into(), super::trained_on(&args, None));
    file.write(output).with_context(|| format!("{} cannot be written", output.display()))?;
    let _ = std::fs::remove_file(checkpoint);
    console.note(0, Some(output), &format!("model {}: {text}", &hex(&file.id())[..12]));
    Ok(())
}

/// Where the state of training is kept.
fn checkpoint(args: &TrainArgs) -> Result<PathBuf> {
    let mut checkpoint = OsString::from(&args.output);
    checkpoint.push(".checkpoint");
    let checkpoint = PathBuf::from(checkpoint);
    if args.resume && !checkpoint.exists() {
        bail!("there is no {} to go on from", checkpoint.display());
    }
    Ok(checkpoint)
}

fn bitmap_options(args: &TrainArgs, device: TorchDevice, checkpoint: &Path) -> BitmapOptions {
    let r = &args.records;
    let (height, width) = r.shape.unwrap_or_default();
    BitmapOptions {
        height,
        width,
        up: r.window.0,
        side: r.window.1,
        hidden: r.hidden.clone(),
        activation_bits: r.activation_bits,
        weight_bits: r.weight_bits,
        epochs: args.epochs.unwrap_or(Options::default().epochs),
        batch: r.batch,
        least_chance: r.least_chance,
        moves: r.moves,
        learning_rate: r.learning_rate,
        weight_decay: r.weight_decay,
        dropout: r.dropout,
        averaging: r.averaging,
        bf16: r.bf16,
        patience: r.patience,
        seed: args.seed,
        device,
        checkpoint: Some(checkpoint.into()),
        resume: args.resume,
    }
}

fn options(
    args: &TrainArgs,
    train_rows: &Table,
    device: TorchDevice,
    checkpoint: &Path,
) -> Options {
    let r = &args.records;
    Options {
        hidden: if r.hidden == [0] { Vec::new() } else { r.hidden.clone() },
        ordering: match r.ordering {
            OrderingArg::Natural => OrderingChoice::Natural,
            OrderingArg::Random => OrderingChoice::Random,
            OrderingArg::Learned(method) => OrderingChoice::Sequence(method.sequence(train_rows)),
        },
        orderings: r.orderings,
        masks: r.masks,
        degrees: if r.even_degrees { DegreeRule::Even } else { DegreeRule::Sampled },
        direct: r.direct,
        tied: r.tied,
        activation_bits: r.activation_bits,
        weight_bits: r.weight_bits,
        epochs: args.epochs.unwrap_or(Options::default().epochs),
        quantized_epochs: r.quantized_epochs,
        batch: r.batch,
        learning_rate: r.learning_rate,
        weight_decay: r.weight_decay,
        l1: r.l1,
        dropout: r.dropout,
        bf16: r.bf16,
        averaging: r.averaging,
        patience: r.patience,
        seed: args.seed,
        device,
        checkpoint: Some(checkpoint.into()),
        resume: args.resume,
    }
}

/// Training and validation rows.
fn tables(args: &TrainArgs, console: &Console) -> Result<(Table, Table)> {
    let mut rows: Option<Table> = None;
    for path in &args.data {
        let more = table(path, &args.records, console)?;
        match &mut rows {
            None => rows = Some(more),
            Some(rows) if rows.dims == more.dims => rows.rows.extend(more.rows),
            Some(rows) => bail!(
                "{}: rows of {} bits, those before have {}",
                path.display(),
                more.dims,
                rows.dims
            ),
        }
    }
    let rows = rows.context("there is no data")?;
    match &args.records.valid {
        Some(path) => Ok((rows, table(path, &args.records, console)?)),
        None => Ok(hold_out(rows, args.seed)),
    }
}

/// Takes every tenth row at random.
fn hold_out(table: Table, seed: u64) -> (Table, Table) {
    let row_bytes = table.dims.div_ceil(8);
    let mut order: Vec<usize> = (0..table.len()).collect();
    SplitMix64::new(seed ^ 0x0ff).shuffle(&mut order);
    let pick = |rows: &[usize]| {
        let row = |&r: &usize| &table.rows[r * row_bytes..(r + 1) * row_bytes];
        let rows = rows.iter().flat_map(row).copied().collect();
        Table { rows, converted: true, ..table.clone() }
    };
    let (valid, train) = order.split_at(table.len() / HOLD_OUT);
    (pick(train), pick(valid))
}

fn table(path: &Path, args: &RecordsArgs, console: &Console) -> Result<Table> {
    let dims = args.dims.or(args.shape.map(|(height, width)| height.saturating_mul(width)));
    rows::table(path, args.from, dims, args.offset, console)
}
