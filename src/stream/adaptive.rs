//! Adaptive probabilities: what a history, or a match length, is worth here.
//!
//! Each entry is a 22-bit probability of a one with a 10-bit count of how often
//! it was used; it moves by 1/(count + 1.5) of its error (read at 16 bits), so that it starts as an
//! average and, from the limit on, forgets.

/// One adaptive probability: the upper 22 bits are p, the lower 10 the count.
pub type Entry = u32;

/// Largest limit of the count.
pub const MAX_LIMIT: usize = 1023;

/// `RATE[n]` = floor(2^15 / (n + 1.5)).
pub static RATE: [u32; MAX_LIMIT + 1] = rates();

const fn rates() -> [u32; MAX_LIMIT + 1] {
    let mut table = [0; MAX_LIMIT + 1];
    let mut n = 0;
    while n <= MAX_LIMIT {
        table[n] = 65536 / (2 * n as u32 + 3);
        n += 1;
    }
    table
}

/// An entry of probability `p16`/65536 with a count.
pub const fn entry(p16: u16, count: u32) -> Entry {
    (p16 as u32) << 16 | count
}

/// The 16-bit probability of an entry.
#[inline(always)]
pub fn probability(e: Entry) -> u16 {
    (e >> 16) as u16
}

/// How often an entry was used, up to its limit.
#[inline(always)]
pub fn count(e: Entry) -> u32 {
    e & MAX_LIMIT as u32
}

/// The rate at which an entry moves next.
#[inline(always)]
pub fn rate(e: Entry) -> u32 {
    RATE[count(e) as usize]
}

/// The entry after `bit`, counting to `limit`.
#[inline(always)]
pub fn updated(e: Entry, bit: u32, limit: u32) -> Entry {
    let count = count(e);
    let p = (e >> 10) as i32;
    let target = (bit << 22) as i32 - bit as i32;
    // |target - p| < 2^22 and rate < 2^15: 16 bits of the difference fit
    let step = (((target - p) >> 6) * rate(e) as i32) >> 9;
    // rounded down, a step from near 0 goes beyond it
    let p = (p + step).max(0) as u32;
    p << 10 | (count + u32::from(count < limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_never_wraps() {
        for count in 0..300 {
            for p in (0..200).chain((1 << 22) - 200..1 << 22) {
                let e: Entry = p << 10 | count;
                assert!(updated(e, 0, 255) >> 10 <= p);
                assert!(updated(e, 1, 255) >> 10 >= p);
            }
        }
    }

    #[test]
    fn an_entry_averages_then_forgets() {
        let mut e = entry(32768, 0);
        for i in 0..3000u32 {
            e = updated(e, u32::from(i % 4 == 0), 255);
        }
        let p = i32::from(probability(e));
        assert!((p - 16384).abs() < 400, "{p}");
        for _ in 0..5000 {
            e = updated(e, 1, 255);
        }
        assert!(probability(e) > 65500);
        for _ in 0..20_000 {
            e = updated(e, 0, 255);
        }
        assert!(probability(e) < 30);
    }

    #[test]
    fn no_entry_leaves_its_range() {
        for start in [entry(0, 0), entry(65535, 0), entry(65535, 1023), entry(0, 1023)] {
            for bits in [[0, 0], [1, 1], [0, 1], [1, 0]] {
                let mut e = start;
                for i in 0..10_000 {
                    let before = probability(e);
                    e = updated(e, bits[i % 2], 1023);
                    let after = probability(e);
                    assert!(if bits[i % 2] == 1 { after >= before } else { after <= before });
                }
            }
        }
    }
}
