//! Sounds: WAV (RIFF) and AIFF, not compressed.

use super::super::layout::{Layout, MAX_CHANNELS, MAX_WIDTH};
use super::super::regions::Region;
use super::{Order, region};

/// WAV: integers of a fixed width,
const PCM: usize = 1;
/// or what the first two bytes of a longer field say.
const EXTENSIBLE: usize = 0xfffe;
/// Chunks that are looked through for the samples.
const CHUNKS: usize = 64;

/// The samples of the file that begins here.
pub fn find(file: &[u8]) -> Option<Region> {
    let form = file.get(8..12)?;
    match (&file[..4], form) {
        (b"RIFF", b"WAVE") => wav(file),
        (b"FORM", b"AIFF") => aiff(file),
        _ => None,
    }
}

/// The names, places and lengths of a file's chunks.
fn chunks(file: &[u8], order: Order) -> impl Iterator<Item = (&[u8], usize, usize)> {
    let mut at = 12usize;
    std::iter::from_fn(move || {
        let name = file.get(at..)?.get(..4)?;
        let len = order.u32(file, at + 4)?;
        let start = at + 8;
        at = start.saturating_add(len).saturating_add(len % 2);
        Some((name, start, len))
    })
    .take(CHUNKS)
}

fn wav(file: &[u8]) -> Option<Region> {
    let order = Order::Little;
    let mut layout = None;
    for (name, start, len) in chunks(file, order) {
        match name {
            b"fmt " => {
                let format = match order.u16(file, start)? {
                    EXTENSIBLE => order.u16(file, start + 24)?,
                    format => format,
                };
                let channels = order.u16(file, start + 2)?;
                let bits = order.u16(file, start + 14)?;
                layout = Some(sound(channels, bits, false).filter(|_| format == PCM)?);
            }
            b"data" => return region(start, len as u64, layout?),
            _ => {}
        }
    }
    None
}

fn aiff(file: &[u8]) -> Option<Region> {
    let order = Order::Big;
    let mut layout = None;
    for (name, start, len) in chunks(file, order) {
        match name {
            b"COMM" => {
                let (channels, bits) = (order.u16(file, start)?, order.u16(file, start + 6)?);
                layout = Some(sound(channels, bits, true)?);
            }
            b"SSND" => {
                // an offset and a block size come first
                let offset = order.u32(file, start)?.checked_add(8)?;
                let (start, len) = (start.checked_add(offset)?, len.checked_sub(offset)?);
                return region(start, len as u64, layout?);
            }
            _ => {}
        }
    }
    None
}

fn sound(channels: usize, bits: usize, big_endian: bool) -> Option<Layout> {
    let width = bits.div_ceil(8);
    ((1..=MAX_WIDTH).contains(&width) && (1..=MAX_CHANNELS).contains(&channels)).then_some(Layout {
        width,
        big_endian,
        channels,
        rows: None,
        bilevel: false,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A WAV file with so many bytes of samples.
    pub fn wav(channels: u16, bits: u16, bytes: usize) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0".to_vec();
        file.extend(channels.to_le_bytes());
        file.extend([0x44, 0xac, 0, 0, 0, 0, 0, 0, 4, 0]);
        file.extend(bits.to_le_bytes());
        file.extend(b"LIST\x03\0\0\0abc\0data");
        file.extend((bytes as u32).to_le_bytes());
        file.resize(file.len() + bytes, 1);
        file
    }

    /// An AIFF file likewise.
    pub fn aiff(channels: u16, bits: u16, bytes: usize) -> Vec<u8> {
        let mut file = b"FORM\0\0\0\0AIFFCOMM\0\0\0\x12".to_vec();
        file.extend(channels.to_be_bytes());
        file.extend([0, 0, 4, 0]);
        file.extend(bits.to_be_bytes());
        file.extend([0x40, 0x0e, 0xac, 0x44, 0, 0, 0, 0, 0, 0]);
        file.extend(b"SSND");
        file.extend((bytes as u32 + 8).to_be_bytes());
        file.resize(file.len() + 8 + bytes, 0);
        file
    }

    #[test]
    fn samples_of_sounds() {
        for (channels, bits, width) in [(1, 8, 1), (2, 16, 2), (6, 24, 3), (2, 12, 2)] {
            let layout = |big_endian| Layout {
                width,
                big_endian,
                channels: channels.into(),
                rows: None,
                bilevel: false,
            };
            let file = wav(channels, bits, 1200);
            let (start, len) = (file.len() - 1200, 1200);
            assert_eq!(find(&file), Some(Region { start, len, layout: layout(false) }));
            let file = aiff(channels, bits, 1200);
            let start = file.len() - 1200;
            assert_eq!(find(&file), Some(Region { start, len, layout: layout(true) }));
        }
        // a pipe's writer does not know the length
        let mut piped = wav(2, 16, 1200);
        let start = piped.len() - 1200;
        piped[start - 4..start].fill(0xff);
        let len = super::super::FARTHEST as usize;
        assert_eq!(find(&piped).map(|r| (r.start, r.len)), Some((start, len)));
        assert_eq!(find(&wav(2, 32, 1200)), None);
        assert_eq!(find(&wav(9, 16, 1200)), None);
        let mut float = wav(2, 24, 1200);
        float[20] = 3;
        assert_eq!(find(&float), None);
    }
}
