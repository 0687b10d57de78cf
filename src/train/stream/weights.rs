//! Where the online stage starts: the weights that it settles to over many
//! documents.

use crate::engine::kernel::{Isa, Kernel};
use crate::made::random::SplitMix64;
use crate::stream::model::{StreamModel, with_contexts};
use crate::stream::online::Online;
use crate::stream::predictor::Estimator;
use crate::stream::row::{ByteRow, Row};
use crate::stream::start::weights::OnlineWeights;
use crate::with_kernel;

/// Learning rate: lower than in coding, since weights are to be an average.
const RATE: i32 = 150;
/// Most bytes of one document.
const PIECE: usize = 1 << 16;

#[inline(always)]
fn pass_over<K: Kernel, const C: usize>(
    model: &StreamModel,
    weights: &OnlineWeights,
    document: &[u8],
) -> OnlineWeights {
    let mut evidence = model.evidence::<C>(document.len());
    let online = Online::new(weights).at_rate(RATE);
    let mut estimator = Estimator::<C>::new(model).with_online(online);
    let (mut byte_row, mut rows) = (ByteRow::empty(), [Row::empty(); 8]);
    for n in 1..=document.len() {
        // SAFETY: `with_kernel` checked the instruction set
        unsafe {
            evidence.byte::<K>(&mut byte_row, &mut rows, &document[..n]);
            estimator.start_byte::<K>(&byte_row);
            for (k, row) in rows.iter_mut().enumerate() {
                estimator.predict::<K>(row);
                estimator.update::<K>(row, u32::from(document[n - 1] >> (7 - k) & 1));
            }
        }
    }
    estimator.online().weights()
}

/// Runs the model over about `bytes` of random documents, carrying the weights
/// from one to the next.
pub fn learn_weights(
    model: &StreamModel,
    documents: &[Vec<u8>],
    bytes: usize,
    seed: u64,
) -> OnlineWeights {
    let mut random = SplitMix64::new(seed ^ 0x3e16);
    let mut weights = model.weights.clone();
    let mut done = 0;
    with_contexts!(model.contexts.len(), C => {
        while done < bytes && !documents.is_empty() {
            let document = &documents[(random.next_u64() % documents.len() as u64) as usize];
            let document = &document[..document.len().min(PIECE)];
            let before = &weights;
            let after = with_kernel!(Isa::best(), pass_over::<C>(
                model: &StreamModel, before: &OnlineWeights, document: &[u8]
            ) -> OnlineWeights);
            weights = after;
            done += document.len().max(1);
        }
    });
    weights
}
