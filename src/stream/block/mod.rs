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

/// What is to be coded: the model's text and after it the block.
struct Input<'a> {
    bytes: Cow<'a, [u8]>,
    /// Length of the text.
    start: usize,
    /// The payload's flags.
    flags: u8,
}

impl<'a> Input<'a> {
    fn new(model: &StreamModel, raw: &'a [u8]) -> Self {
        let start = model.text.len();
        let flags = if x86::is_likely(raw) { X86 } else { 0 };
        if start == 0 && flags == 0 {
            return Self { bytes: raw.into(), start, flags };
        }
        let mut bytes = [&model.text, raw].concat();
        if flags & X86 != 0 {
            x86::forward(&mut bytes[start..]);
        }
        Self { bytes: bytes.into(), start, flags }
    }
}

#[inline(always)]
fn encode_body<K: Kernel, const C: usize>(
    model: &StreamModel,
    input: &Input,
    progress: &dyn Fn(u64),
) -> Encode {
    let raw = &*input.bytes;
    let mut predictor = Predictor::<C>::new(model, raw.len());
    let mut segments = Segments::new(input);
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
        if n >= input.start {
            report(n + 1 - input.start, raw.len() - input.start, progress);
        }
    }
    Ok(segments.finish())
}

/// Reports from time to time how many bytes are done.
#[inline(always)]
fn report(done: usize, of: usize, progress: &dyn Fn(u64)) {
    if done.is_multiple_of(REPORT) || done == of {
        progress(((done - 1) % REPORT + 1) as u64);
    }
}

#[inline(always)]
fn decode_body<K: Kernel, const C: usize>(
    model: &StreamModel,
    mut rest: &[u8],
    raw_len: usize,
    progress: &dyn Fn(u64),
) -> Decode {
    let start = model.text.len();
    let total = start + raw_len;
    let mut predictor = Predictor::<C>::new(model, total);
    let mut raw = Vec::with_capacity(total);
    raw.extend(&model.text);
    // SAFETY: `with_kernel` checked the instruction set
    unsafe { predictor.read::<K>(&raw) };
    while raw.len() < total {
        let end = (raw.len() + SEGMENT).min(total);
        let mut decoder = open_segment(&mut rest, end == total)?;
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
            report(raw.len() - start, raw_len, progress);
        }
        if !decoder.is_exhausted() {
            return Err(CodecError::Payload("bits are left over"));
        }
    }
    raw.drain(..start);
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
    let input = &Input::new(model, raw);
    if threads >= 2 && input.bytes.len() >= PIPELINED {
        return pipeline::encode(isa, model, input, progress);
    }
    with_contexts!(model.contexts.len(), C => with_kernel!(isa, encode_body::<C>(
        model: &StreamModel, input: &Input, progress: &dyn Fn(u64)
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
