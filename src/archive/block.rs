//! One block on its way in or out.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use super::{NoProgress, Progress};
use crate::codec::{BlockCodec, CodecError, Encoded};
use crate::container::checksum::{crc32, crc32_of_run};
use crate::container::{BlockHeader, BlockKind, FormatError, Short, varint};
use crate::error::Error;
use crate::split::{self, Records};
use crate::stream::coding::Level;
use crate::stream::signal::regions::Regions;

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

/// How the content of a block is coded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coding {
    /// Where the block goes.
    pub place: Place,
    /// How much time it is worth.
    pub level: Level,
    /// Take the default level where that is shorter, if the block is short.
    pub or_default: bool,
    /// Decode it again and compare.
    pub verify: bool,
    /// Threads for it alone.
    pub threads: usize,
    /// Its number, for errors.
    pub number: u64,
    /// As records, each by itself.
    pub records: Option<Records>,
}

/// A block of at most so many bytes may be tried at two levels; of longer ones more evidence
/// makes more.
const TRIED_TWICE: usize = 1 << 16;

/// Chooses the kind of a block, which has samples in some regions, and codes it.
pub(super) fn pack(
    raw: Vec<u8>,
    regions: &Regions,
    codec: &dyn BlockCodec,
    coding: Coding,
    progress: &dyn Progress,
) -> Result<Packed, Error> {
    let Coding { place, level, or_default, verify, threads, number, records } = coding;
    if let Some(records) = records.filter(|_| !raw.is_empty()) {
        return pack_records(&raw, codec, records, verify, number, progress);
    }
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
    let encoded = counted(raw_len, progress, |count| {
        let coded = codec.encode(&raw, regions, level, threads, count)?;
        let is_only = level == Level::Default || !codec.has_level(level);
        if !or_default || is_only || raw.len() > TRIED_TWICE {
            return Ok(coded);
        }
        let other = codec.encode(&raw, regions, Level::Default, threads, &|_| {})?;
        Ok(if other.payload.len() <= coded.payload.len() { other } else { coded })
    })
    .map_err(|source| Error::Encode { block: number, source })?;
    if verify {
        let back = codec
            .decode(&encoded.payload, raw.len(), threads, &|_| {})
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
    let kind = if codec.is_extended(&payload) { BlockKind::Extended } else { BlockKind::Coded };
    Ok(Packed { kind, raw_len, raw_crc, payload, ideal_bits })
}

/// Codes a block as records.
fn pack_records(
    raw: &[u8],
    codec: &dyn BlockCodec,
    records: Records,
    verify: bool,
    number: u64,
    progress: &dyn Progress,
) -> Result<Packed, Error> {
    let failed = |source| Error::Encode { block: number, source };
    let mut coder = codec.records().ok_or_else(|| failed(CodecError::NoRecords))?;
    let raw_len = raw.len() as u32;
    let Encoded { payload, ideal_bits } = counted(raw_len, progress, |count| {
        split::encode(raw, records, number == 0, coder.as_mut(), count)
    })
    .map_err(failed)?;
    if verify {
        let back = split::decode(&payload, None, raw.len(), coder.as_mut(), &|_| {})
            .map_err(|_| Error::Verify { block: number })?;
        if back != raw {
            return Err(Error::Verify { block: number });
        }
    }
    Ok(Packed { kind: BlockKind::Split, raw_len, raw_crc: crc32(raw), payload, ideal_bits })
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
    /// Of a split block, the records that are wanted: then it is not the content's
    /// checksum that is compared but each record's own, if they have any.
    pub records: Option<Range<u64>>,
    /// Threads that its decoding may use.
    pub threads: usize,
}

impl Sealed {
    /// A block of the long form, its number and where it begins.
    pub fn block(
        head: &BlockHeader,
        payload: Vec<u8>,
        codecs: Codecs,
        (number, offset): (u64, u64),
    ) -> Self {
        let BlockHeader { kind, raw_len, raw_crc, .. } = *head;
        let (records, threads) = (None, 1);
        Self { kind, raw_len, raw_crc, payload, codecs, number, offset, records, threads }
    }

    /// The block of the short form that begins there.
    pub fn short(short: Short, codecs: Codecs, offset: u64) -> Self {
        let Short { kind, raw_len, raw_crc, payload, .. } = short;
        let (number, records, threads) = (0, None, 1);
        Self { kind, raw_len, raw_crc, payload, codecs, number, offset, records, threads }
    }
}

/// A block's content, known to be right.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    Run(u8, u32),
}

