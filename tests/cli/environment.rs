//! MADEZIP_OPT, and the program's file.

use crate::folder::{Folder, text};

#[test]
fn default_options() {
    let f = Folder::with(&[("a", &text(1000))]);
    f.madezip(&["compress", "a"]).env("MADEZIP_OPT", "-v --rm -T '2'").assert().success();
    assert_eq!(f.names(), ["a.mdz"]);
    // what is typed wins
    f.madezip(&["decompress", "-k", "a.mdz"]).env("MADEZIP_OPT", "--rm").assert().success();
    assert_eq!(f.names(), ["a", "a.mdz"]);
    let out = f.madezip(&["test", "a.mdz"]).env("MADEZIP_OPT", "-v").assert().success();
    assert!(String::from_utf8_lossy(&out.get_output().stderr).contains("ok"));
}

#[test]
fn block_size_reaches_the_filter_and_does_not_disturb_other_verbs() {
    let f = Folder::new();
    let content = [vec![0; 131_072], text(1000)].concat();
    let out = f
        .madezip(&[])
        .env("MADEZIP_OPT", "--block-size 128K")
        .write_stdin(content.clone())
        .assert()
        .success();
    f.write("a.mdz", &out.get_output().stdout);
    let info = f
        .madezip(&["info", "--json", "a.mdz"])
        .env("MADEZIP_OPT", "--block-size 128K")
        .assert()
        .success();
    let info = String::from_utf8_lossy(&info.get_output().stdout).into_owned();
    assert!(info.contains("\"block_size\": 131072"), "{info}");
}

#[test]
fn bad_values_are_named() {
    let f = Folder::with(&[("a", b"aaa")]);
    for bad in ["--nonsense", "-T x", "'open", "stray"] {
        let out = f.madezip(&["compress", "a"]).env("MADEZIP_OPT", bad).assert().code(1);
        let error = String::from_utf8_lossy(&out.get_output().stderr).into_owned();
        assert!(error.starts_with("madezip: MADEZIP_OPT"), "{error}");
    }
    assert_eq!(f.names(), ["a"]);
}

/// One file with everything in it, models too: it is to be carried along.
#[cfg(all(target_os = "linux", not(feature = "torch")))]
#[test]
fn the_program_is_small() {
    let len = std::fs::metadata(assert_cmd::cargo::cargo_bin!("madezip")).unwrap().len();
    assert!(len < 15_000_000, "{len} bytes");
}
