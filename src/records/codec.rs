//! A records model bound to its engines.

use super::component::{Bulk, Component, width};
use super::layout::Layout;
use super::model::RecordsModel;
use super::on_demand::OnDemand;
use super::payload::{GROUP_ROWS, Header};
use super::{decode, mixed};
use crate::codec::{BlockCodec, CodecError, Encoded};
use crate::coder::{Decoder, NotCanonical, Stack, encode_checked, ideal_bits};
use crate::engine::EngineError;
use crate::engine::records::RecordsEngine;
use crate::made::random::SplitMix64;
use crate::stream::coding::Level;
use crate::stream::signal::regions::Regions;
use std::sync::Arc;

/// Rows that are tried to find where a block's first row begins.
const PROBE_ROWS: usize = 64;

/// Codes blocks of records.
pub struct RecordsCodec {
    id: [u8; 32],
    offset: usize,
    shape: Option<(usize, usize)>,
    /// One, or one for each ordering.
    components: Vec<Component>,
    /// Of what is not a block's.
    threads: usize,
}

/// Code lengths of rows, in bits.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    /// Of each row.
    pub rows: Vec<f64>,
    /// Of each dimension, summed over rows, in the order of the data.
    pub dims: Vec<f64>,
}

impl From<EngineError> for CodecError {
    fn from(e: EngineError) -> Self {
        Self::Engine(e.to_string())
    }
}

impl RecordsCodec {
    /// A codec on the native engine. `id` is the model's; rows begin `offset`
    /// bytes into the data (or, in a later block, at its start: the encoder finds
    /// out which).
    pub fn new(model: &RecordsModel, id: [u8; 32], offset: usize) -> Self {
        let component = |model: &RecordsModel| Component {
            layout: Layout::new(&model.ordering()),
            native: model.native(),
            bulk: None,
        };
        let components = model.components().iter().map(component).collect();
        Self { id, offset, shape: model.shape(), components, threads: 1 }
    }

    /// Lets other engines make the parallel pass of compression, one for each of
    /// the model's components.
    pub fn with_bulk(mut self, engines: impl IntoIterator<Item = Box<dyn RecordsEngine>>) -> Self {
        for (component, engine) in self.components.iter_mut().zip(engines) {
            component.bulk = Some(Bulk::Always(engine));
        }
        self
    }

    /// The same for engines that are started when there is work for them. What they cannot do
    /// the native engine does.
    pub fn with_bulk_on_demand(mut self, engines: OnDemand) -> Self {
        let engines = Arc::new(engines);
        for (number, component) in self.components.iter_mut().enumerate() {
            component.bulk = Some(Bulk::OnDemand(Arc::clone(&engines), number));
        }
        self
    }

    /// Lets code lengths and samples use so many threads, on which nothing depends; blocks are
    /// given theirs.
    pub fn with_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// How rows lie in bytes; of several orderings, under the first.
    pub fn layout(&self) -> &Layout {
        &self.components[0].layout
    }

    /// Height and width of the bitmaps that rows are, if the model says so.
    pub fn shape(&self) -> Option<(usize, usize)> {
        self.shape
    }

    /// Code length of every row and dimension under the model; `rows` are whole
    /// packed rows. With several orderings a row costs −log₂ of the mean of its
    /// probabilities; its dimensions cost what they cost under each, by how likely
    /// that one is for the row, and the rest is spread over them evenly.
    pub fn costs(&self, rows: &[u8]) -> Result<Costs, CodecError> {
        self.costs_with(rows, self.threads)
    }

    fn costs_with(&self, rows: &[u8], threads: usize) -> Result<Costs, CodecError> {
        let d = self.layout().dims();
        let n = rows.len() / self.layout().row_bytes();
        let mut costs = Costs { rows: vec![0.0; n], dims: vec![0.0; d] };
        if let [one] = &self.components[..] {
            one.costs(rows, threads, |row, dim, bits| {
                costs.rows[row] += bits;
                costs.dims[dim] += bits;
            })?;
            return Ok(costs);
        }
        let mut under = vec![vec![0.0; n]; self.components.len()];
        for (costs, c) in under.iter_mut().zip(&self.components) {
            c.costs(rows, threads, |row, _, bits| costs[row] += bits)?;
        }
        let mut rest = 0.0;
        for row in 0..n {
            let total = mixed::mean_cost(under.iter().map(|c| c[row]));
            rest += total;
            for c in &mut under {
                let likely = (total - c[row]).exp2() / self.components.len() as f64;
                rest -= likely * c[row];
                c[row] = likely;
            }
            costs.rows[row] = total;
        }
        for (likely, c) in under.iter().zip(&self.components) {
            c.costs(rows, threads, |row, dim, bits| costs.dims[dim] += likely[row] * bits)?;
        }
        costs.dims.iter_mut().for_each(|c| *c += rest / d as f64);
        Ok(costs)
    }

