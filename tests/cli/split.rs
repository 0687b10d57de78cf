//! Records one by one.

use crate::folder::{Folder, text};

/// Lines of a log.
fn log(lines: usize) -> Vec<u8> {
    let line = |i: usize| format!("2024-05-{:02} host{} job {} done\n", i % 28 + 1, i % 7, i * i);
    (0..lines).map(line).collect::<String>().into_bytes()
}

/// The records of an archive, each had alone.
fn alone(f: &Folder, archive: &str, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|k| f.run(&["decompress", "--record", &k.to_string(), archive])).collect()
}

#[test]
fn every_rule() {
    let json = br#" [{"a": [1, "x,]\\"]}, 17,
        "last"] "#;
    let cases: [(&str, &[u8], usize); 7] = [
        ("lines", b"one\n\nthree\nno end", 4),
        ("lines", b"one\ntwo\n", 2),
        ("nul", b"a\0bc\0d", 3),
        ("len:5", b"123456789012", 3),
        ("json", json, 3),
        ("json", b"no array, at all", 1),
        ("lines", b"", 0),
    ];
    for (rule, content, count) in cases {
        let f = Folder::with(&[("a", content)]);
        f.run(&["compress", "--split", rule, "--verify", "a"]);
        f.run(&["test", "a.mdz"]);
        assert_eq!(f.run(&["decompress", "-c", "a.mdz"]), content, "{rule}");
        assert_eq!(alone(&f, "a.mdz", count).concat(), content, "{rule}");
        assert_eq!(f.run(&["decompress", "--record", "0..", "a.mdz"]), content);
        let beyond = count.to_string();
        assert!(
            f.fails(1, &["decompress", "--record", &beyond, "a.mdz"]).contains("are not all there")
        );
    }
}

#[test]
fn blocks_threads_ranges_and_checks() {
    let content = log(9000);
    let lines: Vec<&[u8]> = content.split_inclusive(|&b| b == b'\n').collect();
    let f = Folder::with(&[("a.log", &content)]);
    f.run(&["compress", "--split", "lines", "-T1", "a.log", "-o", "one"]);
    f.run(&["compress", "--split", "lines", "-T2", "a.log", "-o", "two"]);
    assert_eq!(f.read("one"), f.read("two"));
    f.run(&["compress", "--split", "lines", "--record-check", "2", "a.log", "-o", "checked"]);
    let extra = f.read("checked").len() - f.read("one").len();
    assert!(extra == 2 * 9000, "{extra}");
    for archive in ["one", "checked"] {
        assert_eq!(f.run(&["decompress", "-c", archive]), content);
        for (from, to) in [(0, 1), (8999, 9000), (6500, 6503), (4000, 4000)] {
            let range = format!("{from}..{to}");
            let records = f.run(&["decompress", "--record", &range, archive]);
            assert_eq!(records, lines[from..to].concat(), "{range}");
        }
        let part = content.len() - 200..content.len() - 100;
        let range = format!("{}..{}", part.start, part.end);
        assert_eq!(f.run(&["decompress", "--range", &range, archive]), content[part]);
    }
    let info = String::from_utf8(f.run(&["info", "-v", "one"])).unwrap();
    assert!(info.contains("split") && info.contains(" records"), "{info}");
    let info = String::from_utf8(f.run(&["info", "--json", "one"])).unwrap();
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    let blocks = info["files"][0]["members"][0]["blocks"].as_array().unwrap();
    assert!(blocks.len() > 1);
    let records: u64 = blocks.iter().map(|b| b["records"].as_u64().unwrap()).sum();
    assert_eq!(records, 9000);
}

#[test]
fn damage_takes_one_block() {
    let content = log(9000);
    let f = Folder::with(&[("a.log", &content)]);
    f.run(&["compress", "--split", "lines", "a.log"]);
    let mut archive = f.read("a.log.mdz");
    archive[200] ^= 4;
    f.write("bad.mdz", &archive);
    assert!(f.fails(1, &["decompress", "--record", "3", "bad.mdz"]).contains("damaged: block 0"));
    let last = f.run(&["decompress", "--record", "8999", "bad.mdz"]);
    assert!(content.ends_with(&last));
    f.fails(1, &["test", "bad.mdz"]);
    f.fails(2, &["recover", "bad.mdz", "-o", "saved"]);
    let saved = f.read("saved");
    assert!(saved.len() > 10_000 && content.ends_with(&saved));
}

#[test]
fn what_cannot_be_split() {
    let f = Folder::with(&[("a", &text(3000)), ("long", &vec![b'x'; 200_000])]);
    f.run(&["compress", "a"]);
    assert!(f.fails(1, &["decompress", "--record", "0", "a.mdz"]).contains("not split"));
    assert!(f.fails(1, &["compress", "-f", "--split", "words", "a"]).contains("lines, nul, len:N"));
    let long = ["compress", "--split", "lines", "--block-size", "128K", "long"];
    assert!(f.fails(1, &long).contains("a record has more than 131072 bytes"));
}

#[test]
fn a_level_that_records_do_not_have_is_said() {
    let f = Folder::with(&[("a", b"one\ntwo\n")]);
    let run = f.madezip(&["compress", "--split", "lines", "-9", "a"]).assert().success();
    let said = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(said.contains("at the default level"), "{said}");
}
