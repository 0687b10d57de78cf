//! Blocks of records, as an archive hands them over.

mod common;

use common::{random_made, random_mixture, random_tied, random_window};
use madezip::codec::BlockCodec;
use madezip::coder::Choice;
use madezip::made::Ordering;
use madezip::made::random::SplitMix64;
use madezip::records::{RecordsCodec, RecordsModel};
use madezip::stream::coding::Level;
use madezip::stream::signal::regions::Regions;

fn codec(made: &RecordsModel, offset: usize) -> RecordsCodec {
    RecordsCodec::new(made, made.to_file().id(), offset)
}

fn random_bytes(n: usize, seed: u64) -> Vec<u8> {
    let mut rng = SplitMix64::new(seed);
    (0..n).map(|_| rng.next_u64() as u8).collect()
}

/// Codes and decodes, and returns the payload.
fn round_trip(codec: &RecordsCodec, raw: &[u8]) -> Vec<u8> {
    let counted = std::cell::Cell::new(0);
    let count = |n| counted.set(counted.get() + n);
    let coded = codec.encode(raw, &Regions::default(), Level::Default, 1, &count).unwrap();
    assert_eq!(counted.replace(0), raw.len() as u64);
    let back = codec.decode(&coded.payload, raw.len(), 1, &count).unwrap();
    assert!(back == raw, "{} bytes", raw.len());
    assert_eq!(counted.get(), raw.len() as u64);
    let overhead = coded.payload.len() as f64 - coded.ideal_bits / 8.0;
    // the first rows that a mixture of orderings codes find no bits to get back
    let kept = raw.len() % codec.layout().row_bytes() + 16 + 2 + 3 + 8;
    assert!(overhead <= coded.ideal_bits / 8.0 * 1e-4 + 8.0 + kept as f64, "{overhead}");
    coded.payload
}

#[test]
fn blocks_come_back_whatever_their_length() {
    for (dims, masks) in [(1, 1), (7, 2), (8, 1), (13, 3), (50, 1)] {
        let made = random_made(dims, &[9, 12], masks, 60, dims as u64);
        let codec = codec(&made, 0);
        let row = dims.div_ceil(8);
        for n in [0, 1, row - 1, row, row + 1, 15 * row, 16 * row, 257 * row + row / 2, 600 * row] {
            round_trip(&codec, &random_bytes(n, n as u64));
        }
    }
    let window = random_window(5, 7, 2, &[20, 10], 1);
    for model in [window, random_mixture(37, &[20, 10], (3, 2), 60, 1)] {
        let codec = codec(&model, 0);
        for n in [0, 1, 5, 5 * 16, 5 * 300 + 2, 5 * 1000] {
            round_trip(&codec, &random_bytes(n, n as u64));
        }
    }
}

#[test]
fn threads_change_nothing() {
    // networks that are worth several threads: in decoding too; in the parallel pass alone
    let window = random_window(9, 7, 3, &[320, 300], 1);
    for model in [window, random_mixture(144, &[1000], (2, 1), 60, 1)] {
        let one = codec(&model, 0);
        let row = one.layout().row_bytes();
        let rows = one.sample(300, 1);
        let costs = one.costs(&rows).unwrap();
        let mut raw = rows.clone();
        raw.extend(random_bytes(row - 1, 1));
        let payload = round_trip(&one, &raw);
        for threads in [2, 3, 5, 16, 40] {
            let coded =
                one.encode(&raw, &Regions::default(), Level::Default, threads, &|_| {}).unwrap();
            assert!(coded.payload == payload, "{threads} threads");
            let back = one.decode(&payload, raw.len(), threads, &|_| {}).unwrap();
            assert!(back == raw, "{threads} threads");
            let several = codec(&model, 0).with_threads(threads);
            assert_eq!(several.sample(300, 1), rows);
            let same = several.costs(&rows).unwrap();
            assert_eq!((same.rows, same.dims), (costs.rows.clone(), costs.dims.clone()));
        }
    }
}

#[test]
fn bytes_before_the_first_row_are_kept_and_found() {
    let made = random_made(20, &[30], 1, 100, 3);
    let plain = codec(&made, 0);
    let rows = plain.sample(200, 1);
    let with_head: Vec<u8> = b"P4 junk!".iter().copied().chain(rows.clone()).collect();
    let codec = codec(&made, 8);
    let size = round_trip(&codec, &with_head).len();
    let bare = round_trip(&plain, &rows).len();
    assert_eq!(size, bare + 1 + 8);
    // A later block begins with a row.
    assert_eq!(round_trip(&codec, &rows).len(), bare);
    for n in 0..30 {
        round_trip(&codec, &with_head[..n]);
    }
}

#[test]
fn zero_padding_is_free_and_other_padding_survives() {
    for model in [random_made(13, &[20], 1, 100, 5), random_mixture(13, &[20], (4, 1), 100, 5)] {
        let codec = codec(&model, 0);
        let rows = codec.sample(1000, 2);
        let clean = round_trip(&codec, &rows).len();
        let mut one = rows.clone();
        one[999] |= 1;
        assert!(round_trip(&codec, &one).len() <= clean + 8);
        let all: Vec<u8> =
            rows.iter().enumerate().map(|(i, b)| if i % 2 == 1 { b | 7 } else { *b }).collect();
        assert!(round_trip(&codec, &all).len() <= clean + 8);
    }
}

