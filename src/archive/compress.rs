//! An input becomes one archive.

use std::cell::Cell;
use std::io::{Read, Write};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::block::{Coding, Packed, Place, pack};
use super::block_size::{block_size, whole_units};
use super::cut::Cut;
use super::pipeline::ordered;
use super::{PROFILE, Progress, Summary};
use crate::codec::BlockCodec;
use crate::container::block::SPLIT_HEAD;
use crate::container::checksum::crc32;
use crate::container::limits::{RECORDS_BLOCK, SHORT_LIMIT};
use crate::container::{Header, LongWriter, MODEL_FRAME, Short, Skippable, TAG_LEN};
use crate::error::Error;
use crate::split::Records;
use crate::stream::coding::Level;
use crate::stream::signal::find::continued;
use crate::stream::signal::regions::Region;

/// How to compress.
#[derive(Clone, Debug)]
pub struct CompressOptions {
    /// Bytes of content in a block, 1 to [`MAX_BLOCK`](crate::container::limits::MAX_BLOCK)
    /// (values outside are taken as the nearest inside), made smaller to a multiple of
    /// [`BlockCodec::block_unit`]. Unless given it goes by the level and the content's
    /// size: 16 MiB, or 8 MiB at the fast level, or less so that blocks are of equal size.
    /// It changes the archive.
    pub block_size: Option<u32>,
    /// At which blocks are coded, if the model has it; a model always has the default
    /// one. It changes the archive, as [`Self::or_default`] does.
    pub level: Level,
    /// Whether a block of at most 64 KiB is coded at the default level, too, and the shorter
    /// payload is kept.
    pub or_default: bool,
    /// Blocks coded at a time. It does not change the archive.
    pub threads: usize,
    /// Length of the input, if known. It is written into a long archive, and an
    /// input of another length is an error.
    pub content_size: Option<u64>,
    /// Decode every block and compare before it is written.
    pub verify: bool,
    /// Code each record by itself, so that any can be had alone.
    pub records: Option<Records>,
    /// A model that travels with the archive, as [`crate::made::packed`] packs it.
    pub model: Option<Arc<[u8]>>,
}

impl Default for CompressOptions {
    fn default() -> Self {
        Self {
            block_size: None,
            level: Level::Default,
            or_default: false,
            threads: 1,
            content_size: None,
            verify: false,
            records: None,
            model: None,
        }
    }
}

impl CompressOptions {
    /// With the level of a number from 1 to 9, as the command line has them: from 7 on the best
    /// one, or the default one where a short block is better there.
    pub fn with_level(self, number: u8) -> Self {
        let level = Level::of_number(number);
        Self { level, or_default: level == Level::Best, ..self }
    }
}

/// A block that is to be coded.
struct Next {
    number: u64,
    raw: Vec<u8>,
    /// What goes on at its beginning.
    begun: Option<Region>,
}

