//! What is tried with arbitrary bytes. Each function panics if something is
//! wrong; errors are what hostile bytes should give.

use std::io::Cursor;
use std::sync::{Arc, OnceLock};

use madezip::archive::{
    self, CompressOptions, DecompressOptions, ModelSource, NoProgress, collect, compress,
    decompress, decompress_range, recover, scan,
};
use madezip::catalog::{CatalogError, SHIPPED};
use madezip::codec::{BlockCodec, EngineChoice, open};
use madezip::container::ModelKey;
use madezip::made::file::ModelFile;
use madezip::made::packed;
use madezip::records::input::Format;
use madezip::records::{RecordsCodec, RecordsModel, Table};
use madezip::stream::coding::Level;
use madezip::stream::model::StreamModel;
use madezip::stream::signal::regions::Regions;
use madezip::stream::signal::{filter, find};
use madezip::stream::start::slots::PrimedSlots;

#[path = "../../tests/common/mod.rs"]
mod common;
pub mod mutate;

/// Largest block that is tried: networks are slow under a fuzzer.
const MOST: usize = 3000;

/// The models of every kind.
fn files() -> &'static [ModelFile] {
    static FILES: OnceLock<Vec<ModelFile>> = OnceLock::new();
    FILES.get_or_init(|| {
        let shipped = SHIPPED.iter().map(|m| with_few_slots(m.bytes));
        let made = common::random_made(13, &[9, 5], 2, 60, 1).to_file();
        let fvsbn = common::random_made(20, &[], 1, 60, 2).to_file();
        let window = common::random_window(4, 7, 2, &[6, 4], 3).to_file();
        let mixture = common::random_mixture(11, &[8], (3, 2), 60, 4).to_file();
        shipped.chain([made, fvsbn, window, mixture]).collect()
    })
}

/// A shipped model with only its first primed slots and short tables of words (all of them are
/// slow to read), and a recurrent layer.
fn with_few_slots(bytes: &[u8]) -> ModelFile {
    let file = ModelFile::from_bytes(bytes).expect("shipped");
    let mut model = StreamModel::from_file(&file).expect("shipped");
    let slots = model.primed.as_slice()[..500].to_vec();
    let mut levels: Vec<u8> = slots.iter().flat_map(|s| s.histories).collect();
    levels.sort_unstable();
    levels.dedup();
    model.primed = PrimedSlots::new(slots, &levels);
    let mut language = model.language();
    for input in language.iter_mut().flat_map(|l| &mut l.inputs) {
        input.rows = input.rows.min(256);
        input.table.truncate(input.rows * input.width);
    }
    if let Some(language) = &mut language {
        let first = language.bias.len();
        language.recurrent = Some(common::random_recurrent(first, [16, 16], 1));
    }
    model.with_language(language).to_file()
}

fn codecs() -> &'static [Arc<dyn BlockCodec>] {
    static CODECS: OnceLock<Vec<Arc<dyn BlockCodec>>> = OnceLock::new();
    CODECS.get_or_init(|| files().iter().map(|f| native(f).expect("good models")).collect())
}

/// Bytes that the records model number `n` makes shorter.
fn codecs_rows(n: usize, len: usize) -> Vec<u8> {
    let model = RecordsModel::from_file(&files()[n]).expect("a records model");
    RecordsCodec::new(&model, [0; 32], 0).sample(len, 1)[..len].to_vec()
}

fn native(file: &ModelFile) -> Option<Arc<dyn BlockCodec>> {
    open(file, file.id(), EngineChoice::Native, "cpu").ok()
}

/// All of them, by id, and what a frame brings.
struct Models;

impl ModelSource for Models {
    fn codecs(&self, key: &ModelKey) -> Result<Vec<Arc<dyn BlockCodec>>, CatalogError> {
        let fits = |c: &&Arc<dyn BlockCodec>| key.matches(&c.model_id());
        let found: Vec<_> = codecs().iter().filter(fits).cloned().collect();
        if found.is_empty() {
            return Err(CatalogError::Missing { key: *key, looked: Vec::new() });
        }
        Ok(found)
    }

    fn embedded(
        &self,
        packed: &[u8],
        _: Option<&ModelKey>,
    ) -> Result<Option<Arc<dyn BlockCodec>>, CatalogError> {
        let file = packed::unpack(packed).ok().and_then(|b| ModelFile::from_bytes(&b).ok());
        Ok(file.and_then(|f| native(&f)))
    }

