//! Makes the golden set: an archive of every form and kind, and of every error.

use std::path::Path;
use std::sync::Arc;

use madezip::archive::{CompressOptions, NoProgress, compress};
use madezip::catalog::SHIPPED;
use madezip::codec::{BlockCodec, EngineChoice, open};
use madezip::container::block::{BLOCK_HEADER_LEN, BlockKind};
use madezip::container::checksum::{crc16, crc32};
use madezip::container::header::HEADER_LEN;
use madezip::container::{MODEL_FRAME, Skippable};
use madezip::made::file::ModelFile;
use madezip::made::packed;
use madezip::made::random::SplitMix64;
use madezip::records::{RecordsCodec, RecordsModel};
use madezip::split::{Records, Split};
use madezip::stream::coding::Level;
use sha2::{Digest, Sha256};

use crate::common::{
    random_made, random_mixture, random_window, signals, strokes, x86_code, x86_programs,
};

/// A set on its way.
struct Set<'a> {
    folder: &'a Path,
    manifest: String,
}

impl Set<'_> {
    fn put(&mut self, name: &str, verdict: &str, detail: &str, why: &str, bytes: &[u8]) {
        std::fs::write(self.folder.join(name), bytes).unwrap();
        self.manifest.push_str(&format!("{name}\t{verdict}\t{detail}\t{why}\n"));
    }

    fn good(&mut self, name: &str, why: &str, content: &[u8], bytes: &[u8]) {
        let hex: String = Sha256::digest(content).iter().map(|b| format!("{b:02x}")).collect();
        self.put(name, "good", &hex, why, bytes);
    }

    fn bad(&mut self, name: &str, words: &str, why: &str, bytes: &[u8]) {
        self.put(name, "bad", words, why, bytes);
    }

    fn unsupported(&mut self, name: &str, words: &str, why: &str, bytes: &[u8]) {
        self.put(name, "unsupported", words, why, bytes);
    }
}

fn codec(file: &ModelFile) -> Arc<dyn BlockCodec> {
    open(file, file.id(), EngineChoice::Native, "cpu").unwrap()
}

/// Compresses; `model` goes into the archive.
fn pack(file: &ModelFile, content: &[u8], block_size: u32, model: bool) -> Vec<u8> {
    let packed = || packed::pack(&file.to_bytes()).unwrap().into();
    let model = model.then(packed);
    pack_as(
        file,
        content,
        CompressOptions { block_size: Some(block_size), model, ..Default::default() },
    )
}

fn pack_as(file: &ModelFile, content: &[u8], options: CompressOptions) -> Vec<u8> {
    let mut archive = Vec::new();
    compress(content, &mut archive, &*codec(file), &options, &NoProgress).unwrap();
    archive
}

fn rows(model: &RecordsModel, n: usize) -> Vec<u8> {
    RecordsCodec::new(model, [0; 32], 0).sample(n, 3)
}

fn words(n: usize) -> Vec<u8> {
    let mut rng = SplitMix64::new(9);
    let all = ["mask ", "degree ", "bits of ", "a row\n", "3;", "0x1f ", "the "];
    (0..n).flat_map(|_| all[rng.below(all.len())].bytes()).collect()
}

fn noise(n: usize) -> Vec<u8> {
    let mut rng = SplitMix64::new(4);
    (0..n).map(|_| rng.next_u64() as u8).collect()
}

/// The header with a byte changed and its checksum made right.
fn header_with(archive: &[u8], at: usize, value: u8) -> Vec<u8> {
    let mut b = archive.to_vec();
    b[at] = value;
    let crc = crc32(&b[..HEADER_LEN - 4]);
    b[HEADER_LEN - 4..HEADER_LEN].copy_from_slice(&crc.to_le_bytes());
    b
}

/// A short archive with a byte changed and its checksum made right.
fn short_with(archive: &[u8], at: usize, value: u8) -> Vec<u8> {
    let mut b = archive.to_vec();
    b[at] = value;
    let end = b.len() - 2;
    let crc = crc16(&b[..end]);
    b[end..].copy_from_slice(&crc.to_le_bytes());
    b
}

