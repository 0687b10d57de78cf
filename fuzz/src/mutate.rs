//! Random changes, and changes that reach behind checksums.

use madezip::container::block::BLOCK_HEADER_LEN;
use madezip::container::checksum::{crc16, crc32};
use madezip::container::signature::LONG;
use madezip::made::file::{ModelFile, Tensor};
use madezip::made::random::SplitMix64;

/// An input with up to five random changes: bits, bytes, cuts, insertions, copies.
pub fn changed(seed: &[u8], rng: &mut SplitMix64) -> Vec<u8> {
    let mut b = seed.to_vec();
    for _ in 0..rng.below(6) {
        let at = rng.below(b.len() + 1);
        match rng.below(6) {
            0 if at < b.len() => b[at] ^= 1 << rng.below(8),
            1 if at < b.len() => b[at] = rng.next_u64() as u8,
            2 => b.truncate(at),
            3 => {
                let new: Vec<u8> = (0..rng.below(9)).map(|_| rng.next_u64() as u8).collect();
                b.splice(at..at, new);
            }
            4 => {
                let end = (at + rng.below(40)).min(b.len());
                drop(b.drain(at..end));
            }
            _ => {
                let end = (at + rng.below(60)).min(b.len());
                let copy = b[at..end].to_vec();
                let to = rng.below(b.len() + 1);
                b.splice(to..to, copy);
            }
        }
    }
    b
}

fn put(bytes: &mut [u8], at: usize, crc: u32) {
    if let Some(place) = bytes.get_mut(at..at + 4) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(four.try_into().ok()?) as usize)
}

/// Makes the checksums of the first members right, as far as its lengths lead.
pub fn repair(b: &mut [u8]) {
    let mut at = 0;
    for _ in 0..64 {
        let Some(rest) = b.get(at..) else { return };
        if rest.starts_with(b"\x8dSKP") && rest.len() >= 24 {
            let len = u32_at(rest, 8).unwrap_or(0).min(rest.len() - 24);
            let crc = crc32(&rest[24..24 + len]);
            put(b, at + 16, crc);
            let crc = crc32(&b[at..at + 20]);
            put(b, at + 20, crc);
            at += 24 + len;
        } else if rest.starts_with(&LONG) && rest.len() > 9 && rest.len() >= usize::from(rest[9]) {
            let len = usize::from(rest[9]).max(14);
            if rest.len() < len {
                return;
            }
            let crc = crc32(&rest[..len - 4]);
            put(b, at + len - 4, crc);
            at += len;
        } else if rest.starts_with(b"\x8dB") && rest.len() >= BLOCK_HEADER_LEN {
            let len = u32_at(rest, 8).unwrap_or(0).min(rest.len() - BLOCK_HEADER_LEN);
            let crc = crc32(&rest[BLOCK_HEADER_LEN..BLOCK_HEADER_LEN + len]);
            put(b, at + 24, crc);
            let crc = crc32(&b[at..at + 28]);
            put(b, at + 28, crc);
            at += BLOCK_HEADER_LEN + len;
        } else if rest.starts_with(b"\x8dI") {
            let Some(end) = rest.windows(4).position(|w| w == b"\x8dEND") else { return };
            if end >= 8 {
                let crc = crc32(&rest[..end - 4]);
                put(b, at + end - 4, crc);
            }
            at += end + 4;
        } else if rest.len() > 3 && rest[0] == 0x8d && rest[1] & 0xf0 == 0xa0 {
            // a short archive, taken to reach to the end
            let end = b.len() - 2;
            let crc = crc16(&b[at..end]);
            b[end..].copy_from_slice(&crc.to_le_bytes());
            return;
        } else {
            return;
        }
    }
}

/// Changes a model: each four bytes of `how` are one change.
pub fn model(file: &mut ModelFile, how: &[u8]) {
    for change in how.chunks_exact(4).take(16) {
        let [what, which, at, value] = [change[0], change[1], change[2], change[3]];
        if what < 64 {
            // a character of the metadata
            let n = usize::from(which) % file.metadata.len().max(1);
            if let Some(text) = file.metadata.values_mut().nth(n) {
                let mut bytes = text.clone().into_bytes();
                if !bytes.is_empty() {
                    let at = usize::from(at) * 7 % bytes.len();
                    bytes[at] = b"0123456789-,[]eo "[usize::from(value) % 17];
                }
                *text = String::from_utf8_lossy(&bytes).into_owned();
            }
            continue;
        }
        let n = usize::from(which) % file.tensors.len().max(1);
        let Some(name) = file.tensors.keys().nth(n).cloned() else { return };
        let tensor = file.tensors[&name].clone();
        let mut bytes = tensor.bytes().to_vec();
        match what {
            64..80 => drop(file.tensors.remove(&name)),
            80..96 => {
                let shape: Vec<usize> = tensor.shape().iter().rev().copied().collect();
                if let Ok(t) = Tensor::new(tensor.dtype(), shape, bytes) {
                    drop(file.tensors.insert(name, t));
                }
            }
            _ => {
                let size = tensor.dtype().size();
                if bytes.is_empty() {
                    continue;
                }
                // one element, or all of them: extremes are where sums overflow
                let one = usize::from(at) * 257 % (bytes.len() / size) * size;
                let range = if what & 1 == 0 { one..one + size } else { 0..bytes.len() };
                let (low, high) = match value % 4 {
                    0 => (0x00, 0x80),
                    1 => (0xff, 0x7f),
                    2 => (value, 0),
                    _ => (0xff, 0xff),
                };
                for (i, b) in bytes[range].iter_mut().enumerate() {
                    *b = if i % size == size - 1 { high } else { low };
                }
                if let Ok(t) = Tensor::new(tensor.dtype(), tensor.shape().to_vec(), bytes) {
                    drop(file.tensors.insert(name, t));
                }
            }
        }
    }
}
