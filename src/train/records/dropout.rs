//! Units left out at random (Srivastava et al. 2014).

use crate::made::random::SplitMix64;
use tch::{Device, Kind, Tensor};

/// Leaves out units at random, by a generator of its own: libtorch's is shared by
/// everything in the process.
pub struct Dropout {
    rng: SplitMix64,
    /// Probability, of 65536.
    rate: u16,
}

impl Dropout {
    pub fn new(rate: f64, seed: u64) -> Self {
        Self { rng: SplitMix64::new(seed), rate: (rate * 65536.0) as u16 }
    }

    /// Zeroes some elements and scales the others up.
    pub fn apply(&mut self, a: &Tensor) -> Tensor {
        if self.rate == 0 {
            return a.shallow_clone();
        }
        let words = a.numel().div_ceil(4);
        let keep = match a.device() {
            Device::Cpu => self.keep_here(words),
            device => self.keep_there(words, device),
        };
        let keep = keep.narrow(0, 0, a.numel() as i64).reshape(a.size());
        a * keep.to_kind(a.kind()) * (65536.0 / (65536.0 - f64::from(self.rate)))
    }

    /// Which are left in, four for every number of the generator.
    fn keep_here(&mut self, words: usize) -> Tensor {
        let mut keep = Vec::with_capacity(4 * words);
        for _ in 0..words {
            let random = self.rng.next_u64();
            keep.extend((0..4).map(|i| (random >> (16 * i)) as u16 >= self.rate));
        }
        Tensor::from_slice(&keep)
    }

    /// The same, made on the device: number `i` is a function of `i` alone.
    fn keep_there(&mut self, words: usize, device: Device) -> Tensor {
        // the shift of signed numbers has copies of the sign where zeros should be
        let shifted = |z: &Tensor, by: u32| {
            z.bitwise_right_shift_tensor_scalar(i64::from(by)).bitwise_and((u64::MAX >> by) as i64)
        };
        let first = self.rng.skip(words as u64);
        let mut z = Tensor::arange(words as i64, (Kind::Int64, device));
        z = z * SplitMix64::STEP as i64 + first as i64;
        for (shift, factor) in SplitMix64::ROUNDS {
            z = z.bitwise_xor_tensor(&shifted(&z, shift)) * factor as i64;
        }
        z = z.bitwise_xor_tensor(&shifted(&z, SplitMix64::LAST_SHIFT));
        let lanes = [0, 16, 32, 48].map(|by| shifted(&z, by).bitwise_and(0xffff));
        Tensor::stack(&lanes, 1).flatten(0, -1).ge(i64::from(self.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_leaves_out_the_same() {
        for rate in [0.1, 0.5, 0.999] {
            let [mut here, mut there] = [0; 2].map(|_| Dropout::new(rate, 7));
            for words in [1, 3, 1000, 2] {
                let [here, there] = [here.keep_here(words), there.keep_there(words, Device::Cpu)];
                let left = |keep: &Tensor| Vec::<bool>::try_from(keep).unwrap();
                assert_eq!(left(&here), left(&there));
            }
        }
    }

    #[test]
    fn as_many_are_left_out_as_the_rate_says() {
        let a = Tensor::ones([100, 100], (Kind::Float, Device::Cpu));
        let left = Dropout::new(0.3, 1).apply(&a);
        let zeros = left.eq(0.0).sum(Kind::Float).double_value(&[]);
        assert!((zeros / 1e4 - 0.3).abs() < 0.02, "{zeros}");
        assert!((left.mean(Kind::Float).double_value(&[]) - 1.0).abs() < 0.03);
    }
}
