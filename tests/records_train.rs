//! Training on small tables with known entropy.
#![cfg(feature = "torch")]

use madezip::codec::BlockCodec;
use madezip::made::ModelError;
use madezip::made::random::SplitMix64;
use madezip::records::input::{Format, Table};
use madezip::records::{RecordsCodec, RecordsModel};
use madezip::stream::coding::Level;
use madezip::stream::signal::regions::Regions;
use madezip::train::records::{
    BitmapOptions, Options, OrderingChoice, Progress, TrainError, train, train_bitmaps,
};

/// Rows of 10 bits: five fair ones, each followed by a copy that is wrong one
/// time in 20. Entropy: 5·(1 + 0.2864) bits = 4.4583 nats.
fn copies(rows: usize, seed: u64) -> Table {
    let mut rng = SplitMix64::new(seed);
    let mut data = Vec::new();
    for _ in 0..rows {
        let mut row = 0u16;
        for _ in 0..5 {
            let bit = rng.below(2) as u16;
            let copy = bit ^ u16::from(rng.below(20) == 0);
            row = row << 2 | bit << 1 | copy;
        }
        data.extend((row << 6).to_be_bytes());
    }
    Table::read(&data, Format::Packed, Some(10), 0).unwrap()
}

const ENTROPY: f64 = 4.4583;

fn options() -> Options {
    Options {
        hidden: vec![32],
        epochs: 12,
        quantized_epochs: 2,
        batch: 50,
        learning_rate: 1e-2,
        averaging: 0.99,
        ..Options::default()
    }
}

fn quiet(_: &Progress) -> bool {
    true
}

#[test]
fn every_architecture_learns_and_its_integers_code_as_well() {
    let (rows, valid, test) = (copies(4000, 1), copies(1000, 2), copies(2000, 3));
    let variants = [
        Options { ..options() },
        Options { hidden: vec![], learning_rate: 5e-2, ..options() },
        Options { hidden: vec![24, 24], direct: true, ..options() },
        Options { masks: 3, hidden: vec![48], ordering: OrderingChoice::Random, ..options() },
        Options { tied: true, hidden: vec![16], ordering: OrderingChoice::Random, ..options() },
        Options { dropout: 0.05, weight_decay: 0.01, weight_bits: 10, ..options() },
        Options { l1: 0.5, direct: true, bf16: true, ..options() },
        Options { orderings: 3, direct: true, hidden: vec![64], ..options() },
        Options { orderings: 2, masks: 2, hidden: vec![64], epochs: 20, ..options() },
    ];
    for options in variants {
        let report = train(&rows, &valid, &options, &mut quiet).unwrap();
        // Independent bits would cost 6.93 nats.
        assert!(report.float < ENTROPY + 0.12, "{} {options:?}", report.float);
        assert!(report.valid() < report.float + 0.02, "{} {options:?}", report.valid());
        let codec = RecordsCodec::new(&report.model, [0; 32], 0);
        let coded =
            codec.encode(&test.rows, &Regions::default(), Level::Default, 1, &|_| {}).unwrap();
        let nats = coded.payload.len() as f64 * 8.0 * std::f64::consts::LN_2 / 2000.0;
        assert!(nats > ENTROPY - 0.1 && nats < ENTROPY + 0.2, "{nats} {options:?}");
        let back = codec.decode(&coded.payload, test.rows.len(), 1, &|_| {}).unwrap();
        assert!(back == test.rows);
        let file = report.model.to_file();
        assert_eq!(RecordsModel::from_file(&file).unwrap(), report.model);
    }
}

#[test]
fn the_same_seed_gives_the_same_model() {
    let (rows, valid) = (copies(600, 1), copies(200, 2));
    let short = Options { epochs: 3, dropout: 0.1, ..options() };
    let id = |o: &Options| train(&rows, &valid, o, &mut quiet).unwrap().model.to_file().id();
    assert_eq!(id(&short), id(&short));
    assert_ne!(id(&short), id(&Options { seed: 1, ..short.clone() }));
}

