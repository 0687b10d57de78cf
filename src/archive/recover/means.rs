//! What blocks of a damaged archive are decoded with.

use std::io::{Read, Seek};

use super::Found;
use crate::archive::block::{Codecs, Sealed, unpack};
use crate::archive::decompress::{check_frame, check_profile};
use crate::archive::memory::Lanes;
use crate::archive::models::Models;
use crate::archive::{DecompressOptions, ModelSource, Progress};
use crate::container::pieces::read_frame;
use crate::container::{BlockHeader, BlockKind, Header, MODEL_FRAME, ModelKey, Short, Skippable};
use crate::error::Error;

/// What blocks are decoded with.
pub(super) struct Means<'a> {
    pub lanes: &'a Lanes,
    models: Models<'a>,
    options: &'a DecompressOptions,
}

impl<'a> Means<'a> {
    pub fn new(
        models: &'a dyn ModelSource,
        options: &'a DecompressOptions,
        lanes: &'a Lanes,
    ) -> Self {
        Self { lanes, models: Models::new(models), options }
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

    pub fn short(&mut self, short: Short, offset: u64) -> Result<Sealed, Error> {
        let (profile, key) = (Some(short.profile), Some(ModelKey::Tag(short.tag)));
        let codecs = self.codecs((short.kind, short.raw_len), &short.payload, profile, key)?;
        Ok(Sealed::short(short, codecs, offset))
    }

    pub fn block(
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

    /// Takes a model from a frame, or says why it is lost. Other frames are nothing to keep or
    /// to lose.
    pub fn frame<R: Read + Seek>(
        &mut self,
        input: &mut R,
        offset: u64,
        frame: &Skippable,
    ) -> Result<Result<(), String>, Error> {
        if frame.kind != MODEL_FRAME {
            return Ok(Ok(()));
        }
        let model = check_frame(frame, self.options)
            .and_then(|()| Ok(read_frame(input, offset, frame)?))
            .and_then(|packed| self.models.embed(packed, self.options.memory_limit));
        match model {
            Err(e @ Error::Read(_)) => Err(e),
            Err(e) => Ok(Err(format!("the embedded model: {e}"))),
            Ok(()) => Ok(Ok(())),
        }
    }
}

/// What is in a block.
pub(super) fn open(sealed: Sealed, progress: &dyn Progress) -> Result<Found, Error> {
    let (kind, raw_len, payload) = (sealed.kind, sealed.raw_len, sealed.payload.len());
    let content = unpack(sealed, progress)?;
    Ok(Found::Content { kind, raw_len: raw_len.into(), payload: payload as u64, content })
}
