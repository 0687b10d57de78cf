//! docs/UNSAFE.md names every file with unsafe code, and no other.

use std::collections::BTreeSet;
use std::path::Path;

fn sources(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, root, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = |l: &&str| !l.trim_start().starts_with("//");
        let unsafe_code = |l: &str| {
            ["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait"].iter().any(|u| l.contains(u))
        };
        if text.lines().filter(code).any(unsafe_code) {
            found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_string());
        }
    }
}

#[test]
fn the_list_is_complete() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    sources(&root.join("src"), root, &mut found);
    let list = std::fs::read_to_string(root.join("docs/UNSAFE.md")).unwrap();
    let listed: BTreeSet<String> = list
        .split('`')
        .filter(|w| w.starts_with("src/") && w.ends_with(".rs"))
        .map(String::from)
        .collect();
    assert_eq!(found, listed);
}
