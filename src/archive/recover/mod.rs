//! What is left of a damaged archive.
//!
//! [`members`] and [`walk`] go through the input, with its structure or without, and give one
//! [`Step`] after the other; blocks are decoded by several threads, and what comes of them is
//! written and accounted for in order.

mod means;
mod members;
mod walk;

use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;

use super::block::{Content, Sealed};
use super::decompress::write_content;
use super::memory::Lanes;
use super::pipeline::ordered;
use super::threads::Threads;
use super::{DecompressOptions, ModelSource, Progress, Summary};
use crate::container::block::{BLOCK_HEADER_LEN, SPLIT_HEAD};
use crate::container::scan::{scan, scan_by_index};
use crate::container::{BlockKind, FormatError};
use crate::error::Error;
use means::{Means, open};
use members::Members;
use walk::Walk;

/// Bytes of archive that a byte of content takes, at most: it may be a block.
const MOST_PER_BYTE: u64 = BLOCK_HEADER_LEN as u64 + 1 + SPLIT_HEAD as u64;

/// A part of the input that gave no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Where in the input.
    pub archive: Range<u64>,
    /// Where in the recovered content it is missing.
    pub at: u64,
    /// Bytes of content lost, if that is known.
    pub content: Option<u64>,
    /// What is wrong there.
    pub why: String,
}

/// What was recovered and what was not.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// What was written.
    pub summary: Summary,
    /// What was lost, in order.
    pub losses: Vec<Loss>,
}

/// What comes next of an archive.
#[derive(Default)]
struct Step {
    /// What is known at once.
    found: Vec<Found>,
    /// The block behind it, to be decoded, and where it is.
    block: Option<(Box<Sealed>, Range<u64>)>,
}

/// What was found.
enum Found {
    /// What a block has.
    Content { kind: BlockKind, raw_len: u64, payload: u64, content: Content },
    /// A part that gives nothing: [`Loss`] without its place in the content.
    Lost { archive: Range<u64>, content: Option<u64>, why: String },
    /// So many bytes of content are missing before a place of the archive; lost parts had at most
    /// so many bytes for each.
    Missing { missing: u64, at: u64, most_per_byte: u64 },
    /// What was lost until now was accounted for.
    Accounted,
}

impl Step {
    fn lose(&mut self, archive: Range<u64>, content: Option<u64>, why: String) {
        self.found.push(Found::Lost { archive, content, why });
    }

    /// A block of `raw_len` bytes, or why it cannot be decoded.
    fn block(&mut self, sealed: Result<Sealed, Error>, archive: Range<u64>, raw_len: u32) {
        match sealed {
            Ok(sealed) => self.block = Some((Box::new(sealed), archive)),
            Err(why) => self.lose(archive, Some(raw_len.into()), why.to_string()),
        }
    }
}

/// Writes the content of every intact block of `input`, in order, and says what
/// is lost. Where headers and index are whole they tell where the blocks are.
/// Else damage is passed over, and the next part is found by its checksum; if
/// the content holds archives itself, stored, blocks of theirs may then be taken
/// for blocks of this one. A block whose model cannot be had, or that needs more than
/// the memory that `options` allow, is lost. An error is returned only if the input cannot be
/// read or the output not be written, or if there is more content than they allow.
pub fn recover<R: Read + Seek>(
    input: &mut R,
    output: impl Write,
    models: &dyn ModelSource,
    options: &DecompressOptions,
    progress: &dyn Progress,
) -> Result<Recovered, Error> {
    let end = input.seek(SeekFrom::End(0)).map_err(Error::Read)?;
    let lanes = Lanes::new(options);
    let means = Means::new(models, options, &lanes);
    let unknown = |e: &FormatError| matches!(e, FormatError::UnknownFeature { .. });
    let structure =
        scan(input).or_else(|e| if unknown(&e) { Err(e) } else { scan_by_index(input) });
    let mut recovered = match structure {
        Ok(members) => {
            let mut members = Members::new(input, &members, means);
            keep(&mut || members.next(), output, options, &lanes, progress)?
        }
        // checksums are right: this is no damage
        Err(e) if unknown(&e) => return Err(e.into()),
        Err(_) => {
            let mut walk = Walk::new(input, end, means, progress);
            keep(&mut || walk.next(), output, options, &lanes, progress)?
        }
    };
    recovered.summary.archive = end;
    Ok(recovered)
}

/// Decodes blocks, and keeps what is in them.
fn keep(
    source: &mut dyn FnMut() -> Result<Option<Step>, Error>,
    mut output: impl Write,
    options: &DecompressOptions,
    lanes: &Lanes,
    progress: &dyn Progress,
) -> Result<Recovered, Error> {
    let threads = Threads::new(options.threads);
    let work = |step: Step| {
        let mut found = step.found;
        found.extend(step.block.map(|(sealed, archive)| {
            let content = Some(sealed.raw_len.into());
            let opened = threads
                .lend(sealed.threads, |threads| open(Sealed { threads, ..*sealed }, progress));
            opened.unwrap_or_else(|why| Found::Lost { archive, content, why: why.to_string() })
        }));
        found
    };
    let mut recovered = Recovered::default();
    let mut accounted = 0;
    let mut sink = |found| {
        match found {
            Found::Content { kind, raw_len, payload, content } => {
                recovered.summary.add(kind, raw_len, payload);
                options.check_content(recovered.summary.raw)?;
                write_content(&mut output, &content, |_| {}).map_err(Error::Write)?;
            }
            Found::Lost { archive, content, why } => recovered.lose(archive, content, why),
            Found::Missing { missing, at, most_per_byte } => {
                recovered.account(accounted, missing, at, most_per_byte);
            }
            Found::Accounted => accounted = recovered.losses.len(),
        }
        Ok(())
    };
    let sink = |found: Vec<Found>| found.into_iter().try_for_each(&mut sink);
    ordered(&lanes.threads, source, work, sink)?;
    Ok(recovered)
}

impl Recovered {
    fn lose(&mut self, archive: Range<u64>, content: Option<u64>, why: String) {
        let at = self.summary.raw;
        self.losses.push(Loss { archive, at, content, why });
    }

    /// So many bytes of content are missing before `at`: this tells the length of a single loss of
    /// unknown length, of those from number `first` on, if it has at most so many bytes of archive
    /// for each of content (there may have been another archive else), or that blocks are missing.
    fn account(&mut self, first: usize, missing: u64, at: u64, most_per_byte: u64) {
        let mut unknown: Vec<&mut Loss> =
            self.losses[first..].iter_mut().filter(|l| l.content.is_none()).collect();
        match (unknown.len(), missing) {
            (1, _) => {
                let Range { start, end } = unknown[0].archive;
                let most = missing.saturating_mul(most_per_byte).saturating_add(MOST_PER_BYTE);
                unknown[0].content = (end - start <= most).then_some(missing);
            }
            (0, 1..) => self.lose(at..at, Some(missing), "blocks are missing".into()),
            _ => {}
        }
    }
}
