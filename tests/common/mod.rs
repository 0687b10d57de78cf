//! Networks for tests.
#![allow(dead_code)]

use madezip::made::degrees::{self, DegreeRule};
use madezip::made::integer::Linear;
use madezip::made::random::SplitMix64;
use madezip::made::window::{WindowArchitecture, WindowLayers, WindowMade};
use madezip::made::{Architecture, Layers, Made, Ordering, masks};
use madezip::records::RecordsModel;

/// A random network; weights up to `scale`.
pub fn random_made(
    dims: usize,
    hidden: &[usize],
    masks: usize,
    scale: i16,
    seed: u64,
) -> RecordsModel {
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
    let ordering = Ordering::random(dims, rng.next_u64());
    let degrees: Vec<_> = (0..masks)
        .map(|_| degrees::assign(dims, hidden, DegreeRule::Sampled, rng.next_u64()))
        .collect();
    let ranks = ordering.ranks().to_vec();
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
            0 => vec![&ranks[..]; masks],
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
    Made::new(architecture, ordering.clone(), degrees.clone(), layers).unwrap().into()
}

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