    fn any(&self) -> Vec<Arc<dyn BlockCodec>> {
        codecs().to_vec()
    }
}

fn options() -> DecompressOptions {
    DecompressOptions {
        threads: 1,
        memory_limit: Some(100 << 20),
        content_limit: Some(16 * MOST as u64),
    }
}

/// Any bytes as an archive; and, so that checksums do not stop everything, the
/// same bytes with its checksums made right.
pub fn container(data: &[u8]) {
    read(data);
    let mut repaired = data.to_vec();
    mutate::repair(&mut repaired);
    if repaired != data {
        read(&repaired);
    }
}

fn read(data: &[u8]) {
    let mut content = Vec::new();
    let result = decompress(data, &mut content, &Models, &options(), &NoProgress);
    let tested = archive::test(data, &Models, &options(), &NoProgress);
    assert_eq!(result.is_ok(), tested.is_ok());
    let scanned = scan(&mut Cursor::new(data));
    let collected = collect(data, |_, _| {});
    let mut saved = Vec::new();
    let recovered = recover(&mut Cursor::new(data), &mut saved, &Models, &options(), &NoProgress);
    if result.is_ok() {
        let members = scanned.expect("what can be read can be scanned");
        assert_eq!(format!("{members:?}"), format!("{:?}", collected.expect("the same")));
        assert_eq!(members.iter().map(archive::Member::content).sum::<u64>(), content.len() as u64);
        assert_eq!(saved, content);
        assert!(recovered.expect("nothing is lost").losses.is_empty());
        let end = content.len();
        let mut part = Vec::new();
        let range = (end / 3) as u64..end as u64;
        decompress_range(
            &mut Cursor::new(data),
            &mut part,
            range,
            &Models,
            &options(),
            &NoProgress,
        )
        .expect("a range of it");
        assert_eq!(part, content[end / 3..]);
    }
}

/// Any bytes as a model file, and good models with some of their bytes changed.
pub fn model_file(data: &[u8]) {
    if let Ok(file) = ModelFile::from_bytes(data) {
        let again = ModelFile::from_bytes(&file.to_bytes()).expect("its own bytes");
        assert_eq!(again.id(), file.id());
        use_model(&file);
    }
    if let [which, rest @ ..] = data {
        let mut file = files()[usize::from(*which) % files().len()].clone();
        mutate::model(&mut file, rest);
        use_model(&file);
    }
}

/// What a model that is accepted must do: code, whatever its numbers are.
fn use_model(file: &ModelFile) {
    let Some(codec) = native(file) else { return };
    let raw: Vec<u8> = (0..40u32).map(|i| ((i * i * 37) >> 3) as u8).collect();
    round(&*codec, &raw);
}

fn round(codec: &dyn BlockCodec, raw: &[u8]) {
    for level in Level::ALL.into_iter().filter(|&level| codec.has_level(level)) {
        let regions = &codec.next_block(raw, None, Some(level)).regions;
        let coded =
            codec.encode(raw, regions, level, 1, &|_| {}).expect("every block can be coded");
        let back = codec.decode(&coded.payload, raw.len(), 1, &|_| {}).expect("its own payload");
        assert!(back == raw);
    }
}

/// Any bytes as a packed model.
pub fn packed_model(data: &[u8]) {
    // a length that is believed, but not for minutes
    if packed::declared_len(data).is_ok_and(|n| n <= 1 << 16)
        && let Ok(file) = packed::unpack(data)
    {
        assert_eq!(packed::pack(&file).expect("packed"), data);
    }
    let packed = packed::pack(data).expect("packed");
    assert_eq!(packed::unpack(&packed).expect("its own bytes"), data);
}

/// Any bytes as a file of samples, in blocks, and as a payload's list of them.
pub fn signal(data: &[u8]) {
    let [size, data @ ..] = data else { return };
    let mut begun = None;
    for block in data.chunks(64 * (1 + usize::from(*size))) {
        let found = find::find(block, begun);
        let regions = found.within(block.len());
        begun = found.after(block.len());
        for bilevel in [false, true] {
            let of_kind = regions.iter().filter(|r| r.layout.bilevel == bilevel);
            let regions: Regions = of_kind.copied().collect();
            let mut list = Vec::new();
            regions.push_to(&mut list);
            let mut rest = &list[..];
            let again = Regions::take_from(&mut rest, block.len(), bilevel).expect("its own list");
            assert!(again == regions && rest.is_empty());
            if !bilevel {
                filtered(block, &regions);
            }
        }
        if let Some(regions) = find::bare::find(block) {
            assert!(regions.iter().all(|r| r.layout.bilevel && r.layout.is_valid(r.len)));
        }
    }
    let _ = Regions::take_from(&mut &*data, data.len(), true);
    if let Ok(regions) = Regions::take_from(&mut &*data, data.len(), false) {
        filtered(data, &regions);
    }
}

