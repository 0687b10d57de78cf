//! Coded blocks under models of every kind.

use std::path::Path;

use madezip::archive::{CompressOptions, NoProgress, compress};
use madezip::catalog::SHIPPED;
use madezip::codec::BlockCodec;
use madezip::made::file::{ModelFile, Tensor};
use madezip::made::packed;
use madezip::records::RecordsCodec;
use madezip::stream::coding::Level;

use crate::toy::{Models, noise};
use crate::{Given, bound, common, first, second};

/// More columns of small weights, all of them different, for a tensor of 16 bits.
fn widen(file: &mut ModelFile, name: &str, more: usize) {
    let shape = file.tensors[name].shape().to_vec();
    let values = file.values::<i16>(name, &shape).unwrap();
    let (rows, columns) = (shape[0], shape[1]);
    let new: Vec<i16> =
        (0..more as i16).map(|i| (3 * i + 2) * if i % 2 == 0 { 1 } else { -1 }).collect();
    let row = |row: &[i16]| [row, &new].concat();
    let values: Vec<i16> = values.chunks_exact(columns).flat_map(row).collect();
    file.tensors.insert(name.into(), Tensor::from_values(&[rows, columns + more], &values));
}

/// The shipped stream model; one like it that leaves something out in every block; one whose
/// language model has a recurrent layer in short ones besides; and one that has read a text.
pub fn streams() -> [ModelFile; 4] {
    let shipped = ModelFile::from_bytes(SHIPPED[0].bytes).unwrap();
    let mut sparing = shipped.clone();
    for part in
        ["", "x86.", "signal.", "bilevel.", "fast.", "fast.x86.", "fast.signal.", "fast.bilevel."]
    {
        let language = if part.contains("x86") { "0" } else { "16" };
        for (what, value) in
            [("from", "0"), ("language", language), ("direct", "32"), ("sure", "1000")]
        {
            sparing.metadata.insert(format!("{part}sparing_{what}"), value.into());
        }
    }
    let mut recurrent = sparing.clone();
    common::random_recurrent(128, [21, 13], 5).to_file(&mut recurrent);
    for (what, value) in [
        ("recurrent_to", "600"),
        ("best.recurrent_to", "4294967295"),
        ("best.sparing_from", "600"),
        ("best.sparing_language", "32"),
    ] {
        recurrent.metadata.insert(what.into(), value.into());
    }
    widen(&mut recurrent, "costs.weight", 9);
    let mut adapted = recurrent.clone();
    let text = [&common::x86_code(3)[..], b"a row of 7,25 bits; masks\r\n"].concat();
    adapted.tensors.insert("text".into(), Tensor::from_values(&[text.len()], &text));
    // the block alone is too short to leave something out, both are too long for the layer
    for (what, value) in
        [("sparing_from", "500"), ("x86.sparing_from", "60"), ("recurrent_to", "400")]
    {
        adapted.metadata.insert(what.into(), value.into());
    }
    [shipped, sparing, recurrent, adapted]
}

/// An archive whose model travels with it.
pub fn with_model(
    file: &ModelFile,
    codec: &dyn BlockCodec,
    raw: &[u8],
    block_size: u32,
) -> Vec<u8> {
    let mut archive = Vec::new();
    let model = Some(packed::pack(&file.to_bytes()).unwrap().into());
    let options = CompressOptions { block_size: Some(block_size), model, ..Default::default() };
    compress(raw, &mut archive, codec, &options, &NoProgress).unwrap();
    archive
}

