//! `madezip sample`.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::args::SampleArgs;
use super::codecs::Codecs;
use super::console::Console;
use super::files::is_dash;
use super::output::Output;
use super::rows;
use super::settings::Settings;
use crate::records::RecordsCodec;

/// Most bytes of rows that are drawn at once.
const MOST_BYTES: usize = 1 << 30;

pub(super) fn run(args: SampleArgs, settings: &Settings, console: &Console) -> Result<()> {
    let model = Codecs::new(settings).choose(settings)?;
    let codec = &model
        .records(0)?
        .context("samples come from models of records: name one with -m MODEL")?
        .with_threads(settings.threads);
    console.note(1, None, &format!("model {}", model.words()));
    if args.output.is_none() && args.png.is_none() {
        bail!("-o OUT writes the rows, --png OUT draws them: name one or both");
    }
    let row_bytes = codec.layout().row_bytes();
    let drawn = match (&args.condition, args.keep) {
        (Some(path), Some(keep)) => {
            let dims = codec.layout().dims();
            if keep > dims {
                bail!("--keep {keep}: rows of this model have {dims} dimensions");
            }
            let table = rows::table(path, args.from, Some(dims), 0, console)?;
            check(table.rows.len(), args.rows)?;
            let given: Vec<u8> =
                table.rows.chunks_exact(row_bytes).flat_map(|row| row.repeat(args.rows)).collect();
            codec.complete(&given, keep, args.seed)
        }
        _ => {
            check(row_bytes, args.rows)?;
            codec.sample(args.rows, args.seed)
        }
    };
    if let Some(path) = &args.output {
        write(path, &drawn, args.force)?;
    }
    if let Some(path) = &args.png {
        write(path, &picture(codec, &drawn, &args)?, args.force)?;
    }
    Ok(())
}

fn check(bytes: usize, times: usize) -> Result<()> {
    match bytes.checked_mul(times) {
        Some(all) if all <= MOST_BYTES => Ok(()),
        _ => bail!("this is more than {MOST_BYTES} bytes of rows: draw fewer, with several seeds"),
    }
}

fn write(path: &Path, bytes: &[u8], force: bool) -> Result<()> {
    let mut output = if is_dash(path) {
        Output::stdout(true, force)?
    } else {
        Output::file(path, force, false)?
    };
    output.write_all(bytes).with_context(|| format!("{} cannot be written", path.display()))?;
    output.finish(None).map(drop)
}

/// Rows as a grid of bitmaps in a PNG file.
#[cfg(feature = "png")]
fn picture(codec: &RecordsCodec, drawn: &[u8], args: &SampleArgs) -> Result<Vec<u8>> {
    let dims = codec.layout().dims();
    let (height, width) = args
        .shape
        .or(codec.shape())
        .context("--shape HxW says how rows are drawn; this model does not know")?;
    if height.checked_mul(width) != Some(dims) {
        bail!("--shape {height}x{width} does not fit rows of {dims} bits");
    }
    let rows: Vec<&[u8]> = drawn.chunks_exact(codec.layout().row_bytes()).collect();
    let columns = match &args.condition {
        // the completions of a row beside each other
        Some(_) if args.rows > 1 => args.rows.min(50),
        _ => (rows.len() as f64).sqrt().ceil() as usize,
    };
    grid(&rows, columns, (height, width))
}

#[cfg(not(feature = "png"))]
fn picture(_: &RecordsCodec, _: &[u8], _: &SampleArgs) -> Result<Vec<u8>> {
    bail!("this madezip was built without the feature png, which pictures need")
}

/// Bitmaps side by side, ones white on black, grey lines between.
#[cfg(feature = "png")]
fn grid(rows: &[&[u8]], columns: usize, (height, width): (usize, usize)) -> Result<Vec<u8>> {
    /// Least side of a bitmap on the picture: small ones are drawn larger.
    const LEAST: usize = 50;
    /// Most pixels of a picture.
    const MOST: usize = 1 << 28;
    let scale = LEAST.div_ceil(height.max(width)).max(1);
    let (h, w) = (height * scale + 1, width * scale + 1);
    let lines = rows.len().div_ceil(columns.max(1));
    let (full_w, full_h) = (columns * w + 1, lines * h + 1);
    if full_w.checked_mul(full_h).is_none_or(|all| all > MOST) {
        bail!("this picture is too large: draw fewer rows");
    }
    let mut pixels = vec![96u8; full_w * full_h];
    for (i, row) in rows.iter().enumerate() {
        for y in 0..height * scale {
            let line = (i / columns * h + 1 + y) * full_w + i % columns * w + 1;
            for x in 0..width * scale {
                let d = y / scale * width + x / scale;
                pixels[line + x] = if row[d / 8] >> (7 - d % 8) & 1 == 1 { 255 } else { 0 };
            }
        }
    }
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, full_w as u32, full_h as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().context("the picture")?;
    writer.write_image_data(&pixels).context("the picture")?;
    writer.finish().context("the picture")?;
    Ok(out)
}
