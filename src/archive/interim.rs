//! A stand-in for the model's codec: adaptive bits, order 1.

use crate::codec::{BlockCodec, CodecError, Encoded};
use crate::coder::{Decoder, encode_bits, ideal_bits};

/// An order-1 adaptive bit model.
#[derive(Debug)]
pub struct Interim;

struct Order1 {
    p: Vec<u16>,
    context: usize,
    node: usize,
}

impl Order1 {
    fn new() -> Self {
        Self { p: vec![1 << 15; 1 << 16], context: 0, node: 1 }
    }
    fn p1(&self) -> u16 {
        self.p[self.context << 8 | self.node]
    }
    fn update(&mut self, bit: bool) -> Option<u8> {
        let p = &mut self.p[self.context << 8 | self.node];
        if bit {
            *p += (65535 - *p) >> 4;
        } else {
            *p -= *p >> 4;
        }
        self.node = self.node << 1 | usize::from(bit);
        (self.node >= 256).then(|| {
            self.context = self.node & 255;
            self.node = 1;
            self.context as u8
        })
    }
}

impl BlockCodec for Interim {
    fn model_id(&self) -> [u8; 32] {
        [0x11; 32]
    }

    fn encode(&self, raw: &[u8], progress: &dyn Fn(u64)) -> Result<Encoded, CodecError> {
        let mut model = Order1::new();
        let bit = |i: usize| raw[i / 8] >> (7 - i % 8) & 1 == 1;
        let p1: Vec<u16> = (0..raw.len() * 8)
            .map(|i| {
                let p = model.p1();
                model.update(bit(i));
                p
            })
            .collect();
        progress(raw.len() as u64);
        Ok(Encoded { payload: encode_bits(&p1, bit), ideal_bits: ideal_bits(&p1, bit) })
    }

    fn decode(
        &self,
        payload: &[u8],
        raw_len: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Vec<u8>, CodecError> {
        let mut decoder =
            Decoder::new(payload).map_err(|_| CodecError::Payload("not canonical"))?;
        let mut model = Order1::new();
        let mut raw = Vec::new();
        while raw.len() < raw_len {
            let bit = decoder.decode_bit(model.p1());
            if let Some(byte) = model.update(bit) {
                raw.push(byte);
            }
        }
        progress(raw_len as u64);
        if decoder.is_exhausted() { Ok(raw) } else { Err(CodecError::Payload("bits are left")) }
    }
}
