//! At a terminal.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::folder::{Folder, text};

/// Both ends of a new terminal.
fn terminal() -> (OwnedFd, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let name = name.into_string().unwrap();
    let slave = File::options().read(true).write(true).open(name).unwrap();
    (master, slave)
}

/// What a terminal was told, once nobody can write to it any more.
fn shown(master: OwnedFd) -> String {
    let mut bytes = Vec::new();
    // the end shows as an error (EIO)
    let _ = File::from(master).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn no_archive_is_written_to_a_terminal() {
    let f = Folder::with(&[("a", &text(1000))]);
    let (master, slave) = terminal();
    let out =
        f.process(&["compress", "-c", "a"]).stdout(slave).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    let error = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(error.contains("not written to a terminal"), "{error}");
    assert_eq!(shown(master), "");

    // nor by its name
    let (master, slave) = terminal();
    let args = ["compress", "-o", "/dev/stdout", "a"];
    let out = f.process(&args).stdout(slave).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("is a terminal"));
    assert_eq!(shown(master), "");

    let (master, slave) = terminal();
    let out = f.process(&["compress", "-c", "-f", "a"]).stdout(slave).output().unwrap();
    assert!(out.status.success());
    assert!(!shown(master).is_empty());
}

#[test]
fn no_archive_is_read_from_a_terminal() {
    let f = Folder::new();
    for args in [&["decompress"][..], &["test", "-"], &["info"], &[]] {
        let (_master, slave) = terminal();
        let out = f.process(args).stdin(slave).output().unwrap();
        assert_eq!(out.status.code(), Some(1), "{args:?}");
        assert!(!out.stderr.is_empty());
    }
}

#[test]
fn content_goes_to_a_terminal() {
    let f = Folder::with(&[("a", b"hello there")]);
    f.run(&["compress", "a"]);
    let (master, slave) = terminal();
    let out = f.process(&["decompress", "-c", "a.mdz"]).stdout(slave).output().unwrap();
    assert!(out.status.success());
    assert_eq!(shown(master), "hello there");
}

#[test]
fn the_bar_is_for_terminals_and_goes_away() {
    let f = Folder::with(&[("name.txt", &text(100_000))]);
    let bar = |options: &[&str]| {
        let (master, slave) = terminal();
        let args = [&["compress", "-f", "name.txt"], options].concat();
        let out = f.process(&args).stderr(slave).output().unwrap();
        assert!(out.status.success());
        shown(master)
    };
    let drawn = bar(&[]);
    for part in ["name.txt", "%", "/s", "kB"] {
        assert!(drawn.contains(part), "{part}: {drawn:?}");
    }
    assert_eq!(bar(&["--no-progress"]), "");
    assert_eq!(bar(&["-q"]), "");
}
