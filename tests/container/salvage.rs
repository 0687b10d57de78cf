//! Parts of the content: ranges, and what is left after damage.

use std::io::{Cursor, Read, Seek, SeekFrom};

use madezip::archive::{DecompressOptions, NoProgress, collect, decompress_range, recover};
use madezip::container::block::BLOCK_HEADER_LEN;
use madezip::container::checksum::crc32;
use madezip::container::header::HEADER_LEN;
use madezip::container::scan::{Member, scan, scan_by_index};
use madezip::container::{
    BlockHeader, BlockKind, Footer, FormatError, Header, IndexEntry, SKIPPABLE_HEADER_LEN,
    Skippable,
};
use madezip::error::Error;
use proptest::prelude::*;

use crate::toy::{Models, TOY, mixed, noise, pack, text, unpack};

fn range(archive: &[u8], start: u64, end: u64, threads: usize) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let options = DecompressOptions { threads, ..Default::default() };
    let models = Models(vec![TOY]);
    decompress_range(
        &mut Cursor::new(archive),
        &mut out,
        start..end,
        &models,
        &options,
        &NoProgress,
    )?;
    Ok(out)
}

/// An input of several members, and its content.
fn several() -> (Vec<u8>, Vec<u8>) {
    let frame = Skippable { kind: 1 << 31, len: 3, crc: crc32(b"abc") };
    let archive = [
        pack(&mixed(), 100),
        frame.to_bytes().to_vec(),
        b"abc".to_vec(),
        pack(&text(150), 1000),
        pack(&[9; 70], 1000),
        pack(&mixed(), 64),
    ]
    .concat();
    (archive, [mixed(), text(150), vec![9; 70], mixed()].concat())
}

proptest! {
    #[test]
    fn ranges(a in 0usize..1200, b in 0usize..1200, threads in 1usize..4) {
        let (archive, content) = several();
        let (start, end) = (a.min(b), a.max(b));
        let out = range(&archive, start as u64, end as u64, threads);
        if end <= content.len() {
            prop_assert!(out.unwrap() == content[start..end]);
        } else {
            let refused = matches!(out, Err(Error::Range { .. }));
            prop_assert!(refused);
        }
    }

    #[test]
    fn what_is_recovered_is_right(at in prop::collection::vec((0usize..5000, any::<u8>()), 0..4), cut in 0usize..3000) {
        let content = mixed();
        let mut archive = pack(&content, 100);
        archive.truncate(archive.len().min(cut));
        for (i, b) in at {
            if !archive.is_empty() {
                let i = i % archive.len();
                archive[i] = b;
            }
        }
        // it always ends, and gives whole blocks of the content in order
        let (out, _) = recovered(&archive);
        let mut blocks = content.chunks(100);
        for got in out.chunks(100) {
            prop_assert!(blocks.any(|b| b == got));
        }
    }
}

#[test]
fn a_range_reads_only_its_blocks() {
    let mut archive = pack(&mixed(), 100);
    // damage in the payload of the second block
    let at = archive.windows(8).position(|w| *w == noise(8, 1)).unwrap();
    archive[at] ^= 1;
    assert_eq!(range(&archive, 0, 100, 1).unwrap(), text(100));
    assert_eq!(range(&archive, 200, 450, 1).unwrap(), mixed()[200..]);
    assert!(matches!(range(&archive, 50, 101, 1), Err(Error::Format(_))));
}

/// What `recover` writes, and its losses as (place, bytes).
fn recovered(archive: &[u8]) -> (Vec<u8>, Vec<(u64, Option<u64>)>) {
    let models = Models(vec![TOY]);
    let with = |threads| {
        let mut out = Vec::new();
        let options = DecompressOptions { threads, ..Default::default() };
        let r = recover(&mut Cursor::new(archive), &mut out, &models, &options, &NoProgress);
        let r = r.unwrap();
        assert_eq!(r.summary.raw, out.len() as u64);
        (out, r.losses)
    };
    let (out, losses) = with(1);
    assert_eq!(with(3), (out.clone(), losses.clone()), "threads");
    (out, losses.iter().map(|l| (l.at, l.content)).collect())
}

#[test]
fn nothing_is_lost_of_what_is_intact() {
    let (archive, content) = several();
    assert_eq!(recovered(&archive), (content, vec![]));
}

