//! A folder for one test, and madezip in it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

/// Signals that end a program, with their numbers; those that are ignored here (a
/// shell's background job ignores INT) are ignored by madezip too.
#[cfg(unix)]
pub fn ending_signals() -> Vec<(&'static str, i32)> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|l| l.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    let mut signals = vec![("INT", 2), ("TERM", 15), ("HUP", 1), ("ALRM", 14)];
    signals.retain(|&(_, n)| ignored >> (n - 1) & 1 == 0);
    assert!(!signals.is_empty());
    signals
}

/// A folder that goes when the test ends.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with files of these names and contents.
    pub fn with(files: &[(&str, &[u8])]) -> Self {
        let folder = Self::new();
        for (name, content) in files {
            folder.write(name, content);
        }
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Names in it, sorted, hidden ones included.
    pub fn names(&self) -> Vec<String> {
        names(self.0.path())
    }

    /// madezip with these arguments, run in the folder, free of the user's settings.
    pub fn madezip(&self, args: &[&str]) -> Command {
        Command::from_std(self.process(args))
    }

    /// The same for tests that watch it running.
    pub fn process(&self, args: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(cargo_bin!("madezip"));
        command.args(args).current_dir(self.0.path());
        command.env_remove("MADEZIP_OPT").env_remove("MADEZIP_MODEL_PATH");
        command.env("XDG_DATA_HOME", "/nonexistent");
        command.stdin(Stdio::null());
        command
    }

    /// Runs madezip, which must succeed, and returns stdout.
    pub fn run(&self, args: &[&str]) -> Vec<u8> {
        self.madezip(args).assert().success().get_output().stdout.clone()
    }

    /// Runs madezip, which must end with this code; returns stderr.
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
        let assert = self.madezip(args).assert().code(code);
        String::from_utf8(assert.get_output().stderr.clone()).unwrap()
    }
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Text of a length.
pub fn text(len: usize) -> Vec<u8> {
    b"It was a bright cold day in April, and the clocks were striking. "
        .iter()
        .copied()
        .cycle()
        .take(len)
        .collect()
}
