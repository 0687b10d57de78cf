use std::sync::Mutex;

use super::*;
use crate::stream::aside::TURN;
use crate::stream::coding::Level;
use crate::stream::cut::is_mostly_code;
use crate::stream::effort::{Effort, Sparing};
use crate::stream::network::Network;
use crate::stream::row::{ByteRow, Row};
use crate::stream::signal::find::find;
use crate::stream::testing::{Random, code, programs};
use crate::stream::x86::{self, Addresses};

const SIXTEEN: &str = "o1 o2 o3 o4 o6 word pair s2 s34 row rows column shape follow skip cell";

/// The definition itself, one bit after the other; but for one logit, if any, so many from the end
/// of a window.
struct Reference<'m>(&'m Network, Option<usize>);

impl<const C: usize> Bulk<C> for Reference<'_> {
    fn logits(
        &mut self,
        bytes: &[ByteRow<C>],
        rows: &[Row<C>],
        logits: &mut [i16],
    ) -> Result<(), CodecError> {
        let rows = rows.as_chunks::<8>().0.iter();
        for (byte, (rows, of_byte)) in bytes.iter().zip(rows.zip(logits.as_chunks_mut::<8>().0)) {
            *of_byte = self.0.logits(byte, rows);
        }
        if let Some(at) = self.1.and_then(|from_end| logits.len().checked_sub(from_end)) {
            logits[at] ^= 1;
        }
        Ok(())
    }
}

fn check(model: &StreamModel, raw: &[u8], level: Level) {
    check_input(model, raw, &Input::alone(model, raw, level));
}

fn check_input(model: &StreamModel, raw: &[u8], input: &Input) {
    let network = &model.part(input.coding).network;
    let reference = || Mutex::new(Box::new(Reference(network, None)) as Box<dyn AnyBulk>);
    let bulk = |isa, bulk: &Mutex<Box<dyn AnyBulk + '_>>, window, threads| {
        encode_bulk(isa, model, bulk, window, input, threads, &|_| {}).unwrap()
    };
    let want = bulk(Isa::SCALAR, &reference(), 512, 1);
    let windows = bulk(Isa::SCALAR, &reference(), 1, 1);
    assert_eq!(windows.payload, want.payload, "window size");
    #[cfg(feature = "torch")]
    for (window, threads) in [(1, 1), (16, 3), (2048, 1), (2048, 4)] {
        use crate::engine::{stream_torch::TorchNetwork, torch::TorchDevice};
        let torch = TorchNetwork::new(TorchDevice::open("cpu").unwrap(), network).unwrap();
        let got = bulk(Isa::SCALAR, &Mutex::new(Box::new(torch)), window, threads);
        assert_eq!(got.payload, want.payload, "torch, windows of {window}, {threads} threads");
    }
    for isa in Isa::available() {
        let got = bulk(isa, &reference(), 128, 2);
        assert_eq!(got.payload, want.payload, "{isa}, bulk");
        let got = encode(isa, model, input, 1, &|_| {}).unwrap();
        assert_eq!(got.payload, want.payload, "{isa}");
        assert_eq!(alone(isa, model, input), want.payload, "{isa}, byte by byte");
        assert_eq!(decoded(isa, model, &want.payload, raw.len()).unwrap(), raw);
    }
    let coded = (want.payload.len() - input.beginning().len()) as f64;
    assert!(coded <= want.ideal_bits / 8.0 * 1.0001 + 8.0);
}

/// Codes byte by byte.
fn alone(isa: Isa, model: &StreamModel, input: &Input) -> Vec<u8> {
    with_contexts!(model.part(input.coding).contexts.len(), C => {
        encode_alone::<C>(isa, model, input, &|_| {}).unwrap().payload
    })
}

/// Codes at the default level, with so many threads.
fn coded_by(isa: Isa, model: &StreamModel, raw: &[u8], threads: usize) -> Encoded {
    encode(isa, model, &Input::alone(model, raw, Level::Default), threads, &|_| {}).unwrap()
}

/// Decodes with one thread, and with two, where the language model goes from one to the other at
/// its own pace or after so many bytes: all must come to the same.
fn decoded(isa: Isa, model: &StreamModel, payload: &[u8], raw_len: usize) -> Decode {
    let by = |threads| decode(isa, model, payload, raw_len, threads, &|_| {});
    let one = by(1);
    for turn in [None, Some(3)] {
        TURN.set(turn);
        let two = by(2);
        let same = match (&one, &two) {
            (Ok(one), Ok(two)) => one == two,
            (Err(one), Err(two)) => one.to_string() == two.to_string(),
            _ => false,
        };
        assert!(same, "{isa}, {raw_len} bytes, {turn:?}");
    }
    TURN.set(None);
    one
}