/// Coded blocks under models of every kind.
fn coded() -> Vec<Vec<u8>> {
    let words = b"masks and degrees; Degrees,\tmasks = 0x1f\n(a row) of 7,25 bits\r\n".repeat(5);
    // rows of eight bytes
    let table: Vec<u8> = (0..40u8).flat_map(|i| [i, 0, 7, i & 3, 0, 255, i * 3, 10]).collect();
    let [stream, sparing, recurrent, adapted] = streams().map(|model| bound(&model));
    let pack_with = |stream: &dyn BlockCodec, raw: &[u8], block_size, level| {
        let mut archive = Vec::new();
        let options = CompressOptions { block_size: Some(block_size), level, ..Default::default() };
        compress(raw, &mut archive, stream, &options, &NoProgress).unwrap();
        archive
    };
    let pack = |raw: &[u8], block_size, level| pack_with(&*stream, raw, block_size, level);
    let spared = [&words[..], &[b'x'; 90], &table].concat();
    let mut archives = vec![
        pack(&words, 1 << 20, Level::Default),
        pack(&words, 1 << 20, Level::Best),
        pack(&common::x86_code(60), 1 << 20, Level::Default),
        pack(&common::x86_code(60), 1 << 20, Level::Best),
        pack(&common::x86_programs(40), 1 << 20, Level::Default),
        pack(&spared, 1 << 20, Level::Fast),
        pack(&common::x86_code(60), 1 << 20, Level::Fast),
        pack(&common::signals(20), 1 << 20, Level::Default),
        pack(&common::signals(20), 1 << 20, Level::Best),
        pack(&common::signals(20), 1 << 20, Level::Fast),
        pack_with(&*sparing, &common::signals(20), 1 << 20, Level::Default),
        pack(&common::strokes(150), 1 << 20, Level::Default),
        pack(&common::strokes(150), 1 << 20, Level::Fast),
        pack_with(&*sparing, &common::strokes(150), 1 << 20, Level::Default),
        pack_with(&*sparing, &spared, 1 << 20, Level::Fast),
        pack_with(&*sparing, &spared, 1 << 20, Level::Default),
        pack_with(&*sparing, &common::x86_code(60), 1 << 20, Level::Default),
        pack_with(&*recurrent, &words, 1 << 20, Level::Default),
        pack_with(&*recurrent, &words, 1 << 20, Level::Best),
        pack_with(&*recurrent, &spared, 1 << 20, Level::Default),
        pack_with(&*recurrent, &spared, 1 << 20, Level::Best),
        pack_with(&*adapted, &words, 1 << 20, Level::Default),
        pack_with(&*adapted, &words[..250], 1 << 20, Level::Default),
        pack_with(&*adapted, &common::x86_code(60), 1 << 20, Level::Default),
        pack_with(&*adapted, &common::x86_programs(25), 1 << 20, Level::Default),
        pack_with(&*adapted, &common::signals(20), 1 << 20, Level::Default),
        pack_with(&*adapted, &common::strokes(150), 1 << 20, Level::Default),
        pack(&[&table[..], &[0; 200], &noise(200, 4), &words[..90]].concat(), 250, Level::Default),
    ];
    let models = [
        common::random_made(20, &[30, 12], 2, 80, 7),
        common::random_made(13, &[9], 1, 60, 3),
        common::random_made(16, &[], 1, 60, 2),
        common::random_mixture(20, &[15], (3, 2), 80, 8),
        common::random_mixture(13, &[9, 7], (4, 1), 60, 4),
        common::random_window(6, 9, 3, &[10, 6], 5),
        common::random_window(4, 7, 2, &[5], 3),
    ];
    for model in models {
        let file = model.to_file();
        let codec = RecordsCodec::new(&model, file.id(), 0);
        let rows = codec.sample(300, 3);
        archives.push(with_model(&file, &codec, &rows, 1 << 20));
        // a head and a tail, several blocks, and padding that is not all zero
        let mut odd = [b"head", &rows[..rows.len() - 1]].concat();
        odd[4 + codec.layout().row_bytes() - 1] |= 1;
        let codec = RecordsCodec::new(&model, file.id(), 4);
        archives.push(with_model(&file, &codec, &odd, 300));
    }
    archives
}

#[test]
fn coded_blocks_are_the_same_there() {
    let mut inputs = coded();
    let whole = inputs.len();
    // the content's checksum is what finds another payload
    for i in 0..whole {
        let mut bad = inputs[i].clone();
        let at = bad.len() * 2 / 3;
        bad[at] ^= 4;
        inputs.push(bad);
    }
    let models = streams();
    let given = Given::new(&models);
    let Some(said) = second(&inputs, &models) else { return };
    for (i, (input, said)) in inputs.iter().zip(&said).enumerate() {
        if i < whole {
            assert_eq!(*said, first(input, &given), "input {i}");
            assert!(said.starts_with("good"), "input {i}: {said}");
            // and without models there is nothing to be had: something in it is coded
            assert_eq!(first(input, &Models(Vec::new())), "unsupported", "input {i}");
        } else {
            // a flipped bit may also look like a later version
            assert!(!said.starts_with("good"), "input {i}: {said}");
        }
    }
}

/// What no encoder makes any more: x86 code as version 0.1 wrote it.
#[test]
fn golden_archives_of_code_are_the_same_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let (inputs, contents): (Vec<_>, Vec<_>) = common::manifest(&folder)
        .into_iter()
        .filter(|[name, ..]| name.starts_with("stream-x86"))
        .map(|[name, _, sha256, _]| {
            (std::fs::read(folder.join(name)).unwrap(), format!("good {sha256}"))
        })
        .unzip();
    assert_eq!(inputs.len(), 3);
    let shipped = ModelFile::from_bytes(SHIPPED[0].bytes).unwrap();
    let Some(said) = second(&inputs, &[shipped]) else { return };
    assert_eq!(said, contents);
}