#[test]
fn what_needs_too_much_memory_is_lost() {
    let archive = pack(&mixed(), 100);
    let models = Models(vec![TOY]);
    let within = |limit| {
        let with = |threads| {
            let mut out = Vec::new();
            let input = &mut Cursor::new(&archive);
            let options =
                DecompressOptions { threads, memory_limit: Some(limit), content_limit: None };
            let r = recover(input, &mut out, &models, &options, &NoProgress).unwrap();
            (out, r.losses)
        };
        let one = with(1);
        assert_eq!(with(4), one);
        one
    };
    assert_eq!(within(1 << 26), (mixed(), vec![]));
    // coded blocks need the codec's memory, the others their own alone
    let (out, losses) = within(1 << 20);
    assert_eq!(out, mixed()[100..300].iter().chain(&[255; 50]).copied().collect::<Vec<_>>());
    assert_eq!(losses.iter().map(|l| l.content).collect::<Vec<_>>(), [Some(100), Some(100)]);
    let (out, losses) = within(199);
    assert!(out == [255; 50] && losses.len() == 4, "{losses:?}");
    assert!(losses.iter().all(|l| l.why.contains("--memlimit")), "{losses:?}");
}

#[test]
fn a_damaged_payload_costs_its_block() {
    let mut archive = pack(&mixed(), 100);
    let at = archive.windows(8).position(|w| *w == noise(8, 1)).unwrap();
    archive[at] ^= 1;
    let rest = [&mixed()[..100], &mixed()[200..]].concat();
    assert_eq!(recovered(&archive), (rest.clone(), vec![(100, Some(100))]));
    // lost or added bytes move what follows
    archive.drain(at..at + 30);
    assert_eq!(recovered(&archive), (rest.clone(), vec![(100, Some(100))]));
    archive.splice(at..at, noise(500, 9));
    assert_eq!(recovered(&archive), (rest, vec![(100, Some(100))]));
}

#[test]
fn a_damaged_block_header_costs_its_block() {
    let mut archive = pack(&mixed(), 100);
    let at = archive.windows(8).position(|w| *w == noise(8, 1)).unwrap() - BLOCK_HEADER_LEN;
    archive[at + 5] ^= 1;
    let rest = [&mixed()[..100], &mixed()[200..]].concat();
    // the index tells how much is missing, and so does the next block
    assert_eq!(recovered(&archive), (rest.clone(), vec![(100, Some(100))]));
    let cut = archive.len() - 20;
    assert_eq!(
        recovered(&archive[..cut]),
        (rest, vec![(100, Some(100)), (mixed().len() as u64 - 100, None)])
    );
}

#[test]
fn the_second_archive_without_a_header() {
    let (first, second) = (pack(&mixed(), 100), pack(&noise(250, 5), 100));
    let mut both = [first.clone(), second].concat();
    // its header is damaged, and so are the footers of both
    both[first.len() + 20] ^= 1;
    both[first.len() - 20] ^= 1;
    let cut = both.len() - 20;
    let (out, losses) = recovered(&both[..cut]);
    assert!(out == [mixed(), noise(250, 5)].concat());
    assert!(losses.iter().all(|(_, content)| content.is_none_or(|n| n == 0)), "{losses:?}");
}

#[test]
fn blocks_in_each_others_places() {
    let content = [noise(100, 1), noise(100, 2), noise(100, 3)].concat();
    let mut archive = pack(&content, 100);
    let block = BLOCK_HEADER_LEN + 100;
    let (a, b) = (HEADER_LEN, HEADER_LEN + block);
    let second = archive[b..b + block].to_vec();
    archive.copy_within(a..a + block, b);
    archive[a..a + block].copy_from_slice(&second);
    // each is whole and has the lengths that the index says
    for (from, to) in [(0, 10), (100, 110), (250, 260)] {
        match range(&archive, from, to, 1) {
            Err(Error::Format(FormatError::DamagedBlock { what, .. })) => {
                assert!(what.contains("belongs elsewhere"), "{what}");
            }
            other => panic!("{other:?}"),
        }
    }
    let (out, result) = unpack(&archive);
    assert!(result.is_err() && out.is_empty());
}

#[test]
fn a_truncated_archive_gives_its_first_blocks() {
    let archive = pack(&mixed(), 100);
    let (out, losses) = recovered(&archive[..archive.len() - 90]);
    assert!(out.len() >= 300 && mixed().starts_with(&out));
    assert_eq!(losses.len(), 1);
}

#[test]
fn other_files_give_nothing() {
    let (out, losses) = recovered(&noise(10_000, 4));
    assert!(out.is_empty());
    assert_eq!(losses, [(0, None)]);
}

/// An input that counts what is read of it.
struct Counted<'a>(Cursor<&'a [u8]>, u64);

