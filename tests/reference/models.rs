//! Model files, and frames that bring them.

use madezip::archive::{CompressOptions, NoProgress, compress};
use madezip::codec::BlockCodec;
use madezip::container::checksum::crc32;
use madezip::container::{MAY_BE_SKIPPED, MODEL_FRAME, Skippable};
use madezip::made::file::{KIND, ModelFile, Tensor};
use madezip::made::packed;
use madezip::records::RecordsCodec;

use crate::records::small;
use crate::{Given, agree, bound, common, first, first_of_model, second, second_with, toy};

pub fn frame(kind: u32, content: &[u8]) -> Vec<u8> {
    let header = Skippable { kind, len: content.len() as u64, crc: crc32(content) }.to_bytes();
    [&header[..], content].concat()
}

#[test]
fn frames_are_the_same_there() {
    let [plain, ..] = small();
    let at_hand = bound(&plain);
    let model = common::random_made(16, &[6], 1, 40, 1);
    let own = model.to_file();
    let mut other = own.clone();
    other.metadata.insert("madezip.note".into(), "another".into());
    let mut later = own.clone();
    later.metadata.insert("madezip.profile".into(), "2".into());
    let mut odd = own.clone();
    odd.tensors.insert("later".into(), Tensor::from_values(&[1], &[1u8]));
    let pack = |codec: &dyn BlockCodec, raw: &[u8], block_size| {
        let mut archive = Vec::new();
        let options = CompressOptions { block_size: Some(block_size), ..Default::default() };
        compress(raw, &mut archive, codec, &options, &NoProgress).unwrap();
        archive
    };
    let framed = |file: &ModelFile| frame(MODEL_FRAME, &packed::pack(&file.to_bytes()).unwrap());
    let broken = frame(MODEL_FRAME, b"no model");
    let mut cases = vec![
        ("unsupported", [frame(2, b""), toy::pack(b"x", 100)]),
        ("unsupported", [frame(MAY_BE_SKIPPED - 1, b"later"), toy::pack(b"x", 100)]),
        ("good", [frame(MAY_BE_SKIPPED, b"later"), toy::pack(b"x", 100)]),
        ("good", [broken.clone(), toy::pack(b"x", 100)]),
    ];
    // by tag, and by id
    for block_size in [1 << 20, 300] {
        let of = |file: &ModelFile| {
            let codec = RecordsCodec::new(&model, file.id(), 0);
            pack(&codec, &codec.sample(300, 3), block_size)
        };
        let text = pack(&*at_hand, &b"the time of the day, ".repeat(20), block_size);
        cases.extend([
            ("unsupported", [Vec::new(), of(&own)]),
            ("good", [framed(&own), of(&own)]),
            ("good", [[broken.clone(), framed(&own)].concat(), of(&own)]),
            ("bad", [broken.clone(), of(&own)]),
            ("bad", [[framed(&own), broken.clone()].concat(), of(&own)]),
            ("unsupported", [[framed(&own), framed(&other)].concat(), of(&own)]),
            ("good", [framed(&own), text.clone()]),
            ("good", [broken.clone(), text]),
            ("unsupported", [framed(&later), of(&later)]),
            ("bad", [framed(&odd), of(&odd)]),
        ]);
    }
    let inputs: Vec<_> = cases.iter().map(|(_, parts)| parts.concat()).collect();
    let models = [plain];
    let Some(said) = second(&inputs, &models) else { return };
    let given = Given::new(&models);
    for (i, (input, said)) in inputs.iter().zip(&said).enumerate() {
        let (ours, expected) = (first(input, &given), cases[i].0);
        assert!(agree(&ours, said), "input {i}: {ours} here, {said} there");
        assert!(said.starts_with(expected), "input {i}: {said}, should be {expected}");
    }
}

/// The bytes of a model file with another text for its header.
fn with_header(file: &ModelFile, change: impl Fn(&str) -> String) -> Vec<u8> {
    let bytes = file.to_bytes();
    let (length, rest) = bytes.split_first_chunk().unwrap();
    let (header, body) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let header = change(std::str::from_utf8(header).unwrap());
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), body].concat()
}