fn flip(archive: &[u8], at: usize) -> Vec<u8> {
    let mut b = archive.to_vec();
    b[at] ^= 0x10;
    b
}

/// Split archives, of every rule.
fn splits(s: &mut Set, stream: &ModelFile) {
    let lines = [&words(150)[..], b"and no end"].concat();
    let json = br#" [ {"a": [1, "],\""]} , 2,"three", {} ] "#.to_vec();
    let nul = b"one\0two\0\0three\0".repeat(3);
    let contents = [("lines", lines), ("json", json), ("nul", nul), ("len:7", words(40))];
    for (rule, content) in contents {
        for (check, block_size) in [(0, 1 << 20), (2, 300)] {
            let rule: Split = rule.parse().unwrap();
            let records = Some(Records { rule, check });
            let options =
                CompressOptions { records, block_size: Some(block_size), ..Default::default() };
            let name = rule.to_string().replace(':', "-");
            let why = format!("records by {rule}, {check} bytes of check");
            let archive = pack_as(stream, &content, options);
            s.good(&format!("split-{name}-{check}.mdz"), &why, &content, &archive);
        }
    }
}

/// Blocks for which tables have their full size, at every level, and of which something is left
/// out, of several segments. They repeat, so that the archives are small.
fn large(s: &mut Set, stream: &ModelFile) {
    let picture = strokes(1000);
    let rows = &picture[picture.len() - 11 - 9 * 1000..picture.len() - 11];
    let tall = [b"P4\n70 120000\n", &rows.repeat(120)[..]].concat();
    let contents = [
        ("large", words(900).repeat(30), "tables that are filled with primed slots"),
        ("sparing", [words(4000), words(900).repeat(260)].concat(), "two segments, some left out"),
        ("sparing-near", x86_code(1200).repeat(120), "x86 code of two segments, some left out"),
        ("sparing-rip", x86_programs(1200).repeat(15), "64-bit code of two segments, likewise"),
        ("sparing-bilevel", tall, "a bilevel picture of two segments, some left out"),
        ("segment", words(900).repeat(300)[..1 << 20].to_vec(), "one whole segment, none after it"),
    ];
    let levels = [(Level::Default, ""), (Level::Best, "-best"), (Level::Fast, "-fast")];
    for (name, content, why) in contents {
        // the others leave nothing out
        let levels = match name {
            "sparing" => &levels[..2],
            "sparing-near" | "sparing-rip" | "sparing-bilevel" => &levels[..1],
            "segment" => &levels[2..],
            _ => &levels,
        };
        for &(level, word) in levels {
            let options =
                CompressOptions { level, block_size: Some(16 << 20), ..Default::default() };
            let archive = pack_as(stream, &content, options);
            s.good(&format!("{name}{word}.mdz"), why, &content, &archive);
        }
    }
}