impl Read for Counted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.0.read(buf)?;
        self.1 += n as u64;
        Ok(n)
    }
}

impl Seek for Counted<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn false_blocks_do_not_take_for_ever() {
    // each says that its payload is all that follows
    const BLOCKS: usize = 4000;
    let mut input = Vec::new();
    for i in 1..=BLOCKS {
        let rest = ((BLOCKS - i) * BLOCK_HEADER_LEN) as u32;
        let head = BlockHeader {
            kind: BlockKind::Stored,
            raw_len: rest.max(1),
            payload_len: rest.max(1),
            content_offset: 0,
            raw_crc: 1,
            payload_crc: 1,
        };
        input.extend(head.to_bytes());
    }
    let mut counted = Counted(Cursor::new(&input), 0);
    let models = Models(vec![TOY]);
    let r =
        recover(&mut counted, std::io::sink(), &models, &DecompressOptions::default(), &NoProgress)
            .unwrap();
    // each, and that it is of another place than behind the one before
    assert_eq!((r.summary.raw, r.losses.len()), (0, 2 * BLOCKS - 1));
    // some buffers for each, not the rest of the input (128 kB, half of it on average)
    assert!(counted.1 < BLOCKS as u64 * 16_000, "{} bytes of {}", counted.1, input.len());
}

#[test]
fn false_indexes_do_not_take_for_ever() {
    // each says that it is an index with very many entries, all that follows
    let mut input = Vec::new();
    for _ in 0..4000 {
        input.extend(b"\x8dI\0\0\x80\x10");
        input.extend([5, 5 << 3].repeat(20));
    }
    let mut counted = Counted(Cursor::new(&input), 0);
    let models = Models(vec![TOY]);
    let r =
        recover(&mut counted, std::io::sink(), &models, &DecompressOptions::default(), &NoProgress)
            .unwrap();
    assert_eq!(r.summary.raw, 0);
    // a buffer's worth for each place where something may begin, not the rest of the input
    assert!(counted.1 < 4000 * 2 * 4096, "{} bytes of {}", counted.1, input.len());
}

/// A block that nobody decodes: its content has the checksum of its payload.
fn block(kind: BlockKind, raw_len: u32, payload: &[u8], content_offset: u64) -> Vec<u8> {
    let (payload_len, crc) = (payload.len() as u32, crc32(payload));
    let head =
        BlockHeader { kind, raw_len, payload_len, content_offset, raw_crc: crc, payload_crc: crc };
    [&head.to_bytes()[..], payload].concat()
}

/// What an index says of a stored block.
fn stored(len: u32) -> IndexEntry {
    IndexEntry { kind: BlockKind::Stored, raw_len: len, payload_len: len, records: 0 }
}

#[test]
fn an_index_that_makes_something_else_of_the_input() {
    // an archive of stored blocks, and a frame that ends in an index by which the archive
    // goes on into the frame
    let archive = pack(&noise(90, 8), 50);
    let own = archive.len() - (HEADER_LEN + 2 * BLOCK_HEADER_LEN + 90);
    let passed = (own + SKIPPABLE_HEADER_LEN - BLOCK_HEADER_LEN) as u32;
    let mut footer = Footer::default();
    for len in [50, 40, passed, 6] {
        footer.add(&stored(len));
    }
    let hidden = block(BlockKind::Stored, 6, b"hidden", u64::from(90 + passed));
    let content = [hidden, footer.to_bytes().unwrap()].concat();
    let frame = Skippable { kind: 1 << 31, len: content.len() as u64, crc: crc32(&content) };
    let input = [&archive[..], &frame.to_bytes(), &content].concat();
    let by_index = scan_by_index(&mut Cursor::new(&input)).unwrap();
    assert_eq!((by_index.len(), by_index[0].content()), (1, u64::from(96 + passed)));

    assert_eq!(unpack(&input).0, noise(90, 8));
    let members = scan(&mut Cursor::new(&input)).unwrap();
    assert_eq!(members.iter().map(Member::content).sum::<u64>(), 90);
    assert_eq!(range(&input, 0, 90, 1).unwrap(), noise(90, 8));
    assert!(matches!(range(&input, 90, 91, 1), Err(Error::Range { content: 90, .. })));
    let (out, losses) = recovered(&input);
    assert!(out == noise(90, 8) && losses.is_empty());
}

