//! Fields that lie, with right checksums: refused, and nothing allocated for them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use madezip::archive::NoProgress;
use madezip::container::checksum::{crc16, crc32};
use madezip::container::header::HEADER_LEN;
use madezip::container::limits::MAX_BLOCK;
use madezip::container::{
    BlockHeader, BlockKind, FormatError, Header, MAY_BE_SKIPPED, SKIPPABLE_HEADER_LEN, Skippable,
    scan, varint,
};
use madezip::error::Error;
use proptest::prelude::*;

use crate::toy::{mixed, noise, pack, text, unpack};

struct Counting;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: passes everything on to the system's allocator
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LARGEST.try_with(|l| l.set(l.get().max(layout.size())));
        // SAFETY: the caller's promise
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise
        unsafe { System.dealloc(ptr, layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = LARGEST.try_with(|l| l.set(l.get().max(size)));
        // SAFETY: the caller's promise
        unsafe { System.realloc(ptr, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The error of an archive, and that no allocation for it was large.
fn refused(archive: &[u8]) -> FormatError {
    LARGEST.set(0);
    let (out, result) = unpack(archive);
    assert!(LARGEST.get() <= 4 << 20, "{} bytes allocated", LARGEST.get());
    assert!(out.is_empty());
    let scanned = scan::scan(&mut std::io::Cursor::new(archive));
    assert!(LARGEST.get() <= 4 << 20, "{} bytes allocated", LARGEST.get());
    match (result, scanned) {
        (Err(Error::Format(e)), Err(_)) => e,
        other => panic!("{other:?}"),
    }
}

fn header(block_size: u32) -> Header {
    Header { profile: 1, block_size, content_size: None, model: [7; 32] }
}

/// Header bytes with some changed, and a right checksum.
fn forged(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut b = header(1 << 20).to_bytes().to_vec();
    change(&mut b);
    let crc = crc32(&b[..58]);
    b[58..].copy_from_slice(&crc.to_le_bytes());
    b
}

#[test]
fn a_block_longer_than_the_input() {
    for kind in [BlockKind::Coded, BlockKind::Stored] {
        let block = BlockHeader {
            kind,
            raw_len: MAX_BLOCK,
            payload_len: if kind == BlockKind::Stored { MAX_BLOCK } else { MAX_BLOCK - 1 },
            content_offset: 0,
            raw_crc: 0,
            payload_crc: 0,
        };
        let archive = [&header(MAX_BLOCK).to_bytes()[..], &block.to_bytes(), b"little"].concat();
        assert!(matches!(refused(&archive), FormatError::Truncated { .. }));
    }
}

#[test]
fn blocks_beyond_the_header() {
    for (raw_len, payload_len, kind) in [
        (1001, 5, BlockKind::Coded),
        (u32::MAX, 5, BlockKind::Coded),
        (0, 0, BlockKind::Stored),
        (10, 10, BlockKind::Coded),
        (10, 9, BlockKind::Stored),
        (10, 2, BlockKind::Run),
    ] {
        let block = BlockHeader {
            kind,
            raw_len,
            payload_len,
            content_offset: 0,
            raw_crc: 0,
            payload_crc: 0,
        };
        let archive = [&header(1000).to_bytes()[..], &block.to_bytes(), &[0; 100]].concat();
        let error = refused(&archive);
        assert!(matches!(error, FormatError::DamagedBlock { block: 0, .. }), "{error:?}");
    }
}

#[test]
fn header_fields() {
    let size = |n: u32| forged(|b| b[14..18].copy_from_slice(&n.to_le_bytes()));
    assert!(matches!(refused(&size(0)), FormatError::Damaged { .. }));
    assert!(matches!(refused(&size(MAX_BLOCK + 1)), FormatError::Limit { .. }));
    assert!(matches!(refused(&size(u32::MAX)), FormatError::Limit { .. }));
    let content = forged(|b| b[18..26].copy_from_slice(&(u64::MAX - 1).to_le_bytes()));
    assert!(matches!(refused(&content), FormatError::Limit { .. }));
    let newer = forged(|b| b[8] = 2);
    assert!(matches!(refused(&newer), FormatError::NewerVersion { found: 2, known: 1 }));
    let flags = forged(|b| b[10] = 1);
    assert!(matches!(refused(&flags), FormatError::UnknownFeature { .. }));
    let short = forged(|b| b[9] = HEADER_LEN as u8 - 1);
    assert!(matches!(refused(&short), FormatError::Damaged { .. }));
}

#[test]
fn an_unknown_profile() {
    let archive = forged(|b| b[12] = 2);
    match unpack(&archive).1 {
        Err(Error::Format(FormatError::UnknownProfile { found: 2, known: 1 })) => {}
        other => panic!("{other:?}"),
    }
    // the same in a short archive: only its checksum stands between
    let mut short = pack(&text(300), 1 << 24);
    let end = short.len() - 2;
    short[2] += 8;
    let crc = crc16(&short[..end]);
    short[end..].copy_from_slice(&crc.to_le_bytes());
    match unpack(&short).1 {
        Err(Error::Format(FormatError::UnknownProfile { found: 2, known: 1 })) => {}
        other => panic!("{other:?}"),
    }
    short[1] += 1;
    assert!(matches!(refused(&short), FormatError::NewerVersion { found: 2, known: 1 }));
}

#[test]
fn an_optional_flag_and_a_longer_header_are_passed_over() {
    let archive = pack(&mixed(), 100);
    let mut b = archive[..58].to_vec();
    b[9] += 3; // three bytes that a later version may add
    b[11] = 0x80; // an optional flag
    b.extend([1, 2, 3]);
    let crc = crc32(&b);
    b.extend(crc.to_le_bytes());
    b.extend(&archive[HEADER_LEN..]);
    assert_eq!(unpack(&b).0, mixed());
    unpack(&b).1.unwrap();
    let members = scan::scan(&mut std::io::Cursor::new(&b)).unwrap();
    assert_eq!(members[0].content(), mixed().len() as u64);
}

#[test]
fn short_lengths() {
    for (raw, payload) in
        [(65_536u64, 5u64), (u64::MAX, 5), (60_000, 65_535), (5, u64::MAX), (5, 5)]
    {
        let mut b = vec![0x8d, 0xa1, 0x0a, 7, 7, 7];
        varint::push(&mut b, raw);
        varint::push(&mut b, payload);
        b.extend(noise(9, 1));
        let crc = crc16(&b);
        b.extend(crc.to_le_bytes());
        let error = refused(&b);
        assert!(
            matches!(error, FormatError::Damaged { .. } | FormatError::Truncated { .. }),
            "{error:?}"
        );
    }
}

#[test]
fn skippable_frames() {
    let frame = |kind, content: &[u8]| {
        let frame = Skippable { kind, len: content.len() as u64, crc: crc32(content) };
        [&frame.to_bytes()[..], content].concat()
    };
    let archive = pack(&mixed(), 100);
    let inside = [
        frame(9 << 28, b"before"),
        archive.clone(),
        frame(u32::MAX, b""),
        archive.clone(),
        frame(MAY_BE_SKIPPED, &noise(99_999, 1)),
    ]
    .concat();
    let (out, result) = unpack(&inside);
    result.unwrap();
    assert_eq!(out, [mixed(), mixed()].concat());
    let scanned = scan::scan(&mut std::io::Cursor::new(&inside)).unwrap();
    let collected = scan::collect(&inside[..], |_, _| {}).unwrap();
    assert_eq!(scanned.len(), 5);
    assert_eq!(format!("{scanned:?}"), format!("{collected:?}"));

    for kind in [0, 2, MAY_BE_SKIPPED - 1] {
        let needed = [frame(kind, b"what follows needs this"), archive.clone()].concat();
        assert!(matches!(refused(&needed), FormatError::UnknownFeature { .. }));
    }

    let mut broken = frame(9 << 28, b"before");
    broken[SKIPPABLE_HEADER_LEN] ^= 1;
    assert!(matches!(unpack(&broken).1, Err(Error::Format(FormatError::Damaged { .. }))));
    for len in [100, 1 << 39, u64::MAX] {
        let b = Skippable { kind: MAY_BE_SKIPPED, len, crc: 0 }.to_bytes();
        let error = refused(&b);
        assert!(matches!(error, FormatError::Truncated { .. } | FormatError::Limit { .. }));
    }
}

#[test]
fn the_structure_is_the_same_seeking_and_reading() {
    for content in [vec![], text(300), mixed()] {
        let archive = pack(&content, 100);
        let joined = [archive.clone(), archive.clone(), pack(b"x", 100)].concat();
        for bytes in [&archive, &joined] {
            let scanned = scan::scan(&mut std::io::Cursor::new(bytes)).unwrap();
            assert_eq!(
                format!("{scanned:?}"),
                format!("{:?}", scan::collect(&bytes[..], |_, _| {}).unwrap())
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), start in 0usize..5) {
        let starts: [&[u8]; 5] = [
            &[], &[0x8d], &[0x8d, 0xa1], &header(1000).to_bytes(), b"\x8dSKP",
        ];
        let all = [starts[start], &bytes[..]].concat();
        prop_assert!(unpack(&all).1.is_err());
        prop_assert!(scan::scan(&mut std::io::Cursor::new(&all)).is_err());
    }

    #[test]
    fn changed_bytes(at in prop::collection::vec((0usize..5000, any::<u8>()), 1..4), block_size in 50u32..400) {
        let content = mixed();
        let archive = pack(&content, block_size);
        let mut broken = archive.clone();
        for (i, b) in at {
            let i = i % broken.len();
            broken[i] = b;
        }
        let (out, result) = unpack(&broken);
        prop_assert!(content.starts_with(&out));
        prop_assert_eq!(result.is_ok(), broken == archive);
        let _ = scan::scan(&mut std::io::Cursor::new(&broken));
    }
}

#[test]
fn a_model_alone_is_a_truncated_input() {
    let options = madezip::archive::CompressOptions {
        model: Some(madezip::made::packed::pack(b"no model, but nobody asks").unwrap().into()),
        ..Default::default()
    };
    // found by the fuzz target `round_trip`: a prefix of this input was no error
    for content in [vec![], noise(40, 1), vec![0; 300]] {
        let (archive, _) = crate::toy::pack_with(&content, &options);
        assert_eq!(unpack(&archive).0, content);
        for cut in 0..archive.len() {
            let (out, result) = unpack(&archive[..cut]);
            assert!(result.is_err() && out.is_empty(), "cut at {cut}");
            assert!(scan::scan(&mut std::io::Cursor::new(&archive[..cut])).is_err());
        }
    }
}

#[test]
fn a_model_beyond_the_users_limit_is_not_read_into_memory() {
    let content = noise(8 << 20, 5);
    let frame = Skippable {
        kind: madezip::container::MODEL_FRAME,
        len: content.len() as u64,
        crc: crc32(&content),
    };
    let archive = [&frame.to_bytes()[..], &content, &pack(&mixed(), 100)].concat();
    let options = madezip::archive::DecompressOptions {
        threads: 1,
        memory_limit: Some(1 << 20),
        content_limit: None,
    };
    let models = crate::toy::Models(Vec::new());
    LARGEST.set(0);
    let result = madezip::archive::test(&archive[..], &models, &options, &NoProgress);
    assert!(matches!(result, Err(Error::Memory { needed, .. }) if needed == frame.len));
    let range = madezip::archive::decompress_range(
        &mut std::io::Cursor::new(&archive),
        std::io::sink(),
        0..400,
        &models,
        &options,
        &NoProgress,
    );
    assert!(matches!(range, Err(Error::Memory { needed, .. }) if needed == frame.len));
    assert!(LARGEST.get() <= 4 << 20, "{} bytes allocated", LARGEST.get());
}