/// The links between the five fair bits mean nothing.
#[test]
fn l1_leaves_links_out_that_are_not_needed() {
    let (rows, valid) = (copies(400, 1), copies(400, 2));
    let links = |l1: f64| {
        let shrunk =
            Options { hidden: vec![], l1, epochs: 60, batch: 10, learning_rate: 0.02, ..options() };
        let report = train(&rows, &valid, &shrunk, &mut quiet).unwrap();
        let RecordsModel::Made(made) = &report.model else { panic!("one ordering") };
        let weights = made.layers().output.weights;
        let largest = weights.iter().map(|w| w.abs()).max().unwrap();
        (weights.iter().filter(|w| w.abs() > largest / 50).count(), report.valid())
    };
    let ((all, without), (few, with)) = (links(0.0), links(1.5));
    assert!(all > 30 && few < 15, "{all} {few} {with}");
    assert!(with < without, "{with} {without}");
}

#[test]
fn a_resumed_run_ends_like_one_that_was_never_stopped() {
    let (rows, valid) = (copies(600, 1), copies(200, 2));
    let folder = tempfile::tempdir().unwrap();
    let whole = Options { epochs: 4, dropout: 0.1, hidden: vec![16, 8], ..options() };
    let want = train(&rows, &valid, &whole, &mut quiet).unwrap().model.to_file().id();
    // Stopped by an error out of each of the six epochs in turn.
    for stop in 1..=5 {
        let path = folder.path().join(format!("{stop}.checkpoint"));
        let resumable = Options { checkpoint: Some(path.clone()), resume: true, ..whole.clone() };
        let mut seen = 0;
        let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            train(&rows, &valid, &resumable, &mut |_| {
                seen += 1;
                assert!(seen < stop, "stopped on purpose");
                true
            })
        }));
        assert!(stopped.is_err());
        let mut rest = 0;
        let resumed = train(&rows, &valid, &resumable, &mut |_| {
            rest += 1;
            true
        });
        assert_eq!(resumed.unwrap().model.to_file().id(), want, "stopped at {stop}");
        assert_eq!(rest, 6 - stop);
    }
}

#[test]
fn checkpoints_of_other_runs_are_refused() {
    let (rows, valid) = (copies(100, 1), copies(50, 2));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let first = Options {
        epochs: 1,
        quantized_epochs: 0,
        checkpoint: Some(path.clone()),
        resume: true,
        ..options()
    };
    train(&rows, &valid, &first, &mut quiet).unwrap();
    let other = Options { hidden: vec![33], ..first.clone() };
    let error = train(&rows, &valid, &other, &mut quiet).unwrap_err();
    assert!(matches!(error, TrainError::Checkpoint(_)), "{error}");
    std::fs::write(&path, b"not a checkpoint").unwrap();
    let error = train(&rows, &valid, &first, &mut quiet).unwrap_err();
    assert!(matches!(error, TrainError::Checkpoint(_)), "{error}");
    // Without --resume it is overwritten.
    train(&rows, &valid, &Options { resume: false, ..first }, &mut quiet).unwrap();
}

#[test]
fn bad_data_and_options_are_refused() {
    let (rows, valid) = (copies(100, 1), copies(50, 2));
    let narrow = Table { dims: 9, ..copies(50, 2) };
    assert!(matches!(train(&rows, &narrow, &options(), &mut quiet), Err(TrainError::Data(_))));
    let few = copies(5, 1);
    assert!(matches!(train(&few, &valid, &options(), &mut quiet), Err(TrainError::Data(_))));
    let wrong = [
        Options { batch: 0, ..options() },
        Options { dropout: 1.0, ..options() },
        Options { learning_rate: f64::NAN, ..options() },
        Options { weight_bits: 17, ..options() },
        Options { tied: true, masks: 2, ..options() },
        Options { tied: true, orderings: 2, ..options() },
        Options { orderings: 0, ..options() },
        Options { orderings: 9, masks: 8, ..options() },
        Options { l1: -1.0, ..options() },
        Options { ordering: OrderingChoice::Sequence(vec![0, 1]), ..options() },
    ];
    for o in wrong {
        let error = train(&rows, &valid, &o, &mut quiet).unwrap_err();
        assert!(matches!(error, TrainError::Options(_)), "{error}");
    }
    let huge = Options { hidden: vec![1 << 20], ..options() };
    let error = train(&rows, &valid, &huge, &mut quiet).unwrap_err();
    assert!(matches!(error, TrainError::Model(ModelError::TooLarge { .. })), "{error}");
    let wild = Options { learning_rate: 1e30, ..options() };
    let error = train(&rows, &valid, &wild, &mut quiet).unwrap_err();
    assert!(matches!(error, TrainError::Diverged(_)), "{error}");
}

