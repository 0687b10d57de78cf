//! Golden archives: see tests/golden/README.md.

mod common;
#[path = "golden/make.rs"]
mod make;

use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use sha2::{Digest, Sha256};

/// Files of the set that is kept, at least.
const KEPT: usize = 76;

/// A folder of archives holds what its manifest says.
fn check(folder: &Path) -> usize {
    let manifest = common::manifest(folder);
    for line in &manifest {
        let [name, verdict, detail, why] = line.each_ref().map(String::as_str);
        assert!(!why.is_empty(), "{name}: why is it here?");
        let out = Command::new(cargo_bin!("madezip"))
            .args(["decompress", "-c", name])
            .current_dir(folder)
            .env_remove("MADEZIP_OPT")
            .env_remove("MADEZIP_MODEL_PATH")
            .env("XDG_DATA_HOME", "/nonexistent")
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&out.stderr);
        let hex: String = Sha256::digest(&out.stdout).iter().map(|b| format!("{b:02x}")).collect();
        match verdict {
            "good" => {
                assert!(out.status.success(), "{name} ({why}): {error}");
                assert_eq!(hex, detail, "{name} ({why})");
            }
            "bad" | "unsupported" => {
                assert_eq!(out.status.code(), Some(1), "{name} ({why})");
                assert!(error.contains(detail), "{name} ({why}): {error}");
                assert!(error.lines().count() == 1, "{name}: {error}");
            }
            _ => panic!("{name}: {verdict}"),
        }
    }
    manifest.len()
}

#[test]
fn a_set_made_now() {
    let temporary = tempfile::tempdir().unwrap();
    let named = std::env::var_os("MADEZIP_GOLDEN_SET").map(PathBuf::from);
    let folder = named.as_deref().unwrap_or(temporary.path());
    make::set(folder);
    assert!(check(folder) > 20);
}

#[test]
fn the_set_that_is_kept() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    assert!(check(&folder) >= KEPT);
}
