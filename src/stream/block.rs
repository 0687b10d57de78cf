//! One block of the stream model: bytes ↔ payload.
//!
//! A payload is a flags byte (bit 0: addresses of x86 code are absolute, see
//! [`super::x86`]; the others are 0), then the segments: every 1 MiB of raw bytes are
//! one ANS stack, so that the probabilities kept for coding in reverse stay small.
//! Before each segment but the last stands its coded length as a little-endian
//! 32-bit number.

use std::borrow::Cow;

use byteorder::{ByteOrder, LittleEndian};

use super::model::StreamModel;
use super::predictor::Predictor;
use super::row::{ByteRow, Row};
use super::x86;
use crate::codec::{CodecError, Encoded};
use crate::coder::{Decoder, encode_bits, ideal_bits};
use crate::engine::kernel::{Isa, Kernel};
use crate::stream::online::Online;
use crate::with_kernel;

/// Raw bytes of a segment.
pub const SEGMENT: usize = 1 << 20;
/// Bytes between two calls of a progress function.
pub(super) const REPORT: usize = 1 << 16;

/// A shorter block is not worth a second thread.
const PIPELINED: usize = 1 << 14;
/// The flag of absolute addresses.
const X86: u8 = 1;

/// The bytes to code, and the payload's flags.
fn filtered(raw: &[u8]) -> (Cow<'_, [u8]>, u8) {
    if !x86::is_likely(raw) {
        return (raw.into(), 0);
    }
    let mut data = raw.to_vec();
    x86::forward(&mut data);
    (data.into(), X86)
}

fn flagged(mut coded: Encoded, flags: u8) -> Encoded {
    if let Some(first) = coded.payload.first_mut() {
        *first = flags;
    }
    coded
}

pub(super) fn bit_of(raw: &[u8], i: usize) -> bool {
    raw[i / 8] >> (7 - i % 8) & 1 == 1
}

/// Gathers probabilities and codes each segment when it is full.
pub(super) struct Segments<'a> {
    raw: &'a [u8],
    p1: Vec<u16>,
    coded: Encoded,
}

impl<'a> Segments<'a> {
    pub fn new(raw: &'a [u8]) -> Self {
        let p1 = Vec::with_capacity(8 * raw.len().min(SEGMENT));
        Self { raw, p1, coded: Encoded { payload: vec![0], ideal_bits: 0.0 } }
    }

    /// Takes the probability of the next bit.
    #[inline(always)]
    pub fn push(&mut self, p1: u16) {
        self.p1.push(p1);
    }

    /// After the bits of byte `end - 1`.
    pub fn close_if_full(&mut self, end: usize) -> Result<(), CodecError> {
        if end.is_multiple_of(SEGMENT) || end == self.raw.len() { self.close(end) } else { Ok(()) }
    }

    /// All segments.
    pub fn finish(self) -> Encoded {
        self.coded
    }

    /// Codes the segment that ends before byte `end`, checking that the coded
    /// bytes give the same bits back under the same probabilities.
    fn close(&mut self, end: usize) -> Result<(), CodecError> {
        let raw = &self.raw[end - self.p1.len() / 8..end];
        let bytes = encode_bits(&self.p1, |i| bit_of(raw, i));
        let mut decoder = Decoder::new(&bytes)
            .map_err(|_| CodecError::Engine("the coder wrote what it cannot read".into()))?;
        let same =
            self.p1.iter().enumerate().all(|(i, &p)| decoder.decode_bit(p) == bit_of(raw, i));
        if !same || !decoder.is_exhausted() {
            return Err(CodecError::Engine("the coder did not give the same bits back".into()));
        }
        if end < self.raw.len() {
            let mut length = [0; 4];
            LittleEndian::write_u32(&mut length, bytes.len() as u32);
            self.coded.payload.extend(length);
        }
        self.coded.payload.extend(&bytes);
        self.coded.ideal_bits += ideal_bits(&self.p1, |i| bit_of(raw, i));
        self.p1.clear();
        Ok(())
    }
}