/// Decodes a block and checks its content.
pub(super) fn unpack(block: Sealed, progress: &dyn Progress) -> Result<Content, Error> {
    let Sealed { kind, raw_len, raw_crc, payload, codecs, number, offset, records, threads } =
        block;
    let failed = |source| match source {
        Some(CodecError::Unknown(what)) => FormatError::UnknownFeature { what }.into(),
        Some(CodecError::Form(what)) => {
            FormatError::DamagedBlock { block: number, offset, what }.into()
        }
        Some(CodecError::NoRecords) => {
            let what = "it is split into records, and its model is one of rows of bits";
            FormatError::DamagedBlock { block: number, offset, what }.into()
        }
        source => Error::Disagreement { block: number, offset, source },
    };
    match kind {
        BlockKind::Stored | BlockKind::Run => {
            let (crc, content) = match (kind, payload.first()) {
                (BlockKind::Run, Some(&b)) => {
                    (crc32_of_run(b, raw_len.into()), Content::Run(b, raw_len))
                }
                _ => (crc32(&payload), Content::Bytes(payload)),
            };
            progress.raw(raw_len.into());
            if crc == raw_crc {
                Ok(content)
            } else {
                Err(failed(Some(CodecError::Form("the checksum of its content"))))
            }
        }
        BlockKind::Coded | BlockKind::Split | BlockKind::Extended => {
            let len = raw_len as usize;
            let decode = |codec: &dyn BlockCodec, records, progress: &dyn Progress| {
                counted(raw_len, progress, |count| match kind {
                    BlockKind::Split => {
                        let mut coder = codec.records().ok_or(CodecError::NoRecords)?;
                        split::decode(&payload, records, len, coder.as_mut(), count)
                    }
                    _ if codec.is_extended(&payload) != (kind == BlockKind::Extended) => {
                        Err(CodecError::Form("flags of another kind of block"))
                    }
                    _ => codec.decode(&payload, len, threads, count),
                })
            };
            let part = |codec: &dyn BlockCodec, wanted, progress: &dyn Progress| {
                let part = decode(codec, Some(wanted), progress);
                part.map(Content::Bytes).map_err(|e| failed(Some(e)))
            };
            if let (Some(wanted), [one]) = (&records, &codecs[..]) {
                return part(one.as_ref(), wanted.clone(), progress);
            }
            // which of several models it is, only the whole content tells
            let mut failure = None;
            for codec in codecs.iter() {
                match decode(codec.as_ref(), None, progress) {
                    Ok(raw) if raw.len() == len && crc32(&raw) == raw_crc => {
                        return match records {
                            Some(wanted) => part(codec.as_ref(), wanted, &NoProgress),
                            None => Ok(Content::Bytes(raw)),
                        };
                    }
                    Ok(_) => {}
                    // what is wrong under one of several says nothing of the payload
                    Err(e) if codecs.len() == 1 || matches!(e, CodecError::Unknown(_)) => {
                        failure = Some(e);
                    }
                    Err(_) => {}
                }
            }
            Err(failed(failure))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::SHIPPED;
    use crate::made::file::ModelFile;
    use crate::split::Split;
    use crate::stream::codec::StreamCodec;
    use crate::stream::model::StreamModel;
    use crate::stream::testing::Random;

    #[test]
    fn records_of_one_of_several_models() {
        let shipped = ModelFile::from_bytes(SHIPPED[0].bytes).unwrap();
        let models = [
            StreamModel::from_file(&shipped).unwrap(),
            Random(4).model("o1 o2 o3 o4 o5 o6 word pair"),
        ];
        let [one, other] =
            models.map(|m| -> Arc<dyn BlockCodec> { Arc::new(StreamCodec::new(m, [0; 32])) });
        let raw = b"the first of the lines\nand then the second one\nthe third is the last\n";
        let records = Records { rule: Split::Lines, check: 0 };
        let packed = pack_records(raw, &*one, records, false, 0, &NoProgress).unwrap();
        assert!(packed.payload.len() < raw.len());
        let second = |codecs: Vec<Arc<dyn BlockCodec>>| {
            let Packed { kind, raw_len, raw_crc, ref payload, .. } = packed;
            let (payload, codecs) = (payload.clone(), codecs.into());
            let (number, offset, records, threads) = (0, 0, Some(1..2), 1);
            unpack(
                Sealed {
                    kind,
                    raw_len,
                    raw_crc,
                    payload,
                    codecs,
                    number,
                    offset,
                    records,
                    threads,
                },
                &NoProgress,
            )
        };
        let wanted = Content::Bytes(b"and then the second one\n".to_vec());
        assert_eq!(second(vec![one.clone()]).unwrap(), wanted);
        assert_eq!(second(vec![other.clone(), one.clone()]).unwrap(), wanted);
        assert_eq!(second(vec![one, other.clone()]).unwrap(), wanted);
        assert!(second(vec![other.clone(), other]).is_err());
    }
}
