//! A second decoder, written in Python from FORMAT.md alone, must find in every
//! input what this one finds: the same content, or that there is none to be had.

mod common;
#[path = "container/toy.rs"]
#[allow(dead_code)]
mod toy;

use std::path::Path;
use std::process::Command;

use madezip::archive::{CompressOptions, NoProgress, compress};
use madezip::codec::BlockCodec;
use madezip::container::checksum::crc32;
use madezip::container::{FormatError, Skippable};
use madezip::error::Error;
use madezip::made::packed;
use madezip::made::random::SplitMix64;
use madezip::records::RecordsCodec;
use sha2::{Digest, Sha256};
use toy::{Models, mixed, noise, pack, text, unpack_with};

/// What the second decoder says of each input.
fn second(inputs: &[Vec<u8>]) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..inputs.len()).map(|i| i.to_string()).collect();
    for (name, input) in names.iter().zip(inputs) {
        std::fs::write(folder.path().join(name), input).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/check.py");
    let out = Command::new("python3").arg(script).args(&names).current_dir(folder.path()).output();
    let Ok(out) = out else {
        eprintln!("NOT TESTED: there is no python3");
        return None;
    };
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let said = String::from_utf8(out.stdout).unwrap();
    Some(said.lines().map(String::from).collect())
}

/// What this decoder says, in the same words as far as they go. It has no models,
/// so that a coded block is where it stops, too.
fn first(input: &[u8]) -> String {
    match unpack_with(input, &Models(Vec::new())) {
        (content, Ok(_)) => {
            let hex =
                Sha256::digest(&content).iter().map(|b| format!("{b:02x}")).collect::<String>();
            format!("good {hex}")
        }
        (_, Err(Error::Model(_))) => "unsupported".into(),
        (
            _,
            Err(Error::Format(
                FormatError::NewerVersion { .. }
                | FormatError::UnknownFeature { .. }
                | FormatError::UnknownProfile { .. },
            )),
        ) => "unsupported".into(),
        _ => "bad".into(),
    }
}

/// Inputs of every form that need no model to be read, and one that does.
fn good() -> Vec<Vec<u8>> {
    let plain = [noise(100, 1), vec![0; 200], noise(130, 2)].concat();
    let frame = Skippable { kind: 77 << 24, len: 3, crc: crc32(b"abc") }.to_bytes();
    let model = common::random_made(16, &[6], 1, 40, 1);
    let file = model.to_file();
    let codec = RecordsCodec::new(&model, file.id(), 0);
    let mut with_model = Vec::new();
    let options = CompressOptions {
        block_size: 100,
        model: Some(packed::pack(&file.to_bytes()).unwrap().into()),
        ..Default::default()
    };
    compress(&plain[..], &mut with_model, &codec as &dyn BlockCodec, &options, &NoProgress)
        .unwrap();
    let mut inputs = vec![
        pack(b"", 100),
        pack(b"x", 100),
        pack(&noise(300, 3), 1000),
        pack(&[7; 60_000], 1 << 20),
        pack(&plain, 100),
        pack(&vec![9; 500_000], 1 << 20),
        pack(&text(200), 1000),
        pack(&mixed(), 100),
        with_model,
        [&pack(b"x", 100)[..], &frame, b"abc", &pack(&plain, 100)].concat(),
    ];
    inputs.push(inputs.concat());
    inputs
}

#[test]
fn both_decoders_find_the_same() {
    let mut inputs = good();
    let whole = inputs.len();
    let mut rng = SplitMix64::new(1);
    for i in 0..whole {
        for _ in 0..60 {
            let mut bad = inputs[i].clone();
            let at = rng.below(bad.len());
            match rng.below(4) {
                0 => bad.truncate(at),
                1 => bad[at] = rng.next_u64() as u8,
                2 => bad[at] ^= 1 << rng.below(8),
                _ => bad.extend(noise(1 + rng.below(5), at as u64)),
            }
            inputs.push(bad);
        }
    }
    let Some(said) = second(&inputs) else { return };
    assert_eq!(said.len(), inputs.len());
    for (i, (input, said)) in inputs.iter().zip(&said).enumerate() {
        let ours = first(input);
        let same = match ours.as_str() {
            // a coded block comes first here and a broken rule there, or the reverse
            "bad" | "unsupported" => !said.starts_with("good"),
            good => good == said,
        };
        assert!(same, "input {i}: {ours} here, {said} there");
    }
    let count = |what: &str| said[..whole].iter().filter(|s| s.starts_with(what)).count();
    assert_eq!((count("good"), count("unsupported")), (8, 3), "{:?}", &said[..whole]);
    assert!(said[whole..].iter().filter(|s| s.starts_with("bad")).count() > whole * 50);
}

#[test]
fn a_packed_model_is_the_same_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = common::random_window(4, 7, 2, &[6, 4], 3).to_file().to_bytes();
    std::fs::write(folder.path().join("packed"), packed::pack(&file).unwrap()).unwrap();
    let script =
        "import sys, packed; sys.stdout.buffer.write(packed.unpack(open('packed', 'rb').read()))";
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    let out = Command::new("python3")
        .args(["-c", script])
        .env("PYTHONPATH", modules)
        .current_dir(folder.path())
        .output();
    let Ok(out) = out else { return eprintln!("NOT TESTED: there is no python3") };
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stdout == file);
}
