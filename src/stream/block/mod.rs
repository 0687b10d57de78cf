//! One block of the stream model: bytes ↔ payload.
//!
//! A payload is a flags byte (bit 0: addresses of x86 code are absolute, see
//! [`super::x86`]; the others are 0), then the segments: every 1 MiB of raw bytes are
//! one ANS stack. Before each segment but the last stands its coded length as a
//! little-endian 32-bit number.

mod bulk;
mod pipeline;
mod segments;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use bulk::{AnyBulk, Bulk, WINDOW, encode_bulk};
pub use segments::SEGMENT;
use segments::{Segments, open_segment};

use super::model::{StreamModel, with_contexts};
use super::predictor::Predictor;
use super::x86;
use crate::codec::{CodecError, Encoded};
use crate::engine::kernel::{Isa, Kernel};
use crate::with_kernel;

/// Bytes between two calls of a progress function.
const REPORT: usize = 1 << 16;
/// A shorter block is not worth a second thread.
const PIPELINED: usize = 1 << 14;
/// The flag of absolute addresses.
const X86: u8 = 1;

type Encode = Result<Encoded, CodecError>;
type Decode = Result<Vec<u8>, CodecError>;

/// The bytes to code, and the payload's flags.
fn filtered(raw: &[u8]) -> (Cow<'_, [u8]>, u8) {
    if !x86::is_likely(raw) {
        return (raw.into(), 0);
    }
    let mut data = raw.to_vec();
    x86::forward(&mut data);
    (data.into(), X86)
}

#[inline(always)]
fn encode_body<K: Kernel, const C: usize>(
    model: &StreamModel,
    raw: &[u8],
    flags: u8,
    progress: &dyn Fn(u64),
) -> Encode {
    let mut predictor = Predictor::<C>::new(model, raw.len());
    let mut segments = Segments::new(raw, flags);
    for (n, &byte) in raw.iter().enumerate() {
        // SAFETY: `with_kernel` checked the instruction set
        unsafe { predictor.start_byte::<K>() };
        for k in (0..8).rev() {
            // SAFETY: as above
            unsafe {
                segments.push(predictor.predict::<K>());
                predictor.update::<K>(u32::from(byte >> k & 1), &raw[..n + 1]);
            }
        }
        segments.close_if_full(n + 1)?;
        if (n + 1) % REPORT == 0 || n + 1 == raw.len() {
            progress(((n % REPORT) + 1) as u64);
        }
    }
    Ok(segments.finish())
}

#[inline(always)]
fn decode_body<K: Kernel, const C: usize>(
    model: &StreamModel,
    mut rest: &[u8],
    raw_len: usize,
    progress: &dyn Fn(u64),
) -> Decode {
    let mut predictor = Predictor::<C>::new(model, raw_len);
    let mut raw = Vec::with_capacity(raw_len);
    while raw.len() < raw_len {
        let end = (raw.len() + SEGMENT).min(raw_len);
        let mut decoder = open_segment(&mut rest, end == raw_len)?;
        while raw.len() < end {
            // SAFETY: `with_kernel` checked the instruction set
            unsafe { predictor.start_byte::<K>() };
            let mut byte = 0u8;
            for k in 0..8 {
                // SAFETY: as above
                let bit = decoder.decode_bit(unsafe { predictor.predict::<K>() });
                byte = byte << 1 | u8::from(bit);
                if k == 7 {
                    raw.push(byte);
                }
                // SAFETY: as above
                unsafe { predictor.update::<K>(bit.into(), &raw) };
            }
            if raw.len() % REPORT == 0 || raw.len() == raw_len {
                progress(((raw.len() - 1) % REPORT + 1) as u64);
            }
        }
        if !decoder.is_exhausted() {
            return Err(CodecError::Payload("bits are left over"));
        }
    }
    Ok(raw)
}

/// Codes a block with the native engine on an instruction set, on two threads if
/// there are as many and the block is long enough; the payload is the same.
pub fn encode(
    isa: Isa,
    model: &StreamModel,
    raw: &[u8],
    threads: usize,
    progress: &dyn Fn(u64),
) -> Encode {
    let (raw, flags) = filtered(raw);
    let raw = &*raw;
    if threads >= 2 && raw.len() >= PIPELINED {
        return pipeline::encode(isa, model, raw, flags, progress);
    }
    with_contexts!(model.contexts.len(), C => with_kernel!(isa, encode_body::<C>(
        model: &StreamModel, raw: &[u8], flags: u8, progress: &dyn Fn(u64)
    ) -> Encode))
}

/// Decodes a block of `raw_len` bytes with the native engine.
pub fn decode(
    isa: Isa,
    model: &StreamModel,
    payload: &[u8],
    raw_len: usize,
    progress: &dyn Fn(u64),
) -> Decode {
    let Some((&flags @ 0..=X86, rest)) = payload.split_first() else {
        return Err(CodecError::Payload("unknown flags"));
    };
    let mut raw = with_contexts!(model.contexts.len(), C => with_kernel!(isa, decode_body::<C>(
        model: &StreamModel, rest: &[u8], raw_len: usize, progress: &dyn Fn(u64)
    ) -> Decode))?;
    if flags & X86 != 0 && x86::inverse(&mut raw) == 0 {
        return Err(CodecError::Payload("it has no addresses to change back"));
    }
    Ok(raw)
}
