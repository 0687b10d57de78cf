//! Time of coding rows: `cargo bench --bench records`.
//!
//! Decoding computes each hidden unit once, so it should take about as long as the
//! parallel pass of compression, and grow linearly with rows and with the network.
//! What is timed against each other is run in turn, some rounds of it; the least
//! time of each counts. One thread.
//!
//! The rows are drawn from the network, or come from a file of packed rows of 784
//! bits that `MADEZIP_BENCH_ROWS` names (such as the test rows of binarized MNIST).
//! libtorch's pass is on the device that `MADEZIP_BENCH_DEVICE` names, else on the CPU.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{random_made, random_mixture, random_window};
use madezip::codec::BlockCodec;
use madezip::records::{RecordsCodec, RecordsModel};
use madezip::stream::coding::Level;
use madezip::stream::signal::regions::Regions;
use std::time::Instant;

const DIMS: usize = 784;
const ROUNDS: usize = 3;

/// The first rows of the file, if one is named.
fn file_rows(rows: usize) -> Option<Vec<u8>> {
    let path = std::env::var_os("MADEZIP_BENCH_ROWS")?;
    let mut bytes = std::fs::read(&path).expect("MADEZIP_BENCH_ROWS can be read");
    assert!(bytes.len() >= rows * DIMS / 8, "{} has fewer than {rows} rows", path.display());
    bytes.truncate(rows * DIMS / 8);
    Some(bytes)
}

/// The codec whose parallel pass is libtorch's.
#[cfg(feature = "torch")]
fn with_torch(model: &RecordsModel) -> Option<RecordsCodec> {
    use madezip::engine::torch::TorchDevice;
    tch::set_num_threads(1);
    let name = std::env::var("MADEZIP_BENCH_DEVICE").unwrap_or_else(|_| "cpu".into());
    let device = TorchDevice::open(&name).expect("MADEZIP_BENCH_DEVICE is a device");
    let engine = |c: &RecordsModel| c.torch(device).expect("exact");
    let engines: Vec<_> = model.components().iter().map(engine).collect();
    Some(RecordsCodec::new(model, [0; 32], 0).with_bulk(engines))
}

#[cfg(not(feature = "torch"))]
fn with_torch(_: &RecordsModel) -> Option<RecordsCodec> {
    None
}

/// Runs in turn; the least seconds of each.
fn least(works: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    let mut best = vec![f64::INFINITY; works.len()];
    for _ in 0..ROUNDS {
        for (best, work) in best.iter_mut().zip(works.iter_mut()) {
            let begun = Instant::now();
            work();
            *best = best.min(begun.elapsed().as_secs_f64());
        }
    }
    best
}

fn measure(name: &str, model: &RecordsModel, rows: usize) {
    let native = RecordsCodec::new(model, [0; 32], 0);
    let torch = with_torch(model);
    let raw = file_rows(rows).unwrap_or_else(|| native.sample(rows, 1));
    let payload = native
        .encode(&raw, &Regions::default(), Level::Default, 1, &|_| {})
        .expect("coded")
        .payload;
    // the pass alone: probabilities of every bit, nothing coded
    let mut pass = || drop(native.probabilities(&raw).expect("evaluated"));
    let mut decompress = || drop(native.decode(&payload, raw.len(), 1, &|_| {}).expect("decoded"));
    let mut torch_pass = || drop(torch.as_ref().map(|t| t.probabilities(&raw)));
    let times = least(&mut [&mut pass, &mut decompress, &mut torch_pass]);
    let (pass, decompress) = (times[0], times[1]);
    print!("{name:>28} {rows:>6} {pass:>9.3} {decompress:>11.3} {:>5.2}", decompress / pass);
    match torch {
        Some(_) => println!(" {:>10.3} {:>5.2}", times[2], decompress / times[2]),
        None => println!(),
    }
}

fn main() {
    // cargo passes --bench; a name chooses networks
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    println!(
        "{:>28} {:>6} {:>9} {:>11} {:>5} {:>10} {:>5}",
        "network", "rows", "pass, s", "decode, s", "ratio", "torch, s", "ratio"
    );
    let run = |name: String, model: RecordsModel, rows: &[usize]| {
        if wanted.is_empty() || wanted.iter().any(|w| name.contains(w.as_str())) {
            rows.iter().for_each(|&rows| measure(&name, &model, rows));
        }
    };
    let all: &[usize] = &[2500, 5000, 10_000];
    run("784-500-784".into(), random_made(DIMS, &[500], 1, 60, 4), all);
    for units in [250, 500, 1000, 2000, 4000] {
        let made = random_made(DIMS, &[units, units], 1, 60, 4);
        run(format!("784-{units}-{units}-784"), made, if units == 500 { all } else { &all[2..] });
    }
    run("784-250-784, 4 masks".into(), random_made(DIMS, &[250], 4, 60, 4), &all[..1]);
    run("784-250-784, 4 orderings".into(), random_mixture(DIMS, &[250], (4, 1), 60, 4), &all[..1]);
    for units in [64, 128] {
        let window = random_window(28, 28, 8, &[units, units, units], 4);
        run(format!("window of 8, {units}-{units}-{units}"), window, &[500, 1000]);
    }
}
