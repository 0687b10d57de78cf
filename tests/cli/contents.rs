//! Inputs of several contents.

use crate::common::x86_code;
use crate::folder::{Folder, text};

/// A soft picture of grey.
fn picture(rows: usize) -> Vec<u8> {
    let mut picture = format!("P5\n512 {rows:4} 255\n").into_bytes();
    let mut state = 7u32;
    picture.extend((0..512 * rows).map(|i| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (50 + i % 512 / 9 + i / 512 / 7 + (state >> 27) as usize) as u8
    }));
    picture
}

#[test]
fn each_content_of_a_file_has_a_block() {
    let (text, code, picture) = (text(400_000), x86_code(15_000), picture(500));
    let all = [&text[..], &code, &picture].concat();
    let f = Folder::with(&[("all", &all)]);
    let blocks = |args: &[&str]| {
        f.run(&[&["compress", "-f", "all"], args].concat());
        let info: serde_json::Value =
            serde_json::from_slice(&f.run(&["info", "--json", "all.mdz"])).unwrap();
        f.run(&["decompress", "-f", "-o", "back", "all.mdz"]);
        assert!(f.read("back") == all, "{args:?}");
        info["files"][0]["members"][0]["blocks"].as_array().unwrap().len()
    };
    assert_eq!(blocks(&["--block-size", "16M"]), 1);
    for level in ["-1", "-9", "-6"] {
        let archives = ["-T1", "-T2", "-T8"].map(|threads| {
            assert_eq!(blocks(&[level, threads]), 3, "{level} {threads}");
            f.read("all.mdz")
        });
        assert!(archives.iter().all(|archive| *archive == archives[0]), "{level}");
    }
    // by way of a pipe, whose size is not known
    let archive = f.madezip(&["compress"]).write_stdin(&all[..]).assert().success();
    f.write("piped.mdz", &archive.get_output().stdout);
    f.run(&["decompress", "-f", "-o", "back", "piped.mdz"]);
    assert!(f.read("back") == all);
    let [piped, whole] = ["piped.mdz", "all.mdz"].map(|name| f.read(name).len());
    assert!(piped.abs_diff(whole) < 64);
    let range = format!("{}..{}", text.len() - 100, text.len() + 100);
    f.run(&["decompress", "--range", &range, "-o", "part", "all.mdz"]);
    assert!(f.read("part") == all[text.len() - 100..text.len() + 100]);
}
