//! Speed of the stream model's parts and of whole blocks: `cargo bench --bench stream`.
//!
//! Everything runs under the default model, on text made here. Parts are timed on
//! every instruction set of the processor, since each has its own kernel; throughput
//! is bytes of content a second, of which each costs eight bits.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use madezip::coder::{Decoder, encode_checked};
use madezip::engine::kernel::{Isa, Kernel};
use madezip::engine::language_native::{LanguageStep, PackedLanguage};
use madezip::engine::stream_native::{PackedNetwork, Step};
use madezip::made::file::ModelFile;
use madezip::made::random::SplitMix64;
use madezip::stream::block::{self, Input};
use madezip::stream::coding::{Coding, Level};
use madezip::stream::model::StreamModel;
use madezip::stream::past::Past;
use madezip::stream::row::{ByteRow, Row};
use madezip::stream::signal::regions::Regions;
use madezip::with_kernel;
use std::hint::black_box;
use std::time::Duration;

/// Contexts of the default model.
const C: usize = 16;
/// Bytes of text.
const BYTES: usize = 1 << 16;

fn model() -> StreamModel {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/default.safetensors");
    let file = std::fs::read(path).expect("the default model");
    let file = ModelFile::from_bytes(&file).expect("a model file");
    StreamModel::from_file(&file).expect("a stream model")
}

/// Sentences of made-up words, common ones more often than rare ones.
fn text() -> Vec<u8> {
    let mut rng = SplitMix64::new(1);
    let syllables = ["ba", "con", "der", "e", "fin", "gor", "hi", "lan", "mu", "ter", "sta", "ro"];
    let words: Vec<String> = (0..2000)
        .map(|_| (0..1 + rng.below(4)).map(|_| syllables[rng.below(12)]).collect())
        .collect();
    let mut text = String::new();
    while text.len() < BYTES {
        let rank = rng.below(2000) * rng.below(2000) * rng.below(2000) / 4_000_000;
        text += &words[rank];
        text += [" ", " ", " ", " ", " ", " ", ", ", ".\n"][rng.below(8)];
    }
    text.truncate(BYTES);
    text.into_bytes()
}

/// The evidence of a text: a row a byte, and a row for each of its bits.
type Rows = (Vec<ByteRow<C>>, Vec<[Row<C>; 8]>);

fn statistics(isa: Isa, model: &StreamModel, raw: &[u8], rows: &mut Rows) {
    let mut evidence = model.evidence::<C>(Coding::default(), &Regions::default(), raw.len());
    for n in 0..raw.len() {
        evidence.byte(isa, &mut rows.0[n], &mut rows.1[n], &raw[..n + 1]);
    }
}

#[inline(always)]
fn language<K: Kernel>(
    language: &PackedLanguage,
    raw: &[u8],
    is_recurrent: bool,
    logits: &mut [[i16; 8]],
) {
    let (mut step, mut past) = (LanguageStep::new(language), Past::default());
    if is_recurrent {
        step = step.with_recurrent_layer(language);
    }
    for (n, logits) in logits.iter_mut().enumerate() {
        past.push(&raw[..n]);
        step.choose(language, past.recent());
        // SAFETY: `with_kernel` has the proof of the instruction set
        unsafe { step.start_byte::<K>(language, past.recent()) };
        step.look_ahead(language, past.recent());
        for (k, logit) in logits.iter_mut().enumerate() {
            let partial = 1 << k | u32::from(raw[n]) >> (8 - k);
            // SAFETY: as above
            *logit = unsafe { step.logit::<K>(language, partial) };
        }
    }
}

#[inline(always)]
fn network<K: Kernel>(network: &PackedNetwork, rows: &Rows, logits: &mut [[i16; 8]]) {
    let mut step = Step::default();
    for (n, (byte, rows)) in rows.0.iter().zip(&rows.1).enumerate() {
        step.start_byte();
        for (k, row) in rows.iter().enumerate() {
            if row.has_units() {
                step.read(row);
            }
            // SAFETY: `with_kernel` has the proof of the instruction set
            logits[n][k] = unsafe { step.logit::<K, C>(network, byte, row) };
        }
    }
}

fn online(
    isa: Isa,
    model: &StreamModel,
    rows: &mut Rows,
    logits: &[[i16; 8]],
    raw: &[u8],
    p1: &mut Vec<u16>,
) {
    let mut online = model.online::<C>(Coding::default(), raw.len());
    p1.clear();
    for (n, rows) in rows.1.iter_mut().enumerate() {
        for row in rows.iter_mut() {
            row.x[1][Row::<C>::NETWORK] = 0;
        }
        p1.extend(online.byte(isa, rows, &logits[n], raw[n]));
    }
}

