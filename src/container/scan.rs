//! The structure of an input, without its payloads.
//!
//! [`scan`] seeks: it goes from block header to block header, so that it finds what
//! reading from front to back does, whatever an index says. [`scan_by_index`] does not,
//! where such a header is damaged. [`collect`] gathers the same from the events of a
//! [`super::Reader`] for an input that cannot seek.

use std::io::{BufReader, Read, Seek, SeekFrom};

use super::block::{BLOCK_HEADER_LEN, BLOCK_MARK, BlockKind};
use super::ending::Ending;
use super::footer::{FOOTER_START, TAIL_LEN};
use super::reader::AFTER_MODEL;
use super::signature::{self, Form, MARK};
use super::source::Source;
use super::{
    BlockHeader, Event, Footer, FormatError, Header, IndexEntry, MODEL_FRAME, ModelKey,
    SKIPPABLE_HEADER_LEN, Short, Skippable, varint,
};

/// A member of an input.
#[derive(Clone, Debug)]
pub struct Member {
    /// Where it begins.
    pub offset: u64,
    /// Its bytes.
    pub len: u64,
    /// What it is.
    pub what: Structure,
}

/// What a member is.
#[derive(Clone, Debug)]
pub enum Structure {
    /// A long archive.
    Long {
        /// Its header.
        header: Header,
        /// Length of the header on disk.
        header_len: u64,
        /// Its blocks, in order.
        blocks: Vec<IndexEntry>,
        /// SHA-256 of its content.
        sha256: [u8; 32],
    },
    /// A short archive.
    Short {
        /// Arithmetic profile.
        profile: u16,
        /// First bytes of the model's id, if the block is coded.
        model: Option<ModelKey>,
        /// Its block.
        block: IndexEntry,
        /// CRC-32 of its content.
        crc32: u32,
    },
    /// A skippable frame.
    Skippable(Skippable),
}

/// A block where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its number in its archive.
    pub number: u64,
    /// Where in the input its header begins; in a short archive, where that does.
    pub offset: u64,
    /// Where its content begins in that of its archive.
    pub content_offset: u64,
    /// What the index says of it.
    pub entry: IndexEntry,
}

impl Member {
    /// Its blocks, each where it stands.
    pub fn places(&self) -> impl Iterator<Item = Place> + '_ {
        let mut offset = self.offset
            + match &self.what {
                Structure::Long { header_len, .. } => *header_len,
                _ => 0,
            };
        let mut content_offset = 0;
        (0..).zip(self.blocks()).map(move |(number, &entry)| {
            let place = Place { number, offset, content_offset, entry };
            offset += BLOCK_HEADER_LEN as u64 + u64::from(entry.payload_len);
            content_offset += u64::from(entry.raw_len);
            place
        })
    }

    /// Its blocks.
    pub fn blocks(&self) -> &[IndexEntry] {
        match &self.what {
            Structure::Long { blocks, .. } => blocks,
            Structure::Short { block, .. } => std::slice::from_ref(block),
            Structure::Skippable(_) => &[],
        }
    }

    /// Bytes of its content.
    pub fn content(&self) -> u64 {
        self.blocks().iter().map(|b| u64::from(b.raw_len)).sum()
    }

    /// How many records it has; 0 if it was not split into any.
    pub fn records(&self) -> u64 {
        self.blocks().iter().map(|b| u64::from(b.records)).sum()
    }

    /// The model its coded blocks need.
    pub fn model(&self) -> Option<ModelKey> {
        let coded = self.blocks().iter().any(|b| b.kind.needs_model());
        match &self.what {
            Structure::Long { header, .. } if coded => Some(ModelKey::Id(header.model)),
            Structure::Short { model, .. } => *model,
            _ => None,
        }
    }

    fn short(offset: u64, len: u64, short: &Short) -> Self {
        let model = short.kind.needs_model().then_some(ModelKey::Tag(short.tag));
        let block = short.index_entry();
        let what = Structure::Short { profile: short.profile, model, block, crc32: short.raw_crc };
        Self { offset, len, what }
    }
}

/// Reads the structure of a whole input that can seek.
pub fn scan<R: Read + Seek>(input: &mut R) -> Result<Vec<Member>, FormatError> {
    let mut members = Vec::new();
    scan_each(input, |member| members.push(member))?;
    Ok(members)
}

/// The same, a member at a time, for an input that may have very many.
pub fn scan_each<R: Read + Seek>(
    input: &mut R,
    each: impl FnMut(Member),
) -> Result<(), FormatError> {
    walk(input, Ending::None, each)
}

/// The structure of a damaged input, as far as it can be told: of a long archive that ends
/// where the input does only header and index are read, and believed.
pub fn scan_by_index<R: Read + Seek>(input: &mut R) -> Result<Vec<Member>, FormatError> {
    let mut members = Vec::new();
    walk(input, Ending::Unread, |member| members.push(member))?;
    Ok(members)
}

