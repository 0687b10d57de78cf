//! Brute force over random architectures: an output sees the inputs of smaller
//! degree, all of them that the masks connect, and nothing else.

use madezip::made::degrees::{self, DegreeRule};
use madezip::made::integer::Linear;
use madezip::made::masks;
use madezip::made::network::MaskedMade;
use madezip::made::random::SplitMix64;
use madezip::made::{Architecture, Layers, Made, Ordering};

/// A random architecture with its ordering and degrees.
fn random_shape(rng: &mut SplitMix64) -> (Architecture, Ordering, Vec<Vec<Vec<u32>>>) {
    let dims = 1 + rng.below(9);
    let hidden: Vec<usize> = (0..rng.below(4)).map(|_| 1 + rng.below(12)).collect();
    let direct = !hidden.is_empty() && rng.below(2) == 1;
    let masks = if hidden.is_empty() { 1 } else { 1 + rng.below(3) };
    let architecture = Architecture {
        dims,
        masks,
        direct,
        activation_bits: 8,
        hidden_shifts: vec![0; hidden.len()],
        output_shift: 0,
        direct_shift: 2,
        hidden,
    };
    let ordering = match rng.below(2) {
        0 => Ordering::natural(dims),
        _ => Ordering::random(dims, rng.next_u64()),
    };
    let rule = if rng.below(2) == 0 { DegreeRule::Sampled } else { DegreeRule::Even };
    let degrees = (0..masks)
        .map(|_| degrees::assign(dims, &architecture.hidden, rule, rng.next_u64()))
        .collect();
    (architecture, ordering, degrees)
}

/// A layer whose connections are those of `mask`, weights from `weight`.
fn layer(mask: &[bool], inputs: usize, weight: &mut dyn FnMut() -> i16) -> Linear {
    Linear {
        inputs,
        outputs: mask.len() / inputs,
        weights: mask.iter().map(|&m| if m { weight() } else { 0 }).collect(),
        bias: (0..mask.len() / inputs).map(|_| i32::from(weight())).collect(),
    }
}

/// A network with these masks; `widen` = (layer, by) adds to the degrees of that
/// layer's targets when its mask is made: 0 is right, 1 is a leak.
fn network(
    architecture: &Architecture,
    ordering: &Ordering,
    degrees: &[Vec<u32>],
    widen: Option<usize>,
    weight: &mut dyn FnMut() -> i16,
) -> MaskedMade {
    let mut from = ordering.ranks().to_vec();
    let mut hidden = Vec::new();
    for (l, to) in degrees.iter().enumerate() {
        let by = u32::from(widen == Some(l));
        let raised: Vec<u32> = to.iter().map(|m| m + by).collect();
        hidden.push(layer(&masks::mask(&from, &raised, masks::into_hidden), from.len(), weight));
        from = to.clone();
    }
    let by = u32::from(widen == Some(degrees.len()));
    let raised: Vec<u32> = ordering.ranks().iter().map(|m| m + by).collect();
    let output = layer(&masks::mask(&from, &raised, masks::into_output), from.len(), weight);
    let direct = architecture.direct.then(|| {
        let ranks = ordering.ranks();
        let mut d = layer(&masks::mask(ranks, ranks, masks::into_output), ranks.len(), weight);
        d.bias.fill(0);
        d
    });
    MaskedMade {
        architecture: architecture.clone(),
        hidden,
        output,
        direct,
        degrees: degrees.to_vec(),
    }
}

/// All (input, output) pairs where flipping the input, in some row, changes the
/// output.
fn dependencies(made: &MaskedMade) -> Vec<Vec<bool>> {
    let dims = made.architecture.dims;
    let mut seen = vec![vec![false; dims]; dims];
    for row in 0..1u32 << dims {
        let bits: Vec<u8> = (0..dims).map(|d| (row >> d & 1) as u8).collect();
        let before = made.logits(&bits);
        for i in 0..dims {
            let mut flipped = bits.clone();
            flipped[i] ^= 1;
            for (o, logit) in made.logits(&flipped).into_iter().enumerate() {
                seen[i][o] |= logit != before[o];
            }
        }
    }
    seen
}

/// Whether a path of allowed connections leads from input to output.
fn connected(made: &Made, mask: usize, input: usize, output: usize) -> bool {
    let ranks = made.ordering().ranks();
    let mut least = vec![ranks[input]];
    for layer in &made.degrees()[mask] {
        least = layer
            .iter()
            .copied()
            .filter(|&m| least.iter().any(|&f| masks::into_hidden(f, m)))
            .collect();
    }
    let direct = made.architecture().direct && masks::into_output(ranks[input], ranks[output]);
    direct || least.iter().any(|&f| masks::into_output(f, ranks[output]))
}

/// The tester: no output may depend on an input of equal or higher rank.
fn leaks(made: &MaskedMade, ranks: &[u32]) -> bool {
    let seen = dependencies(made);
    (0..ranks.len()).any(|i| (0..ranks.len()).any(|o| ranks[i] >= ranks[o] && seen[i][o]))
}

#[test]
fn outputs_never_see_equal_or_later_inputs() {
    let mut rng = SplitMix64::new(1);
    for round in 0..60 {
        let (architecture, ordering, degrees) = random_shape(&mut rng);
        let mut weights = SplitMix64::new(round);
        let mut weight = || weights.below(401) as i16 - 200;
        for mask in &degrees {
            let made = network(&architecture, &ordering, mask, None, &mut weight);
            assert!(!leaks(&made, ordering.ranks()), "{architecture:?} {ordering:?} {mask:?}");
        }
    }
}