#[test]
fn an_index_that_lies() {
    // two blocks for one another's length; the number of a split block's records
    let payload = [&[2, 0, 0, 0][..], b"nobody decodes this"].concat();
    let blocks = [
        block(BlockKind::Stored, 4, b"four", 0),
        block(BlockKind::Split, 30, &payload, 4),
        block(BlockKind::Stored, 5, b"fives", 34),
    ]
    .concat();
    let header = Header { profile: 1, block_size: 100, content_size: None, model: TOY.id };
    let whole = |lens: [u32; 2], records| {
        let payload_len = payload.len() as u32;
        let mut footer = Footer::default();
        footer.add(&stored(lens[0]));
        footer.add(&IndexEntry { kind: BlockKind::Split, raw_len: 30, payload_len, records });
        footer.add(&stored(lens[1]));
        [&header.to_bytes()[..], &blocks, &footer.to_bytes().unwrap()].concat()
    };
    for behind in [vec![], pack(b"x", 100)] {
        for (lens, records, good) in [([4, 5], 2, true), ([5, 4], 2, false), ([4, 5], 3, false)] {
            let input = [whole(lens, records), behind.clone()].concat();
            let scanned = scan(&mut Cursor::new(&input));
            assert_eq!(scanned.is_ok(), good, "{lens:?} {records}");
            assert_eq!(collect(&input[..], |_, _| {}).is_ok(), good);
            assert_eq!(range(&input, 0, 4, 1).is_ok(), good);
        }
    }
}

#[test]
fn a_damaged_header_of_a_block_where_the_index_is_whole() {
    // the content is an archive, stored: its blocks are not taken for blocks of this one
    let inner = pack(&noise(250, 5), 50);
    let mut archive = pack(&inner, 150);
    archive[HEADER_LEN + 9] ^= 1;
    assert!(range(&archive, 200, 210, 1).is_err());
    let (out, losses) = recovered(&archive);
    assert_eq!(out, inner[150..]);
    assert_eq!(losses, [(0, Some(150))]);
}

#[test]
fn the_index_at_the_end_is_read_once() {
    // blocks of a byte, with an index of 80 kB, behind many small archives
    let last = pack(&noise(40_000, 6), 1);
    let first = pack(&noise(8, 7), 4);
    let joined = [first.repeat(1000), last.clone()].concat();
    let read = |input: &[u8]| {
        let mut counted = Counted(Cursor::new(input), 0);
        let members = scan_by_index(&mut counted).unwrap();
        let of_index = counted.1;
        let content: u64 = members.iter().map(Member::content).sum();
        // from block to block no more than is there, in buffers
        assert_eq!(scan(&mut counted).unwrap().len(), members.len());
        let walked = counted.1 - of_index;
        assert!(walked < input.len() as u64 + members.len() as u64 * 4 * 4096, "{walked}");
        (content, of_index)
    };
    let ((content, of_first), (rest, of_last)) = (read(&first), read(&last));
    let (all, of_joined) = read(&joined);
    assert_eq!(all, 1000 * content + rest);
    // some buffers for each of the small ones
    let most = of_last + 1000 * (of_first + 8 * 4096);
    assert!(of_joined < most, "{of_joined} bytes, not {most}");
}

#[test]
fn what_later_programs_need_is_no_content() {
    let inner = pack(&noise(50, 1), 100);
    let frame = Skippable { kind: 5, len: inner.len() as u64, crc: crc32(&inner) };
    let after = pack(&noise(60, 2), 100);
    let tail = [&frame.to_bytes()[..], &inner, &after].concat();
    let good = [pack(&noise(70, 3), 100), tail.clone()].concat();
    let models = Models(vec![TOY]);
    let mut out = Vec::new();
    let refused = recover(
        &mut Cursor::new(&good),
        &mut out,
        &models,
        &DecompressOptions::default(),
        &NoProgress,
    );
    assert!(matches!(refused, Err(Error::Format(FormatError::UnknownFeature { .. }))));
    // with damage before it, what can be had, without what lies in the frame
    let damaged = [&noise(30, 4)[..], &tail].concat();
    let (out, losses) = recovered(&damaged);
    assert_eq!(out, noise(60, 2));
    assert_eq!(losses, [(0, None), (0, Some(0))]);
}

#[test]
fn a_block_that_comes_twice_is_told() {
    let content = [noise(100, 1), noise(100, 2)].concat();
    let mut archive = pack(&content, 100);
    let block = archive[HEADER_LEN..HEADER_LEN + BLOCK_HEADER_LEN + 100].to_vec();
    archive.splice(HEADER_LEN..HEADER_LEN, block);
    let (out, losses) = recovered(&archive);
    assert!(out.starts_with(&content[..100]) && out.ends_with(&content));
    assert!(!losses.is_empty());
}
