//! Samples replaced by what a prediction misses, and back.
//!
//! The difference takes the sample's bytes, the most significant first, as a two's
//! complement number of as many bits.

use super::layout::Layout;
use super::predict::Predictor;
use super::regions::Regions;

/// The bytes of a block with its samples as differences.
pub fn forward(block: &[u8], regions: &Regions) -> Vec<u8> {
    let mut changed = block.to_vec();
    for region in regions.iter() {
        let samples = &block[region.start..region.end()];
        let changed = &mut changed[region.start..region.end()];
        let layout = region.layout;
        let mut predictor = Predictor::new(layout);
        for place in layout.places(region.len) {
            let expected = predictor.predict(samples, place);
            let sample = layout.get(&samples[place.offset..]);
            predictor.update(place, sample);
            differences(layout).put(&mut changed[place.offset..], sample.wrapping_sub(expected));
        }
    }
    changed
}

/// The bytes of a block whose samples are differences.
pub fn inverse(block: &mut [u8], regions: &Regions) {
    for region in regions.iter() {
        let samples = &mut block[region.start..region.end()];
        let layout = region.layout;
        let mut predictor = Predictor::new(layout);
        for place in layout.places(region.len) {
            let expected = predictor.predict(samples, place);
            let missed = differences(layout).get(&samples[place.offset..]);
            layout.put(&mut samples[place.offset..], expected.wrapping_add(missed));
            // only its low bits count
            let sample = layout.get(&samples[place.offset..]);
            predictor.update(place, sample);
        }
    }
}

/// How differences lie.
fn differences(layout: Layout) -> Layout {
    Layout { big_endian: true, ..layout }
}

#[cfg(test)]
mod tests {
    use super::super::layout::Rows;
    use super::super::regions::Region;
    use super::*;
    use crate::stream::testing::Random;

    fn alone(len: usize, layout: Layout) -> Regions {
        [Region { start: 3, len: len - 3, layout }].into_iter().collect()
    }

    /// Bits in the magnitudes of what is left.
    fn cost(bytes: &[u8]) -> u32 {
        bytes.iter().map(|&b| (b as i8).unsigned_abs().checked_ilog2().map_or(0, |b| b + 1)).sum()
    }

    #[test]
    fn everything_comes_back() {
        let mut random = Random(5);
        for width in 1..=3 {
            for (channels, big_endian) in [(1, false), (2, true), (3, false), (8, true)] {
                let used = 20 * width * channels;
                for rows in [None, Some(Rows { used, stride: used + 1 })] {
                    let layout = Layout { width, big_endian, channels, rows, bilevel: false };
                    let len = 3 + rows.map_or(used, |r| r.stride) * 9;
                    let noise: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
                    let edges = |n: u8| if n.is_multiple_of(2) { 0 } else { 0xff };
                    let hard: Vec<u8> = noise.iter().map(|&n| edges(n)).collect();
                    for block in [noise, hard, vec![0x80; len], vec![0x7f; len]] {
                        let regions = alone(len, layout);
                        let mut changed = forward(&block, &regions);
                        assert_eq!(changed[..3], block[..3]);
                        inverse(&mut changed, &regions);
                        assert_eq!(changed, block, "{layout:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn slopes_and_waves_become_small() {
        let picture: Vec<u8> = (0..3 + 64 * 64)
            .map(|i| ((i.max(3) - 3) % 64 * 2 + (i.max(3) - 3) / 64) as u8)
            .collect();
        let rows = Some(Rows { used: 64, stride: 64 });
        let layout = Layout { width: 1, big_endian: false, channels: 1, rows, bilevel: false };
        let changed = forward(&picture, &alone(picture.len(), layout));
        assert!(cost(&changed) < 500, "{}", cost(&changed));
        // a wave by its recurrence, in 16 bits
        let (mut wave, mut a, mut b) = (vec![0; 3], 0i32, 1200i32);
        for _ in 0..4000 {
            wave.extend((b as i16).to_le_bytes());
            (a, b) = (b, (2 * b - a) - (b >> 6));
        }
        let layout =
            Layout { width: 2, big_endian: false, channels: 1, rows: None, bilevel: false };
        let changed = forward(&wave, &alone(wave.len(), layout));
        assert!(2 * cost(&changed) < cost(&wave), "{} {}", cost(&changed), cost(&wave));
    }
}