/// Writes the files and `MANIFEST.tsv`.
pub fn set(folder: &Path) {
    let mut s = Set { folder, manifest: String::new() };
    let stream = ModelFile::from_bytes(SHIPPED[0].bytes).unwrap();
    let made = random_made(20, &[30, 12], 2, 80, 7);
    let window = random_window(6, 9, 3, &[10, 6], 5);
    let mixture = random_mixture(20, &[24], (3, 2), 80, 8);
    let mixed = [words(2000), vec![0; 700], noise(900), words(300)].concat();
    let long = pack(&stream, &mixed, 1000, false);
    let short = pack(&stream, &words(300), 1 << 20, false);

    s.good("empty.mdz", "a short archive of nothing", b"", &pack(&stream, b"", 100, false));
    s.good("one.mdz", "one byte, stored", b"x", &pack(&stream, b"x", 100, false));
    s.good("run.mdz", "a short run", &[7; 60_000], &pack(&stream, &[7; 60_000], 1 << 20, false));
    s.good(
        "stored.mdz",
        "what no model shortens",
        &noise(500),
        &pack(&stream, &noise(500), 1000, false),
    );
    s.good("stream-short.mdz", "stream model, short form", &words(300), &short);
    s.good("stream-long.mdz", "coded, run and stored blocks, long form", &mixed, &long);
    let code = x86_code(80);
    let near = pack(&stream, &code, 1 << 20, false);
    s.good("stream-near.mdz", "stream model, its part for x86 code", &code, &near);
    let programs = x86_programs(60);
    let archive = pack(&stream, &programs, 1 << 20, false);
    s.good("stream-rip.mdz", "64-bit code: programs that have much in common", &programs, &archive);
    let signals = signals(24);
    let archive = pack(&stream, &signals, 1 << 20, false);
    s.good("stream-signal.mdz", "stream model, its part for signals", &signals, &archive);
    let strokes = strokes(150);
    let archive = pack(&stream, &strokes, 1 << 20, false);
    s.good("stream-bilevel.mdz", "stream model, its part for bilevel pictures", &strokes, &archive);
    let contents = [
        ("stream", words(300)),
        ("stream-near", code),
        ("stream-rip", programs),
        ("stream-signal", signals),
        ("stream-bilevel", strokes),
    ];
    for (name, content) in contents {
        for (level, word) in [(Level::Best, "best"), (Level::Fast, "fast")] {
            let options = CompressOptions { level, ..Default::default() };
            let archive = pack_as(&stream, &content, options);
            let why = format!("the {word} level");
            s.good(&format!("{name}-{word}.mdz"), &why, &content, &archive);
        }
    }
    for (name, model) in [("made", &made), ("window", &window), ("mixture", &mixture)] {
        let content = [rows(model, 700), vec![1, 2, 3]].concat();
        for (form, block_size, len) in [("long", 600, content.len()), ("short", 1 << 20, 99)] {
            let archive = pack(&model.to_file(), &content[..len], block_size, true);
            let why = format!("records model ({name}), {form} form, its model embedded");
            s.good(&format!("{name}-{form}.mdz"), &why, &content[..len], &archive);
        }
    }
    splits(&mut s, &stream);
    large(&mut s, &stream);
    let frame = Skippable { kind: u32::MAX, len: 5, crc: crc32(b"hello") }.to_bytes();
    let joined = [&long[..], &frame, b"hello", &short].concat();
    let content = [mixed.clone(), words(300)].concat();
    s.good("joined.mdz", "archives with a skippable frame between them", &content, &joined);
    let mut longer = long[..HEADER_LEN - 4].to_vec();
    (longer[9], longer[11]) = (HEADER_LEN as u8 + 2, 0x40);
    longer.extend([9, 9]);
    let crc = crc32(&longer);
    longer.extend(crc.to_le_bytes());
    longer.extend(&long[HEADER_LEN..]);
    s.good("extended.mdz", "a longer header and an optional flag of later times", &mixed, &longer);

    s.bad("nothing.mdz", "empty", "an input of no bytes", b"");
    s.bad("text.mdz", "not a madezip archive", "some other file", b"some text");
    s.bad(
        "cut-short.mdz",
        "truncated",
        "the end of a short archive is missing",
        &short[..short.len() - 1],
    );
    s.bad(
        "cut-long.mdz",
        "truncated",
        "the end of a long archive is missing",
        &long[..long.len() - 1],
    );
    s.bad("flip-header.mdz", "damaged", "a bit of the header", &flip(&long, 30));
    s.bad("flip-payload.mdz", "block 0", "a bit of a payload", &flip(&long, HEADER_LEN + 30));
    s.bad("flip-end.mdz", "damaged", "a bit of the index", &flip(&long, long.len() - 50));
    s.bad("flip-short.mdz", "damaged", "a bit of a short archive", &flip(&short, 12));
    s.bad(
        "trailing.mdz",
        "something that is not an archive follows",
        "a byte too many",
        &[&long[..], b"x"].concat(),
    );
    let crlf = [&long[..4], b"\n\x1a\n", &long[8..]].concat();
    s.bad("mangled.mdz", "binary mode", "line ends converted in transfer", &crlf);
    // every checksum right but the last: the content is not what was compressed
    let end = short.len() - 6;
    let other = short_with(&short, end, short[end] ^ 1);
    s.bad("arithmetic.mdz", "bytes are intact", "another arithmetic than the encoder's", &other);
    let nowhere = pack(
        &random_made(16, &[5], 1, 60, 77).to_file(),
        &rows(&random_made(16, &[5], 1, 60, 77), 900),
        1 << 20,
        false,
    );
    s.bad("no-model.mdz", "needs model", "a model that is nowhere", &nowhere);
    let frame = Skippable { kind: MODEL_FRAME, len: 66 << 20, crc: 0 }.to_bytes();
    let alone = pack(&made.to_file(), b"", 100, true);
    let cut = &alone[..alone.len() - 10];
    s.bad("model-alone.mdz", "truncated", "a model with no archive after it", cut);
    s.bad("bomb.mdz", "above the limit", "an embedded model beyond the limit", &frame);

    s.unsupported(
        "newer-long.mdz",
        "use a newer madezip",
        "format version 2",
        &header_with(&long, 8, 2),
    );
    s.unsupported(
        "newer-short.mdz",
        "use a newer madezip",
        "format version 2",
        &short_with(&short, 1, 0xa2),
    );
    s.unsupported("flag.mdz", "use a newer madezip", "a required flag", &header_with(&long, 10, 1));
    s.unsupported(
        "profile.mdz",
        "arithmetic profile 513",
        "another arithmetic",
        &header_with(&header_with(&long, 12, 1), 13, 2),
    );
    s.bad(
        "kind.mdz",
        "the number of records",
        "a coded block that says it is split",
        &short_with(&short, 2, short[2] | 3),
    );
    s.unsupported(
        "newer-kind.mdz",
        "use a newer madezip",
        "a kind of block of later times",
        &short_with(&short, 2, short[2] | 7),
    );
    for (name, archive, kind, why) in [
        ("kind-coded.mdz", &near, BlockKind::Coded, "an extended block that says it is coded"),
        (
            "kind-extended.mdz",
            &short,
            BlockKind::Extended,
            "a coded block that says it is extended",
        ),
    ] {
        let archive = short_with(archive, 2, archive[2] & !7 | kind as u8);
        s.bad(name, "flags of another kind of block", why, &archive);
    }
    // behind the tag two lengths of two bytes
    assert_eq!(near[10], 0x21);
    s.unsupported(
        "newer-flags.mdz",
        "use a newer madezip",
        "flags of later times",
        &short_with(&near, 10, 0x61),
    );
    s.bad(
        "profile-stored.mdz",
        "damaged",
        "a stored block with an arithmetic profile",
        &short_with(&pack(&stream, b"a", 100, false), 2, 8),
    );
    let frame = Skippable { kind: 2, len: 5, crc: crc32(b"hello") }.to_bytes();
    let needed = [&frame[..], b"hello", &short].concat();
    s.unsupported("newer-frame.mdz", "use a newer madezip", "a frame of later times", &needed);
    let noises = noise(600);
    let mut swapped = pack(&stream, &noises, 300, false);
    let (first, second) = (HEADER_LEN, HEADER_LEN + BLOCK_HEADER_LEN + 300);
    let block = swapped[first..second].to_vec();
    swapped.copy_within(second..second + block.len(), first);
    swapped[second..second + block.len()].copy_from_slice(&block);
    s.bad("swapped.mdz", "belongs elsewhere", "two blocks in each other's places", &swapped);
    let mut newer = made.to_file();
    newer.metadata.insert("madezip.profile".into(), "2".into());
    let archive = pack(&newer, &rows(&made, 700), 1 << 20, true);
    s.unsupported("newer-model.mdz", "use a newer madezip", "a model of later times", &archive);
    std::fs::write(folder.join("MANIFEST.tsv"), s.manifest).unwrap();
}