fn filtered(block: &[u8], regions: &Regions) {
    let mut changed = filter::forward(block, regions);
    filter::inverse(&mut changed, regions);
    assert!(changed == block);
}

/// Any bytes as the payload of a block.
pub fn payload(data: &[u8]) {
    let [which, a, b, payload @ ..] = data else { return };
    let codec = &codecs()[usize::from(*which) % codecs().len()];
    let raw_len = usize::from(u16::from_le_bytes([*a, *b])) % MOST;
    if let Ok(raw) = codec.decode(payload, raw_len, 1, &|_| {}) {
        assert_eq!(raw.len(), raw_len);
        round(&**codec, &raw);
    }
}

/// Any bytes as content, in blocks of any size; and the archive with one bit wrong.
pub fn round_trip(data: &[u8]) {
    let [which, size, bits @ ..] = data else { return };
    let [at0, at1, content @ ..] = bits else { return };
    let content = &content[..content.len().min(MOST)];
    let n = usize::from(*which) % codecs().len();
    let options = CompressOptions {
        block_size: Some(1 + u32::from(*size) * 16),
        threads: 1 + usize::from(which >> 6),
        content_size: (which & 32 != 0).then_some(content.len() as u64),
        verify: which & 16 != 0,
        model: (which & 8 != 0)
            .then(|| packed::pack(&files()[n].to_bytes()).expect("packed").into()),
        ..Default::default()
    };
    let mut archive = Vec::new();
    compress(content, &mut archive, &*codecs()[n], &options, &NoProgress).expect("compressed");
    let back = |archive: &[u8]| {
        let mut back = Vec::new();
        let options = DecompressOptions { threads: options.threads, ..Default::default() };
        let result = decompress(archive, &mut back, &Models, &options, &NoProgress);
        (back, result)
    };
    let (out, result) = back(&archive);
    result.expect("decompressed");
    assert!(out == content);
    let at = usize::from(u16::from_le_bytes([*at0, *at1])) * 8 + usize::from(*which >> 5);
    let at = at % (8 * archive.len());
    archive[at / 8] ^= 1 << (at % 8);
    let (out, result) = back(&archive);
    assert!(result.is_err() && content.starts_with(&out));
    archive.truncate(at / 8);
    let (out, result) = back(&archive);
    assert!(result.is_err() && content.starts_with(&out));
}

/// Any bytes as a table of bits, in every format.
pub fn records_input(data: &[u8]) {
    let [dims, offset, data @ ..] = data else { return };
    let dims = (*dims > 0).then_some(usize::from(*dims));
    let all = [Format::Packed, Format::Text, Format::Pbm, Format::Npy, Format::Idx];
    for format in all.into_iter().chain([Format::guess(data)]) {
        for dims in [dims, None] {
            if let Ok(table) = Table::read(data, format, dims, usize::from(*offset)) {
                assert!(table.dims > 0 && !table.rows.is_empty());
                assert_eq!(table.rows.len() % table.dims.div_ceil(8), 0);
                assert!(table.rows.len() <= 8 * data.len());
            }
        }
    }
}

