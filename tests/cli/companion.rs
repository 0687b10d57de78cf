//! The program with libtorch beside the one without.

use std::io::ErrorKind;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;

use crate::folder::{Folder, text};

#[test]
fn alone_it_compresses_and_says_what_is_missing() {
    let f = Folder::with(&[("a", &text(1000))]);
    let program = f.path("madezip");
    std::fs::copy(cargo_bin!("madezip"), &program).unwrap();
    let run = |args: &[&str]| {
        let started = || Command::new(&program).args(args).current_dir(f.path(".")).output();
        let out = loop {
            match started() {
                // another test's child, just forked, still has the copy open for writing
                Err(e) if e.kind() == ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                out => break out.unwrap(),
            }
        };
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    assert_eq!(run(&["compress", "a"]).0, Some(0));
    for needs in [
        &["train", "--kind", "stream", "a", "-o", "m"][..],
        &["compress", "-f", "--engine", "torch", "a"],
        &["compress", "-f", "--device", "cuda", "a"],
    ] {
        let (code, error) = run(needs);
        assert_eq!(code, Some(1));
        let names_it = match cfg!(feature = "torch") {
            true => error.contains("madezip-torch cannot be run"),
            false => error.contains("built without libtorch"),
        };
        assert!(names_it, "{error}");
    }
    assert_eq!(f.names(), ["a", "a.mdz", "madezip"]);
}

/// What takes longer to load than a small file takes to compress is not loaded.
#[cfg(all(feature = "torch", target_os = "linux", target_arch = "x86_64"))]
#[test]
fn libtorch_is_loaded_by_the_companion_alone() {
    let loads = |program: &std::path::Path| {
        let out = Command::new(program).env("LD_TRACE_LOADED_OBJECTS", "1").output().unwrap();
        let objects = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(objects.contains("libc.so"), "{objects}");
        objects.contains("libtorch")
    };
    assert!(!loads(cargo_bin!("madezip")));
    assert!(loads(cargo_bin!("madezip-torch")));
}

#[cfg(feature = "torch")]
#[test]
fn the_companion_gives_its_output_and_exit_code() {
    let f = Folder::with(&[("a", &text(1000))]);
    let torch = ["--engine", "torch", "--device", "cpu"];
    let out = f.madezip(&[&["compress", "-vv", "a"], &torch[..]].concat()).assert().success();
    let said = String::from_utf8_lossy(&out.get_output().stderr).into_owned();
    assert!(said.contains("libtorch (cpu)"), "{said}");
    f.madezip(&[&["test", "a.mdz"], &torch[..]].concat()).assert().success();
    f.madezip(&[&["compress", "a"], &torch[..]].concat()).assert().code(1);
    // through pipes
    let out = f.madezip(&torch).write_stdin("some text").assert().success();
    let archive = out.get_output().stdout.clone();
    let back = f.madezip(&[&["-d"], &torch[..]].concat()).write_stdin(archive).assert().success();
    assert_eq!(back.get_output().stdout, b"some text");
}
