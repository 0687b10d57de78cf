//! Models of records through the program: compress from other formats, report,
//! sample, and one archive whatever computes it.

mod common;

use assert_cmd::Command;
use common::{NATIVE_WAYS, random_made, random_mixture, random_window, ways};
use madezip::made::random::SplitMix64;
use madezip::records::{RecordsCodec, RecordsModel};
use predicates::prelude::*;
use predicates::str::contains;
use std::path::Path;

fn madezip(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("madezip").unwrap();
    command.current_dir(folder).env_remove("MADEZIP_OPT").env_remove("MADEZIP_MODEL_PATH");
    command
}

/// A folder with a model and rows drawn from it.
fn folder(model: &RecordsModel, rows: usize) -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let file = model.to_file();
    file.write(&folder.path().join("m.safetensors")).unwrap();
    let drawn = RecordsCodec::new(model, file.id(), 0).sample(rows, 7);
    std::fs::write(folder.path().join("rows.bits"), &drawn).unwrap();
    (folder, drawn)
}

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn text_is_packed_and_bytes_before_the_rows_are_kept() {
    let (folder, rows) = folder(&random_made(12, &[20], 1, 150, 3), 500);
    let folder = folder.path();
    let text: String = rows.chunks(2).map(|r| format!("{:08b}{:04b}\n", r[0], r[1] >> 4)).collect();
    std::fs::write(folder.join("rows.txt"), &text).unwrap();
    let model = ["-m", "m.safetensors"];
    madezip(folder)
        .args(["compress", "--from", "text", "rows.txt"])
        .args(model)
        .assert()
        .success()
        .stderr(contains("500 rows of 12 bits").and(contains("not this file")));
    madezip(folder)
        .args(["decompress", "-c", "rows.txt.mdz"])
        .args(model)
        .assert()
        .success()
        .stdout(predicate::eq(&rows[..]));
    // and who forgets --from is told
    madezip(folder).args(["compress", "-c", "rows.txt"]).args(model).assert().success().stderr(
        contains("rows.txt: it does not look like packed rows").and(contains("--from text")),
    );
    // nothing is taken from a pipe to find out
    #[cfg(unix)]
    {
        let mut piped = madezip(folder);
        piped.args(["compress", "-c", "/dev/stdin"]).args(model).write_stdin(&text[..]);
        let archive = piped.assert().success().get_output().stdout.clone();
        let mut back = madezip(folder);
        back.args(["decompress", "-c", "-"]).args(model).write_stdin(archive);
        back.assert().success().stdout(predicate::eq(&text[..]));
    }
    std::fs::write(folder.join("packed"), &rows).unwrap();
    madezip(folder)
        .args(["compress", "-c", "packed"])
        .args(model)
        .assert()
        .success()
        .stderr(predicate::str::is_empty());
    std::fs::write(folder.join("wide.txt"), "0101010101010\n").unwrap();
    madezip(folder)
        .args(["compress", "--from", "text", "wide.txt"])
        .args(model)
        .assert()
        .failure()
        .stderr(contains("13 bits").and(contains("12 were asked for")));
    madezip(folder)
        .args(["compress", "--from", "text", "--rm", "rows.txt"])
        .args(model)
        .assert()
        .failure();
    // a head of bytes that are no rows
    let headed = [b"head of ten".as_slice(), &rows].concat();
    std::fs::write(folder.join("headed"), &headed).unwrap();
    let size = |offset: &str| {
        madezip(folder)
            .args(["compress", "-f", "--offset", offset, "headed"])
            .args(model)
            .assert()
            .success();
        madezip(folder)
            .args(["decompress", "-c", "headed.mdz"])
            .args(model)
            .assert()
            .success()
            .stdout(predicate::eq(&headed[..]));
        std::fs::metadata(folder.join("headed.mdz")).unwrap().len()
    };
    assert!(size("11") + 100 < size("0"));
    // such options are for models of records
    madezip(folder).args(["compress", "--from", "text", "rows.txt"]).assert().failure();
    madezip(folder).args(["report", "--per-row", "3", "rows.txt"]).assert().failure();
}

#[test]
fn report_says_what_rows_cost() {
    let model = random_made(12, &[20], 1, 150, 3);
    let (folder, rows) = folder(&model, 3000);
    let folder = folder.path();
    madezip(folder).args(["compress", "-m", "m.safetensors", "rows.bits"]).assert().success();
    let run = |more: &[&str]| {
        let mut command = madezip(folder);
        command.args(["report", "rows.bits", "-m", "m.safetensors"]).args(more);
        command.assert().success().get_output().stdout.clone()
    };
    let document = json(&run(&["--json", "--per-row", "4"]));
    assert_eq!(document["format"], "madezip-report-records");
    let r = &document["files"][0];
    let archive = std::fs::metadata(folder.join("rows.bits.mdz")).unwrap().len();
    assert_eq!(r["archive_bytes"], archive);
    assert_eq!((&r["rows"], &r["dims"]), (&3000.into(), &12.into()));
    let nats = r["nats_per_row"].as_f64().unwrap();
    let codec = RecordsCodec::new(&model, [0; 32], 0);
    let costs = codec.costs(&rows).unwrap();
    let bits: f64 = costs.rows.iter().sum();
    assert!((nats - bits / 3000.0 * 2f64.ln()).abs() < 1e-9);
    let per_dim: f64 =
        r["dimensions"].as_array().unwrap().iter().map(|d| d.as_f64().unwrap()).sum();
    assert!((per_dim * 2f64.ln() - nats).abs() < 1e-9);
    let dearest = r["by_cost"].as_array().unwrap();
    assert_eq!(dearest.len(), 4);
    let most = costs.rows.iter().copied().fold(0.0, f64::max) * 2f64.ln();
    assert!((dearest[0]["nats"].as_f64().unwrap() - most).abs() < 1e-9);
    // the model drew the rows: nothing is smaller
    for b in r["baselines"].as_array().unwrap() {
        let bits = b["bits_per_dimension"].as_f64().unwrap();
        assert!(bits > r["ideal_bits_per_dimension"].as_f64().unwrap(), "{b}");
    }
    let text = String::from_utf8(run(&["--per-row"])).unwrap();
    assert!(text.contains("chow-liu") && text.contains("archive + model"), "{text}");
    assert!(text.lines().count() > 25, "{text}");
}

