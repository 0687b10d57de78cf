//! Archives become their content.

use std::cell::Cell;
use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

use super::block::{Content, Sealed, unpack};
use super::memory::Lanes;
use super::models::Models;
use super::pipeline::ordered;
use super::threads::Threads;
use super::{ModelSource, PROFILE, Progress, Summary};
use crate::container::{Event, FormatError, MODEL_FRAME, ModelKey, Reader, Skippable};
use crate::error::Error;

/// How to decompress.
#[derive(Clone, Debug)]
pub struct DecompressOptions {
    /// Blocks decoded at a time, and threads of one where there are no more blocks, at most: any
    /// number for rows of bits, two for a stream with a recurrent layer.
    pub threads: usize,
    /// Bytes of memory that decoding may take: content, payload and the codec's
    /// tables. With less than all threads want, fewer of them work; with less
    /// than one block wants, the archive is refused. A few megabytes for the
    /// program itself are not counted.
    pub memory_limit: Option<u64>,
    /// Bytes of content, at most: with more, it is an error before the block that
    /// passes the limit is decoded.
    pub content_limit: Option<u64>,
}

impl DecompressOptions {
    /// An error if `content` bytes are too many.
    pub(super) fn check_content(&self, content: u64) -> Result<(), Error> {
        match self.content_limit {
            Some(limit) if content > limit => Err(Error::ContentLimit { limit }),
            _ => Ok(()),
        }
    }
}

impl Default for DecompressOptions {
    fn default() -> Self {
        Self { threads: 1, memory_limit: None, content_limit: None }
    }
}

/// What goes through the pipeline: blocks, and what happens between them.
enum Job {
    Begin(u64),
    Block(Box<Sealed>),
    /// The content's SHA-256.
    End([u8; 32]),
}

enum Done {
    Begin(u64),
    Block(Content),
    End([u8; 32]),
}

/// Reads every archive of `input` and writes their content to `output`, which is
/// not flushed. No byte is written before the checksum of its block has been
/// compared. After an error `output` has the content of some first blocks.
pub fn decompress(
    input: impl Read,
    mut output: impl Write,
    models: &dyn ModelSource,
    options: &DecompressOptions,
    progress: &dyn Progress,
) -> Result<Summary, Error> {
    let mut reader = Reader::new(input).keeping(options.memory_limit.unwrap_or(u64::MAX));
    let mut summary = Summary::default();
    let totals = Cell::new(Summary::default());
    let mut models = Models::new(models);
    // model, largest block, threads for each
    let mut long = ([0; 32], 0, 1);
    let lanes = Lanes::new(options);
    let mut seen = 0;
    let source = || -> Result<Option<Job>, Error> {
        loop {
            let event = reader.next_event()?;
            progress.archive(reader.offset() - seen);
            seen = reader.offset();
            let job = match event {
                None => return Ok(None),
                Some(Event::Skipped { frame, content, .. }) => {
                    if frame.kind == MODEL_FRAME {
                        check_frame(&frame, options)?;
                        models.embed(content, options.memory_limit)?;
                    }
                    continue;
                }
                Some(Event::Header { offset, header }) => {
                    check_profile(header.profile)?;
                    let before = totals.take();
                    options.check_content(before.raw + header.content_size.unwrap_or(0))?;
                    totals.set(before);
                    let each = header.blocks().map_or(options.threads, |n| lanes.threads_for(n));
                    long = (header.model, header.largest_block(), each);
                    lanes.make_room_for_bytes(long.1)?;
                    Job::Begin(offset)
                }
                Some(Event::End { sha256 }) => Job::End(sha256),
                Some(Event::Block { number, offset, head, payload }) => {
                    let codecs = models.find(head.kind, Some(ModelKey::Id(long.0)))?;
                    lanes.make_room(head.kind, long.1, &payload, &codecs)?;
                    let block = Sealed::block(&head, payload, codecs, (number, offset));
                    Job::Block(Box::new(Sealed { threads: long.2, ..block }))
                }
                Some(Event::Short { offset, short }) => {
                    if short.kind.needs_model() {
                        check_profile(short.profile)?;
                    }
                    let codecs = models.find(short.kind, Some(ModelKey::Tag(short.tag)))?;
                    lanes.make_room(short.kind, short.raw_len.into(), &short.payload, &codecs)?;
                    let threads = lanes.threads_for(1);
                    Job::Block(Box::new(Sealed { threads, ..Sealed::short(short, codecs, offset) }))
                }
            };
            if let Job::Block(b) = &job
                && b.raw_len > 0
            {
                let mut t = totals.take();
                t.add(b.kind, b.raw_len.into(), b.payload.len() as u64);
                options.check_content(t.raw)?;
                totals.set(t);
            }
            return Ok(Some(job));
        }
    };
    let shared = Threads::new(options.threads);
    let work = |job: Job| -> Result<Done, Error> {
        Ok(match job {
            Job::Begin(offset) => Done::Begin(offset),
            Job::End(sha256) => Done::End(sha256),
            Job::Block(block) => {
                let most = block.threads;
                let unpack = |threads| unpack(Sealed { threads, ..*block }, progress);
                Done::Block(shared.lend(most, unpack)?)
            }
        })
    };
    let mut digest: Option<(u64, Sha256)> = None;
    let sink = |done: Result<Done, Error>| -> Result<(), Error> {
        match done? {
            Done::Begin(offset) => digest = Some((offset, Sha256::new())),
            Done::Block(content) => write_content(&mut output, &content, |bytes| {
                if let Some((_, digest)) = &mut digest {
                    digest.update(bytes);
                }
            })
            .map_err(Error::Write)?,
            Done::End(sha256) => {
                if let Some((offset, digest)) = digest.take()
                    && digest.finalize() != sha256.into()
                {
                    return Err(Error::Digest { offset });
                }
            }
        }
        Ok(())
    };
    ordered(&lanes.threads, source, work, sink)?;
    summary.clone_from(&totals.take());
    summary.archive = reader.offset();
    Ok(summary)
}

/// Decodes everything and writes nothing: an error if [`decompress`] would give one.
pub fn test(
    input: impl Read,
    models: &dyn ModelSource,
    options: &DecompressOptions,
    progress: &dyn Progress,
) -> Result<Summary, Error> {
    decompress(input, io::sink(), models, options, progress)
}

/// Holds a frame with a model to the limit.
pub(super) fn check_frame(frame: &Skippable, options: &DecompressOptions) -> Result<(), Error> {
    match options.memory_limit {
        Some(limit) if frame.len > limit => Err(Error::Memory { needed: frame.len, limit }),
        _ => Ok(()),
    }
}

pub(super) fn check_profile(found: u16) -> Result<(), Error> {
    if found == PROFILE {
        Ok(())
    } else {
        Err(FormatError::UnknownProfile { found, known: PROFILE }.into())
    }
}

/// Writes content, a run without making it whole; `seen` gets every byte first.
pub(super) fn write_content(
    output: &mut impl Write,
    content: &Content,
    mut seen: impl FnMut(&[u8]),
) -> io::Result<()> {
    match content {
        Content::Bytes(bytes) => {
            seen(bytes);
            output.write_all(bytes)
        }
        Content::Run(byte, len) => {
            let mut left = *len as usize;
            let chunk = vec![*byte; left.min(1 << 16)];
            while left > 0 {
                let step = left.min(chunk.len());
                seen(&chunk[..step]);
                output.write_all(&chunk[..step])?;
                left -= step;
            }
            Ok(())
        }
    }
}
