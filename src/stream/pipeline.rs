//! A block coded by two threads: one makes the evidence of a window, the other
//! takes the network, the online stage and the coder over the window before. The
//! payload is the one a single thread writes.

use std::sync::mpsc::sync_channel;

use super::block::{REPORT, Segments, bit_of};
use super::model::StreamModel;
use super::online::Online;
use super::row::{ByteRow, Row};
use crate::codec::{CodecError, Encoded};
use crate::engine::kernel::{Isa, Kernel};
use crate::engine::stream_native::Step;
use crate::with_kernel;

/// Bytes of a window: about 300 kB of rows, so that a few stay in the cache.
const WINDOW: usize = 256;
/// Windows under way.
const WINDOWS: usize = 4;

/// The evidence of up to [`WINDOW`] bytes.
struct Window<const C: usize> {
    bytes: Vec<ByteRow<C>>,
    rows: Vec<Row<C>>,
}

impl<const C: usize> Window<C> {
    fn new() -> Self {
        Self { bytes: vec![ByteRow::empty(); WINDOW], rows: vec![Row::empty(); 8 * WINDOW] }
    }
}

#[inline(always)]
fn evidence_body<K: Kernel, const C: usize>(
    model: &StreamModel,
    raw: &[u8],
    next: &mut dyn FnMut() -> Option<Box<Window<C>>>,
    give: &mut dyn FnMut(Box<Window<C>>) -> bool,
) {
    let mut evidence = model.evidence::<C>(raw.len());
    for (w, part) in raw.chunks(WINDOW).enumerate() {
        let Some(mut window) = next() else { return };
        for (i, &byte) in part.iter().enumerate() {
            evidence.byte_row(&mut window.bytes[i]);
            let known = &raw[..w * WINDOW + i + 1];
            for (k, row) in window.rows[8 * i..][..8].iter_mut().enumerate() {
                // SAFETY: `with_kernel` checked the instruction set
                unsafe {
                    evidence.row::<K>(row);
                    evidence.update::<K>(row, u32::from(byte >> (7 - k) & 1), known);
                }
            }
        }
        if !give(window) {
            return;
        }
    }
}

#[inline(always)]
fn coding_body<K: Kernel, const C: usize>(
    model: &StreamModel,
    raw: &[u8],
    take: &mut dyn FnMut() -> Option<Box<Window<C>>>,
    done: &mut dyn FnMut(Box<Window<C>>) -> bool,
    progress: &dyn Fn(u64),
) -> Result<Encoded, CodecError> {
    let mut online = Online::<C>::new();
    let mut step = Step::default();
    let mut segments = Segments::new(raw);
    let mut reported = 0;
    for (w, part) in raw.chunks(WINDOW).enumerate() {
        let mut window =
            take().ok_or_else(|| CodecError::Engine("the evidence came to an end".into()))?;
        for i in 0..part.len() {
            // SAFETY: `with_kernel` checked the instruction set
            unsafe { step.start_byte::<K, C>(&model.packed, &window.bytes[i]) };
            for (k, row) in window.rows[8 * i..][..8].iter_mut().enumerate() {
                let bit = u32::from(bit_of(&part[i..], k));
                // SAFETY: as above
                unsafe {
                    online.prefetch(row);
                    row.x[1][Row::<C>::NETWORK] = step.logit::<K, C>(&model.packed, row);
                    let p = online.predict::<K>(row);
                    segments.push(p);
                    online.update::<K>(row, bit);
                }
            }
        }
        done(window);
        let end = w * WINDOW + part.len();
        segments.close_if_full(end)?;
        if end - reported >= REPORT || end == raw.len() {
            progress((end - reported) as u64);
            reported = end;
        }
    }
    Ok(segments.finish())
}

/// Codes a block with two threads.
pub(super) fn encode(
    isa: Isa,
    model: &StreamModel,
    raw: &[u8],
    progress: &dyn Fn(u64),
) -> Result<Encoded, CodecError> {
    macro_rules! at {
        ($c:literal) => {{
            type Next<'a> = &'a mut dyn FnMut() -> Option<Box<Window<$c>>>;
            type Give<'a> = &'a mut dyn FnMut(Box<Window<$c>>) -> bool;
            let (full, filled) = sync_channel(WINDOWS);
            let (free, freed) = sync_channel(WINDOWS);
            for _ in 0..WINDOWS {
                // there is room for all
                let _ = free.send(Box::new(Window::<$c>::new()));
            }
            // the channels move in, so that neither thread outwaits the other
            std::thread::scope(move |scope| {
                scope.spawn(move || {
                    let next: Next = &mut || freed.recv().ok();
                    let give: Give = &mut |w| full.send(w).is_ok();
                    with_kernel!(isa, evidence_body::<$c>(
                        model: &StreamModel, raw: &[u8], next: Next, give: Give
                    ) -> ())
                });
                let take: Next = &mut || filled.recv().ok();
                // the other thread may have made its last window
                let done: Give = &mut |w| free.send(w).is_ok();
                with_kernel!(isa, coding_body::<$c>(
                    model: &StreamModel, raw: &[u8], take: Next, done: Give,
                    progress: &dyn Fn(u64)
                ) -> Result<Encoded, CodecError>)
            })
        }};
    }
    match model.contexts.len() {
        8 => at!(8),
        16 => at!(16),
        24 => at!(24),
        _ => unreachable!("StreamModel::new checks the number"),
    }
}
