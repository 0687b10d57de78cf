//! A block as it will be coded: what it holds, and the changes that its content calls for.

use std::borrow::Cow;

use super::samples::{Samples, changed, find_samples};
use crate::stream::coding::{Coding, Level};
use crate::stream::content::Content;
use crate::stream::cut::is_mostly_code;
use crate::stream::model::StreamModel;
use crate::stream::signal::find::find;
use crate::stream::signal::regions::{Region, Regions};
use crate::stream::x86::{self, Addresses};

/// What is to be coded: the model's text and after it the block.
#[derive(Debug)]
pub struct Input<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// Length of the text.
    pub(super) start: usize,
    pub(super) coding: Coding,
    /// Where the bytes have samples, if such is the content.
    pub(super) regions: Regions,
}

impl<'a> Input<'a> {
    /// Looks at a block, which has samples in some regions, and changes what is to be changed
    /// before it is coded at a level; at the default one if the model does not have it.
    pub fn new(model: &StreamModel, raw: &'a [u8], regions: &Regions, level: Level) -> Self {
        if x86::is_likely(raw) && is_mostly_code(raw) {
            let addresses = Addresses::of(raw);
            let mut changed = raw.to_vec();
            // a decoder refuses a block that has none
            if addresses.forward(&mut changed) > 0 {
                let input = Self::of(model, Content::X86, changed.into(), level);
                return Self { coding: Coding { addresses, ..input.coding }, ..input };
            }
        }
        match find_samples(model, raw, regions, level) {
            Some(found) => Self::of_samples(model, raw, &found, level),
            None => Self::of(model, Content::Plain, raw.into(), level),
        }
    }

    /// A block with the samples that headers in it tell of.
    pub fn alone(model: &StreamModel, raw: &'a [u8], level: Level) -> Self {
        Self::new(model, raw, &find(raw, None).within(raw.len()), level)
    }

    /// A block that has such samples in these regions.
    pub(super) fn of_samples(
        model: &StreamModel,
        raw: &'a [u8],
        (content, regions): &Samples,
        level: Level,
    ) -> Self {
        let input = Self::of(model, *content, changed(raw, *content, regions), level);
        Self { regions: regions.shifted(input.start), ..input }
    }

    /// A block of some content, changed as it calls for.
    fn of(model: &StreamModel, content: Content, block: Cow<'a, [u8]>, level: Level) -> Self {
        let start = model.text.len();
        let level = model.level_or_default(level);
        let bytes = if start == 0 { block } else { [&model.text, &*block].concat().into() };
        let coding = Coding::at(level, content);
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
