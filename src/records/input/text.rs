//! Zeros and ones as characters, a row a line.

use super::{Format, InputError, Packer, Table};

/// Whether all bytes (of the first 64 KiB) are those of a text table.
pub fn looks_like(data: &[u8]) -> bool {
    let head = &data[..data.len().min(1 << 16)];
    head.iter().any(|b| matches!(b, b'0' | b'1'))
        && head.iter().all(|b| matches!(b, b'0' | b'1' | b' ' | b',' | b'\t' | b'\r' | b'\n'))
}

/// Reads a text table; blank lines do not count.
pub fn read(data: &[u8]) -> Result<Table, InputError> {
    let mut packer = Packer::default();
    let mut dims = 0;
    for (number, line) in data.split(|&b| b == b'\n').enumerate() {
        for &byte in line {
            match byte {
                b'0' | b'1' => packer.push(byte == b'1'),
                b' ' | b',' | b'\t' | b'\r' => {}
                _ => {
                    return Err(Format::Text
                        .error(format!("line {}: byte {byte:#04x} is no bit", number + 1)));
                }
            }
        }
        match packer.end_row() {
            0 => {}
            n if dims == 0 || n == dims => dims = n,
            n => {
                return Err(Format::Text
                    .error(format!("line {} has {n} bits, the first row has {dims}", number + 1)));
            }
        }
    }
    Ok(Table {
        dims: dims.max(1),
        rows: packer.bytes,
        format: Format::Text,
        converted: true,
        offset: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_and_blank_lines_do_not_count() {
        let table = read(b"1 0 1\r\n\n0,1,1\n001").unwrap();
        assert_eq!((table.dims, table.rows), (3, vec![0b1010_0000, 0b0110_0000, 0b0010_0000]));
        assert!(read(b"101\n11\n").unwrap_err().to_string().contains("line 2 has 2 bits"));
        assert!(read(b"101\n1x1\n").unwrap_err().to_string().contains("line 2"));
    }
}
