//! info, test, report and models, as text and as JSON.

use serde_json::Value;

use crate::common::x86_code;
use crate::folder::{Folder, text};

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn info() {
    let f = Folder::with(&[
        ("short", &text(1000)),
        ("long", &[vec![0; 131_072], text(131_072), vec![0; 37_856]].concat()),
    ]);
    f.run(&["compress", "--block-size", "128K", "short", "long"]);
    let mut joined = f.read("long.mdz");
    joined.extend(f.read("short.mdz"));
    f.write("joined.mdz", &joined);

    let all = json(&f.run(&["info", "--json", "short.mdz", "long.mdz", "joined.mdz"]));
    assert_eq!(all["format"], "madezip-info");
    assert_eq!(all["version"], 1);
    let file = |i: usize| &all["files"][i];
    assert_eq!(file(0)["content_bytes"], 1000);
    assert_eq!(file(0)["archive_bytes"], f.read("short.mdz").len());
    assert_eq!(file(0)["members"][0]["form"], "short");
    assert_eq!(file(0)["members"][0]["model"].as_str().unwrap().len(), 6);
    let long = &file(1)["members"][0];
    assert_eq!(long["form"], "long");
    assert_eq!(long["blocks"].as_array().unwrap().len(), 3);
    assert_eq!(long["blocks"][2]["kind"], "run");
    assert_eq!(long["block_size"], 131_072);
    assert_eq!(long["model"].as_str().unwrap().len(), 64);
    assert_eq!(long["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(file(2)["content_bytes"], 301_000);
    assert_eq!(file(2)["members"][1]["offset"], f.read("long.mdz").len());

    // the same through a pipe
    let piped = f.madezip(&["info", "--json"]).write_stdin(joined).assert().success();
    assert_eq!(json(&piped.get_output().stdout)["files"][0]["members"], file(2)["members"]);

    let text = String::from_utf8(f.run(&["list", "short.mdz", "long.mdz"])).unwrap();
    assert!(text.lines().count() == 3 && text.contains("300000"), "{text}");
    let text = String::from_utf8(f.run(&["info", "-v", "long.mdz"])).unwrap();
    assert!(text.contains("SHA-256") && text.contains("block 2"), "{text}");
    assert!(text.contains("read by        madezip 0.1.0 and later"), "{text}");

    // x86 code is coded by rules that came later
    f.write("code", &x86_code(500));
    f.run(&["compress", "code"]);
    let code = &json(&f.run(&["info", "--json", "code.mdz"]))["files"][0]["members"][0];
    assert_eq!(code["since"], "0.2.0");
    assert_eq!(code["blocks"][0]["kind"], "coded");
}

#[test]
fn test_as_json() {
    let f = Folder::with(&[("a", &text(1000)), ("bad", b"bad")]);
    f.run(&["compress", "a"]);
    let out = f.madezip(&["test", "--json", "a.mdz", "bad"]).assert().code(1);
    let tested = json(&out.get_output().stdout);
    assert_eq!(tested["format"], "madezip-test");
    assert_eq!(tested["files"][0]["ok"], true);
    assert_eq!(tested["files"][0]["content_bytes"], 1000);
    assert_eq!(tested["files"][1]["ok"], false);
    assert!(tested["files"][1]["error"].as_str().unwrap().contains("not a madezip archive"));
    f.madezip(&["test", "a.mdz"]).assert().success().stdout("").stderr("");
}

#[test]
fn report() {
    let content = [text(131_072), vec![0; 268_928]].concat();
    let f = Folder::with(&[("a", &content), ("empty", b"")]);
    let out = json(&f.run(&["report", "--json", "--block-size", "128K", "a", "empty"]));
    assert_eq!(out["format"], "madezip-report");
    let a = &out["files"][0];
    assert_eq!(a["bytes"], 400_000);
    f.run(&["compress", "--block-size", "128K", "a"]);
    let coded = f.read("a.mdz").len() as u64;
    assert_eq!(a["coded_bytes"], coded);
    let bits = a["bits_per_byte"].as_f64().unwrap();
    assert!((bits - 8.0 * coded as f64 / 400_000.0).abs() < 1e-9);
    assert!((a["bits_per_dimension"].as_f64().unwrap() - bits / 8.0).abs() < 1e-12);
    let ideal = a["ideal_bytes"].as_f64().unwrap();
    let payload = a["coded_payload_bytes"].as_f64().unwrap();
    assert!(ideal > 0.0 && payload <= ideal * 1.0001 + 8.0 * 3.0, "{ideal} {payload}");
    let shares: f64 =
        a["blocks"].as_array().unwrap().iter().map(|b| b["share"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-9);
    assert_eq!(a["blocks"][1]["kind"], "run");
    assert!(a["blocks"][1]["share"].as_f64().unwrap() > 0.2);
    assert_eq!(out["files"][1]["bits_per_byte"], Value::Null);
    assert_eq!(f.names(), ["a", "a.mdz", "empty"]);
    let text = String::from_utf8(f.run(&["report", "a", "empty"])).unwrap();
    assert!(text.starts_with("file") && text.contains("total"), "{text}");
}

#[test]
fn models() {
    let f = Folder::with(&[("bad.safetensors", b"no model")]);
    let out = f.madezip(&["models", "--json", "-m", "bad.safetensors"]).assert().code(2);
    assert_eq!(json(&out.get_output().stdout)["format"], "madezip-models");
    let warning = String::from_utf8_lossy(&out.get_output().stderr).into_owned();
    assert!(warning.contains("bad.safetensors"), "{warning}");
    let text = String::from_utf8(f.run(&["models"])).unwrap();
    assert!(text.starts_with("name"), "{text}");
}

#[test]
fn completions_and_manual() {
    let f = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let text = String::from_utf8(f.run(&["completions", shell])).unwrap();
        assert!(text.contains("madezip") && text.contains("block-size"), "{shell}");
    }
    let page = String::from_utf8(f.run(&["man"])).unwrap();
    assert!(page.contains(".TH madezip") && page.contains("Examples"), "{page}");
    f.run(&["man", "--dir", "."]);
    assert!(f.names().contains(&"madezip-compress.1".to_string()), "{:?}", f.names());
}
