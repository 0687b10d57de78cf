//! Predictions of samples, in integers, by filters that adapt to the samples before.
//!
//! A sample is expected at a neighbour (to the left, or in time) plus a weighted sum of the
//! differences between other neighbours and that one: a normalized least-mean-squares
//! filter. In sounds two more filters follow, each predicts what the one before it has left
//! (sign-sign least mean squares, as in Monkey's Audio).

use super::layout::{Layout, Place, Rows};

/// Bits of the weights' fraction.
const FRACTION: u32 = 16;
/// One.
const ONE: i64 = 1 << FRACTION;
/// Weights stay below 2^4.
const MOST: i64 = 16 * ONE;
/// A step is the error by the inputs' energy, times 2^-4.
const RATE: u32 = 2 * FRACTION - 4;
/// Added to the energy.
const QUIET: i64 = 300;
/// No filter predicts a greater number: more than the difference of two samples.
const LIMIT: i64 = 1 << 26;

/// Neighbours of a pixel as (rows up, columns to the left), after the one to the left.
const NEIGHBOURS: [(usize, isize); 12] = [
    (1, 0),
    (1, 1),
    (1, -1),
    (0, 2),
    (2, 0),
    (1, -2),
    (1, 2),
    (2, -1),
    (2, 1),
    (0, 3),
    (3, 0),
    (2, -2),
];
/// Earlier colours of the pixel that are looked at, and neighbours of each.
const COLOURS: usize = 2;
const OF_COLOUR: usize = 3;
/// Moments before that a sound's own channel is looked at, and another one.
const OWN: usize = 16;
const OTHER: usize = 8;
/// Inputs, at most.
const INPUTS: usize = OWN + OTHER;
const _: () = assert!(NEIGHBOURS.len() + COLOURS * OF_COLOUR <= INPUTS);

/// A normalized least-mean-squares filter.
#[derive(Clone, Debug)]
struct Nlms {
    weights: [i64; INPUTS],
    inputs: [i64; INPUTS],
    /// Σ weight · input.
    sum: i64,
}

impl Nlms {
    /// The weighted sum of the inputs, rounded.
    #[inline(always)]
    fn predict(&mut self) -> i32 {
        self.sum = self.weights.iter().zip(&self.inputs).map(|(w, x)| w * x).sum();
        ((self.sum + ONE / 2) >> FRACTION).clamp(-LIMIT, LIMIT) as i32
    }

    /// Learns what the sum should have been.
    #[inline(always)]
    fn update(&mut self, target: i64) {
        let error = (target << FRACTION) - self.sum;
        let energy: i64 = self.inputs.iter().map(|x| x * x).sum();
        let step = (error << (RATE - FRACTION)) / (energy + QUIET);
        for (w, x) in self.weights.iter_mut().zip(&self.inputs) {
            *w = (*w + ((step * x + ONE / 2) >> FRACTION)).clamp(-MOST, MOST);
        }
    }
}

/// A filter whose weights move by the signs of its error and its inputs.
#[derive(Clone, Debug)]
struct Signs<const N: usize> {
    weights: [i32; N],
    /// The last ones first.
    inputs: [i32; N],
    /// Their signs, those of large ones twice or four times.
    signs: [i32; N],
    /// Mean magnitude of the inputs.
    mean: i32,
}

/// Bits of the fraction of [`Signs::weights`].
const SIGNS_FRACTION: u32 = 10;

impl<const N: usize> Signs<N> {
    const NEW: Self = Self { weights: [0; N], inputs: [0; N], signs: [0; N], mean: 0 };

    /// The next input.
    #[inline(always)]
    fn predict(&self) -> i32 {
        let products = self.weights.iter().zip(&self.inputs);
        let sum: i64 = products.map(|(&w, &x)| i64::from(w) * i64::from(x)).sum();
        ((sum + (1 << (SIGNS_FRACTION - 1))) >> SIGNS_FRACTION).clamp(-LIMIT, LIMIT) as i32
    }

    /// Takes in the input that came, of which the prediction missed so much.
    #[inline(always)]
    fn update(&mut self, input: i32, missed: i32) {
        let direction = missed.signum();
        for (w, s) in self.weights.iter_mut().zip(&self.signs) {
            *w = w.saturating_add(direction * s);
        }
        self.inputs.copy_within(..N - 1, 1);
        self.signs.copy_within(..N - 1, 1);
        let magnitude = input.abs();
        let size = if magnitude > 3 * self.mean {
            4
        } else if magnitude > 4 * self.mean / 3 {
            2
        } else {
            1
        };
        self.inputs[0] = input;
        self.signs[0] = size * input.signum();
        self.mean += (magnitude - self.mean) / 16;
    }
}

