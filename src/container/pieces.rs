//! Parts of an input by themselves: at a place that the structure tells, or
//! wherever a checksum proves that something begins.

use std::io::{Read, Seek, SeekFrom};

use super::block::{BLOCK_HEADER_LEN, BLOCK_MARK};
use super::checksum::crc32;
use super::footer::FOOTER_START;
use super::scan::{Place, long_header, read_footer, source_at};
use super::signature::{self, Form, MARK};
use super::{
    BlockHeader, Footer, FormatError, Header, IndexEntry, SKIPPABLE_HEADER_LEN, Short, Skippable,
};

/// Reads the short archive that begins at `offset`.
pub fn read_short<R: Read + Seek>(input: &mut R, offset: u64) -> Result<Short, FormatError> {
    let mut source = source_at(input, offset)?;
    let mut first = [0; 2];
    source.exact(&mut first, "a signature")?;
    match signature::form(first) {
        Some(Form::Short(version)) => Short::read(&mut source, version, offset),
        _ => Err(FormatError::Damaged { offset, what: "it changed while it was read" }),
    }
}

/// Reads the content of a frame that begins at `offset`, if it is of a kind that
/// is used here; nothing otherwise.
pub fn read_frame<R: Read + Seek>(
    input: &mut R,
    offset: u64,
    frame: &Skippable,
) -> Result<Vec<u8>, FormatError> {
    if !frame.is_needed()? {
        return Ok(Vec::new());
    }
    let mut source = source_at(input, offset + SKIPPABLE_HEADER_LEN as u64)?;
    super::reader::frame_content(&mut source, frame, offset, u64::MAX)
}

/// Reads the block of a long archive that is at a place.
pub fn read_block<R: Read + Seek>(
    input: &mut R,
    &Place { number, offset, content_offset, entry }: &Place,
) -> Result<(BlockHeader, Vec<u8>), FormatError> {
    let damaged = |what| FormatError::DamagedBlock { block: number, offset, what };
    let mut source = source_at(input, offset)?;
    let mut b = [0; BLOCK_HEADER_LEN];
    source.exact(&mut b, "the header of a block")?;
    let head = BlockHeader::parse(&b, entry.raw_len, number, offset)?.in_place(
        content_offset,
        number,
        offset,
    )?;
    if (head.kind, head.payload_len) != (entry.kind, entry.payload_len)
        || head.raw_len != entry.raw_len
    {
        return Err(damaged("its header does not agree with the index"));
    }
    let mut payload = Vec::new();
    source.append(&mut payload, head.payload_len as usize, "a block")?;
    if crc32(&payload) != head.payload_crc {
        return Err(damaged("the checksum of its bytes"));
    }
    if IndexEntry::new(head.kind, head.raw_len, &payload) != Some(entry) {
        return Err(damaged("the number of its records does not agree with the index"));
    }
    Ok((head, payload))
}

/// Something whole that begins at an offset, with its length.
#[derive(Clone, Debug)]
pub enum Piece {
    /// A header of a long archive.
    Header(Header, u64),
    /// A header of a block; its payload comes after it.
    Block(BlockHeader),
    /// A footer.
    Footer(Footer, u64),
    /// A short archive.
    Short(Short, u64),
    /// A skippable frame; its content may still be damaged.
    Skippable(Skippable, u64),
}

/// What begins at `offset` of an input of `end` bytes, if its checksum proves
/// that something does.
pub fn piece_at<R: Read + Seek>(
    input: &mut R,
    offset: u64,
    end: u64,
) -> Result<Option<Piece>, FormatError> {
    let proven = |piece: Result<Piece, FormatError>| match piece {
        Ok(piece) => Ok(Some(piece)),
        Err(FormatError::Io(e)) => Err(FormatError::Io(e)),
        Err(_) => Ok(None),
    };
    let mut source = source_at(input, offset)?;
    let mut first = [0; 2];
    if source.exact(&mut first, "").is_err() {
        return Ok(None);
    }
    proven(match first {
        [MARK, BLOCK_MARK] => {
            let mut b = [0; BLOCK_HEADER_LEN];
            b[..2].copy_from_slice(&first);
            source
                .exact(&mut b[2..], "")
                .and_then(|()| BlockHeader::parse(&b, super::limits::MAX_BLOCK, 0, offset))
                .map(Piece::Block)
        }
        [a, b] if [a, b] == FOOTER_START[..2] => {
            read_footer(input, offset, end).map(|(footer, len)| Piece::Footer(footer, len))
        }
        _ => match signature::form(first) {
            Some(Form::Short(version)) => Short::read(&mut source, version, offset)
                .map(|short| Piece::Short(short, source.offset() - offset)),
            Some(Form::Skippable) => {
                let mut b = [0; SKIPPABLE_HEADER_LEN];
                b[..2].copy_from_slice(&first);
                source
                    .exact(&mut b[2..], "")
                    .and_then(|()| Skippable::parse(&b, offset))
                    .map(|frame| Piece::Skippable(frame, SKIPPABLE_HEADER_LEN as u64 + frame.len))
            }
            Some(Form::Long) => {
                long_header(&mut source, first, offset).map(|(h, len)| Piece::Header(h, len))
            }
            None => return Ok(None),
        },
    })
}

/// The first offset from `from` on where [`piece_at`] finds something, or `end`.
pub fn next_piece<R: Read + Seek>(
    input: &mut R,
    mut from: u64,
    end: u64,
) -> Result<u64, FormatError> {
    // little at first: in a hostile input something begins everywhere
    let mut window = vec![0; 1 << 12];
    while from + 1 < end {
        input.seek(SeekFrom::Start(from))?;
        let len = (window.len() as u64).min(end - from) as usize;
        input.read_exact(&mut window[..len])?;
        for i in 0..len - 1 {
            let first = [window[i], window[i + 1]];
            let likely = first == [MARK, BLOCK_MARK]
                || first == FOOTER_START[..2]
                || signature::form(first).is_some();
            if likely && piece_at(input, from + i as u64, end)?.is_some() {
                return Ok(from + i as u64);
            }
        }
        // the last byte may be a mark whose second byte is in the next window
        from += len as u64 - 1;
        window.resize((2 * window.len()).min(1 << 16), 0);
    }
    Ok(end)
}
