//! Training a stream model: from files to archives.
#![cfg(feature = "torch")]

mod common;

use std::path::Path;

use assert_cmd::Command;
use madezip::made::file::ModelFile;

/// Lines of words, some of which go together.
fn text(lines: u32, seed: u32) -> String {
    let words = ["mask", "degree", "of", "the", "network", "bit", "row", "coder", "a", "unit"];
    let mut state = seed;
    let mut next = move |n: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % n
    };
    let mut text = String::new();
    for line in 0..lines {
        let mut word = next(10);
        for _ in 0..3 + next(8) {
            text += words[word as usize];
            text.push(' ');
            word = if next(4) == 0 { next(10) } else { (word * 3 + 1) % 10 };
        }
        text += &format!("{line}\n");
    }
    text
}

fn madezip(folder: &Path, arguments: &str) -> String {
    let mut command = Command::cargo_bin("madezip").unwrap();
    let run = command.current_dir(folder).args(arguments.split_whitespace()).assert().success();
    String::from_utf8_lossy(&run.get_output().stderr).into_owned()
}

#[test]
fn programs_get_a_part_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::create_dir(path.join("data")).unwrap();
    for n in 0..4 {
        std::fs::write(path.join(format!("data/{n}.txt")), text(1500, n)).unwrap();
        let code = common::x86_code(9000 + n as usize);
        std::fs::write(path.join(format!("data/{n}.exe")), code).unwrap();
    }
    let content = common::x86_code(500);
    std::fs::write(path.join("new.exe"), &content).unwrap();
    for (model, more) in
        [("both.safetensors", None), ("plain.safetensors", Some("--x86-contexts="))]
    {
        let all = format!(
            "train --kind stream data -o {model} --bits 60000 --epochs 1 --primed 2000 \
             --language-bytes 0 -T 1 {}",
            more.unwrap_or_default()
        );
        let said = madezip(path, &all);
        assert_eq!(said.contains("x86 code:"), more.is_none(), "{said}");
        madezip(path, &format!("compress -f -m {model} new.exe -o new.mdz"));
        madezip(path, &format!("decompress -f -m {model} new.mdz -o back.exe"));
        assert!(std::fs::read(path.join("back.exe")).unwrap() == content);
    }
    // a level anew, from other data: the rest stays
    std::fs::create_dir(path.join("prose")).unwrap();
    for n in 0..8 {
        std::fs::write(path.join(format!("prose/{n}.txt")), text(1500, 10 + n)).unwrap();
    }
    let tensors = |model: &str, of: fn(&str) -> bool| {
        let file = ModelFile::read(&path.join(model)).unwrap();
        file.tensors.into_iter().filter(|(name, _)| of(name)).collect::<Vec<_>>()
    };
    let mut base = "both.safetensors".to_string();
    let levels = [
        ("fast", "--trained-on letters", "letters"),
        ("default", "", "what fast.safetensors was; prose"),
    ];
    for (level, more, trained_on) in levels {
        let said = madezip(
            path,
            &format!(
                "train --kind stream prose --base {base} --level {level} -o {level}.safetensors \
                 --bits 60000 --epochs 1 -T 1 {more}"
            ),
        );
        let file = ModelFile::read(&path.join(format!("{level}.safetensors"))).unwrap();
        assert_eq!(file.metadata["madezip.trained_on"], trained_on);
        assert!(said.contains("stays as it is") == (level == "default"), "{said}");
        base = format!("{level}.safetensors");
    }
    let kept = |name: &str| name.starts_with("x86.") || name.starts_with("primed.");
    assert_eq!(tensors("default.safetensors", kept), tensors("both.safetensors", kept));
    let fast = |name: &str| name.starts_with("fast.");
    assert!(!tensors("fast.safetensors", fast).is_empty());
    assert_eq!(tensors("default.safetensors", fast), tensors("fast.safetensors", fast));
    let first = |name: &str| name == "first.weight";
    assert_ne!(tensors("default.safetensors", first), tensors("both.safetensors", first));
    // and one part alone
    std::fs::create_dir(path.join("sounds")).unwrap();
    for n in 0..4 {
        std::fs::write(path.join(format!("sounds/{n}.bmp")), common::signals(1000 + n)).unwrap();
        std::fs::write(path.join(format!("sounds/{n}.txt")), text(100, n as u32)).unwrap();
    }
    let part = "train --kind stream sounds --base default.safetensors --level default --part";
    let said =
        madezip(path, &format!("{part} signal -o signal.safetensors --bits 60000 --epochs 1 -T 1"));
    assert!(said.contains("sounds and pictures:") && !said.contains("other content"), "{said}");
    // what is no signal there is too little
    let few = format!("{part} plain -o other.safetensors");
    let mut command = Command::cargo_bin("madezip").unwrap();
    let few = command.current_dir(path).args(few.split_whitespace()).assert().failure();
    assert!(
        String::from_utf8_lossy(&few.get_output().stderr).contains("in 8 files are too little")
    );
    let plain = part.replace("sounds", "prose");
    madezip(path, &format!("{plain} plain -o other.safetensors --bits 60000 --epochs 1 -T 1"));
    assert_ne!(tensors("other.safetensors", first), tensors("default.safetensors", first));
    assert_eq!(tensors("other.safetensors", kept), tensors("default.safetensors", kept));
    let others = |name: &str| !name.starts_with("signal.");
    assert_eq!(tensors("signal.safetensors", others), tensors("default.safetensors", others));
    assert!(!tensors("signal.safetensors", |name| name.starts_with("signal.")).is_empty());
    std::fs::create_dir(path.join("scans")).unwrap();
    for n in 0..4 {
        std::fs::write(path.join(format!("scans/{n}.pbm")), common::strokes(12_000 + n)).unwrap();
    }
    let part = part.replace("sounds", "scans").replace("default.safe", "signal.safe");
    let bilevel = "bilevel -o bilevel.safetensors --bits 60000 --epochs 1 -T 1";
    let said = madezip(path, &format!("{part} {bilevel}"));
    assert!(said.contains("bilevel pictures:") && !said.contains("other content"), "{said}");
    let others = |name: &str| !name.starts_with("bilevel.");
    assert_eq!(tensors("bilevel.safetensors", others), tensors("signal.safetensors", others));
    for content in [common::signals(90), common::strokes(300)] {
        std::fs::write(path.join("new"), &content).unwrap();
        madezip(path, "compress -f -m bilevel.safetensors new -o new.mdz");
        madezip(path, "decompress -f -m bilevel.safetensors new.mdz -o back");
        assert!(std::fs::read(path.join("back")).unwrap() == content);
    }
    // the whole level anew, from documents among which are some: those parts stay
    for n in 0..4 {
        let to = path.join(format!("prose/{n}.bmp"));
        std::fs::copy(path.join(format!("sounds/{n}.bmp")), to).unwrap();
    }
    let said = madezip(
        path,
        "train --kind stream prose --base bilevel.safetensors --level default -o again.safetensors \
         --bits 60000 --epochs 1 -T 1",
    );
    assert!(said.contains("sounds and pictures: that part of the level stays"), "{said}");
    let kept = |name: &str| name.starts_with("signal.") || name.starts_with("bilevel.");
    assert_eq!(tensors("again.safetensors", kept), tensors("bilevel.safetensors", kept));
    let rest = |name: &str| name.starts_with("first.");
    assert_ne!(tensors("again.safetensors", rest), tensors("bilevel.safetensors", rest));
    let content = common::x86_code(500);
    madezip(path, "compress -f -m default.safetensors new.exe -o new.mdz");
    madezip(path, "decompress -f -m default.safetensors new.mdz -o back.exe");
    assert!(std::fs::read(path.join("back.exe")).unwrap() == content);
}