    /// What the coder is given for every bit of whole packed rows, in coding order:
    /// the width of its interval, of 65536; for each component.
    pub fn probabilities(&self, rows: &[u8]) -> Result<Vec<Vec<u32>>, CodecError> {
        let of = |c: &Component| {
            let mut widths = Vec::new();
            c.windows(rows, self.threads, |bits, p1| {
                widths.extend(bits.iter().zip(p1).map(width))
            })?;
            Ok(widths)
        };
        self.components.iter().map(of).collect()
    }

    /// `n` rows drawn from the model: random bits go through the very steps of
    /// decoding. Equal seeds give equal rows.
    pub fn sample(&self, n: usize, seed: u64) -> Vec<u8> {
        let mut rng = SplitMix64::new(seed);
        let row_bytes = self.layout().row_bytes();
        let mut rows = vec![0; n * row_bytes];
        if self.components.len() == 1 {
            return self.complete(&rows, 0, seed);
        }
        for group in rows.chunks_mut(GROUP_ROWS * row_bytes) {
            let any = |_| rng.below(self.components.len());
            let chosen: Vec<usize> = (0..group.len() / row_bytes).map(any).collect();
            let mut draw = |_, _, p1: u16| ((rng.next_u64() >> 48) as u16) < p1;
            mixed::fill(&self.components, &chosen, group, self.threads, &mut draw);
        }
        rows
    }

    /// Whole packed rows whose first `keep` dimensions, in coding order (of several
    /// orderings, the first), are those of `given`; the others are drawn as by
    /// [`RecordsCodec::sample`].
    pub fn complete(&self, given: &[u8], keep: usize, seed: u64) -> Vec<u8> {
        let mut rng = SplitMix64::new(seed);
        let Component { layout, native, .. } = &self.components[0];
        let row_bytes = layout.row_bytes();
        let mut rows = vec![0; given.len() / row_bytes * row_bytes];
        let sequence = layout.sequence();
        let mut draw = |row: usize, t: usize, p1: u16| {
            let drawn = ((rng.next_u64() >> 48) as u16) < p1;
            if t < keep {
                let d = sequence[t];
                return given[row * row_bytes + d / 8] >> (7 - d % 8) & 1 == 1;
            }
            drawn
        };
        decode::rows(&**native, layout, &mut rows, self.threads, &mut draw, &|_| {});
        rows
    }

    /// Where the first row of a block begins: at once, or after the offset,
    /// whichever makes the first rows cheaper.
    fn find_head(&self, raw: &[u8], threads: usize) -> Result<usize, CodecError> {
        if self.offset == 0 || self.offset >= raw.len() {
            return Ok(self.offset.min(raw.len()));
        }
        let row_bytes = self.layout().row_bytes();
        let cost = |head: usize| {
            let (_, rows) = Header::split(raw, head, row_bytes);
            let rows = &rows[..rows.len().min(PROBE_ROWS * row_bytes)];
            let costs = self.costs_with(rows, threads)?.rows;
            Ok::<_, CodecError>(costs.iter().sum::<f64>() / costs.len().max(1) as f64)
        };
        Ok(if cost(self.offset)? <= cost(0)? { self.offset } else { 0 })
    }
}

/// Bits in the order in which they are coded.
#[derive(Default)]
struct Coded {
    p1: Vec<u16>,
    /// Eight to a byte.
    bits: Vec<u8>,
}

impl Coded {
    #[inline]
    fn push(&mut self, bit: u8, p1: u16) {
        let at = self.p1.len();
        if at.is_multiple_of(8) {
            self.bits.push(0);
        }
        self.bits[at / 8] |= bit << (at % 8);
        self.p1.push(p1);
    }

    fn bit(&self, i: usize) -> bool {
        self.bits[i / 8] >> (i % 8) & 1 == 1
    }
}

impl BlockCodec for RecordsCodec {
    fn model_id(&self) -> [u8; 32] {
        self.id
    }

    fn passes(&self) -> String {
        let Component { native, .. } = &self.components[0];
        format!(
            "parallel pass {}, decoding {}",
            self.components[0].parallel_engine(),
            native.name()
        )
    }

    fn block_unit(&self) -> usize {
        self.layout().row_bytes()
    }

    fn block_threads(&self) -> usize {
        usize::MAX
    }

