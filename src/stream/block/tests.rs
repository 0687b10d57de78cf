use super::*;
use crate::stream::row::{ByteRow, Row};
use crate::stream::testing::Random;

const SIXTEEN: &str = "o1 o2 o3 o4 o6 word pair s2 s34 row rows column shape follow skip cell";

/// The definition itself, one bit after the other.
struct Reference<'m>(&'m StreamModel);

impl<const C: usize> Bulk<C> for Reference<'_> {
    fn logits(
        &mut self,
        bytes: &[ByteRow<C>],
        rows: &[Row<C>],
        logits: &mut [i16],
    ) -> Result<(), CodecError> {
        let network = &self.0.network;
        let mut shared = vec![0; network.first.outputs];
        for (i, row) in rows.iter().enumerate() {
            if i % 8 == 0 {
                network.byte_sums(&bytes[i / 8], &mut shared);
            }
            logits[i] = network.logit(&shared, row);
        }
        Ok(())
    }
}

fn check(model: &StreamModel) {
    let raw = Random(7).bytes(5000);
    let want = encode_bulk(Isa::SCALAR, model, &mut Reference(model), 700, &raw, &|_| {}).unwrap();
    let windows = encode_bulk(Isa::SCALAR, model, &mut Reference(model), 1, &raw, &|_| {}).unwrap();
    assert_eq!(windows.payload, want.payload, "window size");
    #[cfg(feature = "torch")]
    for window in [1, 13, 2048] {
        use crate::engine::{stream_torch::TorchNetwork, torch::TorchDevice};
        let mut torch =
            TorchNetwork::new(TorchDevice::open("cpu").unwrap(), &model.network).unwrap();
        let got = encode_bulk(Isa::SCALAR, model, &mut torch, window, &raw, &|_| {}).unwrap();
        assert_eq!(got.payload, want.payload, "torch, windows of {window}");
    }
    for isa in Isa::available() {
        let mut bulk = Reference(model);
        let got = encode_bulk(isa, model, &mut bulk, 99, &raw, &|_| {}).unwrap();
        assert_eq!(got.payload, want.payload, "{isa}, bulk");
        let got = encode(isa, model, &raw, 1, &|_| {}).unwrap();
        assert_eq!(got.payload, want.payload, "{isa}");
        assert_eq!(decode(isa, model, &want.payload, raw.len(), &|_| {}).unwrap(), raw);
    }
    let coded = want.payload.len() as f64;
    assert!(coded <= want.ideal_bits / 8.0 * 1.0001 + 9.0);
}

#[test]
fn every_engine_writes_the_same_payload() {
    let mut warm = Random(7).model(SIXTEEN);
    warm.text = Random(8).bytes(1500);
    check(&warm);
    check(&Random(7).model(SIXTEEN));
    check(&Random(7).model(SIXTEEN).with_language(None));
}

#[test]
fn short_blocks_and_damage() {
    let mut random = Random(3);
    let model = random.model(SIXTEEN);
    for len in [0, 1, 2, 3, 17] {
        let raw = random.bytes(len);
        let coded = encode(Isa::best(), &model, &raw, 1, &|_| {}).unwrap().payload;
        assert_eq!(decode(Isa::best(), &model, &coded, len, &|_| {}).unwrap(), raw);
    }
    let raw = random.bytes(300);
    let coded = encode(Isa::best(), &model, &raw, 1, &|_| {}).unwrap().payload;
    for cut in 0..coded.len() {
        let _ = decode(Isa::best(), &model, &coded[..cut], 300, &|_| {});
    }
    assert!(decode(Isa::best(), &model, &[], 5, &|_| {}).is_err());
    assert!(decode(Isa::best(), &model, &[2, 2], 5, &|_| {}).is_err());
}

#[test]
fn two_threads_write_the_same() {
    let mut random = Random(11);
    for (contexts, text) in [(SIXTEEN, 0), (SIXTEEN, 5000)] {
        let mut model = random.model(contexts);
        model.text = random.bytes(text);
        let raw = random.bytes(PIPELINED + 300);
        let want = encode(Isa::best(), &model, &raw, 1, &|_| {}).unwrap();
        let done = std::cell::Cell::new(0);
        let count = |n| done.set(done.get() + n);
        let got = encode(Isa::best(), &model, &raw, 2, &count).unwrap();
        assert!(got.payload == want.payload);
        assert_eq!(done.get(), raw.len() as u64);
    }
}

#[test]
fn code_comes_back() {
    let mut raw = Random(9).bytes(2000);
    for n in 0..400u32 {
        raw.extend([0x8b, n as u8, 0xe8]);
        let target = 0x100 * (n * n % 5);
        raw.extend(target.wrapping_sub(raw.len() as u32).to_le_bytes());
    }
    let mut model = Random(3).model(SIXTEEN);
    model.text = b"mov eax".to_vec();
    let coded = encode(Isa::best(), &model, &raw, 1, &|_| {}).unwrap().payload;
    assert_eq!(coded[0], X86);
    let bulk = encode_bulk(Isa::best(), &model, &mut Reference(&model), 9, &raw, &|_| {});
    assert_eq!(bulk.unwrap().payload, coded);
    assert_eq!(decode(Isa::best(), &model, &coded, raw.len(), &|_| {}).unwrap(), raw);
}

#[test]
fn a_model_file_gives_the_model_back() {
    let mut model = Random(5).model(SIXTEEN);
    model.text = b"a text".to_vec();
    model.weights.last[3] = 77;
    let file = model.to_file();
    let again = crate::made::file::ModelFile::from_bytes(&file.to_bytes()).unwrap();
    let read = StreamModel::from_file(&again).unwrap();
    assert_eq!(read.network, model.network);
    assert_eq!(read.maps, model.maps);
    assert_eq!(read.language(), model.language());
    assert_eq!(read.text, model.text);
    assert!(read.weights == model.weights);
    assert_eq!(file.id(), again.id());
}
