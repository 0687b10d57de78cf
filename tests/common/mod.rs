//! Networks for tests, and ways to run the program.
#![allow(dead_code)]

use std::path::Path;

use madezip::made::degrees::{self, DegreeRule};
use madezip::made::integer::Linear;
use madezip::made::random::SplitMix64;
use madezip::made::window::{WindowArchitecture, WindowLayers, WindowMade};
use madezip::made::{Architecture, Layers, Made, Mixture, Ordering, masks};
use madezip::records::RecordsModel;
use madezip::stream::recurrent::Recurrent;

/// A random network; weights up to `scale`.
pub fn random_made(
    dims: usize,
    hidden: &[usize],
    masks: usize,
    scale: i16,
    seed: u64,
) -> RecordsModel {
    let mut parts = random_parts(dims, hidden, (1, masks), scale, seed);
    let ordering = parts.orderings.remove(0);
    Made::new(parts.architecture, ordering, parts.degrees, parts.layers).unwrap().into()
}

/// A random network under several orderings, each with as many masks.
pub fn random_mixture(
    dims: usize,
    hidden: &[usize],
    (orderings, masks): (usize, usize),
    scale: i16,
    seed: u64,
) -> RecordsModel {
    let parts = random_parts(dims, hidden, (orderings, masks), scale, seed);
    Mixture::new(parts.architecture, parts.orderings, parts.degrees, parts.layers).unwrap().into()
}

struct Parts {
    architecture: Architecture,
    orderings: Vec<Ordering>,
    degrees: Vec<Vec<Vec<u32>>>,
    layers: Layers,
}

fn random_parts(
    dims: usize,
    hidden: &[usize],
    (orderings, masks): (usize, usize),
    scale: i16,
    seed: u64,
) -> Parts {
    let mut rng = SplitMix64::new(seed);
    let direct = !hidden.is_empty() && rng.below(2) == 1;
    let architecture = Architecture {
        dims,
        hidden: hidden.to_vec(),
        masks,
        direct,
        activation_bits: 8,
        hidden_shifts: (0..hidden.len()).map(|_| rng.below(8) as u32).collect(),
        output_shift: 3,
        direct_shift: rng.below(4) as u32,
    };
    let orderings: Vec<_> =
        (0..orderings).map(|_| Ordering::random(dims, rng.next_u64())).collect();
    let degrees: Vec<_> = (0..masks * orderings.len())
        .map(|_| degrees::assign(dims, hidden, DegreeRule::Sampled, rng.next_u64()))
        .collect();
    let mut linear = |from: Vec<&[u32]>, to: Vec<&[u32]>, rule: masks::Rule, bias: bool| {
        let (inputs, outputs) = (from[0].len(), to[0].len());
        let allowed = |o: usize, i: usize| from.iter().zip(&to).any(|(f, t)| rule(f[i], t[o]));
        let mut any = |range: i64| rng.below(2 * range as usize + 1) as i64 - range;
        Linear {
            inputs,
            outputs,
            weights: (0..inputs * outputs)
                .map(|n| {
                    let w = any(scale.into()) as i16;
                    if allowed(n / inputs, n % inputs) { w } else { 0 }
                })
                .collect(),
            bias: (0..outputs).map(|_| if bias { any(3000) as i32 } else { 0 }).collect(),
        }
    };
    let layer = |l: usize| -> Vec<&[u32]> {
        match l {
            0 => orderings.iter().flat_map(|o| vec![o.ranks(); masks]).collect(),
            _ => degrees.iter().map(|m| &m[l - 1][..]).collect(),
        }
    };
    let layers = Layers {
        hidden: (0..hidden.len())
            .map(|l| linear(layer(l), layer(l + 1), masks::into_hidden, true))
            .collect(),
        output: linear(layer(hidden.len()), layer(0), masks::into_output, true),
        direct: direct.then(|| linear(layer(0), layer(0), masks::into_output, false)),
    };
    Parts { architecture, orderings, degrees, layers }
}

/// A network with tied weights, as NADE: a group of `units` hidden units for each
/// number of known bits, all with the same weights.
pub fn random_tied(dims: usize, units: usize, seed: u64) -> RecordsModel {
    let mut rng = SplitMix64::new(seed);
    let mut any = |range: usize| rng.below(2 * range + 1) as i64 - range as i64;
    let all = units * (dims - 1);
    let architecture = Architecture {
        dims,
        hidden: vec![all],
        masks: 1,
        direct: false,
        activation_bits: 8,
        hidden_shifts: vec![2],
        output_shift: 3,
        direct_shift: 0,
    };
    let from: Vec<i16> = (0..units * dims).map(|_| any(150) as i16).collect();
    let to: Vec<i16> = (0..dims * units).map(|_| any(150) as i16).collect();
    let bias: Vec<i32> = (0..units).map(|_| any(900) as i32).collect();
    let known = |unit: usize| unit / units + 1;
    let hidden = Linear {
        inputs: dims,
        outputs: all,
        weights: (0..all * dims)
            .map(|n| (n / dims, n % dims))
            .map(|(u, d)| if d < known(u) { from[u % units * dims + d] } else { 0 })
            .collect(),
        bias: bias.repeat(dims - 1),
    };
    let output = Linear {
        inputs: all,
        outputs: dims,
        weights: (0..dims * all)
            .map(|n| (n / all, n % all))
            .map(|(d, u)| if known(u) == d { to[d * units + u % units] } else { 0 })
            .collect(),
        bias: (0..dims).map(|_| any(3000) as i32).collect(),
    };
    let degrees = (0..all).map(|u| known(u) as u32).collect();
    let layers = Layers { hidden: vec![hidden], output, direct: None };
    Made::new(architecture, Ordering::natural(dims), vec![vec![degrees]], layers).unwrap().into()
}

