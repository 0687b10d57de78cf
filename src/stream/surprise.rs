//! How surprising the last bytes were: how many bits they took. Where content cannot be
//! foreseen other weights are right than where it can, whatever the contexts say.

/// Classes of a byte's code length.
pub const CLASSES: usize = 8;

/// The code length of the present byte so far, and its class and those of the three before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surprise {
    present: u32,
    classes: [u8; 4],
}

/// Bits that something of a 16-bit probability takes, in sixteenths, taken linearly between
/// powers of two; `p` is in 1..=65535.
#[inline(always)]
fn code_length(p: u32) -> u32 {
    let exponent = p.max(1).ilog2();
    256 - (16 * exponent + (p << 4 >> exponent & 15))
}

/// The class of a code length: below an eighth of a bit, then up to 3/8, 7/8, … bits.
#[inline(always)]
fn class(length: u32) -> u8 {
    ((length + 2).ilog2() - 1).min(CLASSES as u32 - 1) as u8
}

impl Surprise {
    /// Takes in a bit that had the probability `p1` of being one; `partial` are the bits of
    /// the byte before it, after a leading one.
    #[inline(always)]
    pub fn learn(&mut self, partial: u8, p1: u16, bit: u32) {
        let p1 = u32::from(p1);
        self.present += code_length(if bit == 1 { p1 } else { 65536 - p1 });
        self.classes[0] = class(self.present);
        if partial >= 128 {
            let [present, last, before, _] = self.classes;
            *self = Self { present: 0, classes: [0, present, last, before] };
        }
    }

    /// The classes of the present byte so far, the last one, and the two before.
    #[inline(always)]
    pub fn classes(&self) -> [usize; 4] {
        self.classes.map(usize::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_bits() {
        for p in 1..=65535u32 {
            let bits = 16.0 - f64::from(p).log2();
            assert!((f64::from(code_length(p)) / 16.0 - bits).abs() < 0.15, "{p}");
        }
        let limits: Vec<u32> = (1..4000).filter(|&n| class(n) != class(n - 1)).collect();
        assert_eq!(limits, [2, 6, 14, 30, 62, 126, 254]);
    }

    #[test]
    fn bytes_move_on() {
        let mut surprise = Surprise::default();
        for (byte, p1) in [(0xffu8, 65535), (0, 32768), (0xff, 1)] {
            for k in 0..8 {
                let partial = 1u8 << k | (u16::from(byte) >> (8 - k)) as u8;
                surprise.learn(partial, p1, u32::from(byte >> (7 - k) & 1));
            }
        }
        assert_eq!(surprise.classes(), [0, 7, 6, 2]);
    }
}
