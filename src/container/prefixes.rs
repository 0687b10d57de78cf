//! Checksums of any part of an input for little reading: an input made to be
//! recovered for ever has a header at every place, whose payload is all that follows.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use crc32fast::Hasher;

/// Bytes between the places whose checksum is kept.
const STEP: usize = 1024;

/// The CRC-32 of the first n·1024 bytes of an input, for every n.
#[derive(Debug)]
pub struct Prefixes {
    checksums: Vec<u32>,
}

impl Prefixes {
    /// Reads an input once, from its beginning.
    pub fn new<R: Read + Seek>(input: &mut R) -> io::Result<Self> {
        input.seek(SeekFrom::Start(0))?;
        let mut all = Hasher::new();
        let mut checksums = vec![all.clone().finalize()];
        let mut piece = Vec::with_capacity(STEP);
        let mut input = io::BufReader::with_capacity(1 << 16, input);
        loop {
            piece.clear();
            if (&mut input).take(STEP as u64).read_to_end(&mut piece)? < STEP {
                return Ok(Self { checksums });
            }
            all.update(&piece);
            checksums.push(all.clone().finalize());
        }
    }

    /// The checksum of all bytes before `at`.
    fn before<R: Read + Seek>(&self, input: &mut R, at: u64) -> io::Result<u32> {
        let last = self.checksums.len() - 1;
        let n = usize::try_from(at / STEP as u64).unwrap_or(last).min(last);
        let start = (n * STEP) as u64;
        let mut piece = Vec::with_capacity(STEP);
        input.seek(SeekFrom::Start(start))?;
        input.take(at - start).read_to_end(&mut piece)?;
        let mut all = Hasher::new_with_initial_len(self.checksums[n], start);
        all.update(&piece);
        Ok(all.finalize())
    }

    /// The CRC-32 of a part of the input that these are of.
    pub fn crc32_of<R: Read + Seek>(&self, input: &mut R, part: Range<u64>) -> io::Result<u32> {
        if part.is_empty() {
            // what `combine` leaves alone when it adds nothing
            return Ok(0);
        }
        let (before, after) = (self.before(input, part.start)?, self.before(input, part.end)?);
        // CRC-32 is linear: of A and of AB follows that of B, as that of AB follows of
        // those of A and B
        let mut part_alone = Hasher::new_with_initial_len(before, part.start);
        part_alone.combine(&Hasher::new_with_initial_len(after, part.end - part.start));
        Ok(part_alone.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::checksum::crc32;
    use proptest::prelude::*;

    /// All parts of a short input, empty ones among them.
    #[test]
    fn every_part() {
        let bytes = [0, 0, 1, 0, 255];
        let mut input = io::Cursor::new(&bytes);
        let prefixes = Prefixes::new(&mut input).unwrap();
        for a in 0..=bytes.len() {
            for b in a..=bytes.len() {
                let got = prefixes.crc32_of(&mut input, a as u64..b as u64).unwrap();
                assert_eq!(got, crc32(&bytes[a..b]), "{a}..{b}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_part(bytes in proptest::collection::vec(any::<u8>(), 0..5000), a: u16, b: u16) {
            let mut input = io::Cursor::new(&bytes);
            let prefixes = Prefixes::new(&mut input).unwrap();
            let (a, b) = (usize::from(a) % (bytes.len() + 1), usize::from(b) % (bytes.len() + 1));
            let (a, b) = (a.min(b), a.max(b));
            let got = prefixes.crc32_of(&mut input, a as u64..b as u64).unwrap();
            prop_assert_eq!(got, crc32(&bytes[a..b]));
        }
    }
}
