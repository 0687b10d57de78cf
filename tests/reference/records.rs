//! Records, each by itself.

use madezip::archive::{CompressOptions, NoProgress, PROFILE, compress};
use madezip::codec::BlockCodec;
use madezip::container::checksum::crc32;
use madezip::container::{BlockKind, Header, LongWriter, ModelId, Short};
use madezip::made::file::{KIND, ModelFile, Tensor};
use madezip::split::{self, Records};
use madezip::stream::model::STREAM;
use sha2::{Digest, Sha256};

use crate::blocks::streams;
use crate::toy::noise;
use crate::{Given, agree, first, second};

/// What of a stream model has names that begin with `prefix`: this part, and the language model
/// if there is no prefix.
fn alone(file: &ModelFile, prefix: &str) -> ModelFile {
    const OTHERS: [&str; 6] = ["best.", "fast.", "x86.", "signal.", "bilevel.", "primed"];
    let own = |name: &str| {
        let own = name.strip_prefix(prefix)?;
        let is_other = OTHERS.iter().any(|other| own.starts_with(other));
        (!is_other).then(|| own.to_string())
    };
    let mut alone = ModelFile {
        metadata: file.metadata.iter().filter_map(|(k, v)| Some((own(k)?, v.clone()))).collect(),
        tensors: file.tensors.iter().filter_map(|(k, t)| Some((own(k)?, t.clone()))).collect(),
    };
    alone.metadata.insert(KIND.into(), STREAM.into());
    alone
}

/// Small stream models: the fast part of the shipped one; the same that has read a text and
/// leaves something out in blocks as long as records count for; and a part with a language model
/// whose recurrent layer still speaks in them.
pub fn small() -> [ModelFile; 3] {
    let [shipped, _, recurrent, _] = streams();
    let plain = alone(&shipped, "fast.");
    let mut told = plain.clone();
    let text = b"the log of a day\n";
    told.tensors.insert("text".into(), Tensor::from_values(&[text.len()], text));
    told.metadata.insert("sparing_from".into(), "16384".into());
    told.metadata.insert("sparing_sure".into(), "300".into());
    let mut spoken = alone(&recurrent, "");
    spoken.metadata.insert("recurrent_to".into(), "16384".into());
    [plain, told, spoken]
}

/// The payload of content that is split.
fn split_payload(codec: &dyn BlockCodec, content: &[u8], rule: &str, check: u8) -> Vec<u8> {
    let records = Records { rule: rule.parse().unwrap(), check };
    let mut coder = codec.records().unwrap();
    split::encode(content, records, true, coder.as_mut(), &|_| {}).unwrap().payload
}

/// An archive of one split block, every checksum right.
fn sealed(payload: &[u8], content: &[u8], id: ModelId, is_long: bool) -> Vec<u8> {
    let (kind, profile) = (BlockKind::Split, PROFILE);
    let (raw_len, raw_crc) = (content.len() as u32, crc32(content));
    if is_long {
        let mut archive = Vec::new();
        let header = Header { profile, block_size: 1 << 17, content_size: None, model: id };
        let mut writer = LongWriter::start(&mut archive, &header).unwrap();
        writer.block(kind, raw_len, raw_crc, payload).unwrap();
        writer.finish(Sha256::digest(content).into()).unwrap();
        return archive;
    }
    let (tag, payload) = ([id[0], id[1], id[2]], payload.to_vec());
    Short { profile, kind, tag, raw_len, raw_crc, payload }.to_bytes().unwrap()
}

#[test]
fn records_are_the_same_there() {
    const STORED: u8 = 4;
    let models = small();
    let given = Given::new(&models);
    let [plain, told, spoken] = [0, 1, 2].map(|i| &*given.0[i]);
    let lines = b"the time of the time of the time of the time\n\nof the time of the time\nthe end";
    let closed = b"the name of the name of the name\nof the name of the name of the\n";
    let json =
        br#" [{"of": ["of, ]\\", "of, ]\\"]}, "of of of of", "of of of of"] , [1, "of", 2, "of","#;
    let times = b"of the time ".repeat(10);
    let long = [&times[..], &times, &times, b"\n", &times].concat();
    let noise = [&noise(30, 4)[..], b"\n", &noise(20, 5)].concat();
    let cases: [(&dyn BlockCodec, &str, u8, &[u8]); 9] = [
        (plain, "lines", 0, lines),
        (told, "lines", 2, closed),
        (plain, "nul", 1, b"the name of the name of the name\0\0of the name of the"),
        (told, "json", 0, json),
        (plain, "json", 2, b"no array, no array, no array, no array"),
        (plain, "len:20", 0, &times[..110]),
        (told, "len:20", 1, &times),
        (plain, "lines", 1, &noise),
        (spoken, "lines", 1, &long),
    ];
    let (mut whole, mut changed) = (Vec::new(), Vec::new());
    let mut stored = 0;
    for (i, &(codec, rule, check, content)) in cases.iter().enumerate() {
        let id = codec.model_id();
        let payload = split_payload(codec, content, rule, check);
        stored += usize::from(payload[1] & STORED != 0);
        whole.push(sealed(&payload, content, id, i % 2 == 0));
        if id == spoken.model_id() {
            continue;
        }
        whole.push(sealed(&payload, content, id, i % 2 != 0));
        // the number of records, flags, the rule and bytes of a check, of which some are not known
        let head = [(0, 1), (1, 2), (1, STORED), (1, 8), (2, 1), (2, 4), (3, 1), (3, 8)];
        let rest = (4..payload.len()).step_by(6).map(|at| (at, 1u8 << (at % 8)));
        for (at, flip) in head.into_iter().chain(rest) {
            let mut bad = payload.clone();
            bad[at] ^= flip;
            changed.push(sealed(&bad, content, id, false));
        }
    }
    assert_eq!(stored, 1);
    // several blocks
    let records = Some(Records { rule: "lines".parse().unwrap(), check: 1 });
    let options = CompressOptions { block_size: Some(50), records, ..Default::default() };
    let mut archive = Vec::new();
    compress(&lines[..], &mut archive, plain, &options, &NoProgress).unwrap();
    whole.push(archive);
    let flipped = whole.iter().map(|archive| {
        let mut bad = archive.clone();
        bad[archive.len() * 2 / 3] ^= 4;
        bad
    });
    let inputs: Vec<_> = whole.iter().cloned().chain(flipped).chain(changed).collect();
    let Some(said) = second(&inputs, &models) else { return };
    for (i, (input, said)) in inputs.iter().zip(&said).enumerate() {
        let ours = first(input, &given);
        assert!(agree(&ours, said), "input {i}: {ours} here, {said} there");
        assert!(said.starts_with("good") || i >= whole.len(), "input {i}: {said}");
    }
    let count = |what: &str| said[whole.len()..].iter().filter(|s| s.starts_with(what)).count();
    // stored records have no check, however long it would be; of each case a flag, a rule and a
    // check are not known
    assert_eq!((count("good"), count("unsupported")), (stored, 3 * (cases.len() - 1)));
}
