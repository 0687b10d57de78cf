//! Which samples a block has, and whether it is better coded by them.

use std::borrow::Cow;

use super::encode_alone;
use super::input::Input;
use crate::codec::CodecError;
use crate::engine::kernel::Isa;
use crate::stream::coding::{Coding, Level};
use crate::stream::content::Content;
use crate::stream::model::{StreamModel, with_contexts};
use crate::stream::signal::filter;
use crate::stream::signal::find::{bare, find};
use crate::stream::signal::regions::{Region, Regions};

/// Samples of one kind, and where they are.
pub type Samples = (Content, Regions);

/// The regions of a block, by the content that they are of.
pub fn by_content(regions: &Regions) -> [Samples; 2] {
    [(Content::Signal, false), (Content::Bilevel, true)].map(|(content, bilevel)| {
        let of_kind = regions.iter().filter(|r| r.layout.bilevel == bilevel);
        (content, of_kind.copied().collect())
    })
}

/// Those of one kind, if they are most of a block of `len` bytes.
pub fn prevailing(regions: &Regions, len: usize) -> Option<Samples> {
    by_content(regions).into_iter().find(|(_, regions)| prevail(regions.size(), len))
}

/// Whether so many bytes of samples make a block of `len` bytes one of samples.
pub fn prevail(samples: usize, len: usize) -> bool {
    samples > len / 2
}

/// The samples of a block that headers tell of, if those of one kind are most of it.
pub fn by_header(raw: &[u8]) -> Option<Samples> {
    prevailing(&find(raw, None).within(raw.len()), raw.len())
}

/// The samples of a block, if it is better coded by them at a level: those that headers tell
/// of, which are given, or a bilevel picture without.
pub(super) fn find_samples(
    model: &StreamModel,
    raw: &[u8],
    regions: &Regions,
    level: Level,
) -> Option<Samples> {
    let [level, tried] = [level, Level::Fast].map(|level| model.level_or_default(level));
    let gains = |found: &Samples, level, most: f64| {
        let trial = try_samples(model, raw, found, level);
        trial.is_some_and(|t| (t.samples as f64) < most * t.plain as f64)
    };
    if let Some(found) = prevailing(regions, raw.len()) {
        return gains(&found, tried, 1.0).then_some(found);
    }
    // tables may look like one: it must be so at this very level, by far
    let has_part = model.own_part(Coding::at(level, Content::Bilevel)).is_some();
    let found = (Content::Bilevel, bare::find(raw).filter(|_| has_part)?);
    let is_one = |level| gains(&found, level, BARE_MOST);
    (is_one(tried) && (level == tried || is_one(level))).then_some(found)
}

/// The bytes of a block as they are coded.
pub fn changed<'a>(raw: &'a [u8], content: Content, regions: &Regions) -> Cow<'a, [u8]> {
    if content == Content::Signal { filter::forward(raw, regions).into() } else { raw.into() }
}

/// Bytes that are coded to find out, in all and in one piece at most.
const TRIAL: usize = 1 << 16;
const PIECE: usize = 1 << 14;
/// What a picture without a header takes at most, of what it takes as other content.
const BARE_MOST: f64 = 0.9;

/// What some of a block's samples take.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// Their bytes,
    pub len: usize,
    /// what these take as any content,
    pub plain: usize,
    /// and as what they are.
    pub samples: usize,
}

/// Codes some of the samples at a level, as such and as other content: pictures that were drawn
/// and not taken are better described by what repeats in them.
pub fn try_samples(
    model: &StreamModel,
    raw: &[u8],
    (content, regions): &Samples,
    level: Level,
) -> Option<Trial> {
    let (bytes, pieces) = pieces(raw, *content, regions);
    let cost = |content, bytes: Cow<[u8]>, regions: Regions| {
        let input = Input { bytes, start: 0, coding: Coding::at(level, content), regions };
        with_contexts!(model.part(input.coding).contexts.len(), C => {
            encode_alone::<C>(Isa::best(), model, &input, &|_| {})
        })
        .map(|coded| coded.payload.len())
    };
    let costs = || -> Result<_, CodecError> {
        let plain = cost(Content::Plain, bytes.as_slice().into(), Regions::default())?;
        let samples = cost(*content, changed(&bytes, *content, &pieces), pieces)?;
        Ok(Trial { len: bytes.len(), plain, samples })
    };
    costs().ok()
}

/// Pieces from all over the block: of some regions, or several of the few that there are. Those
/// of a signal are in one, as filters have to learn in each.
fn pieces(raw: &[u8], content: Content, regions: &Regions) -> (Vec<u8>, Regions) {
    const MOST: usize = TRIAL / PIECE;
    let every = regions.len().div_ceil(MOST).max(1);
    let each = if content == Content::Bilevel { MOST / regions.len().clamp(1, MOST) } else { 1 };
    let (mut bytes, mut pieces) = (Vec::new(), Vec::new());
    for region in regions.iter().step_by(every) {
        let unit = region.layout.unit();
        let len = (TRIAL / regions.len().min(MOST) / each).next_multiple_of(unit);
        // of equal parts of the region the middle
        let part = (region.len / each / unit * unit).max(unit);
        for start in (0..region.len).step_by(part).take(each) {
            let part = part.min(region.len - start);
            let len = part.min(len);
            let at = region.start + start + (part - len) / 2 / unit * unit;
            pieces.push(Region { start: bytes.len(), len, layout: region.layout });
            bytes.extend(&raw[at..at + len]);
            // rows may be very long
            if bytes.len() > TRIAL {
                return (bytes, pieces.into_iter().collect());
            }
        }
    }
    (bytes, pieces.into_iter().collect())
}
