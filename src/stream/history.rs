//! Bit histories: one byte that remembers what a context was followed by.
//!
//! A history is exact for up to four bits. Longer ones are summarized as the
//! number of zeros and ones (bounded, the rarer the count of one, the more of the
//! other may be counted) and the last bit. When a bit contradicts a long run, the
//! run's count is cut to about its logarithm, so that a history follows change.
//! What a history is worth is learned elsewhere ([`super::adaptive`]).

/// Number of histories.
pub const STATES: usize = COUNTED_BASE + COUNTED;
/// Histories of 0..=4 bits: 1 + 2 + 4 + 8 + 16.
const EXACT: usize = 31;
const COUNTED_BASE: usize = EXACT;
const COUNTED: usize = count_summaries();

/// Most counts of the commoner bit, by the count of the rarer one.
const MOST: [u8; 5] = [48, 24, 10, 5, 4];

/// What is known about the bits of a history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Summary {
    zeros: u8,
    ones: u8,
    last: u8,
}

const fn representable(zeros: u8, ones: u8) -> bool {
    let (few, many) = if zeros < ones { (zeros, ones) } else { (ones, zeros) };
    zeros + ones > 4 && few as usize <= 4 && many <= MOST[few as usize]
}

const fn count_summaries() -> usize {
    let mut n = 0;
    let mut zeros = 0;
    while zeros <= MOST[0] {
        let mut ones = 0;
        while ones <= MOST[0] {
            if representable(zeros, ones) {
                n += if zeros == 0 || ones == 0 { 1 } else { 2 };
            }
            ones += 1;
        }
        zeros += 1;
    }
    n
}

const fn summaries() -> [Summary; STATES] {
    let mut all = [Summary { zeros: 0, ones: 0, last: 0 }; STATES];
    // exact: state 2^n - 1 + bits, for n bits read as a number, oldest first
    let mut n = 1;
    while n <= 4 {
        let mut bits = 0;
        while bits < 1 << n {
            let ones = (bits as u8).count_ones() as u8;
            all[(1 << n) - 1 + bits] = Summary { zeros: n - ones, ones, last: (bits & 1) as u8 };
            bits += 1;
        }
        n += 1;
    }
    let mut s = COUNTED_BASE;
    let mut zeros = 0;
    while zeros <= MOST[0] {
        let mut ones = 0;
        while ones <= MOST[0] {
            if representable(zeros, ones) {
                let mut last = 0;
                while last < 2 {
                    if (last == 0 && zeros > 0) || (last == 1 && ones > 0) {
                        all[s] = Summary { zeros, ones, last };
                        s += 1;
                    }
                    last += 1;
                }
            }
            ones += 1;
        }
        zeros += 1;
    }
    all
}

/// Count kept of the other bit after a contradiction: 0,1,2 stay; n becomes
/// 1 + floor(log2 n) above.
const fn discount(n: u8) -> u8 {
    if n <= 2 { n } else { 8 - n.leading_zeros() as u8 }
}

const fn next_state(all: &[Summary; STATES], state: usize, bit: u8) -> u8 {
    // exact histories of up to three bits grow by one bit
    let mut n = 0;
    while n < 4 {
        if state < (1 << (n + 1)) - 1 {
            let bits = state - ((1 << n) - 1);
            return ((1 << (n + 1)) - 1 + (bits << 1) + bit as usize) as u8;
        }
        n += 1;
    }
    let now = all[state];
    let (mut zeros, mut ones) = (now.zeros, now.ones);
    if bit == 0 {
        zeros += 1;
        ones = discount(ones);
    } else {
        ones += 1;
        zeros = discount(zeros);
    }
    // a contradiction may leave four counts or fewer: the nearest summary has five
    while zeros + ones <= 4 {
        if bit == 0 { zeros += 1 } else { ones += 1 }
    }
    while !representable(zeros, ones) {
        if zeros > ones {
            zeros -= 1;
        } else {
            ones -= 1;
        }
        if zeros + ones <= 4 {
            // cannot happen with MOST[4] = 4; keeps the loop finite
            zeros += 1;
            ones += 1;
        }
    }
    let mut s = COUNTED_BASE;
    while s < STATES {
        if all[s].zeros == zeros && all[s].ones == ones && all[s].last == bit {
            return s as u8;
        }
        s += 1;
    }
    panic!("every summary has a state");
}

