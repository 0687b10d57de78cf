//! A stream model bound to its engines.

use std::sync::Mutex;

use super::block::{self, AnyBulk};
use super::coding::{self, Coding, Level};
use super::cut;
use super::model::StreamModel;
use super::record;
use super::signal::regions::{Region, Regions};
use crate::codec::{BlockCodec, CodecError, Encoded, NextBlock};
use crate::engine::kernel::Isa;
use crate::split::RecordCoder;

/// Codes blocks with a stream model.
pub struct StreamCodec {
    id: [u8; 32],
    model: StreamModel,
    isa: Isa,
    /// Where small records start.
    start: record::Start,
    bulk: Option<Bulk>,
}

/// The networks of a model's parts on a device.
struct Bulk {
    /// The engine, in words.
    engine: String,
    networks: Vec<(Coding, Mutex<Box<dyn AnyBulk>>)>,
}

impl Bulk {
    /// That of the part for some coding. There is one for each content at each of the model's
    /// levels; without it the native engine would do its work, and nobody would see it.
    fn network(&self, coding: Coding) -> Result<&Mutex<Box<dyn AnyBulk>>, CodecError> {
        let found = self.networks.iter().find(|(of, _)| of.same_part(coding));
        let missing = || CodecError::Engine(format!("{} has no network", self.engine));
        found.map(|(_, network)| network).ok_or_else(missing)
    }
}

impl StreamCodec {
    /// A codec on the native engine; `id` is the model's.
    pub fn new(model: StreamModel, id: [u8; 32]) -> Self {
        Self { id, model, isa: Isa::best(), start: record::Start::new(), bulk: None }
    }

    /// Uses another instruction set than the widest; no output changes.
    pub fn with_isa(mut self, isa: Isa) -> Self {
        self.isa = isa;
        self
    }

    /// Lets libtorch make the parallel pass of compression.
    #[cfg(feature = "torch")]
    pub fn with_torch(
        mut self,
        device: crate::engine::torch::TorchDevice,
    ) -> Result<Self, crate::engine::EngineError> {
        let levels = Level::ALL.into_iter().filter(|&level| self.model.level(level).is_some());
        let codings = levels.flat_map(|level| {
            super::content::Content::ALL.map(|content| Coding::at(level, content))
        });
        let network = |coding| -> Result<(_, Mutex<Box<dyn AnyBulk>>), _> {
            let network = &self.model.part(coding).network;
            let network = crate::engine::stream_torch::TorchNetwork::new(device, network)?;
            Ok((coding, Mutex::new(Box::new(network))))
        };
        let networks = codings.map(network).collect::<Result<_, crate::engine::EngineError>>()?;
        self.bulk = Some(Bulk { engine: device.engine(), networks });
        Ok(self)
    }
}

impl BlockCodec for StreamCodec {
    fn model_id(&self) -> [u8; 32] {
        self.id
    }

    fn passes(&self) -> String {
        let native = format!("native ({})", self.isa);
        match &self.bulk {
            Some(Bulk { engine, .. }) => {
                format!("network {engine}, other passes and decoding {native}")
            }
            None => format!("all passes {native}"),
        }
    }

    fn has_level(&self, level: Level) -> bool {
        self.model.level(level).is_some()
    }

    fn next_block(&self, bytes: &[u8], begun: Option<Region>, cut_at: Option<Level>) -> NextBlock {
        cut::next_block(&self.model, bytes, begun, cut_at)
    }

    fn block_threads(&self) -> usize {
        if self.bulk.is_some() { block::THREADS_IN_BULK } else { block::THREADS }
    }

    fn encode(
        &self,
        raw: &[u8],
        regions: &Regions,
        level: Level,
        threads: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Encoded, CodecError> {
        let input = &block::Input::new(&self.model, raw, regions, level);
        // without libtorch there is none, and no code for one
        if let (true, Some(bulk)) = (cfg!(feature = "torch"), &self.bulk) {
            let (isa, network) = (self.isa, bulk.network(input.coding())?);
            let window = block::WINDOW;
            return block::encode_bulk(isa, &self.model, network, window, input, threads, progress);
        }
        block::encode(self.isa, &self.model, input, threads, progress)
    }

    fn is_extended(&self, payload: &[u8]) -> bool {
        payload.first().is_some_and(|&flags| coding::is_extended(flags))
    }

    fn records(&self) -> Option<Box<dyn RecordCoder + '_>> {
        Some(record::coder(self.isa, &self.model, &self.start))
    }

    fn records_memory(&self, raw_len: usize) -> u64 {
        record::memory(&self.model, raw_len)
    }

    fn decode_memory(&self, payload: &[u8], raw_len: usize) -> u64 {
        // what has other flags is refused before it takes any
        let coding = payload.first().and_then(|&flags| Coding::from_flags(flags));
        self.model.memory(coding.unwrap_or_default(), raw_len)
    }

    fn decode(
        &self,
        payload: &[u8],
        raw_len: usize,
        threads: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Vec<u8>, CodecError> {
        block::decode(self.isa, &self.model, payload, raw_len, threads, progress)
    }
}
