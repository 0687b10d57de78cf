//! What is left of a damaged archive.

use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;

use super::block::{Codecs, Sealed, unpack};
use super::decompress::{check_frame, check_profile, write_content};
use super::memory::Lanes;
use super::models::Models;
use super::{DecompressOptions, ModelSource, Progress, Summary};
use crate::container::checksum::crc32;
use crate::container::pieces::{Piece, next_piece, piece_at, read_block, read_frame, read_short};
use crate::container::prefixes::Prefixes;
use crate::container::scan::{Member, Place, Structure, scan, scan_by_index};
use crate::container::{
    BlockHeader, BlockKind, FormatError, Header, MODEL_FRAME, ModelKey, Short, Skippable,
    block::{BLOCK_HEADER_LEN, SPLIT_HEAD},
};
use crate::error::Error;

/// Bytes of archive that a byte of content takes, at most: it may be a block.
const MOST_PER_BYTE: u64 = BLOCK_HEADER_LEN as u64 + 1 + SPLIT_HEAD as u64;

/// A part of the input that gave no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Where in the input.
    pub archive: Range<u64>,
    /// Where in the recovered content it is missing.
    pub at: u64,
    /// Bytes of content lost, if that is known.
    pub content: Option<u64>,
    /// What is wrong there.
    pub why: String,
}

/// What was recovered and what was not.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// What was written.
    pub summary: Summary,
    /// What was lost, in order.
    pub losses: Vec<Loss>,
}

/// A long archive whose parts are being found.
#[derive(Default)]
struct Open {
    header: Option<Header>,
    /// Bytes of content that were written or are known to be lost.
    accounted: u64,
    /// Losses before what lies behind the last block.
    losses_before: usize,
}

/// Writes the content of every intact block of `input`, in order, and says what
/// is lost. Where headers and index are whole they tell where the blocks are.
/// Else damage is passed over, and the next part is found by its checksum; if
/// the content holds archives itself, stored, blocks of theirs may then be taken
/// for blocks of this one. A block whose model cannot be had, or that needs more than
/// `memory_limit` bytes to be decoded, is lost. An error is returned only if the input cannot be
/// read or the output not be written.
pub fn recover<R: Read + Seek>(
    input: &mut R,
    mut output: impl Write,
    models: &dyn ModelSource,
    memory_limit: Option<u64>,
    progress: &dyn Progress,
) -> Result<Recovered, Error> {
    let end = input.seek(SeekFrom::End(0)).map_err(Error::Read)?;
    let mut means = Means::new(models, memory_limit);
    let mut r = Recovered::default();
    let unknown = |e: &FormatError| matches!(e, FormatError::UnknownFeature { .. });
    match scan(input).or_else(|e| if unknown(&e) { Err(e) } else { scan_by_index(input) }) {
        Ok(members) => {
            for member in &members {
                r.member(input, member, &mut output, &mut means, progress)?;
            }
            r.summary.archive = end;
            return Ok(r);
        }
        // checksums are right: this is no damage
        Err(e) if unknown(&e) => return Err(e.into()),
        Err(_) => {}
    }
    let mut open = Open::default();
    let mut prefixes = None;
    let mut at = 0;
    while at < end {
        let start = at;
        match piece_at(input, at, end)? {
            None => {
                at = next_piece(input, at + 1, end)?;
                r.lose(start..at, None, "nothing of an archive begins here");
            }
            Some(Piece::Header(header, len)) => {
                r.close(&open, None, start);
                open = Open { header: Some(header), accounted: 0, losses_before: r.losses.len() };
                at += len;
            }
            Some(Piece::Footer(footer, len)) => {
                let content = footer.entries().flatten().map(|e| u64::from(e.raw_len)).sum();
                r.close(&open, Some(content), start);
                open = Open { losses_before: r.losses.len(), ..Default::default() };
                at += len;
            }
            Some(Piece::Skippable(frame, len)) => {
                at = (at + len).min(end);
                match frame.known() {
                    Ok(frame) => r.frame(input, start, &frame, at, &mut means)?,
                    Err(why) => r.lose(start..at, Some(0), &why.to_string()),
                }
            }
            Some(Piece::Short(short, len)) => {
                let raw_len = short.raw_len;
                let sealed = means.short(short, start);
                match r.keep(sealed, &mut output, progress)? {
                    Ok(()) => at += len,
                    Err(why) => {
                        at = match why {
                            Error::Memory { .. } => at + len,
                            // it may be none, and real ones lie in what it took for its payload
                            _ => next_piece(input, start + 1, end)?,
                        };
                        r.lose(start..at, Some(raw_len.into()), &why.to_string());
                    }
                }
            }
            Some(Piece::Block(head)) => {
                let after = start + (BLOCK_HEADER_LEN as u64) + u64::from(head.payload_len);
                if head.content_offset < open.accounted {
                    r.lose(start..start, None, "the block here is of another place or archive");
                    open = Open { losses_before: r.losses.len(), ..Default::default() };
                }
                r.account(&open, head.content_offset, start, MOST_PER_BYTE);
                open.accounted = head.content_offset.saturating_add(head.raw_len.into());
                open.losses_before = r.losses.len();
                if let (Err(why), true) =
                    (means.lanes.make_room_for_bytes(head.raw_len.into()), after <= end)
                {
                    at = after;
                    r.lose(start..at, Some(head.raw_len.into()), &why.to_string());
                    continue;
                }
                let why = match payload(input, &head, start, end, &mut prefixes)? {
                    Ok(payload) => {
                        at = after;
                        let sealed = means.block(&head, payload, (0, start), open.header.as_ref());
                        if let Err(why) = r.keep(sealed, &mut output, progress)? {
                            r.lose(start..at, Some(head.raw_len.into()), &why.to_string());
                        }
                        continue;
                    }
                    Err(why) => why,
                };
                // its payload may lack bytes, and the next part begin inside it
                at = next_piece(input, start + 1, end)?;
                r.lose(start..at, Some(head.raw_len.into()), why);
            }
        }
    }
    r.close(&open, None, end);
    r.summary.archive = end;
    Ok(r)
}

