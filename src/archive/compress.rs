//! An input becomes one archive.

use std::cell::Cell;
use std::io::{Read, Write};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::block::{Coding, Packed, Place, pack};
use super::blocks::{Blocks, Next};
use super::pipeline::ordered;
use super::threads::{best_at_a_time, side_by_side};
use super::{PROFILE, Progress, Summary};
use crate::codec::BlockCodec;
use crate::container::block::SPLIT_HEAD;
use crate::container::checksum::crc32;
use crate::container::limits::SHORT_LIMIT;
use crate::container::{Header, LongWriter, MODEL_FRAME, Short, Skippable, TAG_LEN};
use crate::error::Error;
use crate::split::Records;
use crate::stream::coding::Level;

/// How to compress.
#[derive(Clone, Debug)]
pub struct CompressOptions {
    /// Bytes of content in a block, 1 to [`MAX_BLOCK`](crate::container::limits::MAX_BLOCK)
    /// (values outside are taken as the nearest inside), made smaller to a multiple of
    /// [`BlockCodec::block_unit`]. Unless given it goes by the level and the content's
    /// size: 16 MiB, or 8 MiB at the fast level, or less so that blocks are of equal size; and
    /// a block ends where other content begins that is better coded by itself.
    /// It changes the archive.
    pub block_size: Option<u32>,
    /// At which blocks are coded, if the model has it; a model always has the default
    /// one. It changes the archive, as [`Self::or_default`] does.
    pub level: Level,
    /// Whether a block of at most 64 KiB is coded at the default level, too, and the shorter
    /// payload is kept.
    pub or_default: bool,
    /// For blocks side by side, or for stages of one. It does not change the archive.
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
    let mut blocks = Blocks::new(
        input,
        codec,
        level,
        options.block_size,
        options.content_size,
        options.records.map(|records| records.rule),
    );
    let mut summary = Summary::default();
    let first = blocks.next()?;
    let second = if blocks.are_over() { None } else { blocks.next()? };
    let only = second.is_none();
    let check_size = |read: u64| match options.content_size {
        Some(declared) if declared != read => Err(Error::SizeChanged { declared, read }),
        _ => Ok(()),
    };
    let room = SHORT_LIMIT - if options.records.is_some() { SPLIT_HEAD } else { 0 };
    let first_len = first.as_ref().map_or(0, |block| block.raw.len() as u64);
    if only && first_len < u64::from(room) {
        check_size(first_len)?;
        let short = short(first, codec, options, &mut summary, progress)?;
        let frame = model_frame(&mut output, options)?;
        output.write_all(&short).map_err(Error::Write)?;
        summary.archive = frame + short.len() as u64;
        progress.archive(summary.archive);
        return Ok(summary);
    }

    let header = Header {
        profile: PROFILE,
        block_size: blocks.limit(),
        content_size: options.content_size,
        model: codec.model_id(),
    };
    let frame = model_frame(&mut output, options)?;
    let mut writer = LongWriter::start(&mut output, &header).map_err(Error::Write)?;
    let mut hasher = Sha256::new();
    let mut read = 0u64;
    let threads = options.threads.max(1);
    let at_a_time = match codec.block_threads() {
        _ if only => 1,
        // records are coded one after the other, in blocks that are smaller than others
        _ if options.records.is_some() => threads,
        // side by side, the threads would wait for those that have the largest of a few blocks
        of_block if blocks.are_few() => threads.div_ceil(of_block.max(1)),
        // any number: those that there are no blocks for
        usize::MAX => header.blocks().map_or(threads, |n| side_by_side(threads, n)),
        of_block => match options.content_size {
            Some(content) => best_at_a_time(threads, of_block, content, blocks.size()),
            None => threads,
        },
    };
    let each = threads / at_a_time;
    let mut ahead = [first, second].into_iter().flatten();
    ordered(
        &Cell::new(at_a_time),
        || -> Result<Option<Next>, Error> {
            let next = match ahead.next() {
                Some(next) => Some(next),
                None => blocks.next()?,
            };
            if let Some(Next { raw, .. }) = &next {
                read += raw.len() as u64;
                hasher.update(raw);
            }
            Ok(next)
        },
        |Next { number, raw, regions }| {
            let coding = Coding { number, ..coding(options, Place::Long, each) };
            pack(raw, &regions, codec, coding, progress)
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

/// The bytes of a short archive of a block, shorter than [`SHORT_LIMIT`], or of none.
fn short(
    block: Option<Next>,
    codec: &dyn BlockCodec,
    options: &CompressOptions,
    summary: &mut Summary,
    progress: &dyn Progress,
) -> Result<Vec<u8>, Error> {
    let (raw, regions) = block.map(|block| (block.raw, block.regions)).unwrap_or_default();
    let coding = coding(options, Place::Short, options.threads);
    let b = pack(raw, &regions, codec, coding, progress)?;
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

/// The first block's coding, with so many threads.
fn coding(options: &CompressOptions, place: Place, threads: usize) -> Coding {
    let &CompressOptions { level, or_default, verify, records, .. } = options;
    Coding { place, level, or_default, verify, threads, number: 0, records }
}
