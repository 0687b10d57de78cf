//! The logistic function and its inverse as integer tables.
//!
//! Every probability of madezip comes from one of these two tables, so that no
//! floating-point `exp` decides what a decoder sees. Logits are fixed point with
//! [`LOGIT_BITS`] fraction bits; probabilities are 16-bit, of the bit being one,
//! and never 0 or 65536. The tables belong to the arithmetic profile: FORMAT.md
//! gives the same construction in words.

/// Fraction bits of a logit: one unit is 1/256 nat.
pub const LOGIT_BITS: u32 = 8;
/// Logits are clamped to `-LOGIT_LIMIT..LOGIT_LIMIT` before the table is read
/// (±12 nats; beyond ±11.1 the 16-bit probability is at its bound anyway).
pub const LOGIT_LIMIT: i32 = 3072;
/// Bits of a probability.
pub const PROBABILITY_BITS: u32 = 16;

/// round(e^(-1/256) · 2^64).
const DECAY: u128 = 0xff00_7fd5_5ffd_de39;

/// `SQUASH[x + LOGIT_LIMIT]` = round(65536 / (1 + e^(-x/256))), in 1..=65535, as the 16
/// bits of a signed number. One more entry stands at the end, as in [`STRETCH`].
pub static SQUASH: [i16; 2 * LOGIT_LIMIT as usize + 1] = signed(squash_table());
/// `STRETCH[p / 16]`: the least logit x whose squash reaches p | 8.
/// One more entry stands at the end, so that entries can be read in pairs.
pub static STRETCH: [i16; 4097] = stretch_table();

const fn squash_table() -> [u16; 2 * LOGIT_LIMIT as usize] {
    let mut table = [0u16; 2 * LOGIT_LIMIT as usize];
    // e^(-k/256) as a 64-bit fraction, by repeated multiplication; each step
    // floors, which loses less than 2^-50 in all.
    let mut e: u128 = 1 << 64;
    let mut k = 0;
    while k <= LOGIT_LIMIT as usize {
        let denominator = (1u128 << 64) + e;
        let p = ((1u128 << 80) + denominator / 2) / denominator;
        let p = if p > 65535 { 65535 } else { p as u16 };
        if k < LOGIT_LIMIT as usize {
            table[LOGIT_LIMIT as usize + k] = p;
        }
        if k > 0 {
            table[LOGIT_LIMIT as usize - k] = (65536 - p as u32) as u16;
        }
        e = (e * DECAY) >> 64;
        k += 1;
    }
    table
}

const fn signed(table: [u16; 2 * LOGIT_LIMIT as usize]) -> [i16; 2 * LOGIT_LIMIT as usize + 1] {
    let mut all = [0; 2 * LOGIT_LIMIT as usize + 1];
    let mut i = 0;
    while i < table.len() {
        all[i] = table[i] as i16;
        i += 1;
    }
    all
}

const fn stretch_table() -> [i16; 4097] {
    let squash = squash_table();
    let mut table = [0i16; 4097];
    let mut x = 0usize;
    let mut i = 0;
    while i < 4096 {
        let p = (i as u32) * 16 + 8;
        while x + 1 < squash.len() && (squash[x] as u32) < p {
            x += 1;
        }
        table[i] = x as i16 - LOGIT_LIMIT as i16;
        i += 1;
    }
    table
}

/// Probability (16 bits, 1..=65535) that the bit is one, from a logit with
/// [`LOGIT_BITS`] fraction bits. Any `i32` is allowed.
#[inline(always)]
pub fn squash(logit: i32) -> u16 {
    let x = logit.clamp(-LOGIT_LIMIT, LOGIT_LIMIT - 1);
    SQUASH[(x + LOGIT_LIMIT) as usize] as u16
}

/// Logit (fraction bits [`LOGIT_BITS`]) of a 16-bit probability, read at 12 bits.
#[inline(always)]
pub fn stretch(p: u16) -> i16 {
    STRETCH[(p >> 4) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squash_is_the_rounded_logistic_function() {
        for x in -LOGIT_LIMIT..LOGIT_LIMIT {
            let exact = 65536.0 / (1.0 + (-f64::from(x) / 256.0).exp());
            let want = exact.clamp(1.0, 65535.0);
            let got = f64::from(squash(x));
            assert!((got - want).abs() <= 0.5 + 1e-9, "{x}: {got} {want}");
        }
        assert_eq!(squash(0), 32768);
        assert_eq!(squash(i32::MIN), 1);
        assert_eq!(squash(i32::MAX), 65535);
    }

    #[test]
    fn squash_is_monotone_and_symmetric() {
        for x in 1..LOGIT_LIMIT {
            assert!(squash(x) >= squash(x - 1));
            assert_eq!(u32::from(squash(x)) + u32::from(squash(-x)), 65536);
        }
    }

    #[test]
    fn stretch_inverts_squash() {
        for i in 0..4096u32 {
            let p = (i * 16 + 8) as f64 / 65536.0;
            let exact = 256.0 * (p / (1.0 - p)).ln();
            let got = f64::from(stretch((i * 16) as u16));
            // one unit, or the width of a probability step in the tails
            let width = 256.0 / (p * (1.0 - p)) / 65536.0;
            assert!((got - exact).abs() <= 1.0 + width, "{i}: {got} {exact}");
        }
    }
}