/// Bitmaps of 6 × 8 pixels. A pixel of the first line is one half of the time; the
/// others copy the one above them and are wrong one time in 10: 8 + 40·0.469 bits.
fn stripes(rows: usize, seed: u64) -> Table {
    let mut rng = SplitMix64::new(seed);
    let mut data = Vec::new();
    for _ in 0..rows {
        let mut line = rng.next_u64() as u8;
        for _ in 0..6 {
            data.push(line);
            let wrong = (0..8).fold(0, |w, _| w << 1 | u8::from(rng.below(10) == 0));
            line ^= wrong;
        }
    }
    Table::read(&data, Format::Packed, Some(48), 0).unwrap()
}

fn bitmap_options() -> BitmapOptions {
    BitmapOptions {
        height: 6,
        width: 8,
        up: 2,
        side: 2,
        hidden: vec![24, 24],
        activation_bits: 8,
        weight_bits: 12,
        epochs: 6,
        batch: 20,
        least_chance: 0.2,
        moves: 0,
        learning_rate: 5e-3,
        weight_decay: 0.0,
        dropout: 0.0,
        averaging: 0.99,
        bf16: false,
        patience: 0,
        seed: 1,
        device: Options::default().device,
        checkpoint: None,
        resume: false,
    }
}

#[test]
fn windows_learn_and_their_integers_code_as_well() {
    let (rows, valid) = (stripes(2000, 1), stripes(500, 2));
    let entropy = (8.0 + 40.0 * 0.469) * std::f64::consts::LN_2;
    for options in [
        bitmap_options(),
        BitmapOptions { bf16: true, dropout: 0.05, ..bitmap_options() },
        BitmapOptions { least_chance: 1.0, hidden: vec![30, 12], ..bitmap_options() },
        BitmapOptions { moves: 1, ..bitmap_options() },
    ] {
        let report = train_bitmaps(&rows, &valid, &options, &mut quiet).unwrap();
        let text = format!("{} {} {options:?}", report.float, report.rounded);
        assert!(report.rounded > entropy - 0.3 && report.rounded < entropy + 0.7, "{text}");
        // the loss in floating point is estimated from drawn pixels
        assert!((report.rounded - report.float).abs() < 0.5, "{text}");
    }
    let wrong = BitmapOptions { width: 7, ..bitmap_options() };
    let error = train_bitmaps(&rows, &valid, &wrong, &mut quiet).unwrap_err();
    assert!(error.to_string().contains("6x7"), "{error}");
}

#[test]
fn window_training_goes_on_where_it_was_stopped() {
    let (rows, valid) = (stripes(300, 1), stripes(50, 2));
    let folder = tempfile::tempdir().unwrap();
    let whole = BitmapOptions { epochs: 3, dropout: 0.1, ..bitmap_options() };
    let id = |o: &BitmapOptions| {
        train_bitmaps(&rows, &valid, o, &mut quiet).unwrap().made.to_file().id()
    };
    let want = id(&whole);
    assert_eq!(id(&whole), want);
    assert_ne!(id(&BitmapOptions { seed: 2, ..whole.clone() }), want);
    let checkpoint = Some(folder.path().join("checkpoint"));
    let resumable = BitmapOptions { checkpoint, resume: true, ..whole };
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        train_bitmaps(&rows, &valid, &resumable, &mut |_| panic!("stopped on purpose"))
    }));
    assert!(stopped.is_err());
    assert_eq!(id(&resumable), want);
    let other = BitmapOptions { hidden: vec![25], ..resumable };
    let error = train_bitmaps(&rows, &valid, &other, &mut quiet).unwrap_err();
    assert!(matches!(error, TrainError::Checkpoint(_)), "{error}");
}