fn walk<R: Read + Seek>(
    input: &mut R,
    mut ending: Ending,
    mut each: impl FnMut(Member),
) -> Result<(), FormatError> {
    let end = input.seek(SeekFrom::End(0))?;
    if end == 0 {
        return Err(FormatError::Empty);
    }
    let mut offset = 0;
    let mut model = false;
    while offset < end {
        let member = member(input, offset, end, &mut ending)?;
        offset += member.len;
        model = matches!(&member.what, Structure::Skippable(f) if f.kind == MODEL_FRAME);
        each(member);
    }
    if model {
        return Err(FormatError::Truncated { offset: end, within: AFTER_MODEL });
    }
    Ok(())
}

pub(super) fn source_at<R: Read + Seek>(
    input: &mut R,
    offset: u64,
) -> Result<Source<BufReader<&mut R>>, FormatError> {
    input.seek(SeekFrom::Start(offset))?;
    Ok(Source::at(BufReader::with_capacity(4096, input), offset))
}

fn member<R: Read + Seek>(
    input: &mut R,
    offset: u64,
    end: u64,
    ending: &mut Ending,
) -> Result<Member, FormatError> {
    let mut source = source_at(input, offset)?;
    let mut first = [0; 2];
    source.exact(&mut first, "a signature")?;
    match signature::form(first) {
        None => {
            let mut start = first.to_vec();
            let more = (end - offset - 2).min(6) as usize;
            source.append(&mut start, more, "a signature")?;
            Err(match signature::diagnose(&start) {
                FormatError::NotAnArchive if offset > 0 => FormatError::TrailingData { offset },
                other => other,
            })
        }
        Some(Form::Short(version)) => {
            let short = Short::read(&mut source, version, offset)?;
            Ok(Member::short(offset, source.offset() - offset, &short))
        }
        Some(Form::Skippable) => {
            let mut b = [0; SKIPPABLE_HEADER_LEN];
            b[..2].copy_from_slice(&first);
            source.exact(&mut b[2..], "the header of a skippable frame")?;
            let frame = Skippable::parse(&b, offset)?.known()?;
            frame.is_needed()?;
            let len = SKIPPABLE_HEADER_LEN as u64 + frame.len;
            if len > end - offset {
                return Err(FormatError::Truncated { offset: end, within: "a skippable frame" });
            }
            Ok(Member { offset, len, what: Structure::Skippable(frame) })
        }
        Some(Form::Long) => {
            let (header, len) = long_header(&mut source, first, offset)?;
            long(input, header, len, offset, end, ending)
        }
    }
}

fn long<R: Read + Seek>(
    input: &mut R,
    header: Header,
    header_len: u64,
    offset: u64,
    end: u64,
    ending: &mut Ending,
) -> Result<Member, FormatError> {
    let blocks_offset = offset + header_len;
    let (blocks, footer_offset, sha256, len) = match ending.of(input, blocks_offset, end)? {
        Some((footer, at)) => {
            (footer.entries().flatten().collect::<Vec<_>>(), at, footer.sha256, end - at)
        }
        None => {
            let (blocks, at) = hop(input, &header, blocks_offset, end)?;
            let (footer, len) = read_footer(input, at, end)?;
            if !footer.entries().eq(blocks.iter().copied().map(Some)) {
                let what = "the index does not agree with the blocks";
                return Err(FormatError::Damaged { offset: at, what });
            }
            (blocks, at, footer.sha256, len)
        }
    };
    let damaged = |what| FormatError::Damaged { offset: footer_offset, what };
    if blocks.iter().any(|b| b.raw_len == 0 || b.raw_len > header.block_size) {
        return Err(damaged("an entry of the index"));
    }
    let content: u64 = blocks.iter().map(|b| u64::from(b.raw_len)).sum();
    if header.content_size.is_some_and(|n| n != content) {
        return Err(damaged("the index does not agree with the header"));
    }
    let what = Structure::Long { header, header_len, blocks, sha256 };
    Ok(Member { offset, len: footer_offset + len - offset, what })
}

