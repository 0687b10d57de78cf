//! One block on its way in or out.

use std::cell::Cell;
use std::sync::Arc;

use super::Progress;
use crate::codec::{BlockCodec, CodecError, Encoded};
use crate::container::checksum::{crc32, crc32_of_run};
use crate::container::{BlockKind, varint};
use crate::error::Error;

/// A block ready to be written.
#[derive(Debug)]
pub(super) struct Packed {
    pub kind: BlockKind,
    pub raw_len: u32,
    pub raw_crc: u32,
    pub payload: Vec<u8>,
    pub ideal_bits: f64,
}

/// Where a packed block goes, which decides what coding it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Long,
    Short,
}

/// Chooses the kind of a block and codes it, with `threads` for it alone.
/// `number` is for errors.
pub(super) fn pack(
    raw: Vec<u8>,
    place: Place,
    codec: &dyn BlockCodec,
    verify: bool,
    threads: usize,
    number: u64,
    progress: &dyn Progress,
) -> Result<Packed, Error> {
    let raw_len = raw.len() as u32;
    let raw_crc = crc32(&raw);
    let whole = |kind, payload| {
        progress.raw(raw_len.into());
        Packed { kind, raw_len, raw_crc, payload, ideal_bits: 0.0 }
    };
    if raw.len() > 1 && raw[1..] == raw[..raw.len() - 1] {
        return Ok(whole(BlockKind::Run, vec![raw[0]]));
    }
    if raw.len() <= 1 {
        return Ok(whole(BlockKind::Stored, raw));
    }
    let encoded = counted(raw_len, progress, |count| codec.encode(&raw, threads, count))
        .map_err(|source| Error::Encode { block: number, source })?;
    if verify {
        let back = codec
            .decode(&encoded.payload, raw.len(), &|_| {})
            .map_err(|_| Error::Verify { block: number })?;
        if back != raw {
            return Err(Error::Verify { block: number });
        }
    }
    let cost = match place {
        Place::Long => 0,
        Place::Short => {
            let mut len = Vec::new();
            varint::push(&mut len, encoded.payload.len() as u64);
            crate::container::TAG_LEN + len.len()
        }
    };
    if encoded.payload.len() + cost >= raw.len() {
        return Ok(Packed {
            kind: BlockKind::Stored,
            raw_len,
            raw_crc,
            payload: raw,
            ideal_bits: 0.0,
        });
    }
    let Encoded { payload, ideal_bits } = encoded;
    Ok(Packed { kind: BlockKind::Coded, raw_len, raw_crc, payload, ideal_bits })
}

/// The codecs of a model, or of all that a tag may mean.
pub(super) type Codecs = Arc<[Arc<dyn BlockCodec>]>;

/// A block as read, its payload's checksum known to be right.
pub(super) struct Sealed {
    pub kind: BlockKind,
    pub raw_len: u32,
    pub raw_crc: u32,
    pub payload: Vec<u8>,
    /// The codecs to try; empty for a block that is not coded.
    pub codecs: Codecs,
    pub number: u64,
    pub offset: u64,
}

/// A block's content, known to be right.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    Run(u8, u32),
}

/// Decodes a block and checks its content.
pub(super) fn unpack(block: Sealed, progress: &dyn Progress) -> Result<Content, Error> {
    let Sealed { kind, raw_len, raw_crc, payload, codecs, number, offset } = block;
    let disagreement = |source| Error::Disagreement { block: number, offset, source };
    match kind {
        BlockKind::Stored | BlockKind::Run => {
            let (crc, content) = match (kind, payload.first()) {
                (BlockKind::Run, Some(&b)) => {
                    (crc32_of_run(b, raw_len.into()), Content::Run(b, raw_len))
                }
                _ => (crc32(&payload), Content::Bytes(payload)),
            };
            progress.raw(raw_len.into());
            if crc == raw_crc { Ok(content) } else { Err(disagreement(None)) }
        }
        BlockKind::Coded => {
            let mut failure = None;
            for codec in codecs.iter() {
                let result = counted(raw_len, progress, |count| {
                    codec.decode(&payload, raw_len as usize, count)
                });
                match result {
                    Ok(raw) if raw.len() == raw_len as usize && crc32(&raw) == raw_crc => {
                        return Ok(Content::Bytes(raw));
                    }
                    Ok(_) => {}
                    Err(e) => failure = Some(e),
                }
            }
            Err(disagreement(failure))
        }
    }
}

/// Runs the codec so that in the end exactly `raw_len` bytes were reported.
fn counted<T>(
    raw_len: u32,
    progress: &dyn Progress,
    run: impl FnOnce(&dyn Fn(u64)) -> Result<T, CodecError>,
) -> Result<T, CodecError> {
    let left = Cell::new(u64::from(raw_len));
    let result = run(&|n| {
        let n = n.min(left.get());
        left.set(left.get() - n);
        progress.raw(n);
    });
    progress.raw(left.get());
    result
}