fn bit(raw: &[u8], i: usize) -> bool {
    raw[i / 8] >> (7 - i % 8) & 1 == 1
}

fn parts(c: &mut Criterion) {
    let (model, raw) = (&model(), &text()[..]);
    let packed = &PackedNetwork::new(&model.default.plain.network);
    let packed_language = &PackedLanguage::new(&model.language().expect("a language model"));
    let rows = &mut (vec![ByteRow::empty(); BYTES], vec![[Row::empty(); 8]; BYTES]);
    let logits = &mut vec![[0; 8]; BYTES][..];
    let p1 = &mut Vec::with_capacity(8 * BYTES);
    let mut group = c.benchmark_group("stream");
    group.sample_size(10).throughput(Throughput::Bytes(BYTES as u64));
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for isa in Isa::available() {
        group.bench_function(BenchmarkId::new("statistics", isa), |b| {
            b.iter(|| statistics(isa, model, raw, rows));
        });
        for (name, is_recurrent) in [("language model", false), ("recurrent layer and it", true)] {
            group.bench_function(BenchmarkId::new(name, isa), |b| {
                b.iter(|| {
                    let logits = &mut *logits;
                    with_kernel!(isa, language(
                        packed_language: &PackedLanguage, raw: &[u8], is_recurrent: bool,
                        logits: &mut [[i16; 8]]
                    ) -> ());
                });
            });
        }
        group.bench_function(BenchmarkId::new("network", isa), |b| {
            b.iter(|| {
                let (rows, logits) = (&*rows, &mut *logits);
                with_kernel!(isa, network(
                    packed: &PackedNetwork, rows: &Rows, logits: &mut [[i16; 8]]
                ) -> ());
            });
        });
        group.bench_function(BenchmarkId::new("online stage", isa), |b| {
            b.iter(|| online(isa, model, rows, logits, raw, p1));
        });
    }
    #[cfg(feature = "torch")]
    {
        use madezip::engine::{stream_torch::TorchNetwork, torch::TorchDevice};
        use madezip::stream::block::{Bulk, WINDOW};
        tch::set_num_threads(1);
        let mut torch =
            TorchNetwork::new(TorchDevice::cpu(), &model.default.plain.network).expect("exact");
        group.bench_function("network/torch", |b| {
            b.iter(|| {
                let bits = rows.1.chunks(WINDOW).zip(logits.chunks_mut(WINDOW));
                for (bytes, (rows, logits)) in rows.0.chunks(WINDOW).zip(bits) {
                    let (rows, logits) = (rows.as_flattened(), logits.as_flattened_mut());
                    torch.logits(bytes, rows, logits).expect("computed");
                }
            });
        });
    }
    let coded = encode_checked(p1, |i| bit(raw, i)).expect("coded");
    group.bench_function("coder/encode and check", |b| {
        b.iter(|| encode_checked(p1, |i| bit(raw, i)));
    });
    group.bench_function("coder/decode", |b| {
        b.iter(|| {
            let mut decoder = Decoder::new(&coded).expect("coded");
            p1.iter().for_each(|&p| _ = black_box(decoder.decode_bit(p)));
        });
    });
    group.finish();
}

fn blocks(c: &mut Criterion) {
    let (model, raw) = (model(), text());
    let mut group = c.benchmark_group("block");
    group.sample_size(10).throughput(Throughput::Bytes(BYTES as u64));
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for isa in Isa::available() {
        let encode = |threads| {
            block::encode(
                isa,
                &model,
                &Input::alone(&model, &raw, Level::Default),
                threads,
                &|_| {},
            )
            .expect("coded")
        };
        let payload = encode(1).payload;
        group.bench_function(BenchmarkId::new("compress", isa), |b| b.iter(|| encode(1)));
        let decode = |threads| {
            block::decode(isa, &model, &payload, raw.len(), threads, &|_| {}).expect("decoded")
        };
        group.bench_function(BenchmarkId::new("decompress", isa), |b| b.iter(|| decode(1)));
        if isa == Isa::best() {
            let id = |verb| BenchmarkId::new(format!("{verb}, 2 threads"), isa);
            group.bench_function(id("compress"), |b| b.iter(|| encode(2)));
            group.bench_function(id("decompress"), |b| b.iter(|| decode(2)));
        }
    }
    group.finish();
}

criterion_group!(benches, parts, blocks);
criterion_main!(benches);
