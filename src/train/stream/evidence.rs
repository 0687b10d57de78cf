//! Evidence as tensors: the statistics pass over the corpus, of which short
//! pieces at random places are kept.

use tch::kind::Element;
use tch::{Kind, Tensor};

use super::documents::{Document, size};
use crate::engine::kernel::Isa;
use crate::engine::language_native::PackedLanguage;
use crate::made::random::SplitMix64;
use crate::stream::adaptive::{count, probability};
use crate::stream::coding::Coding;
use crate::stream::content::Content;
use crate::stream::contexts::Context;
use crate::stream::evidence::{Evidence, Maps, untrained_maps};
use crate::stream::model::with_contexts;
use crate::stream::network::{gate_count, known_count};
use crate::stream::row::{ByteRow, LANGUAGE_UNITS, Row, unit_bits};
use crate::stream::start::slots::PrimedSlots;

/// Bytes of a kept piece.
pub const PIECE: usize = 32;

/// Most units of the language model's recurrent layer that the networks read.
const RECURRENT_UNITS: usize = 32;

/// Rows of evidence, flat; bits of a byte are neighbours.
#[derive(Default)]
pub struct Rows {
    x: Vec<i16>,
    confidence: Vec<u8>,
    index: Vec<u8>,
    bits: Vec<u8>,
    costs: Vec<u8>,
    previous: Vec<u8>,
}

impl Rows {
    /// `known`: inputs of the context units.
    fn push<const C: usize>(
        &mut self,
        known: usize,
        byte: &ByteRow<C>,
        rows: &[Row<C>; 8],
        value: u8,
    ) {
        self.costs.extend(&byte.inputs()[..known]);
        self.previous.extend(byte.previous);
        for (k, row) in rows.iter().enumerate() {
            self.x.extend(row.x.as_flattened());
            if row.has_units() {
                self.confidence.extend(row.confidence);
            }
            self.index.extend([row.partial, row.matched[0], row.matched[1], row.seen]);
            self.bits.push(value >> (7 - k) & 1);
        }
    }

    fn append(&mut self, mut other: Self) {
        self.x.append(&mut other.x);
        self.confidence.append(&mut other.confidence);
        self.index.append(&mut other.index);
        self.bits.append(&mut other.bits);
        self.costs.append(&mut other.costs);
        self.previous.append(&mut other.previous);
    }

    /// As tensors of pieces. It is gigabytes: what is a tensor is dropped at once.
    pub fn tensors(self, contexts: usize, known: usize) -> Pieces {
        fn shaped<T: Element>(values: Vec<T>, per: usize, width: usize) -> Tensor {
            Tensor::from_slice(&values).view([-1, per as i64, width as i64])
        }
        let bits = PIECE * 8;
        Pieces {
            count: (self.bits.len() / bits) as i64,
            x: shaped(self.x, bits, gate_count(contexts)),
            confidence: shaped(self.confidence, bits / unit_bits(contexts), contexts),
            index: shaped(self.index, bits, 4),
            bits: shaped(self.bits, bits, 1),
            costs: shaped(self.costs, PIECE, known),
            previous: shaped(self.previous, PIECE, 3),
        }
    }
}

/// Pieces of [`PIECE`] bytes; the first dimension counts them.
pub struct Pieces {
    /// Number of pieces.
    pub count: i64,
    x: Tensor,
    confidence: Tensor,
    index: Tensor,
    bits: Tensor,
    costs: Tensor,
    previous: Tensor,
}

/// Some pieces, flattened: B bytes, 8·B bits.
pub struct Batch {
    /// Logits, `[8B, 2C]`, float, in units of 1/256.
    pub x: Tensor,
    /// Confidences, of the bits that units are computed for, `[8B / unit_bits, C]`, float.
    pub confidence: Tensor,
    /// Partial byte, match classes, seen contexts: `[8B, 4]`, int64.
    pub index: Tensor,
    /// `[8B]`, float.
    pub bits: Tensor,
    /// Costs and units of the language model, `[B, known]`, float.
    pub costs: Tensor,
    /// `[B, 3]`, int64.
    pub previous: Tensor,
}

impl Pieces {
    /// The pieces of an index tensor (int64).
    pub fn batch(&self, pick: &Tensor) -> Batch {
        let get = |t: &Tensor, kind| {
            let t = t.index_select(0, pick);
            let width = *t.size().last().unwrap_or(&1);
            t.reshape([-1, width]).to_kind(kind)
        };
        Batch {
            x: get(&self.x, Kind::Float),
            confidence: get(&self.confidence, Kind::Float),
            index: get(&self.index, Kind::Int64),
            bits: get(&self.bits, Kind::Float).reshape([-1]),
            costs: get(&self.costs, Kind::Float),
            previous: get(&self.previous, Kind::Int64),
        }
    }
}

/// What the statistics pass needs to know.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    pub content: Content,
    pub contexts: &'a [Context],
    pub limit: u32,
    pub primed: &'a PrimedSlots,
    pub language: Option<&'a PackedLanguage>,
    /// As a [`Part`](crate::stream::part::Part) has it.
    pub recurrent_to: u64,
    pub seed: u64,
}

impl Pass<'_> {
    /// Inputs of the context units.
    pub fn known(&self) -> usize {
        let units = self.language.map_or(0, |language| {
            language.units() + language.recurrent_units().min(RECURRENT_UNITS)
        });
        known_count(self.contexts.len(), units.min(LANGUAGE_UNITS))
    }
}