#[inline(always)]
fn encode_body<K: Kernel, const C: usize>(
    model: &StreamModel,
    raw: &[u8],
    progress: &dyn Fn(u64),
) -> Result<Encoded, CodecError> {
    let mut predictor = Predictor::<C>::new(model, raw.len());
    let mut segments = Segments::new(raw);
    for (n, &byte) in raw.iter().enumerate() {
        // SAFETY: `with_kernel` checked the instruction set
        unsafe { predictor.start_byte::<K>() };
        for k in (0..8).rev() {
            // SAFETY: as above
            unsafe {
                segments.push(predictor.predict::<K>());
                predictor.update::<K>(u32::from(byte >> k & 1), &raw[..n + 1]);
            }
        }
        segments.close_if_full(n + 1)?;
        if (n + 1) % REPORT == 0 || n + 1 == raw.len() {
            progress(((n % REPORT) + 1) as u64);
        }
    }
    Ok(segments.finish())
}

#[inline(always)]
fn decode_body<K: Kernel, const C: usize>(
    model: &StreamModel,
    payload: &[u8],
    raw_len: usize,
    progress: &dyn Fn(u64),
) -> Result<Vec<u8>, CodecError> {
    let Some((&flags @ 0..=X86, mut rest)) = payload.split_first() else {
        return Err(CodecError::Payload("unknown flags"));
    };
    let mut predictor = Predictor::<C>::new(model, raw_len);
    let mut raw = Vec::with_capacity(raw_len);
    while raw.len() < raw_len {
        let end = (raw.len() + SEGMENT).min(raw_len);
        let bytes = if end < raw_len {
            let (length, tail) =
                rest.split_at_checked(4).ok_or(CodecError::Payload("a segment is missing"))?;
            let (bytes, tail) = tail
                .split_at_checked(LittleEndian::read_u32(length) as usize)
                .ok_or(CodecError::Payload("a segment is cut short"))?;
            rest = tail;
            bytes
        } else {
            rest
        };
        let mut decoder = Decoder::new(bytes)
            .map_err(|_| CodecError::Payload("a segment ends in a zero byte"))?;
        while raw.len() < end {
            // SAFETY: `with_kernel` checked the instruction set
            unsafe { predictor.start_byte::<K>() };
            let mut byte = 0u8;
            for k in 0..8 {
                // SAFETY: as above
                let bit = decoder.decode_bit(unsafe { predictor.predict::<K>() });
                byte = byte << 1 | u8::from(bit);
                if k == 7 {
                    raw.push(byte);
                }
                // SAFETY: as above
                unsafe { predictor.update::<K>(bit.into(), &raw) };
            }
            if raw.len() % REPORT == 0 || raw.len() == raw_len {
                progress(((raw.len() - 1) % REPORT + 1) as u64);
            }
        }
        if !decoder.is_exhausted() {
            return Err(CodecError::Payload("bits are left over"));
        }
    }
    if flags & X86 != 0 && x86::inverse(&mut raw) == 0 {
        return Err(CodecError::Payload("it has no addresses to change back"));
    }
    Ok(raw)
}

type Encode = Result<Encoded, CodecError>;
type Decode = Result<Vec<u8>, CodecError>;

/// Codes a block with the native engine on an instruction set, on two threads if
/// there are as many and the block is long enough; the payload is the same.
pub fn encode_with(
    isa: Isa,
    model: &StreamModel,
    raw: &[u8],
    threads: usize,
    progress: &dyn Fn(u64),
) -> Encode {
    if threads < 2 || raw.len() < PIPELINED {
        return encode(isa, model, raw, progress);
    }
    let (raw, flags) = filtered(raw);
    Ok(flagged(super::pipeline::encode(isa, model, &raw, progress)?, flags))
}

/// Codes a block with the native engine on an instruction set.
pub fn encode(isa: Isa, model: &StreamModel, raw: &[u8], progress: &dyn Fn(u64)) -> Encode {
    let (raw, flags) = filtered(raw);
    let raw = &*raw;
    macro_rules! at {
        ($c:literal) => {
            with_kernel!(isa, encode_body::<$c>(model: &StreamModel, raw: &[u8], progress: &dyn Fn(u64)) -> Encode)
        };
    }
    let coded = match model.contexts.len() {
        8 => at!(8),
        16 => at!(16),
        24 => at!(24),
        _ => unreachable!("StreamModel::new checks the number"),
    }?;
    Ok(flagged(coded, flags))
}

/// Decodes a block of `raw_len` bytes with the native engine.
pub fn decode(
    isa: Isa,
    model: &StreamModel,
    payload: &[u8],
    raw_len: usize,
    progress: &dyn Fn(u64),
) -> Decode {
    macro_rules! at {
        ($c:literal) => {
            with_kernel!(isa, decode_body::<$c>(
                model: &StreamModel, payload: &[u8], raw_len: usize, progress: &dyn Fn(u64)
            ) -> Decode)
        };
    }
    match model.contexts.len() {
        8 => at!(8),
        16 => at!(16),
        24 => at!(24),
        _ => unreachable!("StreamModel::new checks the number"),
    }
}

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
pub trait AnyBulk: Bulk<8> + Bulk<16> + Bulk<24> {}

