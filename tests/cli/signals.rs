//! Signals and broken pipes.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::folder::{Folder, ending_signals, text};

/// Waits until the folder has a file whose name begins so.
fn wait_for(f: &Folder, start: &str, child: &mut Child) {
    while !f.names().iter().any(|n| n.starts_with(start)) {
        assert!(child.try_wait().unwrap().is_none(), "it ended too soon");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_signal_removes_the_partial_file_and_ends_the_program() {
    for (name, number) in ending_signals() {
        let f = Folder::new();
        let mut child = f
            .process(&["compress", "-o", "out.mdz"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&text(1000)).unwrap();
        wait_for(&f, ".madezip-", &mut child);
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(number), "{status}");
        assert!(f.names().is_empty(), "{:?}", f.names());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "");
        drop(stdin);
    }
}

#[test]
fn a_broken_pipe_is_quiet() {
    let f = Folder::with(&[("a", &text(100_000))]);
    f.run(&["compress", "a"]);
    for args in
        [&["decompress", "-c", "a.mdz"][..], &["info", "--json", "a.mdz"], &["report", "a.mdz"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let child = f.process(args).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let out = child.wait_with_output().unwrap();
        assert_eq!(out.status.signal(), Some(13), "{args:?}: {}", out.status);
        assert_eq!(String::from_utf8_lossy(&out.stderr), "");
    }
}