fn pass_over<const C: usize>(
    pass: Pass,
    maps: &Maps<C>,
    document: &Document,
    most: usize,
) -> Box<Maps<C>> {
    let bytes = &document.bytes[..document.bytes.len().min(most)];
    let limit = crate::stream::adaptive::MAX_LIMIT as u32;
    let mut evidence = Evidence::<C>::new(
        (Coding::of(pass.content), &document.regions),
        pass.contexts,
        None,
        maps,
        limit,
        pass.primed,
        bytes.len(),
    );
    let (mut byte_row, mut rows) = (ByteRow::empty(), [Row::empty(); 8]);
    let isa = Isa::best();
    for n in 1..=bytes.len() {
        evidence.byte(isa, &mut byte_row, &mut rows, &bytes[..n]);
    }
    evidence.into_maps()
}

/// Runs the statistics over documents, carrying the maps from one to the next:
/// what a history is worth in general.
pub fn learn_maps(
    pass: Pass,
    documents: &[Document],
    bytes: usize,
    progress: &dyn Fn(u64),
) -> Vec<(u16, u16)> {
    with_contexts!(pass.contexts.len(), C => {
            let mut maps: Box<Maps<C>> = untrained_maps();
            let mut random = SplitMix64::new(pass.seed);
            let mut done = 0;
            while done < bytes && !documents.is_empty() {
                let document =
                    &documents[(random.next_u64() % documents.len() as u64) as usize];
                let len = document.bytes.len().min(MAPS_PIECE);
                maps = pass_over(pass, &maps, document, len);
                done += len;
                progress(len as u64);
            }
            // a trained start is trusted for a while, an entry that was never used is not
            maps.iter()
                .flatten()
                .map(|&e| (probability(e), count(e).min(START_COUNT) as u16))
                .collect()
    })
}

/// Most bytes of a document that maps are learned from.
const MAPS_PIECE: usize = 1 << 20;
/// Count that trained map entries start with.
const START_COUNT: u32 = 24;

/// Bytes of a document's beginning, where its statistics are cold.
const BEGINNING: usize = 1 << 14;
/// Share of what is kept that comes from beginnings.
const COLD: f64 = 0.4;

/// The chances that a piece is kept: in a document's beginning, and after it.
#[derive(Clone, Copy)]
struct Chances {
    cold: f64,
    warm: f64,
}

impl Chances {
    /// So that about `bytes` of the documents are kept.
    fn new(documents: &[Document], bytes: usize) -> Self {
        let all = size(documents);
        let cold: usize = documents.iter().map(|d| d.bytes.len().min(BEGINNING)).sum();
        let of = |share: f64, part: usize| share * bytes as f64 / part.max(1) as f64;
        Self { cold: of(COLD, cold), warm: of(1.0 - COLD, all - cold) }
    }
}

/// Runs the statistics over every document and keeps pieces: about `bytes` in all.
pub fn gather(
    pass: Pass,
    maps: &[(u16, u16)],
    documents: &[Document],
    bytes: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Rows {
    let chances = Chances::new(documents, bytes);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut parts: Vec<(usize, Rows)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut parts = Vec::new();
                    loop {
                        let i = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let Some(document) = documents.get(i) else { return parts };
                        let seed = pass.seed ^ (i as u64).wrapping_mul(0x5851_f42d_4c95_7f2d);
                        let pass = Pass { seed, ..pass };
                        parts.push((i, gather_one(pass, maps, document, chances)));
                        progress(document.bytes.len() as u64);
                    }
                })
            })
            .collect();
        workers.into_iter().flat_map(|w| w.join().unwrap_or_default()).collect()
    });
    parts.sort_by_key(|p| p.0);
    let mut rows = Rows::default();
    for (_, part) in parts {
        rows.append(part);
    }
    rows
}

fn gather_one(pass: Pass, maps: &[(u16, u16)], document: &Document, chances: Chances) -> Rows {
    with_contexts!(pass.contexts.len(), C => gather_with::<C>(pass, maps, document, chances))
}

fn gather_with<const C: usize>(
    pass: Pass,
    maps: &[(u16, u16)],
    document: &Document,
    chances: Chances,
) -> Rows {
    let bytes = &document.bytes;
    let mut start: Box<Maps<C>> = untrained_maps();
    for (map, from) in start.iter_mut().zip(maps.chunks_exact(256)) {
        for (e, &(p, n)) in map.iter_mut().zip(from) {
            *e = crate::stream::adaptive::entry(p, n.into());
        }
    }
    let mut evidence = Evidence::<C>::new(
        (Coding::of(pass.content), &document.regions),
        pass.contexts,
        pass.language,
        &start,
        pass.limit,
        pass.primed,
        bytes.len(),
    )
    .with_recurrent_layer(bytes.len() as u64 <= pass.recurrent_to);
    let mut random = SplitMix64::new(pass.seed);
    let mut out = Rows::default();
    let mut byte_row = ByteRow::empty();
    let mut rows = [Row::<C>::empty(); 8];
    let mut keeping = false;
    let isa = Isa::best();
    for (n, &byte) in bytes.iter().enumerate() {
        if n % PIECE == 0 {
            let chance = if n < BEGINNING { chances.cold } else { chances.warm };
            keeping = random.unit() < chance && n + PIECE <= bytes.len();
        }
        evidence.byte(isa, &mut byte_row, &mut rows, &bytes[..n + 1]);
        if keeping {
            out.push(pass.known(), &byte_row, &rows, byte);
        }
    }
    out
}