#[test]
fn every_connected_pair_can_matter() {
    let mut rng = SplitMix64::new(2);
    for _ in 0..40 {
        let (mut architecture, ordering, degrees) = random_shape(&mut rng);
        // Weights of one and room for every sum: no path can cancel or saturate.
        architecture.activation_bits = 15;
        architecture.direct_shift = 0;
        let layers: Vec<_> = degrees
            .iter()
            .map(|mask| network(&architecture, &ordering, mask, None, &mut || 1))
            .collect();
        let made = assemble(&architecture, &ordering, &degrees, &layers);
        for (k, _) in degrees.iter().enumerate() {
            let masked = made.masked(k);
            let seen = dependencies(&masked);
            for (i, row) in seen.iter().enumerate() {
                for (o, &depends) in row.iter().enumerate() {
                    assert_eq!(
                        depends,
                        connected(&made, k, i, o),
                        "{architecture:?} {ordering:?} {:?}: {i} → {o}",
                        degrees[k]
                    );
                }
            }
        }
    }
}

/// One network whose weights are the union of those under each mask.
fn assemble(
    architecture: &Architecture,
    ordering: &Ordering,
    degrees: &[Vec<Vec<u32>>],
    masked: &[MaskedMade],
) -> Made {
    let union = |get: &dyn Fn(&MaskedMade) -> Linear| {
        let mut all = get(&masked[0]);
        for m in &masked[1..] {
            let other = get(m);
            for (a, b) in all.weights.iter_mut().zip(other.weights) {
                *a |= b;
            }
        }
        all
    };
    let layers = Layers {
        hidden: (0..architecture.hidden.len()).map(|l| union(&|m| m.hidden[l].clone())).collect(),
        output: union(&|m| m.output.clone()),
        direct: architecture.direct.then(|| union(&|m| m.direct.clone().unwrap())),
    };
    Made::new(architecture.clone(), ordering.clone(), degrees.to_vec(), layers).unwrap()
}

#[test]
fn a_mask_widened_by_one_degree_is_caught() {
    let mut rng = SplitMix64::new(3);
    let mut caught = 0;
    while caught < 30 {
        let (mut architecture, ordering, degrees) = random_shape(&mut rng);
        architecture.activation_bits = 15;
        let mask = &degrees[0];
        let widen = rng.below(architecture.hidden.len() + 1);
        // Widening the output mask always leaks for D > 1 without hidden layers;
        // elsewhere it leaks when some unit has the degree that now gets through.
        let right = network(&architecture, &ordering, mask, None, &mut || 1);
        let wide = network(&architecture, &ordering, mask, Some(widen), &mut || 1);
        if right == wide || !wide_reaches_forbidden(&wide, ordering.ranks()) {
            continue;
        }
        assert!(leaks(&wide, ordering.ranks()), "{architecture:?} {ordering:?} {mask:?} {widen}");
        assert!(!leaks(&right, ordering.ranks()));
        caught += 1;
    }
}

/// Whether nonzero weights lead from an input to an output of equal or lower rank.
fn wide_reaches_forbidden(made: &MaskedMade, ranks: &[u32]) -> bool {
    (0..ranks.len()).any(|i| {
        let mut live: Vec<bool> = (0..ranks.len()).map(|j| j == i).collect();
        for layer in made.hidden.iter().chain([&made.output]) {
            live = (0..layer.outputs)
                .map(|o| {
                    (0..layer.inputs).any(|j| live[j] && layer.weights[o * layer.inputs + j] != 0)
                })
                .collect();
        }
        (0..ranks.len()).any(|o| live[o] && ranks[i] >= ranks[o])
    })
}

#[test]
fn a_window_sees_earlier_pixels_alone_and_every_one_it_covers() {
    use madezip::made::window::{WindowArchitecture, WindowLayers, WindowMade};
    for (height, width, up, side) in [(3, 3, 1, 1), (2, 4, 1, 2), (4, 2, 3, 1), (1, 5, 0, 3)] {
        let architecture = WindowArchitecture {
            height,
            width,
            up,
            side,
            hidden: vec![2, 1],
            activation_bits: 15,
            hidden_shifts: vec![0, 0],
            output_shift: 0,
        };
        let widths = architecture.widths();
        let ones =
            |inputs: usize, outputs: usize| layer(&vec![true; inputs * outputs], inputs, &mut || 1);
        let layers = WindowLayers {
            hidden: widths.windows(2).map(|w| ones(w[0], w[1])).collect(),
            output: ones(1, 1),
            position: vec![0; height * width * 2],
            output_position: vec![0; height * width],
        };
        let made = WindowMade::new(architecture, layers).unwrap();
        let dims = height * width;
        for row in 0..1u32 << dims {
            let bits: Vec<u8> = (0..dims).map(|d| (row >> d & 1) as u8).collect();
            for i in 0..dims {
                let mut flipped = bits.clone();
                flipped[i] ^= 1;
                for o in 0..dims {
                    let lines_up = (o / width).wrapping_sub(i / width);
                    let across = (o % width).abs_diff(i % width);
                    let seen = i < o && lines_up <= up && across <= side;
                    let changed = made.logit(&bits, o) != made.logit(&flipped, o);
                    assert_eq!(changed, seen, "{height}×{width} {up} {side}: {i} → {o}");
                }
            }
        }
    }
}
