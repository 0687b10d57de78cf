//! Unsigned integers in as few bytes as they need (LEB128): seven bits a byte,
//! the least significant first, the high bit set on all but the last byte.

/// Bytes of the longest varint that a field may use.
pub const MAX_LEN: usize = 10;

/// Appends `value` in its shortest form, the only one allowed.
pub fn push(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Why bytes are not a varint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Longer than 64 bits, or padded with zero bits.
    NotShortest,
    /// `next` failed.
    Source,
}

/// Reads a varint from the bytes that `next` gives, one a call (`None`: no more).
pub fn read(mut next: impl FnMut() -> Option<u8>) -> Result<u64, Invalid> {
    let mut value = 0u64;
    for i in 0..MAX_LEN {
        let byte = next().ok_or(Invalid::Source)?;
        let bits = u64::from(byte & 0x7f);
        if i == MAX_LEN - 1 && bits > 1 {
            return Err(Invalid::NotShortest);
        }
        value |= bits << (7 * i);
        if byte < 0x80 {
            return if byte == 0 && i > 0 { Err(Invalid::NotShortest) } else { Ok(value) };
        }
    }
    Err(Invalid::NotShortest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(bytes: &[u8]) -> Result<u64, Invalid> {
        let mut it = bytes.iter().copied();
        read(|| it.next())
    }

    proptest! {
        #[test]
        fn round_trip(value: u64, shift in 0u32..64) {
            let value = value >> shift;
            let mut bytes = Vec::new();
            push(&mut bytes, value);
            prop_assert!(bytes.len() <= MAX_LEN);
            prop_assert_eq!(decode(&bytes), Ok(value));
            for cut in 0..bytes.len() {
                prop_assert_eq!(decode(&bytes[..cut]), Err(Invalid::Source));
            }
        }
    }

    #[test]
    fn one_form_for_each_number() {
        assert_eq!(decode(&[0]), Ok(0));
        assert_eq!(decode(&[0x80, 0]), Err(Invalid::NotShortest));
        assert_eq!(decode(&[0xff, 0x80, 0]), Err(Invalid::NotShortest));
        assert_eq!(decode(&[0xff; 11]), Err(Invalid::NotShortest));
        let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(decode(&max), Ok(u64::MAX));
        let over = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
        assert_eq!(decode(&over), Err(Invalid::NotShortest));
    }
}
