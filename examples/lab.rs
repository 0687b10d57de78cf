//! Scratch measurements (not committed).
use madezip::stream::{contexts::Context, evidence::*, online::Online};
use std::time::Instant;
fn run<const X: usize>(names: &str, data: &[u8]) -> (f64, f64) {
    let ctx: Vec<Context> = names.split_whitespace().map(|w| w.parse().unwrap()).collect();
    let maps = untrained_maps::<X>();
    let t = Instant::now();
    let mut ev = Evidence::<X>::new(&ctx, &maps, 255, data.len());
    let mut on = Online::<X>::new();
    let mut row = Row::<X>::empty();
    let mut bits = 0f64;
    for (n, &b) in data.iter().enumerate() {
        for k in (0..8).rev() {
            let bit = u32::from(b >> k & 1);
            ev.row(&mut row);
            let s: i32 = row.x[..X - 4].iter().map(|&x| x as i32).sum::<i32>() * 3 / 16
                + row.x[X - 4] as i32 / 2;
            row.x[Row::<X>::NETWORK] = s.clamp(-2047, 2047) as i16;
            let p = on.predict(&row) as f64 / 65536.0;
            bits -= if bit == 1 { p.log2() } else { (1.0 - p).log2() };
            on.update(&row, bit);
            ev.update(bit, &data[..n + 1]);
        }
    }
    (bits / 8.0, t.elapsed().as_secs_f64())
}
fn main() {
    let mut tot = 0.0;
    let names = std::env::args().nth(1).unwrap();
    let cap: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    for f in std::env::args().skip(3) {
        let mut d = std::fs::read(&f).unwrap();
        d.truncate(cap);
        let (b, t) = match names.split_whitespace().count() {
            12 => run::<16>(&names, &d),
            20 => run::<24>(&names, &d),
            28 => run::<32>(&names, &d),
            n => panic!("{n}"),
        };
        tot += b;
        println!("{:40} {:9} -> {:9.0}  {:.2} us/B", f, d.len(), b, t / d.len() as f64 * 1e6);
    }
    println!("total {tot:.0}");
}
