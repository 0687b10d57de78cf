//! A small codec, so that these tests need no model.

use std::sync::Arc;

use madezip::archive::{
    CompressOptions, DecompressOptions, ModelSource, NoProgress, Summary, compress, decompress,
};
use madezip::catalog::CatalogError;
use madezip::codec::{BlockCodec, CodecError, Encoded};
use madezip::coder::{Decoder, encode_bits, ideal_bits};
use madezip::container::ModelKey;
use madezip::error::Error;
use madezip::stream::coding::Level;
use madezip::stream::signal::regions::Regions;

/// Adaptive bits in the context of the bits before them in their byte.
/// `step` is the rate; another rate is another arithmetic with the same id.
#[derive(Clone, Copy, Debug)]
pub struct Toy {
    pub id: [u8; 32],
    pub step: u32,
}

pub const TOY: Toy = Toy { id: [7; 32], step: 4 };

struct Bits {
    p: [u16; 256],
    node: usize,
    step: u32,
}

impl Bits {
    fn new(step: u32) -> Self {
        Self { p: [1 << 15; 256], node: 1, step }
    }
    fn p1(&self) -> u16 {
        self.p[self.node]
    }
    fn update(&mut self, bit: bool) -> Option<u8> {
        let p = &mut self.p[self.node];
        *p = if bit { *p + ((65535 - *p) >> self.step) } else { *p - (*p >> self.step) };
        self.node = self.node << 1 | usize::from(bit);
        let full = self.node >= 256;
        let byte = self.node as u8;
        self.node = if full { 1 } else { self.node };
        full.then_some(byte)
    }
}

impl BlockCodec for Toy {
    fn model_id(&self) -> [u8; 32] {
        self.id
    }

    fn passes(&self) -> String {
        "toy".into()
    }

    fn encode(
        &self,
        raw: &[u8],
        _: &Regions,
        _level: Level,
        _threads: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Encoded, CodecError> {
        let mut model = Bits::new(self.step);
        let bit = |i: usize| raw[i / 8] >> (7 - i % 8) & 1 == 1;
        let mut p1 = Vec::new();
        for i in 0..raw.len() * 8 {
            p1.push(model.p1());
            model.update(bit(i));
        }
        progress(raw.len() as u64);
        Ok(Encoded { payload: encode_bits(&p1, bit), ideal_bits: ideal_bits(&p1, bit) })
    }

    fn decode(
        &self,
        payload: &[u8],
        raw_len: usize,
        _threads: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Vec<u8>, CodecError> {
        let mut decoder =
            Decoder::new(payload).map_err(|_| CodecError::Payload("ends in a zero byte"))?;
        let mut model = Bits::new(self.step);
        let mut raw = Vec::new();
        while raw.len() < raw_len {
            let bit = decoder.decode_bit(model.p1());
            raw.extend(model.update(bit));
        }
        progress(raw_len as u64);
        Ok(raw)
    }
}

/// The models at hand in a test.
pub struct Models(pub Vec<Toy>);

impl ModelSource for Models {
    fn codecs(&self, key: &ModelKey) -> Result<Vec<Arc<dyn BlockCodec>>, CatalogError> {
        let found: Vec<Arc<dyn BlockCodec>> = self
            .0
            .iter()
            .filter(|t| key.matches(&t.id))
            .map(|t| Arc::new(*t) as Arc<dyn BlockCodec>)
            .collect();
        if found.is_empty() {
            return Err(CatalogError::Missing { key: *key, looked: vec!["the test".into()] });
        }
        Ok(found)
    }
}

/// Compresses with blocks of a size.
pub fn pack_with(content: &[u8], options: &CompressOptions) -> (Vec<u8>, Summary) {
    let mut archive = Vec::new();
    let summary = compress(content, &mut archive, &TOY, options, &NoProgress).unwrap();
    assert_eq!(summary.archive, archive.len() as u64);
    assert_eq!(summary.raw, content.len() as u64);
    (archive, summary)
}

pub fn pack(content: &[u8], block_size: u32) -> Vec<u8> {
    pack_with(content, &CompressOptions { block_size: Some(block_size), ..Default::default() }).0
}

/// Decompresses; whatever was written before an error comes with it.
pub fn unpack_with(archive: &[u8], models: &dyn ModelSource) -> (Vec<u8>, Result<Summary, Error>) {
    let mut content = Vec::new();
    let result =
        decompress(archive, &mut content, models, &DecompressOptions::default(), &NoProgress);
    (content, result)
}

pub fn unpack(archive: &[u8]) -> (Vec<u8>, Result<Summary, Error>) {
    unpack_with(archive, &Models(vec![TOY]))
}

/// Bytes that no model shortens, from a seed.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Text-like bytes.
pub fn text(len: usize) -> Vec<u8> {
    noise(len, 5).iter().map(|b| b"eeeeettaaoin shrd"[usize::from(b % 17)]).collect()
}

/// Content whose blocks of 100 bytes are coded, stored and run.
pub fn mixed() -> Vec<u8> {
    [text(100), noise(100, 1), vec![0; 100], text(100), vec![255; 50]].concat()
}
