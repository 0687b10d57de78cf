//! Damage under the real models: an error, and never a wrong byte; and any
//! content, with any options, comes back.

mod common;

use std::sync::Arc;

use common::{random_made, random_mixture, random_window};
use madezip::archive::{
    CompressOptions, DecompressOptions, ModelSource, NoProgress, compress, decompress,
};
use madezip::catalog::{CatalogError, SHIPPED};
use madezip::codec::{BlockCodec, Checked, EngineChoice, open, open_checker};
use madezip::container::ModelKey;
use madezip::container::checksum::{crc16, crc32};
use madezip::made::file::ModelFile;
use madezip::records::{RecordsCodec, RecordsModel};
use proptest::prelude::*;

/// A model and some content that it makes shorter.
struct Kind {
    name: &'static str,
    file: ModelFile,
    codec: Arc<dyn BlockCodec>,
    content: Vec<u8>,
}

impl Kind {
    fn new(name: &'static str, file: ModelFile, content: Vec<u8>) -> Self {
        let codec = open(&file, file.id(), EngineChoice::Native, "cpu").unwrap();
        Self { name, file, codec, content }
    }

    fn rows(name: &'static str, model: &RecordsModel) -> Self {
        let content = RecordsCodec::new(model, [0; 32], 0).sample(120, 1);
        Self::new(name, model.to_file(), content)
    }

    fn pack(&self, content: &[u8], block_size: impl Into<Option<u32>>) -> Vec<u8> {
        let options = CompressOptions { block_size: block_size.into(), ..Default::default() };
        let mut archive = Vec::new();
        compress(content, &mut archive, &*self.codec, &options, &NoProgress).unwrap();
        archive
    }

    /// Checks that this input gives an error or the content.
    fn read(&self, input: &[u8], content: &[u8]) -> bool {
        let mut out = Vec::new();
        let options = DecompressOptions::default();
        let result = decompress(input, &mut out, self, &options, &NoProgress);
        assert!(content.starts_with(&out), "{}: a wrong byte", self.name);
        assert!(result.is_err() || out == content, "{}: too little", self.name);
        result.is_ok()
    }
}

impl ModelSource for Kind {
    fn codecs(&self, key: &ModelKey) -> Result<Vec<Arc<dyn BlockCodec>>, CatalogError> {
        if key.matches(&self.codec.model_id()) {
            Ok(vec![self.codec.clone()])
        } else {
            Err(CatalogError::Missing { key: *key, looked: Vec::new() })
        }
    }
}

fn kinds() -> Vec<Kind> {
    let text = b"degrees and masks, masks and degrees; rows of bits, bits of rows. ".repeat(3);
    let stream = ModelFile::from_bytes(SHIPPED[0].bytes).unwrap();
    vec![
        Kind::new("stream", stream, text),
        Kind::rows("made", &random_made(20, &[30, 9], 2, 80, 7)),
        Kind::rows("fvsbn", &random_made(16, &[], 1, 80, 3)),
        Kind::rows("window", &random_window(4, 6, 2, &[8, 4], 5)),
        Kind::rows("mixture", &random_mixture(16, &[9], (3, 1), 80, 2)),
    ]
}

/// A sound or picture that is longer than a block is known as one in all of them.
#[test]
fn signals_go_on_in_the_next_block() {
    let stream = ModelFile::from_bytes(SHIPPED[0].bytes).unwrap();
    let kind = Kind::new("stream", stream, common::signals(300));
    let mut unknown = kind.content.clone();
    for name in [&b"BM"[..], b"RIFF"] {
        let at = unknown.windows(name.len()).position(|w| w == name).unwrap();
        unknown[at] ^= 0x20;
    }
    let archive = kind.pack(&kind.content, 5000);
    assert!(kind.read(&archive, &kind.content));
    let plain = kind.pack(&unknown, 5000);
    assert!(kind.read(&plain, &unknown));
    assert!(archive.len() * 100 < plain.len() * 94, "{} {}", archive.len(), plain.len());
}

/// So is a picture of one bit a pixel; and one whose header is not known, from some size on.
#[test]
fn bilevel_pictures_are_known_in_every_block() {
    let stream = ModelFile::from_bytes(SHIPPED[0].bytes).unwrap();
    let kind = Kind::new("stream", stream, common::strokes(3000));
    let size = |content: &[u8], block_size| {
        let archive = kind.pack(content, block_size);
        assert!(kind.read(&archive, content));
        archive.len()
    };
    // nothing but the header says so where rows are short
    let mut unknown = kind.content.clone();
    unknown[1] = b'9';
    let [known, plain] = [&kind.content, &unknown].map(|content| size(content, 3000));
    assert!(known * 100 < plain * 90, "{known} {plain}");
    // four times side by side, on rows of 90 bytes
    let rows = kind.content[21..].as_chunks::<9>().0;
    let wide: Vec<u8> =
        rows.iter().flat_map(|row| [&row.repeat(4)[..], &[0; 54]].concat()).collect();
    let known = size(&[b"P4\n720 3000\n", &wide[..]].concat(), 1 << 20);
    let bare = size(&wide, 1 << 20);
    let hidden: Vec<u8> = wide.iter().map(|b| b ^ 0x55).collect();
    let plain = size(&hidden, 1 << 20);
    assert!(bare * 100 < known * 103 && bare * 100 < plain * 90, "{known} {bare} {plain}");
}

