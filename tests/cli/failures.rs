//! What cannot be done, and how it is said.

use crate::folder::{Folder, text};

#[test]
fn usage() {
    let f = Folder::new();
    for args in [
        &["compress", "--no-such-option"][..],
        &["nonsense"],
        &["compress", "--block-size", "1"],
        &["compress", "-T", "many"],
        &["compress", "--device", "nonsense", "a"],
        &["-d", "compress", "a"],
        &["-9", "compress", "a"],
        &["-c", "compress", "a"],
        &["compress", "-0", "a"],
        &["compress", "a", "-c", "-o", "b"],
    ] {
        assert!(!f.fails(1, args).is_empty());
    }
    f.write("a.txt", b"a");
    f.write("b.mdz", b"b");
    for (args, verb) in [(&["a.txt"][..], "compress a.txt"), (&["-d", "b.mdz"], "decompress b.mdz")]
    {
        let said = f.fails(1, args);
        assert!(said.contains(&format!("comes first: madezip {verb}")), "{said}");
    }
    let said = f.fails(1, &["compress", "a.txt", "-o", "nowhere/"]);
    assert!(said.contains("the folder nowhere/ does not exist"), "{said}");
    let help = f.madezip(&["--help"]).assert().success().stderr("");
    let help = String::from_utf8(help.get_output().stdout.clone()).unwrap();
    assert!(help.lines().count() < 24 && help.contains("\nExamples:\n"), "{help}");
    let help = String::from_utf8(f.run(&["help", "compress"])).unwrap();
    for option in ["--rm", "--threads", "--block-size", "--embed-model", "--no-progress"] {
        assert!(help.contains(option), "{help}");
    }
    f.madezip(&["--version"]).assert().success();
}

#[test]
fn a_damaged_archive_leaves_nothing() {
    let f = Folder::with(&[("a", &[vec![0; 131_072], text(5000)].concat())]);
    f.run(&["compress", "--block-size", "128K", "--rm", "a"]);
    let good = f.read("a.mdz");
    for (at, word) in [(30, "damaged"), (100, "damaged"), (good.len() - 1, "damaged")] {
        let mut bad = good.clone();
        bad[at] ^= 4;
        f.write("a.mdz", &bad);
        for verb in ["decompress", "test"] {
            let error = f.fails(1, &[verb, "a.mdz"]);
            assert!(error.starts_with("madezip: a.mdz: ") && error.contains(word), "{error}");
        }
        assert_eq!(f.names(), ["a.mdz"]);
    }
    f.write("a.mdz", &good[..good.len() / 2]);
    assert!(f.fails(1, &["decompress", "--rm", "a.mdz"]).contains("truncated"));
    assert!(f.fails(1, &["info", "a.mdz"]).contains("truncated"));
    assert_eq!(f.names(), ["a.mdz"]);
}

#[test]
fn other_files_and_versions() {
    let f = Folder::with(&[
        ("zip.mdz", b"PK\x03\x04 and so on"),
        ("empty.mdz", b""),
        ("newer.mdz", b"\x8d\xa2\x00\x00\x00"),
        ("newer-long.mdz", b"\x8dMDZ\r\n\x1a\n\x09\x3e"),
        ("text.mdz", b"\x8dMDZ\n\x1a\n and so on"),
    ]);
    for (name, word) in [
        ("zip.mdz", "not a madezip archive"),
        ("empty.mdz", "empty"),
        ("newer.mdz", "use a newer madezip"),
        ("newer-long.mdz", "use a newer madezip"),
        ("text.mdz", "binary mode"),
    ] {
        for verb in ["decompress", "test", "info"] {
            let error = f.fails(1, &[verb, name]);
            assert!(error.contains(word), "{error}");
        }
    }
}

