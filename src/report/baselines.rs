//! What others make of the same rows.

use serde::Serialize;

use crate::records::Table;
use crate::records::dependence::{Counts, Tree};

/// A baseline's size.
#[derive(Clone, Debug, Serialize)]
pub struct Baseline {
    /// `gzip -9`, `xz -9e`, `zstd -22`, `independent`, `chow-liu`.
    pub name: String,
    /// Bytes, for the last two ideal ones.
    pub bytes: f64,
    /// Bits for each dimension of each row.
    pub bits_per_dimension: f64,
    /// What is counted.
    pub note: &'static str,
}

/// All baselines of some rows. With `fitted`, independent shares and the Chow–Liu
/// tree come from these rows; else from the rows themselves, and half a log₂ of the
/// number of rows is counted for each of their parameters.
pub fn all(table: &Table, fitted: Option<&Table>) -> Vec<Baseline> {
    let (rows, dims) = (table.len() as f64, table.dims as f64);
    let baseline = |name: &str, bytes: f64, note: &'static str| Baseline {
        name: name.into(),
        bytes,
        bits_per_dimension: 8.0 * bytes / (rows * dims).max(1.0),
        note,
    };
    let mut baselines: Vec<Baseline> = compressors()
        .into_iter()
        .filter_map(|(name, compress)| {
            compress(&table.rows).map(|n| baseline(name, n as f64, "compressed file"))
        })
        .collect();
    let counts = Counts::new(table);
    let learned = fitted.map(Counts::new);
    let from = learned.as_ref().unwrap_or(&counts);
    let tree = Tree::new(from);
    let bytes = |nats: f64, parameters: f64| {
        let own = if fitted.is_some() { 0.0 } else { parameters * 0.5 * rows.max(1.0).log2() };
        (nats * rows / std::f64::consts::LN_2 + own) / 8.0
    };
    let note = match fitted {
        Some(_) => "ideal, fitted to the training rows",
        None => "ideal, fitted to these rows, parameters counted",
    };
    baselines.push(baseline("independent", bytes(from.independent_nats(&counts), dims), note));
    baselines.push(baseline("chow-liu", bytes(tree.nats(from, &counts), 2.0 * dims), note));
    baselines
}

/// Gives the compressed size, if all went well.
type Compress = fn(&[u8]) -> Option<usize>;

#[cfg(not(feature = "baselines"))]
fn compressors() -> Vec<(&'static str, Compress)> {
    Vec::new()
}

#[cfg(feature = "baselines")]
fn compressors() -> Vec<(&'static str, Compress)> {
    use std::io::Write;
    fn gzip(data: &[u8]) -> Option<usize> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).ok()?;
        encoder.finish().ok().map(|coded| coded.len())
    }
    fn xz(data: &[u8]) -> Option<usize> {
        /// `-9e`
        const PRESET: u32 = 9 | 1 << 31;
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), PRESET);
        encoder.write_all(data).ok()?;
        encoder.finish().ok().map(|coded| coded.len())
    }
    fn zstd(data: &[u8]) -> Option<usize> {
        ::zstd::bulk::compress(data, 22).ok().map(|coded| coded.len())
    }
    vec![("gzip -9", gzip), ("xz -9e", xz), ("zstd -22", zstd)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::input::Format;

    #[test]
    fn random_rows_cost_their_bits_and_copies_less() {
        let mut rng = crate::made::random::SplitMix64::new(1);
        let data: Vec<u8> = (0..4000).map(|_| rng.next_u64() as u8).collect();
        let copies: Vec<u8> = data.iter().flat_map(|&b| [b, b]).collect();
        let table = |data: &[u8], dims| Table::read(data, Format::Packed, Some(dims), 0).unwrap();
        for b in all(&table(&data, 8), None) {
            assert!((0.99..1.03).contains(&b.bits_per_dimension), "{b:?}");
        }
        let doubled = table(&copies, 16);
        let all = all(&doubled, Some(&doubled));
        let find = |name: &str| all.iter().find(|b| b.name == name).unwrap().bits_per_dimension;
        assert!((find("independent") - 1.0).abs() < 0.01);
        assert!((find("chow-liu") - 0.5).abs() < 0.01);
        #[cfg(feature = "baselines")]
        assert_eq!(all.len(), 5);
    }
}
