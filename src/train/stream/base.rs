//! A model made the user's own: a base model that has read samples.
//!
//! Blocks are then read after a text of samples ([`StreamModel::text`]), and if
//! there are more samples than fit, the statistics that they have in common are
//! brought along too.

use std::path::PathBuf;

use super::corpus::{TrainError, list};

use super::primed::learn_primed;
use super::run::coded_size;
use crate::made::random::SplitMix64;
use crate::stream::model::{MAX_TEXT, StreamModel};
use crate::stream::start::slots::{PrimedSlots, choose_levels};

/// Fewest bytes of samples.
pub const MIN_SAMPLES: u64 = 2_000;
/// Bytes of a piece of samples that do not all fit.
const PIECE: usize = 1 << 14;
/// Share of the samples that are held out to measure.
const HELD_OUT: usize = 8;

/// What to adapt to.
#[derive(Clone, Debug)]
pub struct Adaptation {
    /// Files and folders of samples.
    pub data: Vec<PathBuf>,
    /// Bytes of samples that every block is read after, at most; at most [`MAX_TEXT`].
    pub text: usize,
    /// Slots of statistics added where there are more samples, at most.
    pub primed: usize,
    /// Seed of what is held out.
    pub seed: u64,
}

/// What came of it, in bits per byte of held-out samples, really coded.
#[derive(Clone, Copy, Debug)]
pub struct Adapted {
    /// By the base model.
    pub before: f64,
    /// By a model adapted to the others.
    pub after: f64,
    /// Bytes of samples.
    pub bytes: usize,
    /// Bytes of text in the model.
    pub text: usize,
}

/// Samples, and those held out of them.
#[derive(Default)]
struct Samples {
    train: Vec<Vec<u8>>,
    valid: Vec<Vec<u8>>,
}

impl Samples {
    /// Of many documents some are held out, of few the end of each.
    fn split(documents: &[Vec<u8>], seed: u64) -> Self {
        let mut samples = Self::default();
        if documents.len() >= 2 * HELD_OUT {
            let mut order: Vec<&Vec<u8>> = documents.iter().collect();
            let mut random = SplitMix64::new(seed);
            for i in (1..order.len()).rev() {
                order.swap(i, (random.next_u64() % (i as u64 + 1)) as usize);
            }
            let (valid, train) = order.split_at(documents.len() / HELD_OUT);
            samples.valid.extend(valid.iter().copied().cloned());
            samples.train.extend(train.iter().copied().cloned());
            return samples;
        }
        for document in documents {
            let at = document.len() - document.len() / HELD_OUT;
            // whole lines, where there are lines
            let line = document[..at].iter().rposition(|&b| b == b'\n').map_or(at, |n| n + 1);
            let at = if at - line < at / 4 { line } else { at };
            samples.train.push(document[..at].to_vec());
            samples.valid.push(document[at..].to_vec());
        }
        samples
    }
}

/// All documents if they fit, else pieces from all over them.
fn text_of(documents: &[Vec<u8>], most: usize) -> Vec<u8> {
    let total: usize = documents.iter().map(Vec::len).sum();
    if total <= most {
        return documents.concat();
    }
    let pieces: Vec<&[u8]> = documents.iter().flat_map(|d| d.chunks(PIECE)).collect();
    let stride = total.div_ceil(most.max(1)).max(1);
    let mut text = Vec::new();
    for piece in pieces.into_iter().step_by(stride) {
        if text.len() + piece.len() <= most {
            text.extend(piece);
        }
    }
    text
}

fn adapted(base: &StreamModel, documents: &[Vec<u8>], o: &Adaptation) -> StreamModel {
    let mut model = base.clone();
    model.text = text_of(documents, o.text.min(MAX_TEXT));
    if documents.iter().map(Vec::len).sum::<usize>() > model.text.len() {
        let pieces: Vec<Vec<u8>> =
            documents.iter().flat_map(|d| d.chunks(PIECE)).map(<[u8]>::to_vec).collect();
        let contexts = &model.default.plain.contexts;
        let own = learn_primed(contexts, contexts, &pieces, o.primed);
        let slots = [own.as_slice(), base.primed.as_slice()].concat();
        let mut uses = [0; 256];
        for &history in slots.iter().flat_map(|s| &s.histories[1..]) {
            uses[usize::from(history)] += 1;
        }
        let levels = choose_levels(&uses, crate::stream::start::slots::MAX_LEVELS);
        model.primed = PrimedSlots::new(slots, &levels);
    }
    model
}

/// Adapts a model to samples.
pub fn adapt(base: &StreamModel, o: &Adaptation) -> Result<(StreamModel, Adapted), TrainError> {
    let mut files = Vec::new();
    for path in &o.data {
        list(path, &mut files)?;
    }
    let mut documents = Vec::new();
    for path in files {
        let data = std::fs::read(&path).map_err(|source| TrainError::Read { path, source })?;
        documents.push(data);
    }
    documents.retain(|d| !d.is_empty());
    let bytes: usize = documents.iter().map(Vec::len).sum();
    if (bytes as u64) < MIN_SAMPLES {
        return Err(TrainError::FewSamples { got: bytes as u64 });
    }
    let samples = Samples::split(&documents, o.seed);
    let before = coded_size(base, &samples.valid)?;
    let after = coded_size(&adapted(base, &samples.train, o), &samples.valid)?;
    let model = adapted(base, &documents, o);
    let text = model.text.len();
    Ok((model, Adapted { before, after, bytes, text }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::coding::Level;
    use crate::stream::testing::Random;

    #[test]
    fn few_documents_lose_their_ends_and_many_some_of_them() {
        let lines = b"one line\n".repeat(100);
        let few = Samples::split(&[lines.clone(), vec![7; 160]], 1);
        assert_eq!(few.train.concat().len() + few.valid.concat().len(), 900 + 160);
        assert!(few.valid[0].starts_with(b"one line\n") && few.valid[0].len() < 130);
        assert_eq!(few.valid[1].len(), 20);
        let many = Samples::split(&vec![lines; 40], 1);
        assert_eq!((many.train.len(), many.valid.len()), (35, 5));
    }

    #[test]
    fn a_text_is_no_longer_than_asked() {
        let documents = vec![vec![1; 40_000], vec![2; 100], vec![3; 70_000]];
        assert_eq!(text_of(&documents, 200_000), documents.concat());
        let text = text_of(&documents, 50_000);
        assert!(text.len() <= 50_000 && text.contains(&1) && text.contains(&3));
    }

    #[test]
    fn samples_help_with_their_like() {
        let folder = tempfile::tempdir().unwrap();
        let mut random = Random(5);
        let path = folder.path().join("samples");
        std::fs::write(&path, random.bytes(40_000)).unwrap();
        let base = random.model(crate::train::stream::contexts_of(Level::Default)[0]);
        let o = Adaptation { data: vec![path], text: 20_000, primed: 1000, seed: 1 };
        let (model, adapted) = adapt(&base, &o).unwrap();
        assert!(adapted.after < adapted.before, "{adapted:?}");
        assert!(model.text.len() > 10_000 && model.text.len() <= 20_000);
        assert!(!model.primed.as_slice().is_empty());
        std::fs::write(&o.data[0], b"little").unwrap();
        assert!(matches!(adapt(&base, &o), Err(TrainError::FewSamples { got: 6 })));
    }
}
