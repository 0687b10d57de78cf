//! Time of coding rows: `cargo bench --bench records`.
//!
//! Decoding computes each hidden unit once, so it should take about as long as the
//! parallel pass of compression, and grow linearly with rows and with the network.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{random_made, random_window};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use madezip::codec::BlockCodec;
use madezip::records::{RecordsCodec, RecordsModel};

/// Codecs of a model by name: the native engine's, and libtorch's for compression.
fn codecs(model: &RecordsModel) -> Vec<(&'static str, RecordsCodec)> {
    let native = || RecordsCodec::new(model, [0; 32], 0);
    #[allow(unused_mut)]
    let mut all = vec![("native", native())];
    #[cfg(feature = "torch")]
    {
        use madezip::engine::{records::RecordsEngine, window_torch::TorchWindow};
        use madezip::engine::{records_torch::TorchRecords, torch::TorchDevice};
        tch::set_num_threads(1);
        let cpu = TorchDevice::cpu();
        let engine: Box<dyn RecordsEngine> = match model {
            RecordsModel::Made(m) => Box::new(TorchRecords::new(m, cpu).expect("exact")),
            RecordsModel::Window(m) => Box::new(TorchWindow::new(m, cpu).expect("exact")),
        };
        all.push(("torch", native().with_bulk(engine)));
    }
    all
}

fn measure(c: &mut Criterion, name: &str, model: &RecordsModel, rows: usize) {
    let mut group = c.benchmark_group(name);
    group.sample_size(10).throughput(Throughput::Elements((rows * model.dims()) as u64));
    let raw = RecordsCodec::new(model, [0; 32], 0).sample(rows, 1);
    for (engine, codec) in codecs(model) {
        let payload = codec.encode(&raw, 1, &|_| {}).expect("coded").payload;
        group.bench_function(BenchmarkId::new(format!("compress {engine}"), rows), |b| {
            b.iter(|| codec.encode(&raw, 1, &|_| {}));
        });
        if engine == "native" {
            group.bench_function(BenchmarkId::new("decompress", rows), |b| {
                b.iter(|| codec.decode(&payload, raw.len(), &|_| {}));
            });
        }
    }
    group.finish();
}

fn all(c: &mut Criterion) {
    for units in [100, 200, 400] {
        let made = random_made(784, &[units, units], 1, 100, 4);
        for rows in [512, 1024, 2048] {
            measure(c, &format!("784-{units}-{units}-784"), &made, rows);
        }
    }
    for units in [64, 128] {
        let window = random_window(28, 28, 8, &[units, units, units], 4);
        for rows in [128, 256] {
            measure(c, &format!("window of 8, {units}-{units}-{units}"), &window, rows);
        }
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