/// A picture of 16-bit colours and a sound of two channels, between other bytes.
fn picture() -> Vec<u8> {
    let mut random = Random(4);
    let mut block = b"first P6 30 20 999\n".to_vec();
    for i in 0..30 * 20 * 3 {
        block.extend((i as u16 + random.below(9) as u16).to_be_bytes());
    }
    block.extend(b"RIFF....WAVEfmt \x10\0\0\0\x01\0\x02\0....");
    block.extend(b"....\x04\0\x10\0data\x60\x09\0\0");
    for i in 0..1200i16 {
        block.extend((i % 20 * 100 - 900 + random.below(30) as i16).to_le_bytes());
    }
    block.extend(b" and the end");
    block
}

/// Two bilevel pictures among text.
fn strokes() -> Vec<u8> {
    let mut random = Random(8);
    let mut block = b"some words first\nP4 # a comment\n253 50\n".to_vec();
    for len in [50 * 32, 40 * 33] {
        block.extend((0..len).map(|i| {
            let column = i * 8 % 264 / 11 + i / 99;
            if column % 3 == 0 { 0xf0 >> random.below(3) } else { 0 }
        }));
        block.extend(b"P4\n264\n40\n");
    }
    block
}

#[test]
fn every_engine_writes_the_same_payload() {
    let raw = Random(7).bytes(5000);
    let mut warm = Random(7).model(SIXTEEN);
    warm.text = Random(8).bytes(1500);
    for level in Level::ALL {
        check(&warm, &raw, level);
        check(&warm, &code(400), level);
        check(&warm, &programs(150), level);
        for (content, block) in [(Content::Signal, picture()), (Content::Bilevel, strokes())] {
            let found = (content, find(&block, None).within(block.len()));
            check_input(&warm, &block, &Input::of_samples(&warm, &block, &found, level));
        }
    }
    check(&Random(7).model(SIXTEEN), &raw, Level::Default);
    check(&Random(7).model(SIXTEEN).with_language(None), &raw, Level::Default);
}

#[test]
fn an_engine_that_is_wrong_at_the_end_of_a_window_is_found_out() {
    let model = Random(7).model(SIXTEEN);
    let raw = Random(7).bytes(700);
    let input = &Input::alone(&model, &raw, Level::Default);
    let network = &model.part(input.coding).network;
    for (window, threads) in [(1, 1), (256, 3), (2048, 1)] {
        for (at, is_wrong) in [(Some(1), true), (Some(8), true), (None, false)] {
            let engine = Mutex::new(Box::new(Reference(network, at)) as Box<dyn AnyBulk>);
            let isa = Isa::best();
            let done = encode_bulk(isa, &model, &engine, window, input, threads, &|_| {});
            assert_eq!(done.is_err(), is_wrong, "{window}, {at:?}");
        }
    }
}

/// No window crosses the end of the model's text or of a segment.
#[cfg(feature = "torch")]
#[test]
fn a_bulk_engine_goes_through_several_segments() {
    use crate::engine::{stream_torch::TorchNetwork, torch::TorchDevice};
    let mut model = Random(7).model(SIXTEEN);
    model.text = Random(8).bytes(1500);
    let raw = Random(7).bytes(SEGMENT + 3000);
    let input = &Input::alone(&model, &raw, Level::Fast);
    let torch = TorchNetwork::new(TorchDevice::cpu(), &model.part(input.coding).network).unwrap();
    let torch = Mutex::new(Box::new(torch) as Box<dyn AnyBulk>);
    let told = std::cell::Cell::new(0);
    let progress = |n| told.set(told.get() + n);
    let isa = Isa::best();
    let got = encode_bulk(isa, &model, &torch, WINDOW, input, 4, &progress).unwrap();
    assert_eq!(told.get(), raw.len() as u64);
    assert!(got.payload == encode(isa, &model, input, 2, &|_| {}).unwrap().payload);
}

