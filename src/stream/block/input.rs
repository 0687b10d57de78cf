//! A block as it will be coded: what it holds, and the changes that its content calls for.

use std::borrow::Cow;

use super::encode_alone;
use crate::codec::CodecError;
use crate::engine::kernel::Isa;
use crate::stream::coding::{Coding, Level};
use crate::stream::content::Content;
use crate::stream::model::{StreamModel, with_contexts};
use crate::stream::signal::filter;
use crate::stream::signal::find::{bare, find};
use crate::stream::signal::regions::{Region, Regions};
use crate::stream::x86;

/// What is to be coded: the model's text and after it the block.
#[derive(Debug)]
pub struct Input<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// Length of the text.
    pub(super) start: usize,
    pub(super) coding: Coding,
    /// Of the bytes; none if the content has none.
    pub(super) regions: Regions,
}

impl<'a> Input<'a> {
    /// Looks at a block, and changes what is to be changed before it is coded at a level;
    /// at the default one if the model does not have it. A region of samples may go on at its
    /// beginning that began in a block before.
    pub fn new(
        model: &StreamModel,
        raw: &'a [u8],
        continued: Option<Region>,
        level: Level,
    ) -> Self {
        if x86::is_likely(raw) {
            let mut changed = raw.to_vec();
            x86::forward(&mut changed);
            return Self::of(model, Content::X86, changed.into(), level);
        }
        match found_samples(raw, continued).filter(|found| are_worth_it(model, raw, found)) {
            Some(found) => Self::of_samples(model, raw, &found, level),
            None => Self::of(model, Content::Plain, raw.into(), level),
        }
    }

    /// A block that has such samples in these regions.
    pub(super) fn of_samples(
        model: &StreamModel,
        raw: &'a [u8],
        (content, regions): &(Content, Regions),
        level: Level,
    ) -> Self {
        let input = Self::of(model, *content, changed(raw, *content, regions), level);
        Self { regions: regions.shifted(input.start), ..input }
    }

    /// A block of some content, changed as it calls for.
    fn of(model: &StreamModel, content: Content, block: Cow<'a, [u8]>, level: Level) -> Self {
        let start = model.text.len();
        let level = model.level(level).map_or(Level::Default, |_| level);
        let bytes = if start == 0 { block } else { [&model.text, &*block].concat().into() };
        let coding = Coding { level, content };
        Self { bytes, start, coding, regions: Regions::default() }
    }

    /// How the block is coded.
    pub fn coding(&self) -> Coding {
        self.coding
    }

    /// What the payload begins with: flags, and where samples are.
    pub(super) fn beginning(&self) -> Vec<u8> {
        let mut payload = vec![self.coding.flags()];
        if self.coding.content.has_samples() {
            let back = |r: &Region| Region { start: r.start - self.start, ..*r };
            self.regions.iter().map(back).collect::<Regions>().push_to(&mut payload);
        }
        payload
    }
}

/// The content of a block with samples of one kind, if these are most of it, and where they
/// are. What no header tells of may be a bilevel picture.
pub fn found_samples(raw: &[u8], continued: Option<Region>) -> Option<(Content, Regions)> {
    let all = find(raw, continued);
    let of_kind = |bilevel| -> Regions {
        all.iter().filter(|r| r.layout.bilevel == bilevel).copied().collect()
    };
    let found = [(Content::Signal, of_kind(false)), (Content::Bilevel, of_kind(true))];
    let most = found.into_iter().find(|(_, regions)| regions.size() > raw.len() / 2);
    most.or_else(|| Some((Content::Bilevel, bare::find(raw)?)))
}

/// The bytes of a block as they are coded.
pub fn changed<'a>(raw: &'a [u8], content: Content, regions: &Regions) -> Cow<'a, [u8]> {
    if content == Content::Signal { filter::forward(raw, regions).into() } else { raw.into() }
}

/// Bytes that are coded to find out, in all and of one region at most.
const TRIAL: usize = 1 << 16;
const PIECE: usize = 1 << 14;

/// Whether some of the samples, from all over the block, take less as such: pictures
/// that were drawn and not taken are better described by what repeats in them.
fn are_worth_it(model: &StreamModel, raw: &[u8], (content, regions): &(Content, Regions)) -> bool {
    let every = regions.len().div_ceil(TRIAL / PIECE);
    let (mut bytes, mut pieces) = (Vec::new(), Vec::new());
    for region in regions.iter().step_by(every.max(1)) {
        let unit = region.layout.unit();
        // few regions have more to give
        let most = (TRIAL / regions.len().min(TRIAL / PIECE)).next_multiple_of(unit);
        let len = region.len.min(most);
        let at = region.start + (region.len - len) / 2 / unit * unit;
        pieces.push(Region { start: bytes.len(), len, layout: region.layout });
        bytes.extend(&raw[at..at + len]);
    }
    let pieces: Regions = pieces.into_iter().collect();
    let level = model.level(Level::Fast).map_or(Level::Default, |_| Level::Fast);
    let cost = |content, bytes: Cow<[u8]>, regions: Regions| {
        let coding = Coding { level, content };
        let input = Input { bytes, start: 0, coding, regions };
        with_contexts!(model.part(coding).contexts.len(), C => {
            encode_alone::<C>(Isa::best(), model, &input, &|_| {})
        })
        .map(|coded| coded.payload.len())
    };
    let costs = || -> Result<_, CodecError> {
        let plain = cost(Content::Plain, bytes.as_slice().into(), Regions::default())?;
        Ok([plain, cost(*content, changed(&bytes, *content, &pieces), pieces)?])
    };
    costs().is_ok_and(|[plain, samples]| samples < plain)
}
