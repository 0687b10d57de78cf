//! One block of the stream model: bytes ↔ payload.
//!
//! A payload is a byte that says how the block is coded ([`Coding::flags`]; the addresses of
//! x86 code are absolute, see [`Addresses`](super::x86::Addresses); samples are differences,
//! and a list says where they are, see [`super::signal`]), then the segments: every 1 MiB of raw
//! bytes are one ANS stack. Before each segment but the last stands its coded length as a
//! little-endian 32-bit number.

mod bulk;
mod input;
mod pipeline;
mod samples;
mod segments;
#[cfg(test)]
mod tests;
mod turns;

use std::thread::{Builder, scope};

pub(super) use bulk::encode_bulk;
pub use bulk::{AnyBulk, Bulk, WINDOW};
pub use input::Input;
pub use samples::{Trial, by_content, by_header, changed, prevail, try_samples};
pub use segments::SEGMENT;
use segments::{Segments, open_segment};

use super::aside::Aside;
use super::coding::{Coding, is_extended};
use super::content::Content;
use super::estimator::Estimator;
use super::model::{StreamModel, with_contexts};
use super::predictor::Predictor;
use super::row::{ByteRow, Row};
use super::signal::filter;
use super::signal::regions::Regions;
use super::speaker;
use crate::codec::{CodecError, Encoded};
use crate::engine::kernel::Isa;

/// Bytes between two calls of a progress function.
const REPORT: usize = 1 << 16;
/// Threads that a block has work for, one a stage; the coder has too little.
pub const THREADS: usize = 3;
/// The same if another engine evaluates the network.
pub const THREADS_IN_BULK: usize = 4;
/// A shorter block is not worth a second thread.
const SHARED: usize = 1 << 10;

type Encode = Result<Encoded, CodecError>;
type Decode = Result<Vec<u8>, CodecError>;

fn encode_alone<const C: usize>(
    isa: Isa,
    model: &StreamModel,
    input: &Input,
    progress: &dyn Fn(u64),
) -> Encode {
    let raw = &*input.bytes;
    let mut evidence = model.evidence::<C>(input.coding, &input.regions, raw.len());
    let mut estimator =
        Estimator::new(model.part(input.coding), model.online::<C>(input.coding, raw.len()));
    let (mut byte_row, mut rows) = (ByteRow::empty(), [Row::empty(); 8]);
    let mut segments = Segments::new(input);
    for (n, &byte) in raw.iter().enumerate() {
        evidence.byte(isa, &mut byte_row, &mut rows, &raw[..n + 1]);
        segments.push(&estimator.byte(isa, &byte_row, &mut rows, byte));
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

fn decode_with<const C: usize>(
    isa: Isa,
    model: &StreamModel,
    (coding, regions): (Coding, &Regions),
    rest: &[u8],
    raw_len: usize,
    threads: usize,
    progress: &dyn Fn(u64),
) -> Decode {
    let start = model.text.len();
    let total = start + raw_len;
    let regions = regions.shifted(start);
    let predictor = || Predictor::<C>::new(isa, model, coding, &regions, total);
    let speaker = || speaker::with_recurrent_layer(model, coding, total);
    let is_shared = threads >= 2 && total >= SHARED;
    let Some(language) = is_shared.then(speaker).flatten() else {
        return decode_alone(predictor(), &model.text, rest, raw_len, progress);
    };
    let aside = &Aside::of_this_thread();
    scope(|scope| {
        // before all else, so that it has found a core when it is asked
        let speak = move || aside.speak(isa, language);
        let other = Builder::new().spawn_scoped(scope, speak).ok();
        let is_asked = other.map(|other| aside.is_asked(other.thread().clone()));
        let mut predictor = predictor();
        if is_asked.is_some() {
            predictor = predictor.with_aside(aside);
        }
        decode_alone(predictor, &model.text, rest, raw_len, progress)
    })
}

fn decode_alone<const C: usize>(
    mut predictor: Predictor<'_, C>,
    text: &[u8],
    mut rest: &[u8],
    raw_len: usize,
    progress: &dyn Fn(u64),
) -> Decode {
    let start = text.len();
    let total = start + raw_len;
    let mut raw = Vec::with_capacity(total);
    predictor.read(text, &mut raw);
    while raw.len() < total {
        let end = (raw.len() + SEGMENT).min(total);
        let mut decoder = open_segment(&mut rest, end == total)?;
        while raw.len() < end {
            predictor.byte(&mut raw, &mut |p1| decoder.decode_bit(p1));
            report(raw.len() - start, raw_len, progress);
        }
        if !decoder.is_exhausted() {
            return Err(CodecError::Payload("bits are left over"));
        }
    }
    raw.drain(..start);
    Ok(raw)
}

/// Codes a block with the native engine on an instruction set, on several threads
/// if there are as many and the block is long enough; the payload is the same.
pub fn encode(
    isa: Isa,
    model: &StreamModel,
    input: &Input,
    threads: usize,
    progress: &dyn Fn(u64),
) -> Encode {
    let len = input.bytes.len();
    // the recurrent layer takes less time for several bytes together
    let speaks = || speaker::with_recurrent_layer(model, input.coding, len).is_some();
    if len >= SHARED && (threads >= 2 || speaks()) {
        return pipeline::encode(isa, model, input, threads, progress);
    }
    let contexts = model.part(input.coding).contexts.len();
    with_contexts!(contexts, C => encode_alone::<C>(isa, model, input, progress))
}

/// Decodes a block of `raw_len` bytes with the native engine, with a second thread for the
/// language model if its recurrent layer speaks.
pub fn decode(
    isa: Isa,
    model: &StreamModel,
    payload: &[u8],
    raw_len: usize,
    threads: usize,
    progress: &dyn Fn(u64),
) -> Decode {
    let Some((&flags, mut rest)) = payload.split_first() else {
        return Err(CodecError::Form("unknown flags"));
    };
    let unknown = if is_extended(flags) { CodecError::Unknown } else { CodecError::Form };
    let coding = Coding::from_flags(flags).ok_or(unknown("unknown flags"))?;
    if model.level(coding.level).is_none() {
        return Err(CodecError::Form("it is coded at a level that the model does not have"));
    }
    let regions = if coding.content.has_samples() {
        Regions::take_from(&mut rest, raw_len, coding.content == Content::Bilevel)?
    } else {
        Regions::default()
    };
    let mut raw = with_contexts!(model.part(coding).contexts.len(), C => {
        decode_with::<C>(isa, model, (coding, &regions), rest, raw_len, threads, progress)
    })?;
    if coding.content == Content::X86 && coding.addresses.inverse(&mut raw) == 0 {
        return Err(CodecError::Payload("it has no addresses to change back"));
    }
    if coding.content == Content::Signal {
        filter::inverse(&mut raw, &regions);
    }
    Ok(raw)
}