#[test]
fn memory_limit() {
    let f = Folder::with(&[("a", &text(70_000))]);
    f.run(&["compress", "a"]);
    for verb in ["test", "recover"] {
        let error = f.fails(1, &[verb, "--memlimit", "1M", "a.mdz"]);
        assert!(error.contains("--memlimit"), "{error}");
        f.run(&[verb, "--memlimit", "1G", "a.mdz"]);
    }
    assert_eq!(f.read("a.recovered"), text(70_000));
}

#[test]
fn an_unknown_model() {
    let f = Folder::with(&[("a", b"aaa"), ("bad.safetensors", b"not a model")]);
    let error = f.fails(1, &["compress", "-m", "nonsense", "a"]);
    assert!(error.contains("nonsense") && error.contains("madezip models"), "{error}");
    let error = f.fails(1, &["compress", "-m", "bad.safetensors", "a"]);
    assert!(error.contains("bad.safetensors") && error.contains("refused"), "{error}");
    assert!(!f.path("a.mdz").exists());
}

#[test]
fn a_missing_model_is_named_with_where_it_was_looked_for() {
    // a short archive whose model is nowhere
    let mut b = vec![0x8d, 0xa1, 0x0a, 0xab, 0xcd, 0xef, 9, 4, 1, 2, 3, 4, 0, 0, 0, 0];
    let crc = madezip::container::checksum::crc16(&b);
    b.extend(crc.to_le_bytes());
    let f = Folder::with(&[("dir/a.mdz", &b)]);
    let error = f.fails(1, &["decompress", "dir/a.mdz"]);
    let installed = std::path::Path::new("madezip").join("models");
    let installed = installed.to_str().unwrap();
    for word in ["abcdef", "shipped", "MADEZIP_MODEL_PATH", installed, "dir", "-m FILE"] {
        assert!(error.contains(word), "{word}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn a_name_that_is_too_long() {
    let name = "n".repeat(253);
    let f = Folder::with(&[(&name, b"aaa"), ("b", b"bbb")]);
    let error = f.fails(1, &["compress", &name, "b"]);
    assert!(error.contains("cannot write") && error.contains("too long"), "{error}");
    assert_eq!(f.names(), ["b", "b.mdz", &name]);
    f.run(&["compress", &name, "-o", "short.mdz"]);
}

#[cfg(unix)]
#[test]
fn an_unwritable_folder() {
    use std::os::unix::fs::PermissionsExt;
    let f = Folder::with(&[("a", b"aaa"), ("d/x", b"")]);
    // the super-user may write anywhere, so a file stands in the way of a folder
    std::fs::set_permissions(f.path("d"), std::fs::Permissions::from_mode(0o500)).unwrap();
    let error = f.fails(1, &["compress", "a", "-o", "a/b.mdz"]);
    assert!(error.contains("cannot write into a"), "{error}");
    std::fs::set_permissions(f.path("d"), std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn recovery() {
    let content = [vec![1; 131_072], text(131_072), vec![2; 1000]].concat();
    let f = Folder::with(&[("a", &content)]);
    f.run(&["compress", "--block-size", "128K", "--rm", "a"]);
    let said = f.fails(0, &["recover", "a.mdz"]);
    assert!(said.contains("3 intact blocks"), "{said}");
    assert!(f.read("a.recovered") == content);
    let mut bad = f.read("a.mdz");
    bad[130] ^= 1;
    f.write("a.mdz", &bad);
    assert!(f.fails(1, &["recover", "a.mdz"]).contains("use -f"));
    let said = f.fails(2, &["recover", "-f", "a.mdz"]);
    assert!(said.contains("lost 131072 bytes of content at 131072"), "{said}");
    assert!(f.read("a.recovered") == [vec![1; 131_072], vec![2; 1000]].concat());
    let said = f.fails(2, &["recover", "-q", "--json", "-c", "a.mdz"]);
    assert!(said.contains("\"content_bytes\": 131072"), "{said}");
    f.write("junk", &text(500));
    assert!(f.fails(1, &["recover", "junk"]).contains("nothing of it can be recovered"));
    assert!(!f.path("junk.recovered").exists());
}
