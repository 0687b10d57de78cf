//! The two checksums of the format: CRC-32 (zlib's) and CRC-16/IBM-3740.

/// CRC-32 as in zlib, PNG and gzip: reflected polynomial 0xEDB88320, initial
/// value and final xor 0xFFFFFFFF.
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// CRC-32 of `len` copies of `byte`, without making them.
pub fn crc32_of_run(byte: u8, len: u64) -> u32 {
    // square and multiply over concatenation
    let mut result = crc32fast::Hasher::new();
    let mut power = crc32fast::Hasher::new();
    power.update(&[byte]);
    let mut left = len;
    while left > 0 {
        if left & 1 == 1 {
            result.combine(&power);
        }
        power.combine(&power.clone());
        left >>= 1;
    }
    result.finalize()
}

/// CRC-16/IBM-3740: polynomial 0x1021, initial value 0xFFFF, not reflected, no
/// final xor. It finds every single flipped bit and every burst of up to 16
/// bits in the at most 64 KiB of a short archive.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, &b| (crc << 8) ^ CRC16[usize::from((crc >> 8) as u8 ^ b)])
}

static CRC16: [u16; 256] = {
    let mut table = [0u16; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = (i as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 { (crc << 1) ^ 0x1021 } else { crc << 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values() {
        // the published check values of both, over "123456789"
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc16(b"123456789"), 0x29b1);
    }

    #[test]
    fn runs() {
        for len in [0usize, 1, 2, 3, 7, 255, 256, 1000, 65537] {
            for byte in [0u8, 7, 255] {
                assert_eq!(crc32_of_run(byte, len as u64), crc32(&vec![byte; len]), "{byte} {len}");
            }
        }
    }
}
