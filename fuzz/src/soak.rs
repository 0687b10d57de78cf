//! The fuzz targets over seeded random changes, without a fuzzer:
//! `soak TARGET|all SECONDS [SEED]`. A panic names the input's file.
//! `soak TARGET|all seeds` writes what it begins with into `corpus/TARGET/`.

use std::time::{Duration, Instant};

use madezip::made::random::SplitMix64;
use madezip_fuzz::mutate::changed;
use madezip_fuzz::{TARGETS, seeds};

fn write_seeds(target: &str) {
    for (name, _) in TARGETS.iter().filter(|(name, _)| target == "all" || *name == target) {
        let folder = std::path::Path::new("corpus").join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (i, seed) in seeds(name).iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{i}")), seed).expect("written");
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (target, seconds) = match &args[1..] {
        [target, word] if word == "seeds" => return write_seeds(target),
        [target, seconds, ..] => (target.as_str(), seconds.parse().expect("seconds")),
        _ => panic!("soak TARGET|all SECONDS [SEED]"),
    };
    let seed = args.get(3).map_or(1, |s| s.parse().expect("a seed"));
    let chosen: Vec<_> =
        TARGETS.iter().filter(|(name, _)| target == "all" || *name == target).collect();
    assert!(!chosen.is_empty(), "no such target");
    for (name, run) in chosen {
        let mut rng = SplitMix64::new(seed);
        let seeds = seeds(name);
        let (start, mut tried) = (Instant::now(), 0u64);
        while start.elapsed() < Duration::from_secs(seconds) {
            let input = match rng.below(8) {
                0 => (0..rng.below(300)).map(|_| rng.next_u64() as u8).collect(),
                _ => changed(&seeds[rng.below(seeds.len())], &mut rng),
            };
            if std::panic::catch_unwind(|| run(&input)).is_err() {
                let path = format!("crash-{name}-{seed}-{tried}");
                std::fs::write(&path, &input).expect("written");
                panic!("{name}: the input is in {path}");
            }
            tried += 1;
        }
        println!("{name}: {tried} inputs in {} s, none wrong", start.elapsed().as_secs());
    }
}
