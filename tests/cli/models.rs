//! Models as things: found, installed, embedded, refused.

use std::collections::HashMap;
use std::fs;

use madezip::made::file::{ModelFile, Tensor};
use madezip::records::{RecordsCodec, RecordsModel};

use crate::common::{random_made, random_window};
use crate::folder::{Folder, text};

pub fn small(seed: u64) -> RecordsModel {
    random_made(16, &[6], 1, 40, seed)
}

/// Bytes that the model makes shorter: rows drawn from it.
pub fn rows(model: &RecordsModel, len: usize) -> Vec<u8> {
    let codec = RecordsCodec::new(model, model.to_file().id(), 0);
    let mut rows = codec.sample(len.div_ceil(codec.layout().row_bytes()), 7);
    rows.truncate(len);
    rows
}

/// Two models whose ids begin with the same three bytes.
fn twins() -> [ModelFile; 2] {
    let mut seen = HashMap::new();
    let mut file = small(1).to_file();
    for n in 0.. {
        file.metadata.insert("madezip.note".into(), format!("{n}"));
        if let Some(m) = seen.insert(file.id()[..3].to_vec(), n) {
            let mut other = file.clone();
            other.metadata.insert("madezip.note".into(), format!("{m}"));
            return [other, file];
        }
    }
    unreachable!()
}

#[test]
fn ambiguous_tags() {
    let content = rows(&small(1), 3000);
    let f = Folder::with(&[("a", &content)]);
    let twins = twins();
    twins[0].write(&f.path("first.safetensors")).unwrap();
    twins[1].write(&f.path("second.safetensors")).unwrap();
    let data = f.path("data");
    let install =
        |name: &str| f.madezip(&["models", "install", name]).env("XDG_DATA_HOME", &data).assert();
    install("first.safetensors").success();
    let out = install("second.safetensors").code(1);
    let error = String::from_utf8_lossy(&out.get_output().stderr).into_owned();
    assert!(error.contains("begins as that of first does"), "{error}");
    // where both are at hand nevertheless, both are tried
    f.run(&["compress", "-m", "second.safetensors", "--rm", "a"]);
    assert!(f.read("a.mdz")[1] == 0xa1);
    assert!(f.run(&["decompress", "-c", "a.mdz"]) == content);
}

#[test]
fn a_model_travels_with_its_archive() {
    let window = random_window(4, 8, 2, &[6, 3], 1);
    for (name, file, content) in [
        ("made", small(1).to_file(), rows(&small(1), 140_000)),
        ("window", window.to_file(), rows(&window, 140_000)),
        ("stream", another_default(), text(140_000)),
    ] {
        for content in [&content[..300], &content] {
            let f = Folder::with(&[("a", content), ("b", b"bbb"), ("elsewhere/x", b"")]);
            file.write(&f.path("m.safetensors")).unwrap();
            let options = ["--embed-model", "-m", "m.safetensors", "--block-size", "128K"];
            f.run(&[&["compress", "a"], &options[..]].concat());
            fs::remove_file(f.path("m.safetensors")).unwrap();
            let frame = f.read("a.mdz");
            assert_eq!(&frame[..8], b"\x8dSKP\x01\0\0\0");
            // packed, it is smaller than its file
            let packed = u32::from_le_bytes(frame[8..12].try_into().unwrap());
            assert!((packed as usize) < file.to_bytes().len());
            assert!(f.run(&["decompress", "-c", "a.mdz"]) == content, "{name}");
            f.run(&["test", "a.mdz"]);
            let piped = f.madezip(&["-d"]).write_stdin(frame.clone()).assert().success();
            assert!(piped.get_output().stdout == content, "{name}");
            let part = f.run(&["decompress", "--range", "100..200", "a.mdz"]);
            assert_eq!(part, content[100..200]);
            f.run(&["recover", "a.mdz", "-o", "saved"]);
            assert!(f.read("saved") == content);
            // it serves what follows, and leaves other archives alone
            f.run(&["compress", "b"]);
            let joined = [f.read("b.mdz"), frame.clone(), f.read("b.mdz")].concat();
            f.write("joined.mdz", &joined);
            let whole = [b"bbb", content, b"bbb"].concat();
            assert!(f.run(&["decompress", "-c", "joined.mdz"]) == whole);

            let info: serde_json::Value =
                serde_json::from_slice(&f.run(&["info", "--json", "a.mdz"])).unwrap();
            let members = &info["files"][0]["members"];
            assert_eq!(members[0]["form"], "model");
            let id = members[0]["model"].as_str().unwrap();
            assert!(id.starts_with(members[1]["model"].as_str().unwrap()));
            let piped = f.madezip(&["info", "--json"]).write_stdin(frame).assert().success();
            let piped: serde_json::Value =
                serde_json::from_slice(&piped.get_output().stdout).unwrap();
            assert_eq!(piped["files"][0]["members"], *members);
        }
    }
}

