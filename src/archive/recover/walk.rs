//! An archive without a structure: what is whole is found by its checksum, part by part.

use std::io::{Read, Seek, SeekFrom};

use super::means::{Means, open};
use super::{Found, MOST_PER_BYTE, Step};
use crate::archive::Progress;
use crate::container::block::BLOCK_HEADER_LEN;
use crate::container::checksum::crc32;
use crate::container::pieces::{Piece, next_piece, piece_at};
use crate::container::prefixes::Prefixes;
use crate::container::{BlockHeader, Header, Short};
use crate::error::Error;

/// A long archive whose parts are being found.
#[derive(Default)]
struct Open {
    header: Option<Header>,
    /// Bytes of content that were found or are known to be missing.
    accounted: u64,
}

/// Goes from part to part.
pub(super) struct Walk<'a, R> {
    input: &'a mut R,
    means: Means<'a>,
    /// For short archives, which are decoded on the way.
    progress: &'a dyn Progress,
    at: u64,
    end: u64,
    open: Open,
    /// From the first wrong checksum of a payload on.
    prefixes: Option<Prefixes>,
    /// What was found and not given yet.
    step: Step,
}

impl<'a, R: Read + Seek> Walk<'a, R> {
    pub fn new(input: &'a mut R, end: u64, means: Means<'a>, progress: &'a dyn Progress) -> Self {
        Self {
            input,
            means,
            progress,
            at: 0,
            end,
            open: Open::default(),
            prefixes: None,
            step: Step::default(),
        }
    }

    pub fn next(&mut self) -> Result<Option<Step>, Error> {
        // content is not kept here
        let has_content = |step: &Step| {
            step.block.is_some() || matches!(step.found.last(), Some(Found::Content { .. }))
        };
        while self.at < self.end && !has_content(&self.step) {
            self.advance()?;
        }
        if self.at >= self.end && self.step.block.is_none() {
            self.close(None, self.end);
            self.open = Open::default();
        }
        let step = std::mem::take(&mut self.step);
        Ok((step.block.is_some() || !step.found.is_empty()).then_some(step))
    }

    /// Finds one part, or that there is none.
    fn advance(&mut self) -> Result<(), Error> {
        let start = self.at;
        match piece_at(self.input, start, self.end)? {
            None => {
                self.skip_to_next(start)?;
                self.lose(start, None, "nothing of an archive begins here");
            }
            Some(Piece::Header(header, len)) => {
                self.close(None, start);
                self.begin(Some(header));
                self.at += len;
            }
            Some(Piece::Footer(footer, len)) => {
                let content = footer.entries().flatten().map(|e| u64::from(e.raw_len)).sum();
                self.close(Some(content), start);
                self.begin(None);
                self.at += len;
            }
            Some(Piece::Skippable(frame, len)) => {
                self.at = (start + len).min(self.end);
                match frame.known() {
                    Ok(frame) => {
                        if let Err(why) = self.means.frame(self.input, start, &frame)? {
                            self.lose(start, Some(0), &why);
                        }
                    }
                    Err(why) => self.lose(start, Some(0), &why.to_string()),
                }
            }
            Some(Piece::Short(short, len)) => self.short(short, len)?,
            Some(Piece::Block(head)) => self.block(&head)?,
        }
        Ok(())
    }

    /// A short archive is decoded at once: if it fails, it may be none, and real ones lie in what
    /// it took for its payload.
    fn short(&mut self, short: Short, len: u64) -> Result<(), Error> {
        let (start, raw_len) = (self.at, short.raw_len);
        let sealed = self.means.short(short, start);
        match sealed.and_then(|sealed| open(sealed, self.progress)) {
            Ok(found) => {
                self.at += len;
                self.step.found.push(found);
            }
            Err(why) => {
                match why {
                    Error::Memory { .. } => self.at += len,
                    _ => self.skip_to_next(start)?,
                }
                self.lose(start, Some(raw_len.into()), &why.to_string());
            }
        }
        Ok(())
    }

    fn block(&mut self, head: &BlockHeader) -> Result<(), Error> {
        let start = self.at;
        let after = start + (BLOCK_HEADER_LEN as u64) + u64::from(head.payload_len);
        if head.content_offset < self.open.accounted {
            self.lose(start, None, "the block here is of another place or archive");
            self.begin(None);
        }
        self.account(head.content_offset, start, MOST_PER_BYTE);
        self.open.accounted = head.content_offset.saturating_add(head.raw_len.into());
        self.step.found.push(Found::Accounted);
        let content = Some(head.raw_len.into());
        let room = self.means.lanes.make_room_for_bytes(head.raw_len.into());
        if let (Err(why), true) = (room, after <= self.end) {
            self.at = after;
            self.lose(start, content, &why.to_string());
            return Ok(());
        }
        match self.payload(head)? {
            Ok(payload) => {
                self.at = after;
                let header = self.open.header.as_ref();
                let sealed = self.means.block(head, payload, (0, start), header);
                self.step.block(sealed, start..after, head.raw_len);
            }
            Err(why) => {
                // its payload may lack bytes, and the next part begin inside it
                self.skip_to_next(start)?;
                self.lose(start, content, why);
            }
        }
        Ok(())
    }

    /// The payload of the block here, or what is wrong with it. From the first wrong checksum on
    /// `prefixes` tells whether one is right before the payload is read.
    fn payload(&mut self, head: &BlockHeader) -> Result<Result<Vec<u8>, &'static str>, Error> {
        const WRONG: &str = "the checksum of the block's bytes";
        let start = self.at + BLOCK_HEADER_LEN as u64;
        if u64::from(head.payload_len) > self.end - start {
            return Ok(Err("the block is cut off"));
        }
        let part = start..start + u64::from(head.payload_len);
        if let Some(prefixes) = &mut self.prefixes
            && prefixes.crc32_of(self.input, part).map_err(Error::Read)? != head.payload_crc
        {
            return Ok(Err(WRONG));
        }
        let mut payload = Vec::new();
        self.input.seek(SeekFrom::Start(start)).map_err(Error::Read)?;
        let mut source = (&mut *self.input).take(head.payload_len.into());
        source.read_to_end(&mut payload).map_err(Error::Read)?;
        if crc32(&payload) == head.payload_crc {
            return Ok(Ok(payload));
        }
        if self.prefixes.is_none() {
            self.prefixes = Some(Prefixes::new(self.input).map_err(Error::Read)?);
        }
        Ok(Err(WRONG))
    }

    fn skip_to_next(&mut self, start: u64) -> Result<(), Error> {
        self.at = next_piece(self.input, start + 1, self.end)?;
        Ok(())
    }

    /// What lies between `start` and here is lost.
    fn lose(&mut self, start: u64, content: Option<u64>, why: &str) {
        self.step.lose(start..self.at, content, why.to_string());
    }

    /// Another archive begins.
    fn begin(&mut self, header: Option<Header>) {
        self.open = Open { header, accounted: 0 };
        self.step.found.push(Found::Accounted);
    }

    /// Content up to `to` is what was before `at`.
    fn account(&mut self, to: u64, at: u64, most_per_byte: u64) {
        if let Some(missing) = to.checked_sub(self.open.accounted) {
            self.step.found.push(Found::Missing { missing, at, most_per_byte });
        }
    }

    /// At the end of a long archive, if its header or its index tell how much content it has.
    fn close(&mut self, from_index: Option<u64>, at: u64) {
        let declared = self.open.header.as_ref().and_then(|h| h.content_size).or(from_index);
        if let Some(declared) = declared {
            self.account(declared, at, u64::MAX);
        }
    }
}
