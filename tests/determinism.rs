//! One archive, whatever computes it: engines, instruction sets, threads, and the
//! restricted instruction sets of the libraries below libtorch.

mod common;

use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use common::ways;

/// Words in a skewed order, a table and some binary numbers: every part of the
/// model has something to do.
fn sample() -> Vec<u8> {
    let words = ["the", "mask", "of", "degree", "bits", "a", "network", "and", "coded", "row"];
    let mut state = 12345u64;
    let mut data = Vec::new();
    for i in 0..6000u64 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let r = state >> 33;
        match i % 3000 {
            0..2000 => {
                data.extend(words[(r % 4 * (r >> 8) % 10) as usize].bytes());
                data.push(if r.is_multiple_of(11) { b'\n' } else { b' ' });
            }
            2000..2500 => data.extend(format!("{i};{};{:04x}\n", r % 50, r % 65536).bytes()),
            _ => data.extend((r as u32 % 1000).to_le_bytes()),
        }
    }
    data
}

fn madezip(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) {
    let output = Command::new(cargo_bin("madezip"))
        .current_dir(folder)
        .envs(environment.iter().copied())
        .args(arguments)
        .output()
        .expect("madezip starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{environment:?} {arguments:?}: {words}");
}

/// The archive of a file, which every way writes and reads; `model` is for both verbs, `options`
/// are for compression.
fn same_everywhere(folder: &Path, name: &str, model: &[&str], options: &[&str]) -> Vec<u8> {
    let original = std::fs::read(folder.join(name)).expect("read");
    let mut first: Option<Vec<u8>> = None;
    for (environment, way) in &ways() {
        let run = |verb: &str, input: &str, output: &str, options: &[&str]| {
            let files = [verb, "-q", "-f", input, "-o", output];
            madezip(folder, environment, &[&files, model, options, way].concat());
            std::fs::read(folder.join(output)).expect("read")
        };
        let archive = run("compress", name, "a.mdz", options);
        let first = first.get_or_insert_with(|| archive.clone());
        assert!(*first == archive, "{name} {options:?}: {environment:?} {way:?}");
        let back = run("decompress", "a.mdz", "back", &[]);
        assert!(back == original, "{name} {options:?}: {environment:?} {way:?}");
    }
    first.expect("there are ways")
}

#[test]
fn every_engine_writes_and_reads_the_same_archive() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = sample();
    // one archive of the short form, one block in the long one, that all threads code, and two
    // blocks: the second is a few bytes, the first 128 KiB of a run and some words; and one of x86
    // code, one of 64-bit programs, one of samples, one of bilevel pictures
    let mut long = vec![b'-'; 120_000];
    long.extend(&data);
    let block = &long[120_000 - 60_000..][..66_000];
    let (code, programs) = (&common::x86_code(500)[..], &common::x86_programs(120)[..]);
    let (samples, pixels) = (&common::signals(70)[..], &common::strokes(1200)[..]);
    let contents = [
        ("short", &data[..6_000]),
        ("block", block),
        ("long", &long[..]),
        ("code", code),
        ("programs", programs),
        ("samples", samples),
        ("pixels", pixels),
    ];
    for (name, content) in contents {
        std::fs::write(folder.path().join(name), content).expect("written");
    }
    for (name, content) in contents {
        for level in ["-1", "-6", "-9"] {
            let options = [level, "--block-size", "128K"];
            let archive = same_everywhere(folder.path(), name, &[], &options);
            assert!(3 * archive.len() < 2 * content.len(), "{name} {level}");
        }
    }
}

#[test]
fn an_input_of_several_contents_is_cut_the_same_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut all = sample().repeat(12);
    all.extend(common::x86_code(12_000));
    all.extend(&sample()[..20_000]);
    std::fs::write(folder.path().join("all"), &all).expect("written");
    same_everywhere(folder.path(), "all", &[], &["-1"]);
    let header = Command::new(cargo_bin("madezip"))
        .current_dir(folder.path())
        .args(["info", "-v", "a.mdz"])
        .output()
        .expect("madezip starts");
    assert!(String::from_utf8_lossy(&header.stdout).contains("block 1"), "it is cut");
}

#[test]
fn digits_are_the_same_archive_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/models/digits.safetensors");
    // strokes across the square, and a row that is none
    let mut rows = vec![0u8; 9 * 98];
    for (n, row) in rows.chunks_exact_mut(98).enumerate() {
        for y in 4..24 {
            let x = if n == 8 { y * y * 7 % 28 } else { 6 + n + (y * n) / 20 };
            for x in [x, x + 1] {
                let pixel = 28 * y + x.min(27);
                row[pixel / 8] |= 0x80 >> (pixel % 8);
            }
        }
    }
    std::fs::write(folder.path().join("rows"), &rows).expect("written");
    let archive = same_everywhere(folder.path(), "rows", &["-m", model], &[]);
    assert!(archive.len() < rows.len() / 2);
}
