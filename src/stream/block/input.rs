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
                let coding = Coding { addresses, ..Coding::at(level, Content::X86) };
                return Self::of(model, coding, changed.into());
            }
        }
        match find_samples(model, raw, regions, level) {
            Some(found) => Self::of_samples(model, raw, &found, level),
            None => Self::of(model, Coding::at(level, Content::Plain), raw.into()),
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
        let coding = Coding::at(level, *content);
        let input = Self::of(model, coding, changed(raw, *content, regions));
        Self { regions: regions.shifted(input.start), ..input }
    }

    /// A block that has been changed as its content calls for.
    fn of(model: &StreamModel, coding: Coding, block: Cow<'a, [u8]>) -> Self {
        let start = model.text.len();
        let bytes = if start == 0 { block } else { [&model.text, &*block].concat().into() };
        let coding = Coding { level: model.level_or_default(coding.level), ..coding };
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
