//! Takes an input apart, front to back, checking everything that can be checked
//! without decoding.

use std::io::Read;

use sha2::{Digest, Sha256};

use super::block::{BLOCK_HEADER_LEN, BLOCK_MARK};
use super::checksum::crc32;
use super::footer::{FOOTER_START, TAIL_LEN};
use super::header::HEADER_LEN;
use super::limits::{MAX_BLOCKS, MAX_CONTENT};
use super::signature::{self, Form, MARK};
use super::source::Source;
use super::{BlockHeader, FormatError, Header, IndexEntry, MODEL_FRAME, Short, Skippable, varint};

/// A part of the input.
#[derive(Clone, Debug)]
pub enum Event {
    /// A long archive begins.
    Header {
        /// Where.
        offset: u64,
        /// What it says.
        header: Header,
    },
    /// A block of the long archive; its payload's checksum is right.
    Block {
        /// Its number, from 0.
        number: u64,
        /// Where its header begins.
        offset: u64,
        /// What its header says.
        head: BlockHeader,
        /// Its payload.
        payload: Vec<u8>,
    },
    /// The long archive ends; its index agrees with its blocks and its header.
    End {
        /// SHA-256 that the content must have.
        sha256: [u8; 32],
    },
    /// A short archive, whole; its outer checksum is right.
    Short {
        /// Where it begins.
        offset: u64,
        /// What it holds.
        short: Short,
    },
    /// A skippable frame was passed; its checksum is right.
    Skipped {
        /// Where it begins.
        offset: u64,
        /// What its header says.
        frame: Skippable,
        /// Its content, if it is of a kind that is used here and not longer than
        /// what is kept; else nothing.
        content: Vec<u8>,
    },
}

/// The long archive that is being read.
#[derive(Debug)]
struct Long {
    header: Header,
    blocks: u64,
    content: u64,
    // what the index must be, without keeping it: a decoder's memory does not
    // grow with the archive; a CRC-32 can be made to fit
    index_len: u64,
    index_digest: Sha256,
}

/// What is cut when an input ends with a model.
pub(super) const AFTER_MODEL: &str = "the members: an archive follows a model";

/// Reads members and their parts from any reader. Wrap files in a `BufReader`.
#[derive(Debug)]
pub struct Reader<R> {
    source: Source<R>,
    long: Option<Long>,
    /// Whether the last member was a model, which serves an archive after it.
    model: bool,
    failed: bool,
    /// Bytes of a frame's content that are kept, at most.
    keep: u64,
}

impl<R: Read> Reader<R> {
    /// A reader at the start of an input.
    pub fn new(input: R) -> Self {
        let source = Source::new(input);
        Self { source, long: None, model: false, failed: false, keep: u64::MAX }
    }

    /// The same, keeping no frame's content of more than `most` bytes: a longer
    /// one is passed over.
    pub fn keeping(self, most: u64) -> Self {
        Self { keep: most, ..self }
    }

    /// Bytes of the input taken so far.
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// The next part; none at the end of the input, or after an error.
    pub fn next_event(&mut self) -> Result<Option<Event>, FormatError> {
        if self.failed {
            return Ok(None);
        }
        let result = match self.long.take() {
            Some(long) => self.in_long(long).map(Some),
            None => self.member(),
        };
        self.failed = result.is_err();
        result
    }

    fn member(&mut self) -> Result<Option<Event>, FormatError> {
        let offset = self.source.offset();
        let Some(first) = self.source.next()? else {
            return match offset {
                0 => Err(FormatError::Empty),
                _ if self.model => Err(FormatError::Truncated { offset, within: AFTER_MODEL }),
                _ => Ok(None),
            };
        };
        self.model = false;
        let foreign = |start: &[u8]| match signature::diagnose(start) {
            FormatError::NotAnArchive if offset > 0 => FormatError::TrailingData { offset },
            other => other,
        };
        let Some(second) = self.source.next()? else {
            return Err(if first == MARK {
                FormatError::Truncated { offset: offset + 1, within: "a signature" }
            } else {
                foreign(&[first])
            });
        };
        match signature::form([first, second]) {
            None => {
                // some more bytes, to name what a bad transfer did
                let mut start = vec![first, second];
                while start.len() < 8
                    && let Ok(Some(b)) = self.source.next()
                {
                    start.push(b);
                }
                Err(foreign(&start))
            }
            Some(Form::Short(version)) => {
                let short = Short::read(&mut self.source, version, offset)?;
                Ok(Some(Event::Short { offset, short }))
            }
            Some(Form::Skippable) => {
                let mut b = [0; super::SKIPPABLE_HEADER_LEN];
                (b[0], b[1]) = (first, second);
                self.source.exact(&mut b[2..], "the header of a skippable frame")?;
                let frame = Skippable::parse(&b, offset)?.known()?;
                let content = frame_content(&mut self.source, &frame, offset, self.keep)?;
                self.model = frame.kind == MODEL_FRAME;
                Ok(Some(Event::Skipped { offset, frame, content }))
            }
            Some(Form::Long) => {
                let mut start = [0; 10];
                (start[0], start[1]) = (first, second);
                self.source.exact(&mut start[2..], "the header")?;
                let len = Header::check_start(&start, offset)?;
                debug_assert!(len >= HEADER_LEN);
                let mut b = start.to_vec();
                self.source.append(&mut b, len - start.len(), "the header")?;
                let header = Header::parse(&b, offset)?;
                self.long = Some(Long {
                    header: header.clone(),
                    blocks: 0,
                    content: 0,
                    index_len: 0,
                    index_digest: Sha256::new(),
                });
                Ok(Some(Event::Header { offset, header }))
            }
        }
    }