#[test]
fn short_blocks_and_damage() {
    let mut random = Random(3);
    let model = random.model(SIXTEEN);
    for len in [0, 1, 2, 3, 17] {
        let raw = random.bytes(len);
        let coded = coded_by(Isa::best(), &model, &raw, 1).payload;
        assert_eq!(decoded(Isa::best(), &model, &coded, len).unwrap(), raw);
    }
    let raw = random.bytes(300);
    let coded = coded_by(Isa::best(), &model, &raw, 1).payload;
    for cut in 0..coded.len() {
        let _ = decoded(Isa::best(), &model, &coded[..cut], 300);
    }
    assert!(decoded(Isa::best(), &model, &[], 5).is_err());
    assert!(decoded(Isa::best(), &model, &[6, 2], 5).is_err());
    let own = model.default.plain.clone();
    let alone = StreamModel::new(own).unwrap();
    for flags in [2, 4] {
        let coded = [flags, 2];
        assert!(decoded(Isa::best(), &alone, &coded, 5).is_err(), "it has one level");
    }
}

/// Several threads code the same payload as one, tell of every byte, and it decodes.
fn check_threads(model: &StreamModel, raw: &[u8], input: &Input, threads: &[usize]) {
    let want = alone(Isa::best(), model, input);
    for &threads in [1].iter().chain(threads) {
        let done = std::cell::Cell::new(0);
        let count = |n| done.set(done.get() + n);
        let got = encode(Isa::best(), model, input, threads, &count).unwrap().payload;
        assert!(got == want, "{:?}, {} bytes, {threads} threads", input.coding(), raw.len());
        assert_eq!(done.get(), raw.len() as u64);
    }
    assert!(decoded(Isa::best(), model, &want, raw.len()).unwrap() == raw);
}

#[test]
fn several_threads_write_the_same() {
    let mut random = Random(11);
    for (text, recurrent_to) in [(0, 0), (0, u64::MAX), (5000, u64::MAX)] {
        let mut model = random.model(SIXTEEN);
        model.text = random.bytes(text);
        for parts in [Some(&mut model.default), model.best.as_mut(), model.fast.as_mut()] {
            parts.unwrap().plain.recurrent_to = recurrent_to;
        }
        for (level, more) in Level::ALL.into_iter().zip([300, 0, 129]) {
            let raw = random.bytes(16 * SHARED + more);
            let input = Input::alone(&model, &raw, level);
            check_threads(&model, &raw, &input, &[2, 3, 4]);
        }
    }
}

#[test]
fn several_threads_and_any_content() {
    let mut model = Random(11).model(SIXTEEN);
    model.default.x86.as_mut().unwrap().recurrent_to = u64::MAX;
    let (words, code) = (Random(12).bytes(16 * SHARED + 1), code(400).repeat(4));
    for level in Level::ALL {
        for (code, addresses) in [(&code, Addresses::Near), (&programs(600), Addresses::Rip)] {
            let input = Input::alone(&model, code, level);
            assert_eq!(input.coding(), Coding { level, content: Content::X86, addresses });
            check_threads(&model, code, &input, &[2, 3]);
        }
    }
    let samples = [(Content::Signal, picture().repeat(3)), (Content::Bilevel, strokes().repeat(6))];
    for (content, raw) in samples {
        assert!(raw.len() >= SHARED);
        let input = (content, find(&raw, None).within(raw.len()));
        let input = Input::of_samples(&model, &raw, &input, Level::Default);
        check_threads(&model, &raw, &input, &[2]);
    }
    let mute = model.clone().with_language(None);
    check_threads(&mute, &words, &Input::alone(&mute, &words, Level::Default), &[2]);
    // silent throughout
    let sparing = model.default.plain.sparing.as_mut().unwrap();
    sparing.effort.no_language = 0;
    check_threads(&model, &words, &Input::alone(&model, &words, Level::Default), &[2]);
    // a segment that ends before the last byte
    let raw = Random(13).bytes(1000).repeat(SEGMENT / 1000 + 1);
    let raw = &raw[..SEGMENT + 1];
    check_threads(&model, raw, &Input::alone(&model, raw, Level::Fast), &[2]);
}