#[test]
fn every_prefix_and_every_flipped_bit() {
    for kind in kinds() {
        for block_size in [90, 1 << 20] {
            let content = [&kind.content[..], &[0; 100]].concat();
            let archive = kind.pack(&content, block_size);
            assert!(archive.len() < content.len() + 200 && kind.read(&archive, &content));
            for cut in 0..archive.len() {
                assert!(!kind.read(&archive[..cut], &content), "{} cut at {cut}", kind.name);
            }
            for bit in 0..8 * archive.len() {
                let mut bad = archive.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(!kind.read(&bad, &content), "{} bit {bit}", kind.name);
            }
        }
    }
}

#[test]
fn payloads_with_right_checksums() {
    for kind in kinds() {
        // a short archive: its payload lies before the last six bytes
        let content = &kind.content[..100];
        let archive = kind.pack(content, 1 << 20);
        assert_eq!(archive[2] & 3, 2, "{} is coded", kind.name);
        let end = archive.len() - 2;
        for bit in 8 * 8..8 * (end - 4) {
            let mut bad = archive.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let crc = crc16(&bad[..end]);
            bad[end..].copy_from_slice(&crc.to_le_bytes());
            assert!(!kind.read(&bad, content), "{} bit {bit}", kind.name);
        }
        // a long one: the first block's payload follows its header
        let content = &kind.content;
        let archive = kind.pack(content, 100);
        let start = 62 + 24;
        let len = u32::from_le_bytes(archive[62 + 8..62 + 12].try_into().unwrap()) as usize;
        for byte in start..start + len {
            let mut bad = archive.clone();
            bad[byte] = bad[byte].wrapping_add(37);
            let crc = crc32(&bad[start..start + len]);
            bad[62 + 16..62 + 20].copy_from_slice(&crc.to_le_bytes());
            let crc = crc32(&bad[62..62 + 20]);
            bad[62 + 20..62 + 24].copy_from_slice(&crc.to_le_bytes());
            assert!(!kind.read(&bad, content), "{} byte {byte}", kind.name);
        }
    }
}

#[test]
fn verification_takes_another_way_and_notices() {
    for kind in kinds() {
        let reader = open_checker(&kind.file, kind.file.id(), EngineChoice::Native, "cpu").unwrap();
        let reader = reader.unwrap_or_else(|| kind.codec.clone());
        let checked = Checked { writer: kind.codec.clone(), reader };
        let options = CompressOptions { verify: true, ..Default::default() };
        let mut archive = Vec::new();
        compress(&kind.content[..], &mut archive, &checked, &options, &NoProgress).unwrap();
        assert_eq!(archive, kind.pack(&kind.content, options.block_size));
        // a decoder with other arithmetic
        let other = random_made(13, &[8], 1, 90, 99).to_file();
        let reader = open(&other, other.id(), EngineChoice::Native, "cpu").unwrap();
        let checked = Checked { writer: kind.codec.clone(), reader };
        let mut archive = Vec::new();
        let error = compress(&kind.content[..], &mut archive, &checked, &options, &NoProgress);
        assert!(error.unwrap_err().to_string().contains("does not decode to itself"));
        assert!(archive.is_empty());
    }
}

fn contents() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        (any::<u8>(), 0usize..900).prop_map(|(b, n)| vec![b; n]),
        prop::collection::vec(any::<u8>(), 0..300),
        "[a-z ,;\n]{0,300}".prop_map(String::into_bytes),
        (any::<u32>(), 1u32..5000, 0u32..120)
            .prop_map(|(a, d, n)| (0..n).flat_map(|i| (a ^ (d * i)).to_le_bytes()).collect()),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_content_and_options(
        content in contents(),
        block_size in 20u32..2000,
        threads in 1usize..4,
        known: bool,
        verify: bool,
        which in 0usize..4,
    ) {
        let kind = &kinds()[which];
        let options = CompressOptions {
            block_size: Some(block_size),
            threads,
            verify,
            content_size: known.then_some(content.len() as u64),
            ..Default::default()
        };
        let mut archive = Vec::new();
        compress(&content[..], &mut archive, &*kind.codec, &options, &NoProgress).unwrap();
        prop_assert!(kind.read(&archive, &content));
    }
}
