//! A part of the content, decoding only the blocks that hold it.

use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use super::block::{Codecs, Content, Sealed, unpack};
use super::decompress::{check_memory, check_profile, write_content};
use super::pipeline::ordered;
use super::{DecompressOptions, ModelSource, Progress, Summary};
use crate::container::scan::{Structure, read_block, scan};
use crate::container::{
    BlockKind, Event, FormatError, IndexEntry, ModelKey, Reader, block::BLOCK_HEADER_LEN,
};
use crate::error::Error;

/// A block that holds some of the range.
struct Wanted {
    number: u64,
    offset: u64,
    entry: IndexEntry,
    /// Its archive's model, if its archive is a long one.
    long: Option<ModelKey>,
    /// The part of its content that is wanted.
    part: Range<usize>,
}

/// Writes the content from `range.start` to before `range.end` to `output`.
/// Beside headers and indexes it reads only the blocks that hold some of it,
/// each checked as by [`super::decompress`]; the content's SHA-256 is not.
pub fn decompress_range<R: Read + Seek>(
    input: &mut R,
    mut output: impl Write,
    range: Range<u64>,
    models: &dyn ModelSource,
    options: &DecompressOptions,
    progress: &dyn Progress,
) -> Result<Summary, Error> {
    let mut wanted = find(input, &range, options)?.into_iter();
    let mut summary = Summary::default();
    let mut known: Option<(ModelKey, Codecs)> = None;
    let source = || -> Result<Option<(Sealed, Range<usize>)>, Error> {
        let Some(w) = wanted.next() else { return Ok(None) };
        let (raw_crc, payload, key) = match w.long {
            Some(key) => {
                let (head, payload) = read_block(input, w.number, w.offset, &w.entry)?;
                (head.raw_crc, payload, key)
            }
            None => {
                input.seek(SeekFrom::Start(w.offset)).map_err(Error::Read)?;
                match Reader::new(BufReader::new(&mut *input)).next_event()? {
                    Some(Event::Short { short, .. }) => {
                        (short.raw_crc, short.payload, ModelKey::Tag(short.tag))
                    }
                    _ => {
                        let what = "it changed while it was read";
                        return Err(FormatError::Damaged { offset: w.offset, what }.into());
                    }
                }
            }
        };
        progress.archive(payload.len() as u64);
        let codecs = match &known {
            _ if w.entry.kind != BlockKind::Coded => [].into(),
            Some((k, codecs)) if *k == key => codecs.clone(),
            _ => {
                let codecs: Codecs = models.codecs(&key)?.into();
                known = Some((key, codecs.clone()));
                codecs
            }
        };
        let (kind, raw_len) = (w.entry.kind, w.entry.raw_len);
        let (number, offset) = (w.number, w.offset);
        let sealed = Sealed { kind, raw_len, raw_crc, payload, codecs, number, offset };
        Ok(Some((sealed, w.part)))
    };
    let work = |(sealed, part): (Sealed, Range<usize>)| {
        let (kind, payload) = (sealed.kind, sealed.payload.len() as u64);
        unpack(sealed, progress).map(|content| (kind, payload, content, part))
    };
    let sink = |done: Result<(BlockKind, u64, Content, Range<usize>), Error>| {
        let (kind, payload, content, part) = done?;
        let len = part.len() as u64;
        match content {
            Content::Bytes(bytes) => output.write_all(&bytes[part]),
            Content::Run(b, _) => {
                write_content(&mut output, &Content::Run(b, part.len() as u32), |_| {})
            }
        }
        .map_err(Error::Write)?;
        summary.add(kind, len, payload);
        Ok(())
    };
    ordered(options.threads, source, work, sink)?;
    summary.archive = summary.payload();
    Ok(summary)
}

/// The blocks that hold some of `range`, in order.
fn find<R: Read + Seek>(
    input: &mut R,
    range: &Range<u64>,
    options: &DecompressOptions,
) -> Result<Vec<Wanted>, Error> {
    let mut wanted = Vec::new();
    let mut at = 0u64;
    for member in scan(input)? {
        let (mut offset, long) = match &member.what {
            Structure::Long { header, header_len, .. } => {
                check_profile(header.profile)?;
                check_memory(header.block_size, options)?;
                (member.offset + header_len, Some(ModelKey::Id(header.model)))
            }
            Structure::Short { profile, model, .. } => {
                if model.is_some() {
                    check_profile(*profile)?;
                }
                (member.offset, None)
            }
            Structure::Skippable(_) => continue,
        };
        for (number, entry) in (0..).zip(member.blocks()) {
            let end = at + u64::from(entry.raw_len);
            let (from, to) = (range.start.clamp(at, end), range.end.clamp(at, end));
            if from < to {
                let part = (from - at) as usize..(to - at) as usize;
                wanted.push(Wanted { number, offset, entry: *entry, long, part });
            }
            offset += BLOCK_HEADER_LEN as u64 + u64::from(entry.payload_len);
            at = end;
        }
    }
    if range.start > range.end || range.end > at {
        return Err(Error::Range { start: range.start, end: range.end, content: at });
    }
    Ok(wanted)
}