#[test]
fn what_has_its_model_is_recovered() {
    let content = &rows(&small(1), 140_000);
    for content in [&content[..300], content] {
        let f = Folder::with(&[("a", content), ("b", b"bbb"), ("c", &text(3000))]);
        small(1).to_file().write(&f.path("m.safetensors")).unwrap();
        f.run(&["compress", "-m", "m.safetensors", "a"]);
        f.run(&["compress", "b", "c"]);
        fs::remove_file(f.path("m.safetensors")).unwrap();
        let said = f.fails(1, &["recover", "a.mdz", "-o", "saved"]);
        assert!(said.contains("the archive needs model"), "{said}");
        let mut joined = [f.read("b.mdz"), f.read("a.mdz"), f.read("c.mdz")].concat();
        for damage in [false, true] {
            if damage {
                joined.extend(b"\x8dMDZ, and no more");
            }
            f.write("joined.mdz", &joined);
            let said = f.fails(2, &["recover", "-f", "joined.mdz", "-o", "saved"]);
            assert!(said.contains("the archive needs model"), "{said}");
            assert!(f.read("saved") == [b"bbb".to_vec(), text(3000)].concat());
        }
    }
}

/// The default model under another id, so that the shipped one does not serve.
fn another_default() -> ModelFile {
    let mut file = ModelFile::from_bytes(madezip::catalog::SHIPPED[0].bytes).unwrap();
    file.metadata.insert("madezip.note".into(), "another id".into());
    file
}

#[test]
fn a_damaged_embedded_model() {
    let f = Folder::with(&[("a", &rows(&small(1), 140_000))]);
    small(1).to_file().write(&f.path("m.safetensors")).unwrap();
    f.run(&["compress", "--embed-model", "-m", "m.safetensors", "a"]);
    fs::rename(f.path("m.safetensors"), f.path("gone")).unwrap();
    let good = f.read("a.mdz");
    let frame = 24 + u32::from_le_bytes(good[8..12].try_into().unwrap()) as usize;
    let mut bad = good.clone();
    bad[60] ^= 1;
    f.write("bad.mdz", &bad);
    for verb in ["test", "decompress"] {
        let error = f.fails(1, &[verb, "bad.mdz"]);
        assert!(error.contains("checksum of a skippable frame"), "{error}");
    }
    // the checksums of the frame made right again
    let crc = |b: &[u8]| madezip::container::checksum::crc32(b).to_le_bytes();
    let content = crc(&bad[24..frame]);
    bad[16..20].copy_from_slice(&content);
    let header = crc(&bad[..20]);
    bad[20..24].copy_from_slice(&header);
    f.write("bad.mdz", &bad);
    let error = f.fails(1, &["test", "bad.mdz"]);
    assert!(error.contains("embedded in the archive") || error.contains("needs model"), "{error}");
    // with the model at hand the archive's own is not needed
    f.run(&["test", "-m", "gone", "bad.mdz"]);
    assert_eq!(f.names().iter().filter(|n| n.starts_with("bad")).count(), 1);
    // a bomb: a few bytes that say they are 64 MiB
    let bomb = [&(64u32 << 20).to_le_bytes()[..], &1u32.to_le_bytes(), &[1]].concat();
    let head = madezip::container::Skippable {
        kind: madezip::container::MODEL_FRAME,
        len: bomb.len() as u64,
        crc: madezip::container::checksum::crc32(&bomb),
    };
    f.write("bomb.mdz", &[&head.to_bytes()[..], &bomb, &good[frame..]].concat());
    let error = f.fails(1, &["test", "--memlimit", "60M", "bomb.mdz"]);
    assert!(error.contains("--memlimit"), "{error}");
    let error = f.fails(1, &["test", "bomb.mdz"]);
    assert!(error.contains("embedded in the archive"), "{error}");
}

/// A model file in which a key of the metadata stands twice.
fn twice(file: &[u8]) -> Vec<u8> {
    let end = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&file[8..end]).unwrap().trim_end();
    let key = "\"__metadata__\":{";
    let header =
        header.replacen(key, &format!("{key}\"madezip.note\":\"a\",\"madezip.note\":\"b\","), 1);
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &file[end..]].concat()
}