#[test]
fn damaged_payloads_never_panic() {
    let made = random_made(13, &[20, 8], 2, 100, 6);
    damage(&codec(&made, 4));
    damage(&codec(&random_mixture(13, &[20, 8], (3, 1), 100, 6), 4));
}

fn damage(codec: &RecordsCodec) {
    let mut raw = random_bytes(4, 1);
    raw.extend(codec.sample(70, 3));
    raw.push(9);
    let payload =
        codec.encode(&raw, &Regions::default(), Level::Default, 1, &|_| {}).unwrap().payload;
    for n in 0..payload.len() {
        if let Ok(back) = codec.decode(&payload[..n], raw.len(), 1, &|_| {}) {
            assert_ne!(back, raw);
        }
    }
    let mut rng = SplitMix64::new(4);
    for _ in 0..300 {
        let mut damaged = payload.clone();
        let at = rng.below(damaged.len());
        damaged[at] ^= 1 << rng.below(8);
        if let Ok(back) = codec.decode(&damaged, rng.below(400), 1, &|_| {}) {
            assert_ne!(back, raw);
        }
    }
}

#[test]
fn rows_cost_what_their_samples_say() {
    // Rows drawn from a model compress to its entropy; other rows do not.
    as_samples_say(&random_made(24, &[40], 1, 150, 7));
    as_samples_say(&random_mixture(24, &[40], (5, 1), 150, 7));
}

fn as_samples_say(model: &RecordsModel) {
    let codec = codec(model, 0);
    let drawn = codec.sample(3000, 1);
    assert_eq!(codec.sample(3000, 1), drawn);
    assert_ne!(codec.sample(3000, 2), drawn);
    let costs = codec.costs(&drawn).unwrap();
    let total: f64 = costs.rows.iter().sum();
    assert!((total - costs.dims.iter().sum::<f64>()).abs() < 1e-6 * total);
    let ideal =
        codec.encode(&drawn, &Regions::default(), Level::Default, 1, &|_| {}).unwrap().ideal_bits;
    assert!((total - ideal).abs() < 1e-6 * total);
    let other: f64 = codec.costs(&random_bytes(9000, 2)).unwrap().rows.iter().sum();
    assert!(total < 0.7 * other, "{total} {other}");
}

/// The probabilities the coder receives are a distribution over rows: their
/// products over all 2^D rows sum to exactly 2^(16 D).
#[test]
fn probabilities_of_all_rows_sum_to_one() {
    for dims in 1..=7usize {
        for (hidden, masks) in [(vec![], 1), (vec![12], 1), (vec![9, 14], 3)] {
            let made = random_made(dims, &hidden, masks, 150, 11 + dims as u64);
            sums_to_one(&made);
        }
    }
    for seed in 0..4 {
        // with direct links and without
        sums_to_one(&random_made(5, &[9], 2, 150, seed));
        sums_to_one(&random_mixture(4, &[9], (3, 1), 150, seed));
        sums_to_one(&random_mixture(5, &[6, 7], (2, 2), 150, seed));
    }
    sums_to_one(&random_tied(6, 3, 5));
    sums_to_one(&random_window(2, 3, 1, &[7, 4], 1));
    sums_to_one(&random_window(3, 2, 2, &[9], 2));
}

fn sums_to_one(model: &RecordsModel) {
    let (dims, codec) = (model.dims(), codec(model, 0));
    let rows: Vec<u8> = (0..1u32 << dims).map(|r| (r << (8 - dims)) as u8).collect();
    let under_each = codec.probabilities(&rows).unwrap();
    let choice = Choice::uniform(under_each.len());
    let mut mixed = 0u128;
    for (k, widths) in under_each.iter().enumerate() {
        let products = widths.chunks_exact(dims);
        let products = products.map(|row| row.iter().map(|&p| u128::from(p)).product::<u128>());
        let sum: u128 = products.sum();
        assert_eq!(sum, 1 << (16 * dims), "{model:?}");
        // a row has this component with this probability
        mixed += u128::from(choice.width(k)) * (sum >> 16);
    }
    assert_eq!(mixed, 1 << (16 * dims), "{model:?}");
}

#[test]
fn the_ordering_is_the_models() {
    let made = random_made(9, &[10], 1, 100, 2);
    let codec = codec(&made, 0);
    assert_eq!(codec.layout().sequence(), made.ordering().sequence());
    assert_ne!(made.ordering(), Ordering::natural(9));
}

/// The shipped model draws these rows on every machine, and codes them again.
#[test]
fn the_digits_are_always_the_same() {
    use madezip::made::file::ModelFile;
    use sha2::{Digest, Sha256};
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/digits.safetensors");
    let model = RecordsModel::from_file(&ModelFile::read(path.as_ref()).unwrap()).unwrap();
    assert_eq!(model.shape(), Some((28, 28)));
    let codec = codec(&model, 0);
    let rows = codec.sample(20, 1);
    let digest: String = Sha256::digest(&rows).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(digest, "f259e44708c564c2685ecd6a9785083c722570186a14e0779db2ebead437f0c4");
    assert!(round_trip(&codec, &rows).len() < 400);
    // given pixels stay, the others are drawn
    let half = codec.complete(&rows, 392, 2);
    for (drawn, given) in half.chunks(98).zip(rows.chunks(98)) {
        assert_eq!(drawn[..49], given[..49]);
    }
    assert_ne!(half, rows);
}