#[test]
fn a_model_is_trained_and_codes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::create_dir(path.join("data")).unwrap();
    for n in 0..6 {
        std::fs::write(path.join(format!("data/{n}.txt")), text(1500, n)).unwrap();
    }
    let content = text(300, 99);
    std::fs::write(path.join("new.txt"), &content).unwrap();
    let train = |output: &str, more: &str| {
        let all = format!(
            "train --kind stream data -o {output} --bits 100000 --epochs 1 --primed 2000 \
             --language-units 32,16 --language-words 256,16 -T 1 --device cpu {more}"
        );
        madezip(path, &all)
    };
    let said = train("one.safetensors", "--language-bytes 100000");
    assert!(said.contains("language model: 0.1 of 0.1 million bytes"), "{said}");
    train("two.safetensors", "--language-bytes 100000");
    train("none.safetensors", "--language-bytes 0");
    let read = |name: &str| std::fs::read(path.join(name)).unwrap();
    assert_eq!(read("one.safetensors"), read("two.safetensors"), "the same seed");
    let mut sizes = Vec::new();
    for model in ["one.safetensors", "none.safetensors"] {
        madezip(path, &format!("compress -f -m {model} new.txt -o new.mdz"));
        madezip(path, &format!("decompress -f -m {model} new.mdz -o back.txt"));
        assert_eq!(read("back.txt"), content.as_bytes());
        sizes.push(read("new.mdz").len());
    }
    assert!(sizes[0] < content.len() / 4, "{sizes:?} of {}", content.len());
    assert!(read("none.safetensors").len() + 3000 < read("one.safetensors").len());
    // a recurrent layer, which a level can then be trained with
    let recurrent = "--language-recurrent 24,16 --language-bf16";
    let said = train("recurrent.safetensors", &format!("--language-bytes 100000 {recurrent}"));
    assert!(said.contains(" and recurrent "), "{said}");
    let said = train(
        "level.safetensors",
        "--base one.safetensors --level default --language-of recurrent.safetensors --recurrent-to 4000",
    );
    assert!(!said.contains("language model:"), "{said}");
    let language = |name: &str| {
        let mut file = ModelFile::read(&path.join(name)).unwrap();
        file.tensors.retain(|name, _| name.starts_with("language."));
        file.tensors
    };
    assert_eq!(language("level.safetensors"), language("recurrent.safetensors"));
    for (len, speaks) in [(4000, true), (4001, false)] {
        std::fs::write(path.join("cut.txt"), &content[..len]).unwrap();
        madezip(path, "compress -f -m level.safetensors cut.txt -o new.mdz");
        madezip(path, "decompress -f -m level.safetensors new.mdz -o back.txt");
        assert_eq!(read("back.txt"), &content.as_bytes()[..len]);
        let with = read("new.mdz").len();
        let mut file = ModelFile::read(&path.join("level.safetensors")).unwrap();
        assert_eq!(file.metadata.remove("recurrent_to").as_deref(), Some("4000"));
        file.write(&path.join("without.safetensors")).unwrap();
        madezip(path, "compress -f -m without.safetensors cut.txt -o new.mdz");
        assert_eq!(with != read("new.mdz").len(), speaks, "{len} bytes");
    }
}
