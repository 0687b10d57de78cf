//! Density estimation in coded bits: `madezip report ROWS -m MODEL`.
//!
//! The fields are the stable form of `report --json` for models of records.

use serde::Serialize;

use super::baselines::{self, Baseline};
use crate::codec::CodecError;
use crate::records::{RecordsCodec, Table};

/// What rows cost under a model of records. A dimension is a bit of a row that is
/// data; averages are over rows.
#[derive(Clone, Debug, Serialize)]
pub struct RecordsReport {
    /// Number of rows.
    pub rows: usize,
    /// Bits of a row.
    pub dims: usize,
    /// Code length of a row under the model, in nats.
    pub nats_per_row: f64,
    /// Standard error of `nats_per_row`; 0 for a single row.
    pub standard_error: f64,
    /// The same in bits, for each dimension.
    pub ideal_bits_per_dimension: f64,
    /// Bits of archive for each dimension.
    pub coded_bits_per_dimension: f64,
    /// Bits of archive and model for each dimension.
    pub coded_bits_per_dimension_with_model: f64,
    /// Ideal code length of all rows, in bytes.
    pub ideal_bytes: f64,
    /// Bytes of the archive.
    pub archive_bytes: u64,
    /// Bytes of the model's file.
    pub model_bytes: usize,
    /// Bits that each dimension costs, a row.
    pub dimensions: Vec<f64>,
    /// Other compressors and models on the same rows.
    pub baselines: Vec<Baseline>,
    /// Rows by code length, the dearest first; empty unless asked for.
    pub by_cost: Vec<RowCost>,
}

/// What one row costs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RowCost {
    /// Its number, from 0.
    pub row: usize,
    /// Its code length in nats.
    pub nats: f64,
}

/// What is asked for beside the rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// How many of the dearest rows to list.
    pub per_row: usize,
    /// Rows that the simple baselines are fitted to; none: the rows themselves.
    pub fitted: Option<&'a Table>,
}

impl RecordsReport {
    /// Evaluates rows. `archive_bytes` is what they really became.
    pub fn new(
        codec: &RecordsCodec,
        table: &Table,
        archive_bytes: u64,
        model_bytes: usize,
        wanted: Wanted,
    ) -> Result<Self, CodecError> {
        let costs = codec.costs(&table.rows)?;
        let (rows, dims) = (table.len(), table.dims);
        let n = rows.max(1) as f64;
        let all = n * dims as f64;
        let bits: f64 = costs.rows.iter().sum();
        let nats = |bits: f64| bits * std::f64::consts::LN_2;
        let mean = bits / n;
        let squares: f64 = costs.rows.iter().map(|b| (b - mean) * (b - mean)).sum();
        let standard_error = nats((squares / (n - 1.0).max(1.0) / n).sqrt());
        let row = |(row, &bits): (usize, &f64)| RowCost { row, nats: nats(bits) };
        let mut by_cost: Vec<RowCost> = costs.rows.iter().enumerate().map(row).collect();
        by_cost.sort_by(|a, b| b.nats.total_cmp(&a.nats));
        by_cost.truncate(wanted.per_row);
        Ok(Self {
            rows,
            dims,
            nats_per_row: nats(mean),
            standard_error,
            ideal_bits_per_dimension: bits / all,
            coded_bits_per_dimension: 8.0 * archive_bytes as f64 / all,
            coded_bits_per_dimension_with_model: 8.0 * (archive_bytes as f64 + model_bytes as f64)
                / all,
            ideal_bytes: bits / 8.0,
            archive_bytes,
            model_bytes,
            dimensions: costs.dims.iter().map(|b| b / n).collect(),
            baselines: baselines::all(table, wanted.fitted),
            by_cost,
        })
    }
}