/// What is known of a channel.
#[derive(Clone, Debug)]
struct Channel {
    filter: Nlms,
    /// Of a sound only.
    second: Signs<32>,
    third: Signs<16>,
    /// The present predictions.
    base: i32,
    predicted: [i32; 3],
}

/// Predicts the samples of a region in order.
#[derive(Clone, Debug)]
pub(super) struct Predictor {
    layout: Layout,
    channels: Vec<Channel>,
}

impl Predictor {
    pub fn new(layout: Layout) -> Self {
        let mut weights = [0; INPUTS];
        if layout.rows.is_some() {
            // left + above - above left
            (weights[0], weights[1]) = (ONE, -ONE);
        }
        let channel = Channel {
            filter: Nlms { weights, inputs: [0; INPUTS], sum: 0 },
            second: Signs::NEW,
            third: Signs::NEW,
            base: 0,
            predicted: [0; 3],
        };
        Self { layout, channels: vec![channel; layout.channels] }
    }

    /// The sample expected at a place; `samples` is the region, known up to there.
    #[inline(always)]
    pub fn predict(&mut self, samples: &[u8], place: Place) -> i32 {
        let layout = self.layout;
        let channel = &mut self.channels[place.channel];
        let inputs = &mut channel.filter.inputs;
        channel.base = match layout.rows {
            Some(Rows { stride, .. }) => look_around(layout, stride, samples, place, inputs),
            None => look_back(layout, samples, place, inputs),
        };
        channel.predicted = [channel.filter.predict(), 0, 0];
        if layout.rows.is_none() {
            channel.predicted[1] = channel.second.predict();
            channel.predicted[2] = channel.third.predict();
        }
        let (low, high) = layout.range();
        (channel.base + channel.predicted.iter().sum::<i32>()).clamp(low, high)
    }

    /// Learns the sample at the place that was predicted last.
    #[inline(always)]
    pub fn update(&mut self, place: Place, sample: i32) {
        let channel = &mut self.channels[place.channel];
        let target = sample - channel.base;
        channel.filter.update(target.into());
        if self.layout.rows.is_none() {
            let first = target - channel.predicted[0];
            let second = first - channel.predicted[1];
            channel.second.update(first, second);
            channel.third.update(second, second - channel.predicted[2]);
        }
    }
}

/// The inputs for a pixel, and the neighbour that they are differences to.
#[inline(always)]
fn look_around(
    layout: Layout,
    stride: usize,
    samples: &[u8],
    place: Place,
    inputs: &mut [i64; INPUTS],
) -> i32 {
    let Place { offset, channel, column, row } = place;
    let step = layout.step();
    let get = |at: usize| layout.get(&samples[at..]);
    *inputs = [0; INPUTS];
    let back = match (column, row) {
        (0, 0) => return 0,
        (0, _) => stride,
        _ => step,
    };
    let base = get(offset - back);
    for (input, (up, left)) in inputs.iter_mut().zip(NEIGHBOURS) {
        if let Some(at) = layout.neighbour(place, up, left) {
            *input = i64::from(get(at) - base);
        }
    }
    let colours = inputs[NEIGHBOURS.len()..].chunks_exact_mut(OF_COLOUR).take(COLOURS);
    for (i, inputs) in colours.enumerate().take(channel) {
        let at = offset - (i + 1) * layout.width;
        let before = get(at - back);
        inputs[0] = i64::from(get(at) - before);
        if row > 0 {
            inputs[1] = i64::from(get(at - stride) - before);
            if column > 0 {
                inputs[2] = i64::from(get(at - stride - step) - before);
            }
        }
    }
    base
}

/// The inputs for a moment of a sound, and the sample before.
#[inline(always)]
fn look_back(layout: Layout, samples: &[u8], place: Place, inputs: &mut [i64; INPUTS]) -> i32 {
    let Place { offset, channel, column, .. } = place;
    let step = layout.step();
    let get = |at: usize| layout.get(&samples[at..]);
    *inputs = [0; INPUTS];
    if column == 0 {
        return 0;
    }
    let base = get(offset - step);
    let differences = |mut at: usize, moments: usize, inputs: &mut [i64]| {
        let mut now = get(at);
        for input in inputs.iter_mut().take(moments) {
            at -= step;
            let before = get(at);
            *input = i64::from(now - before);
            now = before;
        }
    };
    let (own, other) = inputs.split_at_mut(OWN);
    differences(offset - step, column - 1, own);
    if channel > 0 {
        differences(offset - layout.width, column, &mut other[..OTHER]);
    } else if layout.channels > 1 {
        differences(offset - layout.width, column - 1, &mut other[..OTHER]);
    }
    base
}
