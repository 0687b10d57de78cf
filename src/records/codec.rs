//! A records model bound to its engines.

use super::decode;
use super::layout::Layout;
use super::model::RecordsModel;
use super::payload::{GROUP_ROWS, Header};
use crate::codec::{BlockCodec, CodecError, Encoded};
use crate::coder::{Decoder, encode_checked, ideal_bits};
use crate::engine::EngineError;
use crate::engine::records::{RecordsEngine, SteppingEngine};

/// Rows handed to the bulk engine at once; a multiple of [`GROUP_ROWS`].
const WINDOW_ROWS: usize = 16 * GROUP_ROWS;
/// Rows that are tried to find where a block's first row begins.
const PROBE_ROWS: usize = 64;

/// Codes blocks of records.
pub struct RecordsCodec {
    id: [u8; 32],
    layout: Layout,
    offset: usize,
    shape: Option<(usize, usize)>,
    native: Box<dyn SteppingEngine>,
    bulk: Option<Box<dyn RecordsEngine>>,
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
        let layout = Layout::new(&model.ordering());
        Self { id, layout, offset, shape: model.shape(), native: model.native(), bulk: None }
    }

    /// Lets another engine make the parallel pass of compression.
    pub fn with_bulk(mut self, engine: Box<dyn RecordsEngine>) -> Self {
        self.bulk = Some(engine);
        self
    }

    /// How rows lie in bytes.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Height and width of the bitmaps that rows are, if the model says so.
    pub fn shape(&self) -> Option<(usize, usize)> {
        self.shape
    }

    fn bulk(&self) -> &dyn RecordsEngine {
        self.bulk.as_deref().unwrap_or(&*self.native)
    }

    /// Code length of every row and dimension under the model; `rows` are whole
    /// packed rows.
    pub fn costs(&self, rows: &[u8]) -> Result<Costs, CodecError> {
        let d = self.layout.dims();
        let mut costs = Costs { rows: Vec::new(), dims: vec![0.0; d] };
        self.windows(rows, |bits, p1| {
            for (bits, p1) in bits.chunks_exact(d).zip(p1.chunks_exact(d)) {
                let mut total = 0.0;
                for (t, (&bit, &p)) in bits.iter().zip(p1).enumerate() {
                    let cost = 16.0 - f64::from(width((&bit, &p))).log2();
                    total += cost;
                    costs.dims[t] += cost;
                }
                costs.rows.push(total);
            }
        })?;
        let mut dims = vec![0.0; d];
        self.layout.sequence().iter().zip(&costs.dims).for_each(|(&i, &c)| dims[i] = c);
        costs.dims = dims;
        Ok(costs)
    }

    /// What the coder is given for every bit of whole packed rows, in coding order:
    /// the width of its interval, of 65536.
    pub fn probabilities(&self, rows: &[u8]) -> Result<Vec<u32>, CodecError> {
        let mut widths = Vec::new();
        self.windows(rows, |bits, p1| widths.extend(bits.iter().zip(p1).map(width)))?;
        Ok(widths)
    }

    /// `n` rows drawn from the model: random bits go through the very steps of
    /// decoding. Equal seeds give equal rows.
    pub fn sample(&self, n: usize, seed: u64) -> Vec<u8> {
        self.complete(&vec![0; n * self.layout.row_bytes()], 0, seed)
    }

    /// Whole packed rows whose first `keep` dimensions, in coding order, are those
    /// of `given`; the others are drawn as by [`RecordsCodec::sample`].
    pub fn complete(&self, given: &[u8], keep: usize, seed: u64) -> Vec<u8> {
        let mut rng = crate::made::random::SplitMix64::new(seed);
        let row_bytes = self.layout.row_bytes();
        let mut rows = vec![0; given.len() / row_bytes * row_bytes];
        let sequence = self.layout.sequence();
        let mut draw = |row: usize, t: usize, p1: u16| {
            let drawn = ((rng.next_u64() >> 48) as u16) < p1;
            if t < keep {
                let d = sequence[t];
                return given[row * row_bytes + d / 8] >> (7 - d % 8) & 1 == 1;
            }
            drawn
        };
        decode::rows(&*self.native, &self.layout, &mut rows, &mut draw, &|_| {});
        rows
    }

    /// Unpacks and evaluates whole rows, a window at a time.
    fn windows(&self, rows: &[u8], mut each: impl FnMut(&[u8], &[u16])) -> Result<(), EngineError> {
        let (mut bits, mut p1) = (Vec::new(), Vec::new());
        for window in rows.chunks(WINDOW_ROWS * self.layout.row_bytes()) {
            bits.clear();
            self.layout.unpack(window, &mut bits);
            p1.resize(bits.len(), 0);
            self.bulk().probabilities(&bits, &mut p1)?;
            each(&bits, &p1);
        }
        Ok(())
    }

    /// Where the first row of a block begins: at once, or after the offset,
    /// whichever makes the first rows cheaper.
    fn find_head(&self, raw: &[u8]) -> Result<usize, CodecError> {
        if self.offset == 0 || self.offset >= raw.len() {
            return Ok(self.offset.min(raw.len()));
        }
        let row_bytes = self.layout.row_bytes();
        let cost = |head: usize| {
            let (_, rows) = Header::split(raw, head, row_bytes);
            let rows = &rows[..rows.len().min(PROBE_ROWS * row_bytes)];
            let costs = self.costs(rows)?.rows;
            Ok::<_, CodecError>(costs.iter().sum::<f64>() / costs.len().max(1) as f64)
        };
        Ok(if cost(self.offset)? <= cost(0)? { self.offset } else { 0 })
    }
}

