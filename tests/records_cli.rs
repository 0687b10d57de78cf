//! Records through the program: train, compress, decompress.
#![cfg(feature = "torch")]

use assert_cmd::Command;
use madezip::made::random::SplitMix64;
use predicates::prelude::*;
use predicates::str::contains;
use std::path::Path;

fn madezip(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("madezip").unwrap();
    command.current_dir(folder).env_remove("MADEZIP_OPT").env_remove("MADEZIP_MODEL_PATH");
    command
}

/// Packed rows of 12 bits: six fair ones, each with its copy.
fn rows(n: usize, seed: u64) -> Vec<u8> {
    let mut rng = SplitMix64::new(seed);
    let mut data = Vec::new();
    for _ in 0..n {
        let row = (0..6).fold(0u16, |row, _| row << 2 | [0, 3][rng.below(2)]);
        data.extend((row << 4).to_be_bytes());
    }
    data
}

fn text(rows: &[u8]) -> String {
    rows.chunks(2).map(|r| format!("{:08b}{:04b}\n", r[0], r[1] >> 4)).collect()
}

#[test]
fn train_compress_and_decompress() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("train.txt"), text(&rows(2000, 1))).unwrap();
    std::fs::write(folder.join("valid.bits"), rows(300, 2)).unwrap();
    let data = rows(100_000, 3);
    std::fs::write(folder.join("data.bits"), &data).unwrap();
    let train = |model: &str| {
        let mut command = madezip(folder);
        command.args(["train", "--kind", "records", "train.txt", "--valid", "valid.bits"]);
        command.args(["--dims", "12", "--hidden", "24", "--epochs", "8", "--quantized-epochs"]);
        command.args(["1", "--learning-rate", "0.02", "--averaging", "0.98", "--batch", "20"]);
        command.args(["--device", "cpu", "-o", model]);
        command
    };
    train("a.safetensors")
        .assert()
        .success()
        .stderr(contains("2000 rows").and(contains("epoch 8/8")));
    assert!(!folder.join("a.safetensors.checkpoint").exists());
    train("a.safetensors").assert().failure().stderr(contains("exists"));
    train("b.safetensors").arg("--resume").assert().failure().stderr(contains("go on from"));
    // 200,000 bytes make two blocks; a unit of 2 bytes divides its blocks.
    madezip(folder)
        .args(["compress", "-m", "a.safetensors", "--block-size", "131073", "--verify"])
        .args(["--engine", "native", "data.bits"])
        .assert()
        .success();
    let archive = std::fs::read(folder.join("data.bits.mdz")).unwrap();
    // 75,000 bytes of entropy.
    assert!(archive.len() > 75_000 && archive.len() < 90_000, "{}", archive.len());
    for engine in ["native", "torch"] {
        madezip(folder)
            .args(["decompress", "-c", "-m", "a.safetensors", "--engine", engine, "data.bits.mdz"])
            .assert()
            .success()
            .stdout(predicate::eq(&data[..]));
        // Every engine and number of threads writes the same archive.
        madezip(folder)
            .args(["compress", "-c", "-m", "a.safetensors", "--block-size", "131073", "-T", "2"])
            .args(["--device", "cpu", "--engine", engine, "data.bits"])
            .assert()
            .success()
            .stdout(predicate::eq(&archive[..]));
    }
    // Without the model there is no decoding, and the error says which it is.
    std::fs::create_dir(folder.join("elsewhere")).unwrap();
    std::fs::copy(folder.join("data.bits.mdz"), folder.join("elsewhere/data.bits.mdz")).unwrap();
    madezip(&folder.join("elsewhere")).args(["decompress", "data.bits.mdz"]).assert().failure();
}

#[test]
fn wrong_widths_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("odd.bits"), [1, 2, 3]).unwrap();
    madezip(folder.path())
        .args(["train", "--kind", "records", "--dims", "12", "odd.bits", "-o", "m.safetensors"])
        .assert()
        .failure()
        .stderr(contains("3 bytes").and(contains("12 bits")));
    madezip(folder.path())
        .args(["train", "--kind", "records", "odd.bits", "-o", "m.safetensors"])
        .assert()
        .failure()
        .stderr(contains("--dims"));
}
