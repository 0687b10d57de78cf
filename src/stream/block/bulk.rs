//! A block coded with an engine that evaluates the network over windows: statistics
//! of a window, network over the whole window, online stage.

use super::segments::{SEGMENT, Segments};
use super::{Encode, Input};
use crate::codec::CodecError;
use crate::engine::EngineError;
use crate::engine::kernel::Isa;
use crate::stream::model::{StreamModel, with_contexts};
use crate::stream::row::{ByteRow, Row};

/// How an engine gives the network's logits for a window of bytes at once: eight
/// rows a byte in, eight logits a byte out.
pub trait Bulk<const C: usize> {
    /// Fills `logits` (`8 · bytes.len()`); `rows.len()` is the same.
    fn logits(
        &mut self,
        bytes: &[ByteRow<C>],
        rows: &[Row<C>],
        logits: &mut [i16],
    ) -> Result<(), CodecError>;
}

/// Bytes of a window.
pub const WINDOW: usize = 2048;

/// A bulk engine for every number of contexts that is built in.
pub trait AnyBulk: Bulk<8> + Bulk<16> + Bulk<32> + Send {}

impl<T: Bulk<8> + Bulk<16> + Bulk<32> + Send> AnyBulk for T {}

fn encode_windows<const C: usize>(
    isa: Isa,
    model: &StreamModel,
    bulk: &mut dyn Bulk<C>,
    window: usize,
    input: &Input,
    progress: &dyn Fn(u64),
) -> Encode {
    let raw = &*input.bytes;
    let network = &model.part(input.coding).network;
    let mut evidence = model.evidence::<C>(input.coding, &input.regions, raw.len());
    let mut online = model.online::<C>(input.coding, raw.len());
    let mut segments = Segments::new(input);
    let window = window.clamp(1, WINDOW).min(raw.len().max(1));
    let mut bytes = vec![ByteRow::<C>::empty(); window];
    let mut rows = vec![[Row::<C>::empty(); 8]; window];
    let mut logits = vec![[0; 8]; window];
    let mut n = 0;
    while n < raw.len() {
        // a window never crosses a segment
        let to_go = match n.checked_sub(input.start) {
            None => input.start - n,
            Some(n) => SEGMENT - n % SEGMENT,
        };
        let count = window.min(raw.len() - n).min(to_go);
        for i in 0..count {
            evidence.byte(isa, &mut bytes[i], &mut rows[i], &raw[..n + i + 1]);
        }
        let (rows, logits) = (&mut rows[..count], &mut logits[..count]);
        bulk.logits(&bytes[..count], rows.as_flattened(), logits.as_flattened_mut())?;
        // the last byte once more, by the definition: libraries choose other kernels for other
        // shapes, and known answers are of one shape
        let last = count - 1;
        if network.logits(&bytes[last], &rows[last]) != logits[last] {
            return Err(EngineError::Sample.into());
        }
        for (i, rows) in rows.iter_mut().enumerate() {
            segments.push(&online.byte(isa, rows, &logits[i], raw[n + i]));
        }
        n += count;
        segments.close_if_full(n)?;
        if n > input.start {
            progress(count as u64);
        }
    }
    Ok(segments.finish())
}

/// Codes a block with a bulk engine, of the part for its content. The payload is the
/// one [`super::encode`] gives.
pub fn encode_bulk(
    isa: Isa,
    model: &StreamModel,
    bulk: &mut dyn AnyBulk,
    window: usize,
    input: &Input,
    progress: &dyn Fn(u64),
) -> Encode {
    with_contexts!(model.part(input.coding).contexts.len(), C => {
        let bulk: &mut dyn Bulk<C> = bulk;
        encode_windows(isa, model, bulk, window, input, progress)
    })
}