/// Goes from block header to block header; returns what an index of them must say, and where
/// it begins.
fn hop<R: Read + Seek>(
    input: &mut R,
    header: &Header,
    offset: u64,
    end: u64,
) -> Result<(Vec<IndexEntry>, u64), FormatError> {
    let mut source = source_at(input, offset)?;
    let mut blocks = Vec::new();
    let mut content = 0;
    loop {
        let (block, offset) = (blocks.len() as u64, source.offset());
        let damaged = |what| FormatError::DamagedBlock { block, offset, what };
        let mut b = [0; BLOCK_HEADER_LEN];
        source.exact(&mut b[..2], "the blocks: no index follows")?;
        if b[..2] == FOOTER_START[..2] {
            return Ok((blocks, offset));
        }
        if b[..2] != [MARK, BLOCK_MARK] {
            return Err(damaged("neither a block nor the index begins here"));
        }
        source.exact(&mut b[2..], "the header of a block")?;
        let head = BlockHeader::parse(&b, header.block_size, block, offset)?
            .in_place(content, block, offset)?;
        content += u64::from(head.raw_len);
        let mut left = u64::from(head.payload_len);
        if left > end - source.offset() {
            return Err(FormatError::Truncated { offset: end, within: "a block" });
        }
        // a split payload begins with the number of its records
        let mut start = Vec::new();
        if head.kind == BlockKind::Split {
            let len = left.min(varint::MAX_LEN as u64);
            source.append(&mut start, len as usize, "a block")?;
            left -= len;
        }
        let entry = IndexEntry::new(head.kind, head.raw_len, &start)
            .ok_or(damaged("the number of its records"))?;
        blocks.push(IndexEntry { payload_len: head.payload_len, ..entry });
        source.pass(left)?;
    }
}

/// Reads a footer that begins at `offset` of an input of `end` bytes; its length
/// comes with it.
pub fn read_footer<R: Read + Seek>(
    input: &mut R,
    offset: u64,
    end: u64,
) -> Result<(Footer, u64), FormatError> {
    let mut source = source_at(input, offset)?;
    let mut b = Vec::new();
    source.append(&mut b, FOOTER_START.len(), "the index")?;
    let mut number = |b: &mut Vec<u8>| -> Result<u64, FormatError> {
        varint::read(|| {
            let byte = source.next().ok().flatten()?;
            b.push(byte);
            Some(byte)
        })
        .map_err(|e| match e {
            varint::Invalid::Source => FormatError::Truncated { offset: end, within: "the index" },
            varint::Invalid::NotShortest => {
                FormatError::Damaged { offset, what: "a number in the index" }
            }
        })
    };
    let blocks = number(&mut b)?;
    // each block has left its header and two numbers
    if blocks > end / BLOCK_HEADER_LEN as u64 {
        return Err(FormatError::Damaged { offset, what: "the block count" });
    }
    for _ in 0..blocks {
        // what is no entry ends the search here: a footer's own start is none, so
        // that looking for footers all over an input takes time in proportion to it
        if IndexEntry::from_numbers(|| number(&mut b))?.is_none_or(|e| e.raw_len == 0) {
            return Err(FormatError::Damaged { offset, what: "an entry of the index" });
        }
    }
    source.append(&mut b, TAIL_LEN, "the index")?;
    Ok((Footer::parse(&b, offset)?, b.len() as u64))
}

/// Gathers the structure from a reader's events, reading everything. `content`
/// gets the content of frames that are used here, with their offsets.
pub fn collect<R: Read>(
    input: R,
    mut content: impl FnMut(u64, Vec<u8>),
) -> Result<Vec<Member>, FormatError> {
    let mut reader = super::Reader::new(input);
    let mut members: Vec<Member> = Vec::new();
    let mut blocks = Vec::new();
    let mut open = None;
    while let Some(event) = reader.next_event()? {
        match event {
            Event::Header { offset, header } => {
                open = Some((offset, header, reader.offset() - offset));
            }
            Event::Block { head, payload, .. } => {
                blocks.extend(IndexEntry::new(head.kind, head.raw_len, &payload));
            }
            Event::End { sha256 } => {
                if let Some((offset, header, header_len)) = open.take() {
                    let blocks = std::mem::take(&mut blocks);
                    let what = Structure::Long { header, header_len, blocks, sha256 };
                    members.push(Member { offset, len: reader.offset() - offset, what });
                }
            }
            Event::Short { offset, short } => {
                members.push(Member::short(offset, reader.offset() - offset, &short));
            }
            Event::Skipped { offset, frame, content: bytes } => {
                content(offset, bytes);
                let what = Structure::Skippable(frame);
                members.push(Member { offset, len: reader.offset() - offset, what });
            }
        }
    }
    Ok(members)
}

/// Reads the header of a long archive after its first two bytes.
pub(super) fn long_header<R: Read>(
    source: &mut Source<R>,
    first: [u8; 2],
    offset: u64,
) -> Result<(Header, u64), FormatError> {
    let mut start = [0; 10];
    start[..2].copy_from_slice(&first);
    source.exact(&mut start[2..], "the header")?;
    let len = Header::check_start(&start, offset)?;
    let mut b = start.to_vec();
    source.append(&mut b, len - start.len(), "the header")?;
    Ok((Header::parse(&b, offset)?, len as u64))
}
