//! Every engine gives the reference's probabilities, bit for bit.

mod common;

use common::{random_made, random_mixture, random_window};
use madezip::codec::BlockCodec;
use madezip::engine::EngineError;
use madezip::engine::records::{RecordsEngine, SteppingEngine};
use madezip::made::random::SplitMix64;
use madezip::records::on_demand::OnDemand;
use madezip::records::{RecordsCodec, RecordsModel};
use madezip::stream::coding::Level;
use madezip::stream::signal::regions::Regions;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

/// Networks of many shapes; two have sums beyond 2^24.
fn networks() -> Vec<RecordsModel> {
    let mut all = vec![
        random_made(1, &[], 1, 100, 1),
        random_made(7, &[], 1, 100, 2),
        random_made(1, &[3], 2, 100, 3),
        random_made(2, &[5], 1, 100, 4),
        random_made(16, &[24], 1, 100, 5),
        random_made(33, &[17, 40], 3, 60, 6),
        random_made(50, &[30, 20, 31], 2, 60, 7),
        random_made(65, &[301, 120], 1, 2047, 8),
        random_made(65, &[301, 120], 2, 2047, 9),
        random_window(1, 1, 1, &[3], 10),
        random_window(6, 5, 2, &[13, 9], 11),
        random_window(4, 9, 3, &[20, 16, 5], 12),
        random_window(9, 12, 5, &[40, 40], 13),
        // libtorch's engine takes these in parts
        random_window(150, 60, 1, &[3], 14),
        random_window(2, 9000, 1, &[3], 15),
    ];
    // the components of one, which code rows together
    all.extend(random_mixture(19, &[30, 25], (3, 2), 80, 14).components());
    all
}

/// Rows of bits in coding order, and the reference's probabilities for them.
fn reference(made: &RecordsModel, rows: usize, seed: u64) -> (Vec<u8>, Vec<u16>) {
    let mut rng = SplitMix64::new(seed);
    let sequence = made.ordering().sequence();
    let (mut bits, mut p1) = (Vec::new(), Vec::new());
    for row in 0..rows {
        // Some rows sparse, some dense, the first two constant.
        let density = row % 7;
        let coded: Vec<u8> = (0..sequence.len())
            .map(|_| match row {
                0 => 0,
                1 => 1,
                _ => u8::from(rng.below(7) <= density),
            })
            .collect();
        let mut plain = vec![0; coded.len()];
        sequence.iter().zip(&coded).for_each(|(&d, &b)| plain[d] = b);
        let p = made.probabilities(&plain);
        p1.extend(sequence.iter().map(|&d| p[d]));
        bits.extend(coded);
    }
    (bits, p1)
}

fn agrees(engine: &dyn RecordsEngine, made: &RecordsModel, rows: usize) {
    let (bits, want) = reference(made, rows, rows as u64);
    let mut got = vec![0; want.len()];
    engine.probabilities(&bits, &mut got).unwrap();
    assert!(got == want, "{:?}, {rows} rows", made.dims());
}

#[test]
fn native_is_the_reference() {
    for made in networks() {
        let engine = made.native();
        for rows in [0, 1, 15, 16, 17, 40] {
            agrees(&*engine, &made, rows);
        }
    }
}

#[test]
fn the_sample_networks_use_the_whole_range() {
    // Otherwise agreement would say little.
    let made = &networks()[6];
    let (_, p1) = reference(made, 40, 1);
    assert!(p1.iter().any(|&p| p < 1000) && p1.iter().any(|&p| p > 64000));
    assert!(p1.iter().filter(|&&p| p > 2000 && p < 63000).count() > p1.len() / 20);
}

#[cfg(feature = "torch")]
#[test]
fn torch_is_the_reference() {
    use madezip::engine::torch::TorchDevice;
    // and CUDA where there is a device
    let cuda = TorchDevice::open("cuda").ok();
    assert!(cuda.is_some() || std::env::var_os("MADEZIP_NEEDS_CUDA").is_none());
    for device in [Some(TorchDevice::cpu()), cuda].into_iter().flatten() {
        for made in networks() {
            let engine = made.torch(device).unwrap();
            for rows in [0, 1, 17, 40] {
                agrees(&*engine, &made, rows);
            }
        }
    }
}

