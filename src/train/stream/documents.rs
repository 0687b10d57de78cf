//! Documents by the kind of their content, as they are coded.

use super::evidence::PIECE;
use crate::stream::block::{by_header, changed};
use crate::stream::content::Content;
use crate::stream::signal::regions::Regions;
use crate::stream::x86::{self, Addresses};

/// Fewer bytes of a kind of content are not worth a part of their own.
const FEWEST: usize = 1 << 18;

/// What is learned from.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its bytes, changed as they are for coding,
    pub bytes: Vec<u8>,
    /// and where it has samples.
    pub regions: Regions,
}

impl Document {
    /// One that is of a kind of content.
    pub fn new(content: Content, mut bytes: Vec<u8>) -> Self {
        let mut regions = Regions::default();
        match content {
            Content::Plain => {}
            Content::X86 => _ = Addresses::of(&bytes).forward(&mut bytes),
            Content::Signal | Content::Bilevel => {
                regions = by_header(&bytes).map_or_else(Regions::default, |f| f.1);
                bytes = changed(&bytes, content, &regions).into_owned();
            }
        }
        Self { bytes, regions }
    }
}

/// The documents of one kind of content.
#[derive(Clone, Debug, Default)]
pub(super) struct Documents {
    pub train: Vec<Document>,
    /// Held out.
    pub valid: Vec<Document>,
}

impl Documents {
    /// One at least is held out where there are two.
    pub fn new(mut train: Vec<Document>, mut valid: Vec<Document>) -> Self {
        if size(&valid) < PIECE && train.len() > 1 {
            valid.extend(train.pop());
        }
        Self { train, valid }
    }

    /// Takes in others.
    pub fn append(&mut self, mut others: Self) {
        self.train.append(&mut others.train);
        self.valid.append(&mut others.valid);
    }

    /// Whether there are enough to learn a part from, and some to look at.
    pub fn are_enough(&self, content: Content) -> bool {
        let fewest = if content == Content::Plain { 1 } else { FEWEST };
        size(&self.train) >= fewest && size(&self.valid) >= PIECE
    }
}

/// Bytes of documents.
pub(super) fn size(documents: &[Document]) -> usize {
    documents.iter().map(|d| d.bytes.len()).sum()
}

/// Takes the documents of a kind of content out of others.
pub(super) fn take(content: Content, documents: &mut Vec<Vec<u8>>) -> Vec<Document> {
    let taken = documents.extract_if(.., |d| is(content, d));
    taken.map(|bytes| Document::new(content, bytes)).collect()
}

/// Whether a document is of a kind of content.
pub(super) fn is(content: Content, document: &[u8]) -> bool {
    let own = if x86::is_likely(document) {
        Content::X86
    } else {
        by_header(document).map_or(Content::Plain, |(content, _)| content)
    };
    own == content
}
