//! How likely each ordering is once a row is known, in integers.

use crate::coder::Choice;

/// Fraction bits of a logarithm.
const FRACTION: u32 = 16;
/// The logarithm of 65536.
const WHOLE: u32 = 16 << FRACTION;

/// Binary logarithms of 1..=65536, with 16 fraction bits, rounded down.
pub struct Logarithms {
    /// Entry 0 is not used.
    of: Vec<u32>,
}

impl Logarithms {
    /// Makes the table.
    pub fn new() -> Self {
        Self { of: (0..=1u32 << 16).map(|n| log2(n.max(1))).collect() }
    }

    /// What an event of probability `width` / 65536 costs, in 1/65536 bits.
    pub fn cost(&self, width: u32) -> u64 {
        u64::from(WHOLE - self.of[width.clamp(1, 1 << 16) as usize])
    }

    /// 2^−(`cost` / 65536), of 65536, rounded down.
    fn weight(&self, cost: u64) -> u64 {
        if cost >= u64::from(WHOLE) {
            return 0;
        }
        let whole = cost >> FRACTION;
        let rest = (cost & ((1 << FRACTION) - 1)) as u32;
        // The largest number whose logarithm is not above 16 − rest.
        let upper = self.of[1 << 15..].partition_point(|&log| log <= WHOLE - rest);
        ((1 << 15) + upper as u64 - 1) >> whole
    }

    /// The probabilities of the components, equally likely before, under which a
    /// row costs so much.
    pub fn posterior(&self, costs: &[u64]) -> Choice {
        let least = costs.iter().copied().min().unwrap_or(0);
        let weights: Vec<u64> = costs.iter().map(|cost| self.weight(cost - least)).collect();
        Choice::weighted(&weights)
    }
}

/// The binary logarithm of a number above 0, bit by bit: squaring the mantissa
/// doubles the logarithm.
fn log2(n: u32) -> u32 {
    let whole = 31 - n.leading_zeros();
    let mut mantissa = u64::from(n) << (31 - whole);
    (0..FRACTION).fold(whole, |log, _| {
        mantissa = (mantissa * mantissa) >> 31;
        let bit = (mantissa >> 32) as u32;
        mantissa >>= bit;
        log << 1 | bit
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_right() {
        let logs = Logarithms::new();
        for n in 1..=1u32 << 16 {
            let want = f64::from(n).log2() * 65536.0;
            let got = f64::from(logs.of[n as usize]);
            // no squaring adds more than what a bit of the mantissa is worth
            assert!(got <= want + 1e-6 && got > want - 2.0, "{n}: {got} {want}");
        }
        assert_eq!((logs.cost(65536), logs.cost(32768), logs.cost(1)), (0, 65536, 16 * 65536));
    }

    #[test]
    fn weights_are_powers_of_two() {
        let logs = Logarithms::new();
        for cost in (0..1_200_000).step_by(331) {
            let want = 65536.0 * (-(cost as f64) / 65536.0).exp2();
            let got = logs.weight(cost) as f64;
            assert!((got - want).abs() < 2.0, "{cost}: {got} {want}");
        }
        assert_eq!(logs.weight(u64::MAX), 0);
    }

    #[test]
    fn what_codes_a_row_better_is_likelier() {
        let logs = Logarithms::new();
        let bits = |n: u64| n << 16;
        let two = logs.posterior(&[bits(102), bits(100)]);
        assert!(two.width(0).abs_diff(65536 / 5) < 3, "{two:?}");
        let far = logs.posterior(&[bits(100), bits(500), bits(101)]);
        assert_eq!(far.width(1), 1);
        assert_eq!(far.width(0) + far.width(1) + far.width(2), 65536);
        assert_eq!(logs.posterior(&[bits(7)]).width(0), 65536);
    }
}