/// The payload of a block, or what is wrong with it. From the first wrong checksum on
/// `prefixes` tells whether one is right before the payload is read.
fn payload<R: Read + Seek>(
    input: &mut R,
    head: &BlockHeader,
    offset: u64,
    end: u64,
    prefixes: &mut Option<Prefixes>,
) -> Result<Result<Vec<u8>, &'static str>, Error> {
    const WRONG: &str = "the checksum of the block's bytes";
    let start = offset + BLOCK_HEADER_LEN as u64;
    if u64::from(head.payload_len) > end - start {
        return Ok(Err("the block is cut off"));
    }
    let part = start..start + u64::from(head.payload_len);
    if let Some(prefixes) = prefixes
        && prefixes.crc32_of(input, part).map_err(Error::Read)? != head.payload_crc
    {
        return Ok(Err(WRONG));
    }
    let mut payload = Vec::new();
    input.seek(SeekFrom::Start(start)).map_err(Error::Read)?;
    input.take(head.payload_len.into()).read_to_end(&mut payload).map_err(Error::Read)?;
    if crc32(&payload) == head.payload_crc {
        return Ok(Ok(payload));
    }
    if prefixes.is_none() {
        *prefixes = Some(Prefixes::new(input).map_err(Error::Read)?);
    }
    Ok(Err(WRONG))
}

/// What blocks are decoded with.
struct Means<'a> {
    models: Models<'a>,
    options: DecompressOptions,
    lanes: Lanes,
}

impl<'a> Means<'a> {
    fn new(models: &'a dyn ModelSource, memory_limit: Option<u64>) -> Self {
        let options = DecompressOptions { memory_limit, ..Default::default() };
        Self { models: Models::new(models), lanes: Lanes::new(&options), options }
    }

    /// The codecs for a block of an archive of a profile, if they fit into memory.
    fn codecs(
        &mut self,
        (kind, raw_len): (BlockKind, u32),
        payload: &[u8],
        profile: Option<u16>,
        key: Option<ModelKey>,
    ) -> Result<Codecs, Error> {
        match profile {
            Some(profile) if kind.needs_model() => check_profile(profile)?,
            _ => {}
        }
        let codecs = self.models.find(kind, key)?;
        let room = |codecs: &Codecs| self.lanes.make_room(kind, raw_len.into(), payload, codecs);
        match room(&codecs) {
            // which of them it is, nobody knows
            Err(why) if key.is_none() => {
                let fitting = codecs.iter().filter(|&c| room(&[c.clone()].into()).is_ok());
                let fitting: Codecs = fitting.cloned().collect();
                if fitting.is_empty() { Err(why) } else { Ok(fitting) }
            }
            other => other.map(|()| codecs),
        }
    }

    fn short(&mut self, short: Short, offset: u64) -> Result<Sealed, Error> {
        let (profile, key) = (Some(short.profile), Some(ModelKey::Tag(short.tag)));
        let codecs = self.codecs((short.kind, short.raw_len), &short.payload, profile, key)?;
        Ok(Sealed::short(short, codecs, offset))
    }

    fn block(
        &mut self,
        head: &BlockHeader,
        payload: Vec<u8>,
        (number, offset): (u64, u64),
        header: Option<&Header>,
    ) -> Result<Sealed, Error> {
        let (profile, key) = header.map(|h| (h.profile, ModelKey::Id(h.model))).unzip();
        let codecs = self.codecs((head.kind, head.raw_len), &payload, profile, key)?;
        Ok(Sealed::block(head, payload, codecs, (number, offset)))
    }
}

