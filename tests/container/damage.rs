//! Damaged archives: an error, and never a wrong byte.

use madezip::container::FormatError;
use madezip::container::block::BLOCK_HEADER_LEN;
use madezip::error::Error;

use crate::toy::{Models, TOY, Toy, mixed, noise, pack, text, unpack, unpack_with};

/// Small archives of every form and kind, with their content.
fn archives() -> Vec<(Vec<u8>, Vec<u8>)> {
    let short = [vec![], vec![1], text(200), noise(40, 3), vec![8; 300]];
    let mut all: Vec<_> = short.map(|c| (pack(&c, 1 << 24), c)).into();
    all.push((pack(&mixed(), 100), mixed()));
    all
}

#[test]
fn every_prefix_is_an_error() {
    for (archive, content) in archives() {
        for cut in 0..archive.len() {
            let (out, result) = unpack(&archive[..cut]);
            match result {
                Err(Error::Format(FormatError::Empty)) => assert_eq!(cut, 0),
                Err(Error::Format(FormatError::Truncated { offset, .. })) => {
                    assert_eq!(offset, cut as u64);
                }
                other => panic!("cut at {cut}: {other:?}"),
            }
            assert!(content.starts_with(&out), "cut at {cut}");
        }
    }
}

#[test]
fn every_flipped_bit_is_an_error() {
    for (archive, content) in archives() {
        for bit in 0..archive.len() * 8 {
            let mut broken = archive.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let (out, result) = unpack(&broken);
            match result {
                Err(Error::Format(_)) => {}
                other => panic!("bit {bit} of {}: {other:?}", archive.len()),
            }
            assert!(content.starts_with(&out), "bit {bit}");
        }
    }
}

#[test]
fn the_damaged_block_is_named() {
    let archive = pack(&mixed(), 100);
    // the payload of the second block, which is stored
    let at = archive.windows(8).position(|w| *w == noise(8, 1)).unwrap();
    let mut broken = archive;
    broken[at] ^= 1;
    match unpack(&broken) {
        (out, Err(Error::Format(FormatError::DamagedBlock { block: 1, offset, .. }))) => {
            assert_eq!(offset as usize, at - BLOCK_HEADER_LEN);
            assert_eq!(out, text(100));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_follows_must_be_an_archive() {
    for (archive, content) in archives() {
        let joined = [&archive[..], b"rest"].concat();
        let (out, result) = unpack(&joined);
        let offset = archive.len() as u64;
        match result {
            Err(Error::Format(FormatError::TrailingData { offset: at })) => assert_eq!(at, offset),
            other => panic!("{other:?}"),
        }
        assert_eq!(out, content);
    }
}

#[test]
fn another_arithmetic_is_named_as_such() {
    let other = Toy { step: 5, ..TOY };
    for block_size in [100, 1 << 24] {
        let archive = pack(&text(300), block_size);
        let (out, result) = unpack_with(&archive, &Models(vec![other]));
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Disagreement { block: 0, .. }), "{error:?}");
        assert!(error.to_string().contains("bytes are intact"));
        assert!(out.is_empty());
    }
}

#[test]
fn a_missing_model_is_named() {
    let other = Toy { id: [8; 32], ..TOY };
    for (block_size, name) in [(100, "07".repeat(32)), (1 << 24, "070707…".into())] {
        let archive = pack(&text(300), block_size);
        let (_, result) = unpack_with(&archive, &Models(vec![other]));
        let text = result.unwrap_err().to_string();
        assert!(text.contains(&name) && text.contains("the test"), "{text}");
    }
}

#[test]
fn no_model_is_needed_for_stored_and_run() {
    let content = [noise(100, 1), vec![0; 100]].concat();
    let archive = pack(&content, 100);
    let (out, result) = unpack_with(&archive, &Models(vec![]));
    result.unwrap();
    assert_eq!(out, content);
}

#[test]
fn an_ambiguous_tag_is_tried_out() {
    let mut twin = Toy { step: 5, ..TOY };
    twin.id[31] = 0;
    let content = text(300);
    for models in [vec![twin, TOY], vec![TOY, twin]] {
        let (out, result) = unpack_with(&pack(&content, 1 << 24), &Models(models));
        result.unwrap();
        assert_eq!(out, content);
    }
}

#[test]
fn other_files_are_no_archives() {
    for other in [&b"\x1f\x8b\x08"[..], b"PK\x03\x04", b"x", b"\x8d\x00 something"] {
        let error = unpack(other).1.unwrap_err();
        assert!(matches!(error, Error::Format(FormatError::NotAnArchive)), "{error:?}");
    }
    let converted = String::from_utf8_lossy(&pack(&mixed(), 100)).into_owned();
    let error = unpack(converted.as_bytes()).1.unwrap_err();
    assert!(matches!(error, Error::Format(FormatError::Mangled(_))), "{error:?}");
}