#[cfg(feature = "torch")]
#[test]
fn the_kind_of_product_follows_the_bound() {
    use madezip::engine::torch::TorchDevice;
    let cpu = TorchDevice::open("cpu").unwrap();
    assert_eq!(cpu.exact_kind((1 << 24) - 1, 32767), Some(tch::Kind::Float));
    assert_eq!(cpu.exact_kind(1 << 24, 1), Some(tch::Kind::Double));
    assert_eq!(cpu.exact_kind(1 << 53, 1), None);
    assert!(TorchDevice::open("tpu").is_err());
    assert!(TorchDevice::open("cuda:x").is_err());
    assert!(TorchDevice::open("cuda:999").is_err());
}

/// The native engine, but for one probability: which one, if there are so many, from the end if
/// it is negative.
struct Wrong(Box<dyn SteppingEngine>, isize);

impl RecordsEngine for Wrong {
    fn dims(&self) -> usize {
        self.0.dims()
    }

    fn name(&self) -> String {
        "wrong".into()
    }

    fn probabilities(&self, bits: &[u8], p1: &mut [u16]) -> Result<(), EngineError> {
        self.0.probabilities(bits, p1)?;
        let at = if self.1 < 0 { p1.len().wrapping_add_signed(self.1) } else { self.1 as usize };
        if let Some(p) = p1.get_mut(at) {
            *p ^= 1;
        }
        Ok(())
    }
}

#[test]
fn an_engine_that_is_wrong_at_an_end_of_a_window_is_found_out() {
    for model in [random_made(24, &[17], 1, 60, 1), random_window(4, 6, 2, &[9], 2)] {
        // the last of them in two windows
        for rows in [1, 15, 100, 180_000] {
            let raw = RecordsCodec::new(&model, [0; 32], 0).sample(rows, 1);
            for (at, is_wrong) in
                [(0, true), (23, true), (-1, true), (-24, true), (isize::MAX, false)]
            {
                let wrong: Box<dyn RecordsEngine> = Box::new(Wrong(model.native(), at));
                let codec = RecordsCodec::new(&model, [0; 32], 0).with_bulk([wrong]);
                let done = codec.encode(&raw, &Regions::default(), Level::Default, 2, &|_| {});
                let error = done.err().map(|e| e.to_string());
                assert_eq!(error.is_some(), is_wrong, "{rows} rows, {at}");
                assert!(error.is_none_or(|e| e.contains("disagree")));
            }
        }
    }
}

/// The native engine, so many times; then it fails, or is wrong.
struct Tired {
    native: Box<dyn SteppingEngine>,
    left: AtomicUsize,
    fails: bool,
}

impl RecordsEngine for Tired {
    fn dims(&self) -> usize {
        self.native.dims()
    }

    fn name(&self) -> String {
        "tired".into()
    }

    fn probabilities(&self, bits: &[u8], p1: &mut [u16]) -> Result<(), EngineError> {
        let left = self.left.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1));
        match left {
            Err(_) if self.fails => Err(EngineError::Torch("out of memory".into())),
            Err(_) => Ok(()),
            Ok(_) => self.native.probabilities(bits, p1),
        }
    }
}

#[test]
fn what_an_engine_on_demand_cannot_do_the_native_one_does() {
    let model = random_made(24, &[9], 1, 60, 1);
    let native = RecordsCodec::new(&model, [0; 32], 0);
    let rows = native.sample(180_000, 1);
    let encode = |codec: &RecordsCodec| {
        codec.encode(&rows, &Regions::default(), Level::Default, 2, &|_| {}).map(|e| e.payload)
    };
    let want = encode(&native).unwrap();
    assert!(native.decode(&want, rows.len(), 1, &|_| {}).unwrap() == rows);
    for (left, fails) in [(0, true), (1, true), (2, true), (9, true), (0, false), (1, false)] {
        let (started, of_started) = (Arc::new(AtomicUsize::new(0)), model.clone());
        let count = Arc::clone(&started);
        let engines = OnDemand::for_anything(Box::new(move || {
            count.fetch_add(1, Relaxed);
            let native = of_started.native();
            let tired = Tired { native, left: AtomicUsize::new(left), fails };
            Ok(Some(vec![Box::new(tired)]))
        }));
        let codec = RecordsCodec::new(&model, [0; 32], 0).with_bulk_on_demand(engines);
        assert_eq!(started.load(Relaxed), 0);
        for _ in 0..2 {
            match encode(&codec) {
                Ok(got) => assert!(fails && got == want, "{left}"),
                // wrong sums are no reason to go on
                Err(e) => assert!(!fails && e.to_string().contains("disagree"), "{left}: {e}"),
            }
        }
        assert_eq!(started.load(Relaxed), 1);
    }
}