/// The probability, of 65536, of what the bit is.
fn width((&bit, &p1): (&u8, &u16)) -> u32 {
    if bit == 1 { p1.into() } else { 65536 - u32::from(p1) }
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

    fn block_unit(&self) -> usize {
        self.layout.row_bytes()
    }

    fn encode(
        &self,
        raw: &[u8],
        _threads: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Encoded, CodecError> {
        let row_bytes = self.layout.row_bytes();
        let (mut header, rows) = Header::split(raw, self.find_head(raw)?, row_bytes);
        let d = self.layout.dims();
        let mut coded = Coded::default();
        coded.p1.reserve(rows.len() / row_bytes * d);
        self.windows(rows, |bits, p1| {
            for (bits, p1) in bits.chunks(GROUP_ROWS * d).zip(p1.chunks(GROUP_ROWS * d)) {
                for t in 0..d {
                    for i in (t..bits.len()).step_by(d) {
                        coded.push(bits[i], p1[i]);
                    }
                }
            }
            progress((bits.len() / d * row_bytes) as u64);
        })?;
        self.push_padding(rows, &mut header, &mut coded);
        let mut payload = header.write();
        payload.extend(encode_checked(&coded.p1, |i| coded.bit(i))?);
        progress((header.head.len() + header.tail.len()) as u64);
        Ok(Encoded { payload, ideal_bits: ideal_bits(&coded.p1, |i| coded.bit(i)) })
    }

    fn decode(
        &self,
        payload: &[u8],
        raw_len: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Vec<u8>, CodecError> {
        let row_bytes = self.layout.row_bytes();
        let (header, coded) = Header::read(payload, raw_len, row_bytes)?;
        let mut decoder =
            Decoder::new(coded).map_err(|_| CodecError::Payload("the coded bits end in a zero"))?;
        let mut raw = vec![0; raw_len];
        raw[..header.head.len()].copy_from_slice(header.head);
        raw[raw_len - header.tail.len()..].copy_from_slice(header.tail);
        let rows = &mut raw[header.head.len()..raw_len - header.tail.len()];
        let mut bit = |_, _, p| decoder.decode_bit(p);
        decode::rows(&*self.native, &self.layout, rows, &mut bit, progress);
        if let Some(p) = header.padding {
            for row in rows.chunks_exact_mut(row_bytes) {
                for shift in (0..self.layout.padding()).rev() {
                    row[row_bytes - 1] |= u8::from(decoder.decode_bit(p)) << shift;
                }
            }
        }
        if !decoder.is_exhausted() {
            return Err(CodecError::Payload("bits are left over"));
        }
        progress((header.head.len() + header.tail.len()) as u64);
        Ok(raw)
    }
}

impl RecordsCodec {
    /// Adds the padding bits, if any is one.
    fn push_padding(&self, rows: &[u8], header: &mut Header, coded: &mut Coded) {
        let row_bytes = self.layout.row_bytes();
        let padding = || rows.chunks_exact(row_bytes).map(|row| self.layout.padding_of(row));
        let ones: u64 = padding().map(|p| u64::from(p.count_ones())).sum();
        if ones == 0 {
            return;
        }
        let all = (rows.len() / row_bytes * self.layout.padding()) as u64;
        let p1 = (ones * 65536 / all).clamp(1, 65535) as u16;
        header.padding = Some(p1);
        for row in padding() {
            for shift in (0..self.layout.padding()).rev() {
                coded.push(row >> shift & 1, p1);
            }
        }
    }
}