impl<T: Bulk<8> + Bulk<16> + Bulk<24>> AnyBulk for T {}

#[inline(always)]
fn bulk_body<K: Kernel, const C: usize>(
    model: &StreamModel,
    bulk: &mut dyn Bulk<C>,
    window: usize,
    raw: &[u8],
    progress: &dyn Fn(u64),
) -> Encode {
    let mut evidence = model.evidence::<C>(raw.len());
    let mut online = Online::<C>::new();
    let mut segments = Segments::new(raw);
    let window = window.clamp(1, WINDOW).min(raw.len().max(1));
    let mut bytes = vec![ByteRow::<C>::empty(); window];
    let mut rows = vec![Row::<C>::empty(); 8 * window];
    let mut logits = vec![0; 8 * window];
    let mut n = 0;
    while n < raw.len() {
        // a window never crosses a segment
        let count = window.min(raw.len() - n).min(SEGMENT - n % SEGMENT);
        for i in 0..count {
            evidence.byte_row(&mut bytes[i]);
            for k in 0..8 {
                let row = &mut rows[8 * i + k];
                let bit = u32::from(raw[n + i] >> (7 - k) & 1);
                // SAFETY: `with_kernel` checked the instruction set
                unsafe {
                    evidence.row::<K>(row);
                    evidence.update::<K>(row, bit, &raw[..n + i + 1]);
                }
            }
        }
        let (rows, logits) = (&mut rows[..8 * count], &mut logits[..8 * count]);
        bulk.logits(&bytes[..count], rows, logits)?;
        for (i, row) in rows.iter_mut().enumerate() {
            row.x[1][Row::<C>::NETWORK] = logits[i];
            // SAFETY: as above
            unsafe {
                segments.push(online.predict::<K>(row));
                online.update::<K>(row, bit_of(&raw[n..], i).into());
            }
        }
        n += count;
        segments.close_if_full(n)?;
        progress(count as u64);
    }
    Ok(segments.finish())
}