/// The language model has a thread of its own, and says nothing where a match is long.
#[test]
fn a_recurrent_layer_that_is_silent_now_and_then() {
    let mut model = Random(11).model(SIXTEEN);
    model.text = Random(12).bytes(100);
    let mut random = Random(13);
    let mut raw = random.bytes(2000);
    for len in (0..40).chain([200, 1]) {
        let start = random.below(1500) as usize;
        raw.extend_from_within(start..start + len);
        raw.extend(random.bytes(len % 3));
    }
    for level in [Level::Default, Level::Best] {
        for no_language in [1, 8, 32, u32::MAX] {
            let parts = if level == Level::Best { model.best.as_mut() } else { None };
            let part = &mut parts.unwrap_or(&mut model.default).plain;
            part.recurrent_to = u64::MAX;
            let effort = Effort { no_language, ..Effort::FULL };
            part.sparing = Some(Sparing { from: 0, effort });
            for isa in Isa::available() {
                let input = Input::alone(&model, &raw, level);
                let coded = alone(isa, &model, &input);
                assert!(encode(isa, &model, &input, 1, &|_| {}).unwrap().payload == coded);
                let back = decoded(isa, &model, &coded, raw.len()).unwrap();
                assert!(back == raw, "{isa} {level:?} {no_language}");
            }
        }
    }
}

#[test]
fn damage_with_a_second_thread() {
    let mut model = Random(11).model(SIXTEEN);
    model.default.plain.recurrent_to = u64::MAX;
    let raw = Random(12).bytes(2 * SHARED);
    let coded = coded_by(Isa::best(), &model, &raw, 1).payload;
    let mut failed = 0;
    for n in 0..8 {
        let at = n * coded.len() / 8;
        let mut damaged = coded.clone();
        damaged[at] ^= 4;
        for payload in [&damaged[..], &coded[..at]] {
            failed += u32::from(decoded(Isa::best(), &model, payload, raw.len()).is_err());
        }
    }
    assert!(failed >= 8, "{failed}");
}

#[test]
fn a_panic_of_one_thread_ends_all() {
    let fails = |_| panic!("a progress bar that fails");
    let panics = |work: &dyn Fn() -> bool| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err()
    };
    let mut model = Random(11).model(SIXTEEN);
    let raw = Random(12).bytes(8 * REPORT);
    let input = Input::alone(&model, &raw, Level::Fast);
    assert!(panics(&|| encode(Isa::best(), &model, &input, 2, &fails).is_ok()));
    model.default.plain.recurrent_to = u64::MAX;
    let raw = &raw[..REPORT];
    let coded = coded_by(Isa::best(), &model, raw, 1).payload;
    assert!(panics(&|| decode(Isa::best(), &model, &coded, raw.len(), 2, &fails).is_ok()));
}

#[test]
fn code_has_a_part_of_its_own() {
    let raw = code(400);
    let mut model = Random(3).model(SIXTEEN);
    model.text = b"mov eax".to_vec();
    let coded = coded_by(Isa::best(), &model, &raw, 1).payload;
    assert_eq!(coded[0], Coding::of(Content::X86).flags());
    assert_eq!(decoded(Isa::best(), &model, &coded, raw.len()).unwrap(), raw);
    // the addresses of version 0.1, which are no longer written
    let addresses = Addresses::Scanned;
    let mut bytes = [&model.text, &raw[..]].concat();
    addresses.forward(&mut bytes[model.text.len()..]);
    let input = Input::alone(&model, &raw, Level::Default);
    let coding = Coding { addresses, ..input.coding() };
    let input = Input { bytes: bytes.into(), coding, ..input };
    let scanned = encode(Isa::best(), &model, &input, 1, &|_| {}).unwrap().payload;
    assert_eq!((scanned[0], coded[0]), (1, 1 | 32));
    assert_eq!(decoded(Isa::best(), &model, &scanned, raw.len()).unwrap(), raw);
    for flags in [1 | 96, 32, 64, 128, 128 | 1, 32 | 8, 32 | 6 | 1] {
        let other = [&[flags], &coded[1..]].concat();
        let unknown = decoded(Isa::best(), &model, &other, raw.len());
        assert!(matches!(unknown, Err(CodecError::Unknown(_))), "{flags}");
    }
    let plain = model.with_part(Content::X86, None).unwrap();
    let other = coded_by(Isa::best(), &plain, &raw, 1).payload;
    assert_ne!(other, coded);
    assert_eq!(decoded(Isa::best(), &plain, &other, raw.len()).unwrap(), raw);
}

