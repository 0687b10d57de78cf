//! What goes in comes out, and the archive depends on nothing else.

use madezip::archive::{CompressOptions, DecompressOptions, NoProgress, decompress};
use madezip::container::BlockKind;
use madezip::container::limits::{DEFAULT_BLOCK, MIN_BLOCK_OFFERED};
use proptest::prelude::*;

use crate::toy::{Models, TOY, mixed, noise, pack, pack_with, text, unpack};

/// Bytes with runs, text and noise in them.
fn contents() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        (any::<u8>(), 0usize..3000).prop_map(|(b, n)| vec![b; n]),
        (0usize..3000).prop_map(text),
        (0usize..2000, any::<u64>()).prop_map(|(n, seed)| noise(n, seed)),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_content(content in contents(), block_size in 1u32..5000, known: bool, verify: bool) {
        let options = CompressOptions {
            block_size: Some(block_size),
            content_size: known.then_some(content.len() as u64),
            verify,
            ..Default::default()
        };
        let (archive, summary) = pack_with(&content, &options);
        let (back, result) = unpack(&archive);
        let read = result.unwrap();
        prop_assert!(back == content);
        prop_assert_eq!(read.archive, archive.len() as u64);
        prop_assert_eq!(read.kinds, summary.kinds);
    }

    #[test]
    fn threads_change_nothing(content in contents(), block_size in 100u32..2000) {
        let archive = pack(&content, block_size);
        for threads in [2, 3, 8] {
            let options = CompressOptions { block_size: Some(block_size), threads, ..Default::default() };
            prop_assert!(pack_with(&content, &options).0 == archive);
            let mut back = Vec::new();
            let options = DecompressOptions { threads, ..Default::default() };
            decompress(&archive[..], &mut back, &Models(vec![TOY]), &options, &NoProgress).unwrap();
            prop_assert!(back == content);
        }
    }

    #[test]
    fn archives_join(a in contents(), b in contents(), block_size in 1000u32..5000) {
        let joined = [pack(&a, block_size), pack(&b, 1 << 24)].concat();
        let (back, result) = unpack(&joined);
        prop_assert!(result.is_ok());
        prop_assert!(back == [a, b].concat());
    }

    #[test]
    fn nothing_grows_beyond_the_bound(len in 0usize..400_000, seed: u64) {
        let content = noise(len, seed);
        let bound = len as f64 * 1.001 + 100.0;
        // the smallest block the command line offers, and the default
        for block_size in [MIN_BLOCK_OFFERED, DEFAULT_BLOCK] {
            prop_assert!((pack(&content, block_size).len() as f64) <= bound);
        }
    }
}

#[test]
fn kinds_of_block() {
    let options = CompressOptions { block_size: Some(100), ..Default::default() };
    let (_, summary) = pack_with(&mixed(), &options);
    let count = |k| summary.kind(k).blocks;
    assert_eq!(count(BlockKind::Coded), 2);
    assert_eq!(count(BlockKind::Stored), 1);
    assert_eq!(count(BlockKind::Run), 2);
    assert!(summary.ideal_bits > 0.0);
    assert!(summary.ideal_bits <= 8.0 * summary.kind(BlockKind::Coded).payload as f64);
}

#[test]
fn a_short_archive_costs_little() {
    for (content, most) in [(vec![], 10), (vec![9], 10), (text(2000), 16), (text(60_000), 18)] {
        let (archive, summary) = pack_with(&content, &CompressOptions::default());
        assert_eq!(&archive[..2], &[0x8d, 0xa1]);
        assert!(archive.len() as u64 - summary.payload() <= most);
    }
    let (archive, _) = pack_with(&vec![3; 50_000], &CompressOptions::default());
    assert_eq!(archive.len(), 13);
}

#[test]
fn a_long_archive_costs_160_bytes_at_most() {
    for len in [65_536, 1 << 24] {
        let (archive, summary) = pack_with(&text(len), &CompressOptions::default());
        assert!(archive.len() as u64 - summary.payload() <= 160);
    }
}

#[test]
fn the_border_of_the_short_form() {
    for len in [65_535, 65_536, 65_537] {
        for block_size in [65_535, 65_536, 1 << 24] {
            let content = text(len);
            let archive = pack(&content, block_size);
            assert_eq!(archive[1] == 0xa1, len == 65_535, "{len} {block_size}");
            assert!(unpack(&archive).0 == content);
        }
    }
}

#[test]
fn a_wrong_length_is_noticed() {
    for (content, block_size) in [(text(500), 1000), (text(5000), 1000)] {
        let options = CompressOptions {
            block_size: Some(block_size),
            content_size: Some(499),
            ..Default::default()
        };
        let mut archive = Vec::new();
        let error =
            madezip::archive::compress(&content[..], &mut archive, &TOY, &options, &NoProgress);
        assert!(error.unwrap_err().to_string().contains("changed while it was read"));
    }
}
