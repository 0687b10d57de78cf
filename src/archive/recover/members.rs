//! The parts of an archive whose headers are whole, or else its index: they tell where its blocks
//! are.

use std::io::{Read, Seek};
use std::slice::Iter;

use super::Step;
use super::means::Means;
use crate::archive::block::Sealed;
use crate::container::Header;
use crate::container::block::BLOCK_HEADER_LEN;
use crate::container::pieces::{read_block, read_short};
use crate::container::scan::{Member, Place, Structure};
use crate::error::Error;

/// Goes from part to part.
pub(super) struct Members<'a, R> {
    input: &'a mut R,
    members: Iter<'a, Member>,
    means: Means<'a>,
    long: Option<Long<'a>>,
}

/// A long archive under way.
struct Long<'a> {
    header: &'a Header,
    places: Box<dyn Iterator<Item = Place> + 'a>,
    /// For each block.
    threads: usize,
}

impl<'a, R: Read + Seek> Members<'a, R> {
    pub fn new(input: &'a mut R, members: &'a [Member], means: Means<'a>) -> Self {
        Self { input, members: members.iter(), means, long: None }
    }

    pub fn next(&mut self) -> Result<Option<Step>, Error> {
        let mut step = Step::default();
        loop {
            if let Some(long) = &mut self.long {
                if let Some(place) = long.places.next() {
                    let (header, threads) = (long.header, long.threads);
                    self.block(&mut step, header, &place, threads)?;
                    return Ok(Some(step));
                }
                self.long = None;
            }
            let Some(member) = self.members.next() else {
                return Ok((!step.found.is_empty()).then_some(step));
            };
            let archive = member.offset..member.offset + member.len;
            match &member.what {
                Structure::Skippable(frame) => {
                    if let Err(why) = self.means.frame(self.input, member.offset, frame)? {
                        step.lose(archive, Some(0), why);
                    }
                }
                Structure::Short { .. } => {
                    let short = read_short(self.input, member.offset)?;
                    let raw_len = short.raw_len;
                    step.block(self.means.short(short, member.offset), archive, raw_len);
                    return Ok(Some(step));
                }
                Structure::Long { header, .. } => {
                    let threads = self.means.lanes.threads_for(member.blocks().len() as u64);
                    self.long = Some(Long { header, places: Box::new(member.places()), threads });
                }
            }
        }
    }

    fn block(
        &mut self,
        step: &mut Step,
        header: &Header,
        place: &Place,
        threads: usize,
    ) -> Result<(), Error> {
        let Place { number, offset, entry, .. } = *place;
        let room = self.means.lanes.make_room_for_bytes(entry.raw_len.into());
        let sealed = match room.and_then(|()| Ok(read_block(self.input, place)?)) {
            Err(e @ Error::Read(_)) => return Err(e),
            read => read.and_then(|(head, payload)| {
                self.means.block(&head, payload, (number, offset), Some(header))
            }),
        };
        let end = offset + BLOCK_HEADER_LEN as u64 + u64::from(entry.payload_len);
        let sealed = sealed.map(|sealed| Sealed { threads, ..sealed });
        step.block(sealed, offset..end, entry.raw_len);
        Ok(())
    }
}
