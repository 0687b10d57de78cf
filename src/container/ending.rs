//! The footer at the end of an input, by which a damaged long archive is taken apart.

use std::io::{Read, Seek};

use byteorder::{ByteOrder, LE};

use super::block::BLOCK_HEADER_LEN;
use super::footer::{END_MARK, FOOTER_START, TAIL_LEN};
use super::scan::source_at;
use super::{Footer, FormatError};

/// The footer that ends the input: read once, however many archives there are.
pub(super) enum Ending {
    /// Nobody has looked.
    Unread,
    /// There is none, or it has been used, or it is not to be used.
    None,
    /// A whole one.
    Footer {
        footer: Footer,
        offset: u64,
        /// Bytes of the blocks that it lists.
        body: Option<u64>,
    },
}

impl Ending {
    /// The footer and where it begins, if it is that of the archive whose blocks begin there.
    pub fn of<R: Read + Seek>(
        &mut self,
        input: &mut R,
        blocks_offset: u64,
        end: u64,
    ) -> Result<Option<(Footer, u64)>, FormatError> {
        if matches!(self, Self::Unread) {
            *self = at_end(input, end)?.map_or(Self::None, |(footer, offset)| {
                let body = body_len(&footer);
                Self::Footer { footer, offset, body }
            });
        }
        Ok(match self {
            Self::Footer { offset, body, .. } if offset.checked_sub(blocks_offset) == *body => {
                match std::mem::replace(self, Self::None) {
                    Self::Footer { footer, offset, body: Some(_) } => Some((footer, offset)),
                    _ => None,
                }
            }
            _ => None,
        })
    }
}

/// Bytes of the blocks that a footer lists, headers included.
fn body_len(footer: &Footer) -> Option<u64> {
    footer
        .entries()
        .try_fold(0u64, |sum, e| Some(sum + BLOCK_HEADER_LEN as u64 + u64::from(e?.payload_len)))
}

/// The footer that ends the input, if one does, and where it begins.
fn at_end<R: Read + Seek>(input: &mut R, end: u64) -> Result<Option<(Footer, u64)>, FormatError> {
    if end < (FOOTER_START.len() + 1 + TAIL_LEN) as u64 {
        return Ok(None);
    }
    let mut tail = [0; 12];
    source_at(input, end - 12)?.exact(&mut tail, "the index")?;
    let len = u64::from(LE::read_u32(&tail));
    if tail[8..] != END_MARK || len > end {
        return Ok(None);
    }
    let mut b = Vec::new();
    source_at(input, end - len)?.append(&mut b, len as usize, "the index")?;
    Ok(Footer::parse(&b, end - len).ok().map(|f| (f, end - len)))
}
