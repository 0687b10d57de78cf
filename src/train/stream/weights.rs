//! Where the online stage starts: the weights that it settles to over many
//! documents.

use super::documents::Document;
use crate::engine::kernel::Isa;
use crate::made::random::SplitMix64;
use crate::stream::coding::Coding;
use crate::stream::content::Content;
use crate::stream::estimator::Estimator;
use crate::stream::model::{StreamModel, with_contexts};
use crate::stream::online::Online;
use crate::stream::row::{ByteRow, Row};
use crate::stream::start::weights::OnlineWeights;

/// Learning rate: lower than in coding, since weights are to be an average.
const RATE: i32 = 150;
/// Most bytes of one document.
const PIECE: usize = 1 << 14;

fn pass_over<const C: usize>(
    model: &StreamModel,
    coding: Coding,
    weights: &OnlineWeights,
    document: &Document,
) -> OnlineWeights {
    let isa = Isa::best();
    let bytes = &document.bytes[..document.bytes.len().min(PIECE)];
    let mut evidence = model.evidence::<C>(coding, &document.regions, bytes.len());
    let online = Online::<C>::learning(weights, model.effort(coding, bytes.len()), RATE);
    let mut estimator = Estimator::new(model.part(coding), online);
    let (mut byte_row, mut rows) = (ByteRow::empty(), [Row::empty(); 8]);
    for (n, &byte) in bytes.iter().enumerate() {
        evidence.byte(isa, &mut byte_row, &mut rows, &bytes[..n + 1]);
        estimator.byte(isa, &byte_row, &mut rows, byte);
    }
    estimator.online().weights()
}

/// Runs the model over about `bytes` of random documents of one kind, carrying the weights
/// from one to the next.
pub fn learn_weights(
    model: &StreamModel,
    content: Content,
    documents: &[Document],
    bytes: usize,
    seed: u64,
) -> OnlineWeights {
    let coding = Coding::of(content);
    let mut random = SplitMix64::new(seed ^ 0x3e16);
    let mut weights = model.part(coding).weights.clone();
    let mut done = 0;
    with_contexts!(model.part(coding).contexts.len(), C => {
        while done < bytes && !documents.is_empty() {
            let document = &documents[(random.next_u64() % documents.len() as u64) as usize];
            weights = pass_over::<C>(model, coding, &weights, document);
            done += document.bytes.len().clamp(1, PIECE);
        }
    });
    weights
}
