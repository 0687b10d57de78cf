//! What is written, checked by decoding it another way.

use std::sync::Arc;

use super::{BlockCodec, CodecError, Encoded, NextBlock};
use crate::split::RecordCoder;
use crate::stream::coding::Level;
use crate::stream::signal::regions::{Region, Regions};

/// A codec that decodes with another than it encodes with, for
/// [`crate::archive::CompressOptions::verify`].
pub struct Checked {
    /// Encodes.
    pub writer: Arc<dyn BlockCodec>,
    /// Decodes.
    pub reader: Arc<dyn BlockCodec>,
}

impl BlockCodec for Checked {
    fn model_id(&self) -> [u8; 32] {
        self.writer.model_id()
    }

    fn passes(&self) -> String {
        format!("{}; check by decoding: {}", self.writer.passes(), self.reader.passes())
    }

    fn has_level(&self, level: Level) -> bool {
        self.writer.has_level(level)
    }

    fn block_unit(&self) -> usize {
        self.writer.block_unit()
    }

    fn next_block(&self, bytes: &[u8], begun: Option<Region>, cut_at: Option<Level>) -> NextBlock {
        self.writer.next_block(bytes, begun, cut_at)
    }

    fn block_threads(&self) -> usize {
        self.writer.block_threads()
    }

    fn encode(
        &self,
        raw: &[u8],
        regions: &Regions,
        level: Level,
        threads: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Encoded, CodecError> {
        self.writer.encode(raw, regions, level, threads, progress)
    }

    fn is_extended(&self, payload: &[u8]) -> bool {
        self.writer.is_extended(payload)
    }

    fn decode_memory(&self, payload: &[u8], raw_len: usize) -> u64 {
        self.reader.decode_memory(payload, raw_len)
    }

    fn records(&self) -> Option<Box<dyn RecordCoder + '_>> {
        self.writer.records()
    }

    fn records_memory(&self, raw_len: usize) -> u64 {
        self.writer.records_memory(raw_len)
    }

    fn decode(
        &self,
        payload: &[u8],
        raw_len: usize,
        threads: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Vec<u8>, CodecError> {
        self.reader.decode(payload, raw_len, threads, progress)
    }
}