/// Every call is within what another instruction ends with: there is nothing to change back.
#[test]
fn code_without_addresses_is_no_code() {
    let mut raw = Vec::new();
    for n in 0..3000u32 {
        raw.extend([5, 0xe8]);
        let target = 0x8000 + 0x100 * (n * n % 5);
        raw.extend(&target.wrapping_sub(raw.len() as u32).to_le_bytes()[..3]);
        raw.extend([0, 0xc0, 0x8b, 0xc0]);
    }
    assert!(x86::is_likely(&raw) && is_mostly_code(&raw));
    let model = Random(3).model(SIXTEEN);
    assert_eq!(Input::alone(&model, &raw, Level::Default).coding().content, Content::Plain);
    check(&model, &raw, Level::Default);
}

#[test]
fn samples_have_parts_of_their_own() {
    let widths = |raw: &[u8]| {
        find(raw, None).within(raw.len()).iter().map(|r| r.layout.width).collect::<Vec<_>>()
    };
    assert_eq!((widths(&picture()), widths(&strokes())), (vec![2, 2], vec![1, 1]));
    own_part(Content::Signal, &picture());
    own_part(Content::Bilevel, &strokes());
}

fn own_part(content: Content, raw: &[u8]) {
    let found = (content, find(raw, None).within(raw.len()));
    let mut model = Random(3).model(SIXTEEN);
    model.text = b"a text".to_vec();
    let coded = |model: &StreamModel| {
        let input = Input::of_samples(model, raw, &found, Level::Default);
        encode(Isa::best(), model, &input, 1, &|_| {}).unwrap().payload
    };
    let own = coded(&model);
    assert_eq!(own[0], Coding::of(content).flags());
    assert_eq!(decoded(Isa::best(), &model, &own, raw.len()).unwrap(), raw);
    let plain = model.with_part(content, None).unwrap();
    let other = coded(&plain);
    assert_ne!(other, own);
    assert_eq!(decoded(Isa::best(), &plain, &other, raw.len()).unwrap(), raw);
    for cut in 0..own.len().min(60) {
        let _ = decoded(Isa::best(), &plain, &own[..cut], raw.len());
    }
    assert!(decoded(Isa::best(), &plain, &own, raw.len() / 2).is_err());
    // a list of the other kind
    let mut other = own.clone();
    other[0] ^= Coding::of(Content::Signal).flags() ^ Coding::of(Content::Bilevel).flags();
    assert!(decoded(Isa::best(), &plain, &other, raw.len()).is_err());
}

#[test]
fn contexts_of_code_are_for_code() {
    let model = Random(3).model(SIXTEEN);
    let x86 = model.default.x86.clone().unwrap();
    assert!(StreamModel::new(x86.clone()).is_err());
    let signal = model.default.signal.clone().unwrap();
    assert!(StreamModel::new(signal.clone()).is_err());
    let bilevel = model.default.bilevel.clone().unwrap();
    assert!(StreamModel::new(bilevel.clone()).is_err());
    let plain = StreamModel::new(model.default.plain.clone()).unwrap();
    assert!(plain.clone().with_part(Content::X86, Some(signal.clone())).is_err());
    assert!(plain.clone().with_part(Content::Signal, Some(bilevel.clone())).is_err());
    assert!(plain.clone().with_part(Content::Signal, Some(signal)).is_ok());
    assert!(plain.with_part(Content::Bilevel, Some(bilevel)).is_ok());
    assert!(
        StreamModel::new(model.default.plain).unwrap().with_part(Content::X86, Some(x86)).is_ok()
    );
}

#[test]
fn a_model_file_gives_the_model_back() {
    let mut model = Random(5).model(SIXTEEN);
    model.text = b"a text".to_vec();
    model.default.plain.weights.last[1][3] = 77;
    let file = model.to_file();
    let again = crate::made::file::ModelFile::from_bytes(&file.to_bytes()).unwrap();
    let read = StreamModel::from_file(&again).unwrap();
    let parts = |model: &StreamModel| {
        let codings = Level::ALL
            .into_iter()
            .flat_map(|level| Content::ALL.map(|content| Coding::at(level, content)));
        let part = |coding| {
            let part = model.part(coding);
            (part.names.clone(), part.network.clone(), part.maps.clone(), part.weights.clone())
        };
        codings.map(part).collect::<Vec<_>>()
    };
    assert!(parts(&read) == parts(&model));
    assert_eq!(read.language(), model.language());
    assert_eq!(read.text, model.text);
    assert_eq!(file.id(), again.id());
}
