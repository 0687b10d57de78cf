//! A part of the content, decoding only the blocks that hold it.

use std::io::{Read, Seek, Write};
use std::ops::Range;

use super::block::{Codecs, Content, Sealed, unpack};
use super::decompress::{check_frame, check_profile, write_content};
use super::memory::Lanes;
use super::models::Models;
use super::pipeline::ordered;
use super::{DecompressOptions, ModelSource, Progress, Summary};
use crate::container::pieces::{read_block, read_frame, read_short};
use crate::container::scan::{Place, Structure, scan};
use crate::container::{BlockKind, FormatError, IndexEntry, MODEL_FRAME, ModelKey, Skippable};
use crate::error::Error;

/// What a range counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Bytes,
    Records,
}

impl Unit {
    /// How many of these a block holds.
    fn of(self, entry: &IndexEntry) -> u64 {
        match self {
            Self::Bytes => entry.raw_len.into(),
            Self::Records => entry.records.into(),
        }
    }
}

/// A block that holds some of the range.
struct Wanted {
    place: Place,
    /// Its archive's model, if its archive is a long one.
    long: Option<ModelKey>,
    /// The part of it that is wanted.
    part: Range<u64>,
    /// The last model before it that the input brings, and where its frame begins.
    model: Option<(u64, Skippable)>,
}

/// Writes the content from `range.start` to before `range.end` to `output`.
/// Beside headers (those of all blocks) and indexes it reads only the blocks that hold some
/// of it, each checked as by [`super::decompress`]; the content's SHA-256 is not.
pub fn decompress_range<R: Read + Seek>(
    input: &mut R,
    output: impl Write,
    range: Range<u64>,
    models: &dyn ModelSource,
    options: &DecompressOptions,
    progress: &dyn Progress,
) -> Result<Summary, Error> {
    decode(input, output, Unit::Bytes, range, models, options, progress)
}

/// Writes the records from number `range.start` to before `range.end` to `output`,
/// joined, and decodes no other. The bytes of their blocks are checked. Of a
/// record's content there is no checksum but the one that it may have of its own
/// ([`crate::split::Records::check`]); without, a decoder whose arithmetic were wrong
/// would mostly be found out by a code that does not end where the record does.
pub fn decompress_records<R: Read + Seek>(
    input: &mut R,
    output: impl Write,
    range: Range<u64>,
    models: &dyn ModelSource,
    options: &DecompressOptions,
    progress: &dyn Progress,
) -> Result<Summary, Error> {
    decode(input, output, Unit::Records, range, models, options, progress)
}

fn decode<R: Read + Seek>(
    input: &mut R,
    mut output: impl Write,
    unit: Unit,
    range: Range<u64>,
    models: &dyn ModelSource,
    options: &DecompressOptions,
    progress: &dyn Progress,
) -> Result<Summary, Error> {
    let wanted = find(input, unit, &range)?;
    let mut summary = Summary::default();
    let mut models = Models::new(models);
    let mut model_at = None;
    let lanes = Lanes::new(options);
    let threads = lanes.threads_for(wanted.len() as u64);
    let mut wanted = wanted.into_iter();
    let source = || -> Result<Option<(Sealed, Range<u64>)>, Error> {
        let Some(w) = wanted.next() else { return Ok(None) };
        if let Some((offset, frame)) = w.model
            && model_at != Some(offset)
        {
            check_frame(&frame, options)?;
            models.embed(read_frame(input, offset, &frame)?, options.memory_limit)?;
            model_at = Some(offset);
        }
        let Place { number, offset, entry, .. } = w.place;
        let kind = entry.kind;
        lanes.make_room_for_bytes(entry.raw_len.into())?;
        let mut find = |key, payload: &[u8]| -> Result<Codecs, Error> {
            progress.archive(payload.len() as u64);
            let codecs = models.find(kind, Some(key))?;
            lanes.make_room(kind, entry.raw_len.into(), payload, &codecs)?;
            Ok(codecs)
        };
        let sealed = match w.long {
            Some(key) => {
                let (head, payload) = read_block(input, &w.place)?;
                let codecs = find(key, &payload)?;
                Sealed::block(&head, payload, codecs, (number, offset))
            }
            None => {
                let short = read_short(input, offset)?;
                if (short.kind, short.raw_len) != (kind, entry.raw_len) {
                    return Err(
                        FormatError::Damaged { offset, what: "a part that has changed" }.into()
                    );
                }
                let codecs = find(ModelKey::Tag(short.tag), &short.payload)?;
                Sealed::short(short, codecs, offset)
            }
        };
        let records = (unit == Unit::Records).then(|| w.part.clone());
        let sealed = Sealed { records, threads, ..sealed };
        Ok(Some((sealed, w.part)))
    };
    let work = |(sealed, part): (Sealed, Range<u64>)| {
        let (kind, payload) = (sealed.kind, sealed.payload.len() as u64);
        unpack(sealed, progress).map(|content| (kind, payload, content, part))
    };
    let sink = |done: Result<(BlockKind, u64, Content, Range<u64>), Error>| {
        let (kind, payload, content, part) = done?;
        let len = match content {
            Content::Bytes(bytes) => {
                let part = match unit {
                    Unit::Bytes => &bytes[part.start as usize..part.end as usize],
                    Unit::Records => &bytes,
                };
                output.write_all(part).map(|()| part.len() as u64)
            }
            Content::Run(b, _) => {
                let len = part.end - part.start;
                write_content(&mut output, &Content::Run(b, len as u32), |_| {}).map(|()| len)
            }
        };
        summary.add(kind, len.map_err(Error::Write)?, payload);
        Ok(())
    };
    ordered(&lanes.threads, source, work, sink)?;
    summary.archive = summary.payload();
    Ok(summary)
}

/// The blocks that hold some of `range`, in order.
fn find<R: Read + Seek>(
    input: &mut R,
    unit: Unit,
    range: &Range<u64>,
) -> Result<Vec<Wanted>, Error> {
    let mut wanted = Vec::new();
    let mut at = 0u64;
    let mut model = None;
    let mut whole = true;
    for member in scan(input)? {
        let long = match &member.what {
            Structure::Long { header, .. } => {
                check_profile(header.profile)?;
                Some(ModelKey::Id(header.model))
            }
            Structure::Short { profile, model, .. } => {
                if model.is_some() {
                    check_profile(*profile)?;
                }
                None
            }
            Structure::Skippable(frame) => {
                if frame.kind == MODEL_FRAME {
                    model = Some((member.offset, *frame));
                }
                continue;
            }
        };
        for place in member.places() {
            whole &= place.entry.records > 0 || place.entry.raw_len == 0;
            let end = at + unit.of(&place.entry);
            let (from, to) = (range.start.clamp(at, end), range.end.clamp(at, end));
            if from < to {
                wanted.push(Wanted { place, long, part: from - at..to - at, model });
            }
            at = end;
        }
    }
    let Range { start, end } = *range;
    match unit {
        // records have no numbers where some content has none
        Unit::Records if !whole => Err(Error::NotSplit),
        _ if start <= end && end <= at => Ok(wanted),
        Unit::Records => Err(Error::NoSuchRecords { start, end, records: at }),
        Unit::Bytes => Err(Error::Range { start, end, content: at }),
    }
}