/// A target and its name.
pub type Target = (&'static str, fn(&[u8]));

/// The targets by name.
pub const TARGETS: &[Target] = &[
    ("container", container),
    ("model_file", model_file),
    ("packed_model", packed_model),
    ("signal", signal),
    ("payload", payload),
    ("round_trip", round_trip),
    ("records_input", records_input),
];

/// Inputs to begin with.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let text = b"degrees and masks, masks and degrees; rows of bits, bits of rows. ".repeat(4);
    let pack = |n: usize, content: &[u8], block_size, model: bool| {
        let mut archive = Vec::new();
        let packed = || packed::pack(&files()[n].to_bytes()).expect("packed").into();
        let options = CompressOptions {
            block_size: Some(block_size),
            model: model.then(packed),
            ..Default::default()
        };
        compress(content, &mut archive, &*codecs()[n], &options, &NoProgress).expect("compressed");
        archive
    };
    let mixed = [&text[..100], &[0; 120], &text[..130]].concat();
    match target {
        "container" => {
            let mut seeds = vec![
                pack(1, b"", 100, false),
                pack(1, b"x", 100, false),
                pack(1, &codecs_rows(1, 300), 1 << 20, false),
                pack(2, &[&[0; 200], &codecs_rows(2, 200)[..], &text].concat(), 100, false),
                pack(1, &codecs_rows(1, 200), 60, true),
                pack(3, &[0; 300], 100, true),
            ];
            seeds.push(seeds.concat());
            seeds.push(pack(0, &text, 1 << 20, false));
            seeds
        }
        "model_file" => files()[1..].iter().map(ModelFile::to_bytes).collect(),
        "packed_model" => vec![packed::pack(&text).expect("packed"), text],
        "signal" => {
            let noise = |n: u32| (0..n).map(|i| (i * i / 7 + i * 3) as u8);
            let mut bmp = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x15\0\0\0\x14\0\0\0".to_vec();
            bmp.extend([1, 0, 24, 0]);
            bmp.resize(54, 0);
            let mut wav = b"RIFF....WAVEfmt \x10\0\0\0\x01\0\x02\0........\x04\0\x10\0".to_vec();
            wav.extend(b"data\x40\x05\0\0");
            let mut aiff = b"FORM....AIFFCOMM\0\0\0\x12\0\x01\0\0\x04\0\0\x18..........".to_vec();
            aiff.extend(b"SSND\0\0\x05\0\0\0\0\0\0\0\0\0");
            let mut tiff = b"II*\0\x08\0\0\0\x05\0".to_vec();
            for (tag, value) in [(256u16, 40u32), (257, 33), (258, 8), (273, 80), (279, 1320)] {
                tiff.extend(tag.to_le_bytes());
                tiff.extend([4, 0, 1, 0, 0, 0]);
                tiff.extend(value.to_le_bytes());
            }
            tiff.resize(80, 0);
            let list = [2, 0, 128 + 64, 9, 0x49, 30, 2, 5, 60, 1];
            let bilevel = [1, 0, 0xa0, 10, 0xc0, 9, 0];
            let mut heads = vec![bmp.clone(), wav, aiff, tiff];
            bmp[28] = 1;
            heads.push(bmp);
            heads.extend(["P4 72 150 ", "P6 12 40 255 ", "P5 30 25 999 "].map(Into::into));
            heads.extend([list.to_vec(), bilevel.to_vec()]);
            let mut seeds: Vec<Vec<u8>> = heads.iter().map(|h| [&[200], &h[..]].concat()).collect();
            seeds.iter_mut().for_each(|seed| seed.extend(noise(1440)));
            seeds
        }
        "payload" => {
            let strokes = (0..1800u32).map(|i| if i / 5 % 3 == i % 2 { 0x3c } else { 0 });
            let picture: Vec<u8> = b"P4 72 200 ".iter().copied().chain(strokes).collect();
            let with = |level: Level| (0..codecs().len()).map(move |n| (n, level));
            let all = Level::ALL.into_iter().flat_map(with);
            all.filter(|&(n, level)| codecs()[n].has_level(level))
                .flat_map(|(n, level)| [(n, level, &mixed), (n, level, &picture)])
                .map(|(n, level, raw)| {
                    let codec = &codecs()[n];
                    let regions = &codec.next_block(raw, None, None).regions;
                    let coded = codec.encode(raw, regions, level, 1, &|_| {}).expect("coded");
                    let len = (raw.len() as u16).to_le_bytes();
                    [&[n as u8][..], &len, &coded.payload].concat()
                })
                .collect()
        }
        "round_trip" => {
            let heads = (0..8).map(|n: u8| [n.wrapping_mul(37), n * 31, n, 0]);
            heads.map(|head| [&head[..], &mixed, &text].concat()).collect()
        }
        _ => {
            let mut npy =
                b"\x93NUMPY\x01\0\x76\0{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4), }"
                    .to_vec();
            npy.resize(127, b' ');
            npy.extend([b'\n', 1, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1]);
            let idx = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 255, 0, 1, 200, 9];
            let bodies: [&[u8]; 5] = [
                b"0 1 1\n1,0,1\n",
                b"P1\n# c\n3 2\n0 1 1 1 0 1\n",
                b"P4 9 2\n\x80\x00\xff\x80",
                &npy,
                &idx,
            ];
            bodies.iter().map(|b| [&[0, 0][..], b].concat()).collect()
        }
    }
}
