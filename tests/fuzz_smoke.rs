//! The fuzz targets over their seeds and some seeded random changes, so that every
//! test run has them. Fuzzers go on for hours: see `fuzz/` and docs/FAULTS.md.

#[path = "../fuzz/src/lib.rs"]
#[allow(dead_code)]
mod fuzz;

use madezip::made::random::SplitMix64;

/// Tries a target with each seed and with `changes` changed ones.
fn smoke(name: &str, changes: usize) {
    let (_, run) = fuzz::TARGETS.iter().find(|(n, _)| *n == name).unwrap();
    let seeds = fuzz::seeds(name);
    seeds.iter().for_each(|seed| run(seed));
    let mut rng = SplitMix64::new(1);
    for i in 0..changes {
        let input = fuzz::mutate::changed(&seeds[i % seeds.len()], &mut rng);
        let whole = std::panic::catch_unwind(|| run(&input)).is_ok();
        assert!(whole, "{name}, change {i}: {}", input.escape_ascii());
    }
}

#[test]
fn container() {
    smoke("container", 800);
}

#[test]
fn model_file() {
    smoke("model_file", 1000);
}

#[test]
fn packed_model() {
    smoke("packed_model", 2000);
}

#[test]
fn signal() {
    smoke("signal", 20_000);
}

#[test]
fn payload() {
    smoke("payload", 1000);
}

#[test]
fn round_trip() {
    smoke("round_trip", 300);
}

#[test]
fn records_input() {
    smoke("records_input", 20_000);
}
