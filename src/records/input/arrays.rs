//! Arrays of bytes: NumPy's .npy and the IDX format of the MNIST files.

use super::{Format, InputError, Packer, Table};

/// Reads an array of bool or uint8 in C order.
pub fn read_npy(data: &[u8]) -> Result<Table, InputError> {
    let error = |reason: &str| Format::Npy.error(reason);
    let short = || error("is shorter than its header says");
    if !data.starts_with(b"\x93NUMPY") {
        return Err(error("does not begin with \\x93NUMPY"));
    }
    let (header_len, start) = match data.get(6..12).ok_or_else(short)? {
        [1, _, a, b, ..] => (usize::from(u16::from_le_bytes([*a, *b])), 10),
        [2 | 3, _, a, b, c, d] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 12),
        _ => return Err(error("has an unknown version")),
    };
    let end = start + header_len;
    let header = data.get(start..end).ok_or_else(short)?;
    let header = std::str::from_utf8(header).map_err(|_| error("has no readable header"))?;
    let field = |key: &str| {
        let after = header.split_once(&format!("'{key}'"))?.1;
        Some(after.trim_start().strip_prefix(':')?.trim_start())
    };
    let descr = field("descr").ok_or_else(|| error("has no descr"))?;
    if !["'|b1'", "'|u1'", "'<u1'", "'bool'", "'uint8'"].iter().any(|d| descr.starts_with(d)) {
        return Err(error("has other elements than bool or uint8"));
    }
    if !field("fortran_order").is_some_and(|f| f.starts_with("False")) {
        return Err(error("is in Fortran order; save it in C order"));
    }
    let shape = field("shape").and_then(|s| s.strip_prefix('(')?.split_once(')'));
    let shape = shape.ok_or_else(|| error("has no shape"))?.0;
    let shape: Result<Vec<usize>, _> =
        shape.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::parse).collect();
    let shape = shape.map_err(|_| error("has no readable shape"))?;
    pack(Format::Npy, &shape, &data[end..])
}

/// Dimensions and the start of the elements of an IDX file of unsigned bytes.
fn idx_header(data: &[u8]) -> Option<(Vec<usize>, usize)> {
    let &[0, 0, 8, rank] = data.first_chunk::<4>()? else { return None };
    let end = 4 + 4 * usize::from(rank);
    let dims = data.get(4..end)?.chunks_exact(4);
    let size = |c: &[u8]| c.iter().fold(0, |n, &b| n << 8 | usize::from(b));
    Some((dims.map(size).collect(), end))
}

/// The size that an IDX file's header says it has.
pub fn idx_size(data: &[u8]) -> Option<usize> {
    let (dims, start) = idx_header(data)?;
    dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d))?.checked_add(start)
}

/// Reads an IDX file of unsigned bytes.
pub fn read_idx(data: &[u8]) -> Result<Table, InputError> {
    let (shape, start) =
        idx_header(data).ok_or_else(|| Format::Idx.error("is no IDX file of unsigned bytes"))?;
    pack(Format::Idx, &shape, &data[start..])
}

/// Packs an array: the first axis counts rows, the others make up a row.
fn pack(format: Format, shape: &[usize], elements: &[u8]) -> Result<Table, InputError> {
    let (&rows, rest) = shape.split_first().ok_or_else(|| format.error("has no axes"))?;
    let dims = rest.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let total = dims.and_then(|d| d.checked_mul(rows));
    let (Some(dims), Some(total)) = (dims, total) else {
        return Err(format.error("has a shape too large"));
    };
    if total != elements.len() {
        return Err(format
            .error(format!("has {} elements, its shape {shape:?} says {total}", elements.len())));
    }
    if total == 0 {
        return Err(InputError::Empty);
    }
    let grey = elements.iter().any(|&b| b > 1);
    let threshold = if grey { 128 } else { 1 };
    let mut packer = Packer::default();
    for row in elements.chunks_exact(dims) {
        row.iter().for_each(|&b| packer.push(b >= threshold));
        packer.end_row();
    }
    Ok(Table { dims, rows: packer.bytes, format, converted: true, offset: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, elements: &[u8]) -> Vec<u8> {
        let mut data = b"\x93NUMPY\x01\x00".to_vec();
        data.extend((header.len() as u16).to_le_bytes());
        data.extend(header.as_bytes());
        data.extend(elements);
        data
    }

    #[test]
    fn numpy_arrays_are_read() {
        let header = "{'descr': '|b1', 'fortran_order': False, 'shape': (2, 3), }   \n";
        let table = read_npy(&npy(header, &[1, 0, 1, 0, 1, 1])).unwrap();
        assert_eq!((table.dims, table.rows), (3, vec![0b1010_0000, 0b0110_0000]));
        let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 2), }\n";
        let table = read_npy(&npy(header, &[127, 128, 255, 0])).unwrap();
        assert_eq!((table.dims, table.rows), (4, vec![0b0110_0000]));
    }

    #[test]
    fn other_arrays_are_refused() {
        for header in [
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
            "{'descr': '|b1', 'fortran_order': True, 'shape': (2, 3), }",
            "{'descr': '|b1', 'fortran_order': False, 'shape': (2, 4), }",
            "{'descr': '|b1', 'fortran_order': False, 'shape': (), }",
            "{'descr': '|b1', 'fortran_order': False, 'shape': (99999999999, 99999999999), }",
            "{'descr': '|b1', 'shape': (2, 3), }",
            "{}",
        ] {
            assert!(read_npy(&npy(header, &[0; 6])).is_err(), "{header}");
        }
    }

    #[test]
    fn idx_files_are_read() {
        let data = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 200, 130, 9];
        let table = read_idx(&data).unwrap();
        assert_eq!((table.dims, table.rows), (2, vec![0b0100_0000, 0b1000_0000]));
        assert!(read_idx(&data[..19]).is_err());
        assert!(read_idx(&[0, 0, 9, 1, 0, 0, 0, 0]).is_err());
    }
}