/// Codes a block with a bulk engine: statistics of a window, network over the
/// whole window, online stage. The payload is the one [`encode`] gives.
pub fn encode_bulk(
    isa: Isa,
    model: &StreamModel,
    bulk: &mut dyn AnyBulk,
    window: usize,
    raw: &[u8],
    progress: &dyn Fn(u64),
) -> Encode {
    let (raw, flags) = filtered(raw);
    let raw = &*raw;
    macro_rules! at {
        ($c:literal) => {{
            let bulk: &mut dyn Bulk<$c> = bulk;
            with_kernel!(isa, bulk_body::<$c>(
                model: &StreamModel, bulk: &mut dyn Bulk<$c>, window: usize, raw: &[u8],
                progress: &dyn Fn(u64)
            ) -> Encode)
        }};
    }
    let coded = match model.contexts.len() {
        8 => at!(8),
        16 => at!(16),
        24 => at!(24),
        _ => unreachable!("StreamModel::new checks the number"),
    }?;
    Ok(flagged(coded, flags))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::Random;

    const EIGHT: &str = "o1 o2 o3 o4 o6 word pair column";
    const SIXTEEN: &str = "o1 o2 o3 o4 o6 word pair s2 s34 row rows column shape follow skip cell";
    const TWENTY_FOUR: &str = "o1 o2 o3 o4 o6 word pair s2 s34 row rows column shape follow skip \
        cell o0 o5 s23 s13 above number field o8";

    /// The definition itself, one bit after the other.
    struct Reference<'m>(&'m StreamModel);

    impl<const C: usize> Bulk<C> for Reference<'_> {
        fn logits(
            &mut self,
            bytes: &[ByteRow<C>],
            rows: &[Row<C>],
            logits: &mut [i16],
        ) -> Result<(), CodecError> {
            let network = &self.0.network;
            let mut shared = vec![0; network.first.outputs];
            for (i, row) in rows.iter().enumerate() {
                if i % 8 == 0 {
                    network.byte_sums(&bytes[i / 8], &mut shared);
                }
                logits[i] = network.logit(&shared, row);
            }
            Ok(())
        }
    }

    fn check(contexts: &str) {
        let mut random = Random(7);
        let model = random.model(contexts);
        let raw = random.bytes(5000);
        let want =
            encode_bulk(Isa::Scalar, &model, &mut Reference(&model), 700, &raw, &|_| {}).unwrap();
        let windows =
            encode_bulk(Isa::Scalar, &model, &mut Reference(&model), 1, &raw, &|_| {}).unwrap();
        assert_eq!(windows.payload, want.payload, "window size");
        #[cfg(feature = "torch")]
        for window in [1, 13, 2048] {
            use crate::engine::{stream_torch::TorchNetwork, torch::TorchDevice};
            let mut torch =
                TorchNetwork::new(TorchDevice::open("cpu").unwrap(), &model.network).unwrap();
            let got = encode_bulk(Isa::Scalar, &model, &mut torch, window, &raw, &|_| {}).unwrap();
            assert_eq!(got.payload, want.payload, "torch, windows of {window}");
        }
        for isa in Isa::available() {
            let mut bulk = Reference(&model);
            let got = encode_bulk(isa, &model, &mut bulk, 99, &raw, &|_| {}).unwrap();
            assert_eq!(got.payload, want.payload, "{isa}, bulk");
            let got = encode(isa, &model, &raw, &|_| {}).unwrap();
            assert_eq!(got.payload, want.payload, "{isa}");
            assert_eq!(decode(isa, &model, &want.payload, raw.len(), &|_| {}).unwrap(), raw);
        }
        let coded = want.payload.len() as f64;
        assert!(coded <= want.ideal_bits / 8.0 * 1.0001 + 9.0);
    }

    #[test]
    fn every_engine_writes_the_same_payload() {
        check(EIGHT);
        check(SIXTEEN);
        check(TWENTY_FOUR);
    }

    #[test]
    fn short_blocks_and_damage() {
        let mut random = Random(3);
        let model = random.model(EIGHT);
        for len in [0, 1, 2, 3, 17] {
            let raw = random.bytes(len);
            let coded = encode(Isa::best(), &model, &raw, &|_| {}).unwrap().payload;
            assert_eq!(decode(Isa::best(), &model, &coded, len, &|_| {}).unwrap(), raw);
        }
        let raw = random.bytes(300);
        let coded = encode(Isa::best(), &model, &raw, &|_| {}).unwrap().payload;
        for cut in 0..coded.len() {
            let _ = decode(Isa::best(), &model, &coded[..cut], 300, &|_| {});
        }
        assert!(decode(Isa::best(), &model, &[], 5, &|_| {}).is_err());
        assert!(decode(Isa::best(), &model, &[2, 2], 5, &|_| {}).is_err());
    }

    #[test]
    fn two_threads_write_the_same() {
        let mut random = Random(11);
        for contexts in [EIGHT, SIXTEEN] {
            let model = random.model(contexts);
            let raw = random.bytes(PIPELINED + 300);
            let want = encode(Isa::best(), &model, &raw, &|_| {}).unwrap();
            let done = std::cell::Cell::new(0);
            let count = |n| done.set(done.get() + n);
            let got = encode_with(Isa::best(), &model, &raw, 2, &count).unwrap();
            assert!(got.payload == want.payload);
            assert_eq!(done.get(), raw.len() as u64);
        }
    }

    #[test]
    fn code_comes_back() {
        let mut raw = Random(9).bytes(2000);
        for n in 0..400u32 {
            raw.extend([0x8b, n as u8, 0xe8]);
            let target = 0x100 * (n * n % 5);
            raw.extend(target.wrapping_sub(raw.len() as u32).to_le_bytes());
        }
        let model = Random(3).model(EIGHT);
        let coded = encode(Isa::best(), &model, &raw, &|_| {}).unwrap().payload;
        assert_eq!(coded[0], X86);
        let bulk = encode_bulk(Isa::best(), &model, &mut Reference(&model), 9, &raw, &|_| {});
        assert_eq!(bulk.unwrap().payload, coded);
        assert_eq!(decode(Isa::best(), &model, &coded, raw.len(), &|_| {}).unwrap(), raw);
    }

    #[test]
    fn a_model_file_gives_the_model_back() {
        let model = Random(5).model(SIXTEEN);
        let file = model.to_file();
        let again = crate::made::file::ModelFile::from_bytes(&file.to_bytes()).unwrap();
        let read = StreamModel::from_file(&again).unwrap();
        assert_eq!(read.network, model.network);
        assert_eq!(read.maps, model.maps);
        assert_eq!(file.id(), again.id());
    }
}