#[test]
fn hostile_model_files() {
    let good = small(1).to_file();
    let shipped = ModelFile::from_bytes(madezip::catalog::SHIPPED[0].bytes).unwrap();
    let changed = |base: &ModelFile, change: &dyn Fn(&mut ModelFile)| {
        let mut file = base.clone();
        change(&mut file);
        file.to_bytes()
    };
    let raw = |header: &str, data: usize| {
        let mut b = (header.len() as u64).to_le_bytes().to_vec();
        b.extend(header.bytes());
        b.resize(b.len() + data, 1);
        b
    };
    let kind = "\"__metadata__\":{\"madezip.kind\":\"stream\"}";
    let set = |key: &'static str, value: &'static str| {
        move |f: &mut ModelFile| drop(f.metadata.insert(key.into(), value.into()))
    };
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("empty", vec![]),
        ("header beyond", raw("{}", 0)[..9].to_vec()),
        ("huge header", u64::MAX.to_le_bytes().to_vec()),
        ("no JSON", raw("{\"a\":", 0)),
        (
            "NaN",
            raw(
                &format!(
                    "{{{kind},\"a\":{{\"dtype\":\"U8\",\"shape\":[NaN],\"data_offsets\":[0,1]}}}}"
                ),
                1,
            ),
        ),
        (
            "float tensor",
            raw(
                &format!(
                    "{{{kind},\"a\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}}}"
                ),
                4,
            ),
        ),
        (
            "absurd shape",
            raw(
                &format!(
                    "{{{kind},\"a\":{{\"dtype\":\"I64\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}}}"
                ),
                8,
            ),
        ),
        (
            "huge shape",
            raw(
                &format!(
                    "{{{kind},\"a\":{{\"dtype\":\"I8\",\"shape\":[1099511627776],\"data_offsets\":[0,1099511627776]}}}}"
                ),
                8,
            ),
        ),
        (
            "overlap",
            raw(
                &format!(
                    "{{{kind},\"a\":{{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}},\"b\":{{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}}}"
                ),
                6,
            ),
        ),
        (
            "hole",
            raw(
                &format!(
                    "{{{kind},\"a\":{{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}}}"
                ),
                6,
            ),
        ),
        (
            "backwards",
            raw(
                &format!(
                    "{{{kind},\"a\":{{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,0]}}}}"
                ),
                4,
            ),
        ),
        (
            "many dimensions",
            raw(
                &format!(
                    "{{{kind},\"a\":{{\"dtype\":\"U8\",\"shape\":{:?},\"data_offsets\":[0,1]}}}}",
                    [1; 100]
                ),
                1,
            ),
        ),
        ("metadata that is no text", raw("{\"__metadata__\":{\"madezip.kind\":NaN}}", 0)),
        ("wrong kind", changed(&good, &set("madezip.kind", "stream"))),
        ("unknown kind", changed(&good, &set("madezip.kind", "paint"))),
        ("no kind", changed(&good, &|f| drop(f.metadata.remove("madezip.kind")))),
        ("architecture NaN", changed(&good, &set("madezip.architecture", "{\"dims\":NaN}"))),
        ("stream as records", changed(&shipped, &set("madezip.kind", "records"))),
        ("limit NaN", changed(&shipped, &set("limit", "NaN"))),
        ("limit too large", changed(&shipped, &set("limit", "99999999999999999999"))),
        ("unknown context", changed(&shipped, &set("contexts", "o1 nonsense"))),
        ("no contexts", changed(&shipped, &set("contexts", ""))),
        (
            "extra tensor",
            changed(&good, &|f| {
                drop(f.tensors.insert("extra".into(), Tensor::from_values(&[1], &[1u8])));
            }),
        ),
        (
            "extra tensor of a stream model",
            changed(&shipped, &|f| {
                drop(f.tensors.insert("extra".into(), Tensor::from_values(&[1], &[1u8])));
            }),
        ),
        ("extra metadata", changed(&good, &set("turbo", "1"))),
        ("extra metadata of a stream model", changed(&shipped, &set("turbo.limit", "1"))),
        ("another profile", changed(&good, &set("madezip.profile", "2"))),
        ("the profile in other digits", changed(&good, &set("madezip.profile", "01"))),
        ("a key twice", twice(&good.to_bytes())),
        (
            "missing tensor",
            changed(&shipped, &|f| {
                let first = f.tensors.keys().next().cloned().unwrap();
                drop(f.tensors.remove(&first));
            }),
        ),
    ];
    let f = Folder::with(&[("a", b"some content to code")]);
    for (name, change) in
        [("kind", set("madezip.kind", "paint")), ("profile", set("madezip.profile", "2"))]
    {
        f.write("later.safetensors", &changed(&good, &change));
        let error = f.fails(1, &["compress", "-m", "later.safetensors", "a"]);
        assert!(error.contains("use a newer madezip"), "{name}: {error}");
    }
    fs::remove_file(f.path("later.safetensors")).unwrap();
    for (name, bytes) in files {
        f.write("bad.safetensors", &bytes);
        let error = f.fails(1, &["compress", "-m", "bad.safetensors", "a"]);
        assert!(error.contains("bad"), "{name}: {error}");
        assert!(error.lines().count() == 1 && !error.contains("panicked"), "{name}: {error}");
        let error = f
            .madezip(&["models", "install", "bad.safetensors"])
            .env("XDG_DATA_HOME", f.path("data"))
            .assert()
            .code(1);
        assert!(!error.get_output().stderr.is_empty(), "{name}");
        assert_eq!(f.names(), ["a", "bad.safetensors"], "{name}");
    }
}
