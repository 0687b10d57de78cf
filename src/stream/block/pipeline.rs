//! A block coded by two threads: one makes the evidence of a window, the other
//! takes the network, the online stage and the coder over the window before. The
//! payload is the one a single thread writes.

use std::ops::Range;
use std::sync::mpsc::sync_channel;

use super::segments::Segments;
use super::{Encode, Input, REPORT};
use crate::codec::CodecError;
use crate::engine::kernel::Isa;
use crate::stream::estimator::Estimator;
use crate::stream::model::{StreamModel, with_contexts};
use crate::stream::row::{ByteRow, Row};

/// Bytes of a window: about 300 kB of rows, so that a few stay in the cache.
const WINDOW: usize = 256;
/// Windows under way.
const WINDOWS: usize = 4;

/// The evidence of up to [`WINDOW`] bytes.
struct Window<const C: usize> {
    bytes: Vec<ByteRow<C>>,
    rows: Vec<[Row<C>; 8]>,
}

impl<const C: usize> Window<C> {
    fn new() -> Self {
        Self { bytes: vec![ByteRow::empty(); WINDOW], rows: vec![[Row::empty(); 8]; WINDOW] }
    }
}

/// The windows of an input; none crosses the end of the text or of a segment.
fn windows(input: &Input) -> impl Iterator<Item = Range<usize>> {
    let parts = |from: usize, to: usize| {
        (from..to).step_by(WINDOW).map(move |at| at..(at + WINDOW).min(to))
    };
    parts(0, input.start).chain(parts(input.start, input.bytes.len()))
}

/// Gives windows, until there are no more.
type Source<'a, const C: usize> = &'a mut dyn FnMut() -> Option<Box<Window<C>>>;
/// Takes a window, if somebody still wants it.
type Sink<'a, const C: usize> = &'a mut dyn FnMut(Box<Window<C>>) -> bool;

fn make_evidence<const C: usize>(
    isa: Isa,
    model: &StreamModel,
    input: &Input,
    empty: Source<C>,
    full: Sink<C>,
) {
    let raw = &*input.bytes;
    let mut evidence = model.evidence::<C>(input.coding, &input.regions, raw.len());
    for part in windows(input) {
        let Some(mut window) = empty() else { return };
        for (i, end) in (part.start + 1..=part.end).enumerate() {
            let (bytes, rows) = (&mut window.bytes[i], &mut window.rows[i]);
            evidence.byte(isa, bytes, rows, &raw[..end]);
        }
        if !full(window) {
            return;
        }
    }
}

fn code<const C: usize>(
    isa: Isa,
    model: &StreamModel,
    input: &Input,
    full: Source<C>,
    empty: Sink<C>,
    progress: &dyn Fn(u64),
) -> Encode {
    let online = model.online::<C>(input.coding, input.bytes.len());
    let mut estimator = Estimator::new(model.part(input.coding), online);
    let mut segments = Segments::new(input);
    let mut reported = input.start;
    for Range { start, end } in windows(input) {
        let mut window =
            full().ok_or_else(|| CodecError::Engine("the evidence came to an end".into()))?;
        let Window { bytes, rows } = &mut *window;
        for (i, &byte) in input.bytes[start..end].iter().enumerate() {
            segments.push(&estimator.byte(isa, &bytes[i], &mut rows[i], byte));
        }
        // the other thread may have made its last window
        empty(window);
        segments.close_if_full(end)?;
        if end >= reported + REPORT || end == input.bytes.len() {
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
    input: &Input,
    progress: &dyn Fn(u64),
) -> Encode {
    with_contexts!(model.part(input.coding).contexts.len(), C => {
        let (fill, filled) = sync_channel(WINDOWS);
        let (free, freed) = sync_channel(WINDOWS);
        for _ in 0..WINDOWS {
            // there is room for all
            let _ = free.send(Box::new(Window::<C>::new()));
        }
        // the channels move in, so that neither thread outwaits the other
        std::thread::scope(move |scope| {
            scope.spawn(move || {
                let empty: Source<C> = &mut || freed.recv().ok();
                let full: Sink<C> = &mut |w| fill.send(w).is_ok();
                make_evidence(isa, model, input, empty, full);
            });
            let full: Source<C> = &mut || filled.recv().ok();
            let empty: Sink<C> = &mut |w| free.send(w).is_ok();
            code(isa, model, input, full, empty, progress)
        })
    })
}