/// Reads `input` to its end and writes one archive to `output`, which is not
/// flushed.
pub fn compress(
    input: impl Read,
    mut output: impl Write,
    codec: &dyn BlockCodec,
    options: &CompressOptions,
    progress: &dyn Progress,
) -> Result<Summary, Error> {
    let level = if codec.has_level(options.level) { options.level } else { Level::Default };
    // records have blocks of their own size, and none of them may be longer than this
    let content_size = options.content_size.filter(|_| options.records.is_none());
    let block_size = match options.block_size {
        Some(size) => whole_units(size, codec.block_unit()),
        None => block_size(level, content_size, codec.block_unit()),
    };
    let rule = options.records.map(|r| (r.rule, RECORDS_BLOCK));
    let mut blocks = Cut::new(input, block_size, rule);
    let mut summary = Summary::default();
    let first = blocks.next()?;
    let mut second = None;
    let mut only = blocks.is_ended();
    if !only {
        let next = blocks.next()?;
        only = next.is_empty();
        second = Some(next);
    }
    let check_size = |read: u64| match options.content_size {
        Some(declared) if declared != read => Err(Error::SizeChanged { declared, read }),
        _ => Ok(()),
    };
    let room = SHORT_LIMIT - if options.records.is_some() { SPLIT_HEAD } else { 0 };
    if only && (first.len() as u64) < u64::from(room) {
        check_size(first.len() as u64)?;
        let short = short(first, codec, options, &mut summary, progress)?;
        let frame = model_frame(&mut output, options)?;
        output.write_all(&short).map_err(Error::Write)?;
        summary.archive = frame + short.len() as u64;
        progress.archive(summary.archive);
        return Ok(summary);
    }

    let header = Header {
        profile: PROFILE,
        block_size,
        content_size: options.content_size,
        model: codec.model_id(),
    };
    let frame = model_frame(&mut output, options)?;
    let mut writer = LongWriter::start(&mut output, &header).map_err(Error::Write)?;
    let mut hasher = Sha256::new();
    let mut read = 0u64;
    let mut number = 0;
    // samples of a file that is longer than a block
    let mut goes_on = None;
    // a single block may use what others do not need
    let each = if only { options.threads } else { 1 };
    let mut ahead = [Some(first), second].into_iter().flatten();
    ordered(
        &Cell::new(options.threads),
        || -> Result<Option<Next>, Error> {
            let raw = match ahead.next() {
                Some(raw) => raw,
                None => blocks.next()?,
            };
            read += raw.len() as u64;
            if raw.is_empty() {
                return Ok(None);
            }
            hasher.update(&raw);
            number += 1;
            let begun = goes_on;
            if !only {
                goes_on = continued(&raw, begun);
            }
            Ok(Some(Next { number: number - 1, raw, begun }))
        },
        |Next { number, raw, begun }| {
            let coding = Coding { number, threads: each, ..coding(options, Place::Long) };
            pack(raw, begun, codec, coding, progress)
        },
        |packed: Result<Packed, Error>| {
            let b = packed?;
            writer.block(b.kind, b.raw_len, b.raw_crc, &b.payload).map_err(Error::Write)?;
            summary.add(b.kind, b.raw_len.into(), b.payload.len() as u64);
            summary.ideal_bits += b.ideal_bits;
            progress.archive(b.payload.len() as u64);
            Ok(())
        },
    )?;
    check_size(read)?;
    let (_, len) = writer.finish(hasher.finalize().into()).map_err(Error::Write)?;
    summary.archive = frame + len;
    Ok(summary)
}

/// Writes the model that travels with the archive, if one does; returns the
/// bytes written.
fn model_frame(output: &mut impl Write, options: &CompressOptions) -> Result<u64, Error> {
    let Some(content) = &options.model else { return Ok(0) };
    let len = content.len() as u64;
    let header = Skippable { kind: MODEL_FRAME, len, crc: crc32(content) }.to_bytes();
    output.write_all(&header).and_then(|()| output.write_all(content)).map_err(Error::Write)?;
    Ok(header.len() as u64 + len)
}

/// The bytes of a short archive of `raw`, shorter than [`SHORT_LIMIT`].
fn short(
    raw: Vec<u8>,
    codec: &dyn BlockCodec,
    options: &CompressOptions,
    summary: &mut Summary,
    progress: &dyn Progress,
) -> Result<Vec<u8>, Error> {
    let b = pack(raw, None, codec, coding(options, Place::Short), progress)?;
    if b.raw_len > 0 {
        summary.add(b.kind, b.raw_len.into(), b.payload.len() as u64);
    }
    summary.ideal_bits += b.ideal_bits;
    let coded = b.kind.needs_model();
    let mut tag = [0; TAG_LEN];
    tag.copy_from_slice(&codec.model_id()[..TAG_LEN]);
    let short = Short {
        profile: if coded { PROFILE } else { 0 },
        kind: b.kind,
        tag,
        raw_len: b.raw_len,
        raw_crc: b.raw_crc,
        payload: b.payload,
    };
    short.to_bytes().ok_or_else(|| Error::Write(std::io::Error::other("not a short block")))
}

/// The first block's coding, with one thread.
fn coding(options: &CompressOptions, place: Place) -> Coding {
    let &CompressOptions { level, or_default, verify, records, .. } = options;
    Coding { place, level, or_default, verify, threads: 1, number: 0, records }
}
