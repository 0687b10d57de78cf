//! Pipes.

use crate::folder::{Folder, text};

#[test]
fn dash_both_ways() {
    let content = text(5000);
    let f = Folder::new();
    for args in [
        &["compress"][..],
        &["compress", "-"],
        &["compress", "-c", "-"],
        &["compress", "-o", "-", "-"],
    ] {
        let out = f.madezip(args).write_stdin(content.clone()).assert().success();
        let archive = out.get_output().stdout.clone();
        assert!(archive.len() < content.len());
        for args in [&["decompress"][..], &["decompress", "-"], &["-d"], &["-dc"]] {
            f.madezip(args).write_stdin(archive.clone()).assert().success().stdout(content.clone());
        }
    }
    assert!(f.names().is_empty());
}

#[test]
fn without_a_verb_it_filters() {
    let content = text(70_000);
    let f = Folder::new();
    let out = f.madezip(&["-T", "2"]).write_stdin(content.clone()).assert().success();
    let archive = out.get_output().stdout.clone();
    f.madezip(&["-q", "-d"]).write_stdin(archive).assert().success().stdout(content);
}

#[test]
fn stdin_to_a_file_and_a_file_to_stdout() {
    let f = Folder::with(&[("a", b"aaa"), ("b", b"bbb")]);
    f.madezip(&["compress", "-o", "x.mdz"]).write_stdin("xyz").assert().success();
    assert_eq!(f.run(&["decompress", "-c", "x.mdz"]), b"xyz");
    // several archives on stdout are one archive
    let joined = f.run(&["compress", "-c", "a", "b"]);
    f.write("joined.mdz", &joined);
    assert_eq!(f.run(&["decompress", "-c", "joined.mdz"]), b"aaabbb");
    assert_eq!(f.run(&["decompress", "-c", "joined.mdz", "x.mdz"]), b"aaabbbxyz");
}

#[test]
fn unknown_size_is_the_same_content() {
    let content = [vec![7; 131_072], text(70_000)].concat();
    let f = Folder::with(&[("a", &content)]);
    let args = ["compress", "-c", "--block-size", "128K"];
    let out = f.madezip(&args).write_stdin(content.clone()).assert().success();
    f.madezip(&["-d"]).write_stdin(out.get_output().stdout.clone()).assert().stdout(content);
}

#[cfg(target_os = "linux")]
#[test]
fn tar_uses_it() {
    let f = Folder::with(&[("tree/a.txt", &text(2000)), ("tree/b", b"bbb")]);
    let exe = assert_cmd::cargo::cargo_bin!("madezip").display().to_string();
    let tar = |program: &str, args: &[&str]| {
        let out = std::process::Command::new("tar")
            .args(["-I", program])
            .args(args)
            .current_dir(f.path("."))
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    tar(&exe, &["-cf", "t.tar.mdz", "tree"]);
    assert_eq!(f.read("t.tar.mdz")[0], 0x8d);
    assert!(tar(&exe, &["-tf", "t.tar.mdz"]).contains("tree/a.txt"));
    std::fs::create_dir(f.path("out")).unwrap();
    tar(&format!("{exe} -T 2"), &["-xf", "t.tar.mdz", "-C", "out"]);
    assert_eq!(f.read("out/tree/a.txt"), text(2000));
}

#[cfg(unix)]
#[test]
fn devices_and_pipes_are_written_directly() {
    let f = Folder::with(&[("a", &text(2000))]);
    f.run(&["compress", "a", "-o", "/dev/null"]);
    assert!(std::fs::metadata("/dev/null").unwrap().len() == 0);
    assert_eq!(f.run(&["compress", "a", "-o", "/dev/stdout"]), f.run(&["compress", "-c", "a"]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_an_error() {
    let f = Folder::with(&[("a", &text(2000))]);
    let error = f.fails(1, &["compress", "a", "-o", "/dev/full"]);
    assert!(error.contains("No space left"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn files_of_the_kernel() {
    // they say that they are empty, and are not
    let f = Folder::new();
    let archive = f.run(&["compress", "-c", "/proc/cpuinfo"]);
    let content = f.madezip(&["-d"]).write_stdin(archive).assert().success();
    assert!(!content.get_output().stdout.is_empty());
}