/// A way to run the program: environment and options.
pub type Way = (Vec<(&'static str, &'static str)>, Vec<&'static str>);

/// Engines, instruction sets, threads, and the restricted instruction sets of the
/// libraries below libtorch. The first [`NATIVE_WAYS`] do without libtorch.
pub fn ways() -> Vec<Way> {
    let mut ways: Vec<Way> = vec![
        (vec![], vec!["--engine", "native", "-T", "1"]),
        (vec![], vec!["--engine", "native", "-T", "2"]),
        (vec![("MADEZIP_ISA", "scalar")], vec!["--engine", "native"]),
        (vec![("MADEZIP_ISA", "avx2")], vec!["--engine", "native"]),
    ];
    if cfg!(feature = "torch") {
        let torch = |threads| vec!["--engine", "torch", "--device", "cpu", "-T", threads];
        for variable in [
            None,
            Some(("ONEDNN_MAX_CPU_ISA", "AVX2")),
            Some(("ONEDNN_MAX_CPU_ISA", "SSE41")),
            Some(("ATEN_CPU_CAPABILITY", "default")),
            Some(("MKL_ENABLE_INSTRUCTIONS", "SSE4_2")),
        ] {
            ways.push((variable.into_iter().collect(), torch("2")));
        }
        ways.push((vec![("OMP_NUM_THREADS", "1")], torch("1")));
    }
    ways
}

/// How many of [`ways`] use the native engine.
pub const NATIVE_WAYS: usize = 4;

/// A random convolutional network for bitmaps of `height` × `width`.
pub fn random_window(
    height: usize,
    width: usize,
    reach: usize,
    hidden: &[usize],
    seed: u64,
) -> RecordsModel {
    let mut rng = SplitMix64::new(seed);
    let architecture = WindowArchitecture {
        height,
        width,
        up: reach,
        side: reach,
        hidden: hidden.to_vec(),
        activation_bits: 8,
        hidden_shifts: hidden.iter().map(|_| rng.below(8) as u32).collect(),
        output_shift: 3,
    };
    let widths = architecture.widths();
    let mut any = |range: i64| rng.below(2 * range as usize + 1) as i64 - range;
    let mut linear = |inputs: usize, outputs: usize| Linear {
        inputs,
        outputs,
        weights: (0..inputs * outputs).map(|_| any(90) as i16).collect(),
        bias: (0..outputs).map(|_| any(900) as i32).collect(),
    };
    let layers = WindowLayers {
        hidden: widths.windows(2).map(|w| linear(w[0], w[1])).collect(),
        output: linear(widths[widths.len() - 1], 1),
        position: (0..height * width * hidden[0]).map(|_| any(200) as i16).collect(),
        output_position: (0..height * width).map(|_| any(2000) as i32).collect(),
    };
    WindowMade::new(architecture, layers).unwrap().into()
}

/// What looks like a program for x86: instructions of all forms, and calls of four
/// functions.
pub fn x86_code(calls: usize) -> Vec<u8> {
    let forms: [&[u8]; 16] = [
        &[0x55],                            // push
        &[0x8b, 0x45, 0xf8],                // with a short displacement
        &[0x89, 0x44, 0x24, 4],             // and SIB
        &[0x8b, 5, 1, 2, 3, 0],             // with an address
        &[0x8d, 0x14, 0x85, 4, 5, 6, 0],    // through SIB
        &[0x8b, 0x8d, 0, 1, 0, 0],          // with a long displacement
        &[0x83, 0xec, 8],                   // with a byte
        &[0xb8, 1, 0, 0, 0],                // with four
        &[0x66, 0xb8, 7, 0],                // with two, after a prefix
        &[0x0f, 0x84, 9, 0, 0, 0],          // a long jump
        &[0x0f, 0xb6, 0xc0],                // an opcode of two bytes
        &[0xf6, 0x40, 4, 1],                // test
        &[0xf7, 0xd8],                      // neg
        &[0xc7, 0x44, 0x24, 8, 1, 0, 0, 0], // displacement and immediate
        &[0xc8, 1, 2, 3],                   // enter
        &[0xf3, 0xa5],                      // a prefix
    ];
    let mut rng = SplitMix64::new(6);
    let mut code = Vec::new();
    for _ in 0..calls {
        for _ in 0..3 {
            code.extend(forms[rng.below(forms.len())]);
        }
        code.push(0xe8);
        let target = 0x1000 + 64 * rng.below(4) as u32;
        code.extend(target.wrapping_sub(code.len() as u32).to_le_bytes());
    }
    code
}

/// Two programs of 64-bit code, which have all but the beginning in common: calls of eight
/// functions, and what they read and write, are elsewhere in the second one.
pub fn x86_programs(calls: usize) -> Vec<u8> {
    let mut file = Vec::new();
    for (own, data) in [(3, 0x2_0000), (1200, 0x2_1230)] {
        let start = file.len();
        file.extend(b"\x7fELF\x02\x01\x01\0");
        file.extend([0x90].repeat(own));
        let functions = file.len() - start;
        let mut rng = SplitMix64::new(13);
        let address = |file: &mut Vec<u8>, to: usize, after: usize| {
            let end = file.len() - start + 4 + after;
            file.extend((to as u32).wrapping_sub(end as u32).to_le_bytes());
        };
        for _ in 0..calls {
            file.extend([0x48, 0x8b, 0x05]);
            address(&mut file, data + 8 * rng.below(20), 0);
            file.extend([0x55, 0x89, 0x44, 0x24, rng.below(200) as u8, 0xc7, 0x05]);
            address(&mut file, data + 4 * rng.below(9), 4);
            file.extend([rng.below(4) as u8, 0, 0, 0, 0xe8]);
            address(&mut file, functions + 64 * rng.below(8), 0);
            file.extend([0x0f, 0x84]);
            address(&mut file, functions + 16 * rng.below(4), 0);
        }
    }
    file
}

/// A bilevel picture (PBM) of so many rows of nine bytes: strokes that lean, black on white.
pub fn strokes(rows: usize) -> Vec<u8> {
    let mut rng = SplitMix64::new(11);
    let mut file = format!("P4\n# strokes\n70 {rows}\n").into_bytes();
    let start = file.len();
    file.resize(start + 9 * rows, 0);
    for _ in 0..rows / 3 {
        let (mut x, top) = (rng.below(60), rng.below(rows));
        for row in top..(top + 12).min(rows) {
            for pixel in x..x + 4 {
                file[start + 9 * row + pixel / 8] |= 0x80 >> (pixel % 8);
            }
            x += rng.below(3) / 2;
        }
    }
    file.extend(b"and the end");
    file
}

/// A picture of so many rows in colours, whose rows end with padding, and a sound of two
/// channels behind it: smooth, with a little noise.
pub fn signals(rows: usize) -> Vec<u8> {
    let mut rng = SplitMix64::new(9);
    let mut noise = |most: usize| (rng.below(most) + rng.below(most)) as i32;
    let mut file = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x15\0\0\0".to_vec();
    file.extend((rows as u32).to_le_bytes());
    file.extend([1, 0, 24, 0]);
    file.resize(54, 0);
    for row in 0..rows as i32 {
        for column in 0..21 {
            let light = 60 + (5 * row + 3 * column) % 130 + noise(4);
            file.extend([light - 20 + noise(3), light, light + 11 + noise(3)].map(|v| v as u8));
        }
        file.push(0);
    }
    let moments = 20 * rows as i32;
    file.extend(b"RIFF....WAVEfmt \x10\0\0\0\x01\0\x02\0........\x04\0\x10\0data");
    file.extend((4 * moments as u32).to_le_bytes());
    for moment in 0..moments {
        let wave = (40 - moment % 80).abs() * 500 - 10_000;
        for sample in [wave + noise(90), wave / 2 + noise(60)] {
            file.extend((sample as i16).to_le_bytes());
        }
    }
    file
}

/// A random recurrent layer for so many units of a language model's first layer, with a state
/// and a second layer of so many units.
pub fn random_recurrent(first: usize, [state, second]: [usize; 2], seed: u64) -> Recurrent {
    let mut rng = SplitMix64::new(seed);
    let mut any = |range: i64| rng.below(2 * range as usize + 1) as i64 - range;
    let mut linear = |inputs: usize, outputs: usize, bias: i64| Linear {
        inputs,
        outputs,
        weights: (0..inputs * outputs).map(|_| any(40) as i16).collect(),
        bias: (0..outputs).map(|_| any(bias) as i32).collect(),
    };
    let input = linear(first, 3 * state, 1 << 10);
    let gates = linear(state, 3 * state, 0);
    let skip = linear(first, second, 1 << 10);
    let to_second = linear(state, second, 0);
    let output = linear(second, 256, 1 << 12);
    let table = (0..256 * 3 * state).map(|_| any(100) as i8).collect();
    Recurrent { table, input, gates, skip, second: to_second, output }
}

/// The lines of a golden set's manifest (`tests/golden/README.md`): name, verdict, detail and why
/// it is there.
pub fn manifest(folder: &Path) -> Vec<[String; 4]> {
    let lines = std::fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
    let fields = |line: &str| {
        let fields: Vec<String> = line.split('\t').map(String::from).collect();
        fields.try_into().unwrap_or_else(|_| panic!("not four fields: {line}"))
    };
    lines.lines().map(fields).collect()
}