/// Rows under several orderings, through the program.
#[test]
fn orderings_are_mixed_and_reported() {
    let model = random_mixture(12, &[20], (4, 1), 150, 5);
    let (folder, rows) = folder(&model, 3000);
    let folder = folder.path();
    let run = |arguments: &[&str]| {
        let mut command = madezip(folder);
        command.args(arguments).args(["-m", "m.safetensors"]);
        command.assert().success().get_output().stdout.clone()
    };
    run(&["compress", "rows.bits"]);
    assert!(run(&["decompress", "-c", "rows.bits.mdz"]) == rows);
    assert!(run(&["sample", "-n", "3000", "--seed", "7", "-o", "-"]) == rows);
    let document = json(&run(&["report", "rows.bits", "--json"]));
    let r = &document["files"][0];
    let (ideal, coded) = (r["ideal_bytes"].as_f64().unwrap(), r["archive_bytes"].as_f64().unwrap());
    // bits back: log₂ 4 bits a row would be 750 bytes
    assert!(coded > ideal && coded < ideal + 200.0, "{r}");
    let per_dim: f64 =
        r["dimensions"].as_array().unwrap().iter().map(|d| d.as_f64().unwrap()).sum();
    assert!((per_dim * 3000.0 / 8.0 - ideal).abs() < 1e-6 * ideal);
}

#[test]
fn samples_follow_the_seed_and_the_given_rows() {
    let model = random_window(6, 7, 2, &[20, 10], 1);
    let (folder, rows) = folder(&model, 9);
    let folder = folder.path();
    let sample = |more: &[&str]| {
        let mut command = madezip(folder);
        command.args(["sample", "-m", "m.safetensors", "-o", "-"]).args(more);
        command.assert().success().get_output().stdout.clone()
    };
    assert_eq!(sample(&["-n", "9", "--seed", "7"]), rows);
    assert_ne!(sample(&["-n", "9", "--seed", "8"]), rows);
    let given = |keep: &str| sample(&["--condition", "rows.bits", "--keep", keep, "--seed", "3"]);
    assert_eq!(given("42"), rows);
    let half = given("20");
    assert_ne!(half, rows);
    for (a, b) in half.chunks(6).zip(rows.chunks(6)) {
        assert_eq!((a[0], a[1], a[2] >> 4), (b[0], b[1], b[2] >> 4));
    }
    let several = sample(&["-n", "3", "--condition", "rows.bits", "--keep", "40"]);
    assert_eq!(several.len(), 3 * rows.len());
    madezip(folder)
        .args(["sample", "-m", "m.safetensors", "--condition", "rows.bits", "--keep", "43"])
        .args(["-o", "x"])
        .assert()
        .failure()
        .stderr(contains("42 dimensions"));
    madezip(folder).args(["sample", "-o", "x"]).assert().failure().stderr(contains("-m MODEL"));
    if cfg!(feature = "png") {
        sample(&["-n", "10", "--png", "grid.png"]);
        let png = std::fs::read(folder.join("grid.png")).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
        madezip(folder)
            .args(["sample", "-m", "m.safetensors", "--png", "y.png", "--shape", "5x8"])
            .assert()
            .failure()
            .stderr(contains("42 bits"));
    }
}

/// Engines, instruction sets, threads.
#[test]
fn one_archive_whatever_computes_it() {
    for model in [
        random_made(1000, &[20, 10], 2, 60, 6),
        random_made(600, &[], 1, 100, 2),
        random_mixture(300, &[20], (3, 1), 60, 4),
        random_window(12, 50, 3, &[12, 9], 5),
    ] {
        let dims = model.dims();
        let (folder, mut data) = folder(&model, 140_000 / dims.div_ceil(8));
        // more than the smallest block, an incomplete row, and rows of another kind
        let mut rng = SplitMix64::new(1);
        data.extend((0..301).map(|_| rng.next_u64() as u8));
        let folder = folder.path();
        std::fs::write(folder.join("data"), &data).unwrap();
        let mut first: Option<Vec<u8>> = None;
        for (n, (environment, options)) in ways().iter().enumerate() {
            let mut arguments = vec!["compress", "-q", "-f", "--block-size", "128K", "data"];
            arguments.extend(["-m", "m.safetensors", "-o", "a.mdz"]);
            arguments.extend(options);
            let envs = || environment.iter().copied();
            madezip(folder).args(&arguments).envs(envs()).assert().success();
            let archive = std::fs::read(folder.join("a.mdz")).unwrap();
            assert!(archive.len() < data.len());
            assert!(*first.get_or_insert(archive.clone()) == archive, "{environment:?}");
            // decoding is the native engine's, whichever is asked for
            if n < NATIVE_WAYS {
                let mut arguments = vec!["decompress", "-q", "-c", "a.mdz"];
                arguments.extend(["-m", "m.safetensors"]);
                arguments.extend(options);
                let assert = madezip(folder).args(&arguments).envs(envs()).assert().success();
                assert!(assert.get_output().stdout == data, "{environment:?}");
            }
        }
    }
}