    fn in_long(&mut self, mut long: Long) -> Result<Event, FormatError> {
        let offset = self.source.offset();
        let mut start = [0; 2];
        self.source.exact(&mut start, "the blocks: no index follows")?;
        match start {
            [MARK, BLOCK_MARK] => {
                let event = self.block(&mut long, start, offset)?;
                self.long = Some(long);
                Ok(event)
            }
            [a, b] if [a, b] == FOOTER_START[..2] => self.footer(&long, offset),
            _ => Err(FormatError::DamagedBlock {
                block: long.blocks,
                offset,
                what: "neither a block nor the index begins here",
            }),
        }
    }

    fn block(
        &mut self,
        long: &mut Long,
        start: [u8; 2],
        offset: u64,
    ) -> Result<Event, FormatError> {
        let number = long.blocks;
        let damaged = |what| FormatError::DamagedBlock { block: number, offset, what };
        let mut b = [0; BLOCK_HEADER_LEN];
        b[..2].copy_from_slice(&start);
        self.source.exact(&mut b[2..], "the header of a block")?;
        let head = BlockHeader::parse(&b, long.header.block_size, number, offset)?.in_place(
            long.content,
            number,
            offset,
        )?;
        long.blocks += 1;
        long.content += u64::from(head.raw_len);
        if long.header.content_size.is_some_and(|n| long.content > n)
            || long.content > MAX_CONTENT
            || long.blocks > MAX_BLOCKS
        {
            return Err(damaged("more content than the header declares"));
        }
        let mut payload = Vec::new();
        self.source.append(&mut payload, head.payload_len as usize, "a block")?;
        if crc32(&payload) != head.payload_crc {
            return Err(damaged("the checksum of its bytes"));
        }
        let mut entry = Vec::with_capacity(2 * varint::MAX_LEN);
        IndexEntry::new(head.kind, head.raw_len, &payload)
            .ok_or(damaged("the number of its records"))?
            .push(&mut entry);
        long.index_len += entry.len() as u64;
        long.index_digest.update(&entry);
        Ok(Event::Block { number, offset, head, payload })
    }

    fn footer(&mut self, long: &Long, offset: u64) -> Result<Event, FormatError> {
        const WITHIN: &str = "the index";
        let damaged = |what| FormatError::Damaged { offset, what };
        // what the blocks say the footer must be, up to the digest
        let mut start = FOOTER_START.to_vec();
        varint::push(&mut start, long.blocks);
        let mut seen = FOOTER_START[..2].to_vec();
        self.source.append(&mut seen, start.len() - 2, WITHIN)?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&start);
        let mut digest = Sha256::new();
        self.source.skip(long.index_len, WITHIN, |bytes| {
            crc.update(bytes);
            digest.update(bytes);
        })?;
        let mut tail = [0; TAIL_LEN];
        self.source.exact(&mut tail, WITHIN)?;
        if seen != start || digest.finalize() != long.index_digest.clone().finalize() {
            return Err(damaged("the index does not agree with the blocks"));
        }
        crc.update(&tail[..36]);
        let len = (start.len() + TAIL_LEN) as u64 + long.index_len;
        if tail[36..40] != crc.finalize().to_le_bytes()
            || u64::from(u32::from_le_bytes([tail[32], tail[33], tail[34], tail[35]])) != len
        {
            return Err(damaged("the checksum of the index"));
        }
        if tail[40..] != super::footer::END_MARK {
            return Err(damaged("the end mark"));
        }
        if long.header.content_size.is_some_and(|n| n != long.content) {
            return Err(damaged("the content is shorter than the header declares"));
        }
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(&tail[..32]);
        Ok(Event::End { sha256 })
    }
}

/// Reads the content of a frame whose header has been read: keeps it if it is
/// needed and has no more than `keep` bytes, passes over it if not, and compares
/// its checksum.
pub(super) fn frame_content<R: Read>(
    source: &mut Source<R>,
    frame: &Skippable,
    offset: u64,
    keep: u64,
) -> Result<Vec<u8>, FormatError> {
    const WITHIN: &str = "a skippable frame";
    let mut content = Vec::new();
    let crc = if frame.is_needed()? && frame.len <= keep {
        source.append(&mut content, frame.len as usize, WITHIN)?;
        crc32(&content)
    } else {
        let mut crc = crc32fast::Hasher::new();
        source.skip(frame.len, WITHIN, |bytes| crc.update(bytes))?;
        crc.finalize()
    };
    if crc != frame.crc {
        return Err(FormatError::Damaged { offset, what: "the checksum of a skippable frame" });
    }
    Ok(content)
}