    fn encode(
        &self,
        raw: &[u8],
        _: &Regions,
        _level: Level,
        threads: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Encoded, CodecError> {
        let (mut header, rows) =
            Header::split(raw, self.find_head(raw, threads)?, self.layout().row_bytes());
        let mut padding = Coded::default();
        header.padding = self.push_padding(rows, &mut padding);
        let (bytes, ideal_bits) = match &self.components[..] {
            [one] => encode_one(one, rows, padding, threads, progress)?,
            all => {
                let mut stack = Stack::default();
                (0..padding.p1.len())
                    .rev()
                    .for_each(|i| stack.push_bit(padding.bit(i), padding.p1[i]));
                let rows = mixed::encode(all, rows, threads, &mut stack, progress)?;
                (stack.into_bytes(), rows + ideal_bits(&padding.p1, |i| padding.bit(i)))
            }
        };
        let mut payload = header.write();
        payload.extend(bytes);
        progress((header.head.len() + header.tail.len()) as u64);
        Ok(Encoded { payload, ideal_bits })
    }

    fn decode(
        &self,
        payload: &[u8],
        raw_len: usize,
        threads: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Vec<u8>, CodecError> {
        let row_bytes = self.layout().row_bytes();
        let (header, coded) = Header::read(payload, raw_len, row_bytes)?;
        let zero = |NotCanonical| CodecError::Form("the coded bits end in a zero");
        let mut raw = vec![0; raw_len];
        raw[..header.head.len()].copy_from_slice(header.head);
        raw[raw_len - header.tail.len()..].copy_from_slice(header.tail);
        let rows = &mut raw[header.head.len()..raw_len - header.tail.len()];
        let exhausted = match &self.components[..] {
            [one] => {
                let mut decoder = Decoder::new(coded).map_err(zero)?;
                let mut bit = |_, _, p| decoder.decode_bit(p);
                decode::rows(&*one.native, &one.layout, rows, threads, &mut bit, progress);
                self.pop_padding(rows, header.padding, |p| decoder.decode_bit(p));
                decoder.is_exhausted()
            }
            all => {
                let mut stack = Stack::from_bytes(coded).map_err(zero)?;
                mixed::decode(all, &mut stack, rows, threads, progress)?;
                self.pop_padding(rows, header.padding, |p| stack.pop_bit(p));
                stack.is_empty()
            }
        };
        if !exhausted {
            return Err(CodecError::Payload("bits are left over"));
        }
        progress((header.head.len() + header.tail.len()) as u64);
        Ok(raw)
    }
}

/// Whole rows under one ordering, then the padding bits; with their ideal size.
fn encode_one(
    component: &Component,
    rows: &[u8],
    padding: Coded,
    threads: usize,
    progress: &dyn Fn(u64),
) -> Result<(Vec<u8>, f64), CodecError> {
    let (d, row_bytes) = (component.layout.dims(), component.layout.row_bytes());
    let mut coded = Coded::default();
    coded.p1.reserve(rows.len() / row_bytes * d);
    component.windows(rows, threads, |bits, p1| {
        for (bits, p1) in bits.chunks(GROUP_ROWS * d).zip(p1.chunks(GROUP_ROWS * d)) {
            for t in 0..d {
                for i in (t..bits.len()).step_by(d) {
                    coded.push(bits[i], p1[i]);
                }
            }
        }
        progress((bits.len() / d * row_bytes) as u64);
    })?;
    (0..padding.p1.len()).for_each(|i| coded.push(padding.bit(i).into(), padding.p1[i]));
    let bytes = encode_checked(&coded.p1, |i| coded.bit(i))?;
    Ok((bytes, ideal_bits(&coded.p1, |i| coded.bit(i))))
}

impl RecordsCodec {
    /// Adds the padding bits and returns their probability, if any is one.
    fn push_padding(&self, rows: &[u8], coded: &mut Coded) -> Option<u16> {
        let layout = self.layout();
        let padding = || rows.chunks_exact(layout.row_bytes()).map(|row| layout.padding_of(row));
        let ones: u64 = padding().map(|p| u64::from(p.count_ones())).sum();
        if ones == 0 {
            return None;
        }
        let all = (rows.len() / layout.row_bytes() * layout.padding()) as u64;
        let p1 = (ones * 65536 / all).clamp(1, 65535) as u16;
        for row in padding() {
            for shift in (0..layout.padding()).rev() {
                coded.push(row >> shift & 1, p1);
            }
        }
        Some(p1)
    }

    /// Sets the padding bits.
    fn pop_padding(&self, rows: &mut [u8], p1: Option<u16>, mut bit: impl FnMut(u16) -> bool) {
        let Some(p1) = p1 else { return };
        let row_bytes = self.layout().row_bytes();
        for row in rows.chunks_exact_mut(row_bytes) {
            for shift in (0..self.layout().padding()).rev() {
                row[row_bytes - 1] |= u8::from(bit(p1)) << shift;
            }
        }
    }
}
