//! How an engine evaluates the network over windows of a block.

use std::sync::Mutex;

use super::pipeline::Pipeline;
use super::{Encode, Input, SHARED};
use crate::codec::CodecError;
use crate::engine::kernel::Isa;
use crate::parallel::lock;
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

/// Codes a block with a bulk engine for the network of the part for its content, in windows of
/// `window` bytes, a power of two, and with at most so many threads. The payload is the one
/// [`super::encode`] gives. Outside of tests, libtorch alone is such an engine: without it the
/// native one does the work.
pub(in crate::stream) fn encode_bulk(
    isa: Isa,
    model: &StreamModel,
    bulk: &Mutex<Box<dyn AnyBulk + '_>>,
    window: usize,
    input: &Input,
    threads: usize,
    progress: &dyn Fn(u64),
) -> Encode {
    let network = &model.part(input.coding).network;
    let threads = if input.bytes.len() < SHARED { 1 } else { threads };
    with_contexts!(model.part(input.coding).contexts.len(), C => {
        // other blocks may want it, too
        let logits = |bytes: &[ByteRow<C>], rows: &[Row<C>], logits: &mut [i16]| {
            let bulk: &mut dyn Bulk<C> = &mut **lock(bulk);
            bulk.logits(bytes, rows, logits)
        };
        let pipeline = Pipeline::<C>::new(isa, model, input);
        pipeline.in_bulk(window, network, &logits).encode(threads, progress)
    })
}