const fn transitions() -> [[u8; 2]; 256] {
    let all = summaries();
    let mut table = [[0u8; 2]; 256];
    let mut s = 0;
    while s < STATES {
        table[s] = [next_state(&all, s, 0), next_state(&all, s, 1)];
        s += 1;
    }
    table
}

const fn confidences() -> [u8; 256] {
    // 8·log2(1 + n) rounded down, n = number of bits counted
    let all = summaries();
    let mut table = [0u8; 256];
    let mut s = 1;
    while s < STATES {
        let n = (all[s].zeros + all[s].ones) as u64 + 1;
        // floor(8·log2 n) = floor(log2 n^8); n <= 49, so n^8 < 2^45
        table[s] = (63 - n.pow(8).leading_zeros()) as u8;
        s += 1;
    }
    table
}

const fn facts() -> [u32; 256] {
    let all = summaries();
    let next = transitions();
    let confidence = confidences();
    let mut table = [0u32; 256];
    let mut s = 0;
    while s < STATES {
        let seen = (all[s].zeros > 0) as u32 | ((all[s].ones > 0) as u32) << 1;
        table[s] = next[s][0] as u32
            | (next[s][1] as u32) << 8
            | (confidence[s] as u32) << 16
            | seen << 24;
        s += 1;
    }
    table
}

/// All that is asked of a history at once, a byte each from the lowest: the
/// history after a zero, after a one, [`CONFIDENCE`], and which bits it has seen
/// (1 a zero, 2 a one, 3 both).
pub static FACTS: [u32; 256] = facts();
/// How much a history has seen: floor(8·log2(1 + number of bits)), 0..=45.
pub static CONFIDENCE: [u8; 256] = confidences();

/// The counts behind a history: (zeros, ones).
pub fn counts(state: u8) -> (u8, u8) {
    const ALL: [Summary; STATES] = summaries();
    ALL.get(state as usize).map_or((0, 0), |s| (s.zeros, s.ones))
}

#[cfg(test)]
mod tests {
    use super::*;

    static NEXT: [[u8; 2]; 256] = transitions();

    #[test]
    fn all_states_fit_a_byte_and_are_reached() {
        const { assert!(STATES <= 256) };
        let mut seen = [false; 256];
        let mut todo = vec![0u8];
        while let Some(s) = todo.pop() {
            if !std::mem::replace(&mut seen[s as usize], true) {
                todo.extend(NEXT[s as usize]);
            }
        }
        let reached = seen.iter().filter(|&&s| s).count();
        // a few summaries, such as a long run of zeros whose last bit is a one, cannot occur
        assert!(reached > 190, "{reached} of {STATES}");
    }

    #[test]
    fn runs_grow_and_contradictions_cut() {
        let mut s = 0;
        for _ in 0..100 {
            s = NEXT[s as usize][1];
        }
        assert_eq!(counts(s), (0, 48));
        s = NEXT[s as usize][0];
        assert_eq!(counts(s), (1, 6));
        assert_eq!(FACTS[s as usize] >> 24, 3);
        assert_eq!(FACTS[s as usize] & 255, u32::from(NEXT[s as usize][0]));
        assert_eq!(FACTS[s as usize] >> 16 & 255, u32::from(CONFIDENCE[s as usize]));
        assert_eq!(CONFIDENCE[0], 0);
        assert_eq!(CONFIDENCE[NEXT[0][1] as usize], 8);
    }
}