#[test]
fn models_are_the_same_there() {
    let [stream, ..] = small();
    let rows = common::random_made(10, &[6], 2, 40, 3).to_file();
    let window = common::random_window(4, 7, 2, &[5], 3).to_file();
    let mixture = common::random_mixture(9, &[7], (3, 2), 80, 8).to_file();
    let text = |file: &ModelFile, key: &str, value: &str| {
        let mut file = file.clone();
        file.metadata.insert(key.into(), value.into());
        file.to_bytes()
    };
    let tensor = |file: &ModelFile, name: &str, shape: &[usize]| {
        let mut file = file.clone();
        let values = vec![1u8; shape.iter().product()];
        file.tensors.insert(name.into(), Tensor::from_values(shape, &values));
        file.to_bytes()
    };
    let (mut good, mut later, mut bad) = (Vec::new(), Vec::new(), Vec::new());
    let (kind, entry) = (r#""madezip.kind":"#, r#""dtype":"I16","#);
    let note = r#""madezip.note":"","#;
    for file in [&stream, &rows, &window, &mixture] {
        good.push(file.to_bytes());
        good.push(text(file, "madezip.note", "for people"));
        good.push(text(file, "madezip.profile", "1"));
        good.push(with_header(file, |header| header.replacen(kind, &format!("{note}{kind}"), 1)));
        good.push(with_header(file, |header| format!("{header}  \n")));
        bad.push(with_header(file, |header| format!(" {header}")));
        later.push(text(file, "madezip.profile", "2"));
        later.push(text(file, KIND, "later"));
        bad.push(text(file, "madezip.profile", "01"));
        bad.push(text(file, "later", "1"));
        bad.push(text(file, "sparing_sure", "1"));
        bad.push(tensor(file, "later", &[1]));
        bad.push(tensor(file, "hidden.1.bias", &[1]));
        let twice = format!("{note}{note}{kind}");
        bad.push(with_header(file, |header| header.replacen(kind, &twice, 1)));
        bad.push(with_header(file, |header| header.replacen(entry, &entry.repeat(2), 1)));
    }
    let contexts = stream.metadata["contexts"].as_str();
    let named = |name| text(&stream, "contexts", &contexts.replacen("o1", name, 1));
    good.extend(["o0", "o8", "b16", "s87", "field"].map(named));
    bad.extend(["o9", "o01", "o+1", "b0", "b17", "s11", "s9", "s"].map(named));
    bad.extend(["code1", "level", "p1", "o1 ", ""].map(named));
    bad.extend(["0", "1024", "0255", "+255", ""].map(|limit| text(&stream, "limit", limit)));
    for (key, value) in
        [("best.limit", "255"), ("x86.contexts", contexts), ("primed", "0"), ("language", "b1")]
    {
        bad.push(text(&stream, key, value));
    }
    let meaningless = ["best.partial", "second.bias", "second.weight", "language.table.1"];
    bad.extend(meaningless.map(|name| tensor(&stream, name, &[1])));
    bad.push(tensor(&stream, "primed.levels", &[1]));
    good.push(tensor(&stream, "text", &[9]));
    bad.push(tensor(&stream, "text", &[3, 3]));
    let architecture = rows.metadata["madezip.architecture"].as_str();
    for (from, to) in [
        (r#""dims":10"#, r#""dims":10.0"#),
        (r#""dims":10"#, r#""dims":1e1"#),
        (r#""dims":10"#, r#""dims":10,"dims":10"#),
        (r#""dims":10"#, r#""dims":10,"later":1"#),
        (r#""output_shift":3"#, r#""output_shift":25"#),
    ] {
        assert!(architecture.contains(from), "{architecture}");
        bad.push(text(&rows, "madezip.architecture", &architecture.replace(from, to)));
    }
    bad.push(text(&rows, "madezip.architecture", "[10,[6],2,false,8,[4],3,0]"));
    bad.push(text(&rows, "madezip.profile", "65536"));
    // later programs may have changed anything else
    for (from, to) in [(r#""I16""#, r#""BF8""#), (entry, &format!("{entry}\"later\":1,"))] {
        later.push(with_header(&rows, |header| {
            let header = header.replacen(kind, &format!(r#""madezip.profile":"2",{kind}"#), 1);
            header.replacen(from, to, 1)
        }));
    }
    let expected = [vec!["good"; good.len()], vec!["unsupported"; later.len()]].concat();
    let inputs = [good, later, bad].concat();
    let Some(said) = second_with(&["--models"], &inputs, &[]) else { return };
    for (i, (input, said)) in inputs.iter().zip(&said).enumerate() {
        let (ours, expected) = (first_of_model(input), expected.get(i).unwrap_or(&"bad"));
        assert!(agree(&ours, said), "model {i}: {ours} here, {said} there");
        assert!(said.starts_with(expected), "model {i}: {said}, should be {expected}");
    }
}
