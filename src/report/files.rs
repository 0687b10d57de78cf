//! How well whole files compress: `madezip report FILE…`.
//!
//! The fields of [`FileReport`] are the stable form of `report --json`.

use serde::Serialize;

use crate::archive::Summary;
use crate::container::BlockKind;

/// Figures about one file. A dimension is a bit of the file.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    /// Its name as given.
    pub file: String,
    /// The model, by its id in hexadecimal digits.
    pub model: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of its archive, all included.
    pub coded_bytes: u64,
    /// Bytes of the payloads in it.
    pub payload_bytes: u64,
    /// Bits of archive for each byte; null for an empty file.
    pub bits_per_byte: Option<f64>,
    /// Bits of archive for each dimension; null for an empty file.
    pub bits_per_dimension: Option<f64>,
    /// Ideal code length of the coded blocks under the model, in bytes.
    pub ideal_bytes: f64,
    /// Payload of the coded blocks, in bytes: what `ideal_bytes` became.
    pub coded_payload_bytes: u64,
    /// Content of the coded blocks, in bytes.
    pub coded_content_bytes: u64,
    /// Shares of the kinds of block.
    pub blocks: Vec<KindReport>,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// Share of one kind of block.
#[derive(Clone, Debug, Serialize)]
pub struct KindReport {
    /// `coded` (by whichever rules), `stored` or `run`.
    pub kind: &'static str,
    /// Number of blocks.
    pub blocks: u64,
    /// Bytes of content in them.
    pub content_bytes: u64,
    /// Bytes of payload in them.
    pub payload_bytes: u64,
    /// Share of the file's content, 0 to 1; 0 for an empty file.
    pub share: f64,
}

impl FileReport {
    /// The figures of a compression.
    pub fn new(file: String, model: String, summary: &Summary, seconds: f64) -> Self {
        let per = |n: u64| {
            let bits = 8.0 * summary.archive as f64;
            (n > 0).then(|| bits / n as f64)
        };
        let coded = summary.kind(BlockKind::Coded);
        let kinds = [BlockKind::Coded, BlockKind::Run, BlockKind::Stored];
        let blocks = kinds.map(|k| {
            let t = summary.kind(k);
            KindReport {
                kind: k.name(),
                blocks: t.blocks,
                content_bytes: t.raw,
                payload_bytes: t.payload,
                share: if summary.raw == 0 { 0.0 } else { t.raw as f64 / summary.raw as f64 },
            }
        });
        Self {
            file,
            model,
            bytes: summary.raw,
            coded_bytes: summary.archive,
            payload_bytes: summary.payload(),
            bits_per_byte: per(summary.raw),
            bits_per_dimension: per(8 * summary.raw),
            ideal_bytes: summary.ideal_bits / 8.0,
            coded_payload_bytes: coded.payload,
            coded_content_bytes: coded.raw,
            blocks: blocks.to_vec(),
            seconds,
        }
    }
}