impl Recovered {
    /// Keeps what is intact of a member whose structure is known.
    fn member<R: Read + Seek>(
        &mut self,
        input: &mut R,
        member: &Member,
        output: &mut impl Write,
        means: &mut Means<'_>,
        progress: &dyn Progress,
    ) -> Result<(), Error> {
        let end = member.offset + member.len;
        match &member.what {
            Structure::Skippable(frame) => self.frame(input, member.offset, frame, end, means),
            Structure::Short { .. } => {
                let short = read_short(input, member.offset)?;
                let raw_len = short.raw_len;
                let sealed = means.short(short, member.offset);
                if let Err(why) = self.keep(sealed, output, progress)? {
                    self.lose(member.offset..end, Some(raw_len.into()), &why.to_string());
                }
                Ok(())
            }
            Structure::Long { header, .. } => {
                for place in member.places() {
                    let Place { number, offset: start, entry, .. } = place;
                    let room = means.lanes.make_room_for_bytes(entry.raw_len.into());
                    let read = room.and_then(|()| Ok(read_block(input, &place)?));
                    let lost = match read {
                        Ok((head, payload)) => {
                            let sealed = means.block(&head, payload, (number, start), Some(header));
                            self.keep(sealed, output, progress)?.err()
                        }
                        Err(e @ Error::Read(_)) => return Err(e),
                        Err(e) => Some(e),
                    };
                    if let Some(why) = lost {
                        let end = start + BLOCK_HEADER_LEN as u64 + u64::from(entry.payload_len);
                        self.lose(start..end, Some(entry.raw_len.into()), &why.to_string());
                    }
                }
                Ok(())
            }
        }
    }

    /// Takes a model from a frame. Other frames are nothing to keep or to lose.
    fn frame<R: Read + Seek>(
        &mut self,
        input: &mut R,
        offset: u64,
        frame: &Skippable,
        end: u64,
        means: &mut Means<'_>,
    ) -> Result<(), Error> {
        if frame.kind != MODEL_FRAME {
            return Ok(());
        }
        let model = check_frame(frame, &means.options)
            .and_then(|()| Ok(read_frame(input, offset, frame)?))
            .and_then(|packed| means.models.embed(packed, means.options.memory_limit));
        match model {
            Err(e @ Error::Read(_)) => Err(e),
            Err(e) => {
                self.lose(offset..end, Some(0), &format!("the embedded model: {e}"));
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Writes the content of a block, or says why there is none.
    fn keep(
        &mut self,
        sealed: Result<Sealed, Error>,
        output: &mut impl Write,
        progress: &dyn Progress,
    ) -> Result<Result<(), Error>, Error> {
        let sealed = match sealed {
            Ok(sealed) => sealed,
            Err(why) => return Ok(Err(why)),
        };
        let (kind, raw_len, payload) = (sealed.kind, sealed.raw_len, sealed.payload.len());
        Ok(match unpack(sealed, progress) {
            Ok(content) => {
                write_content(output, &content, |_| {}).map_err(Error::Write)?;
                self.summary.add(kind, raw_len.into(), payload as u64);
                Ok(())
            }
            Err(why) => Err(why),
        })
    }

    fn lose(&mut self, archive: Range<u64>, content: Option<u64>, why: &str) {
        let at = self.summary.raw;
        self.losses.push(Loss { archive, at, content, why: why.to_string() });
    }

    /// Content up to `to` is what was before `at`: this tells the length of a single loss of
    /// unknown length, if it has at most so many bytes of archive for each of content (there may
    /// have been another archive else), or that blocks are missing.
    fn account(&mut self, open: &Open, to: u64, at: u64, most_per_byte: u64) {
        let Some(missing) = to.checked_sub(open.accounted) else { return };
        let mut unknown: Vec<&mut Loss> =
            self.losses[open.losses_before..].iter_mut().filter(|l| l.content.is_none()).collect();
        match (unknown.len(), missing) {
            (1, _) => {
                let Range { start, end } = unknown[0].archive;
                let most = missing.saturating_mul(most_per_byte).saturating_add(MOST_PER_BYTE);
                unknown[0].content = (end - start <= most).then_some(missing);
            }
            (0, 1..) => self.lose(at..at, Some(missing), "blocks are missing"),
            _ => {}
        }
    }

    /// At the end of a long archive, if its header or its index tell how much content it has.
    fn close(&mut self, open: &Open, from_index: Option<u64>, at: u64) {
        let declared = open.header.as_ref().and_then(|h| h.content_size).or(from_index);
        if let Some(declared) = declared {
            self.account(open, declared, at, u64::MAX);
        }
    }
}
