//! A stream model bound to its engines.

use super::block;
use super::model::StreamModel;
use super::record;
use crate::codec::{BlockCodec, CodecError, Encoded};
use crate::engine::kernel::Isa;
use crate::split::RecordCoder;

/// Codes blocks with a stream model.
pub struct StreamCodec {
    id: [u8; 32],
    model: StreamModel,
    isa: Isa,
    /// Where small records start.
    start: record::Start,
    #[cfg(feature = "torch")]
    bulk: Option<(
        crate::engine::torch::TorchDevice,
        std::sync::Mutex<crate::engine::stream_torch::TorchNetwork>,
    )>,
}

impl StreamCodec {
    /// A codec on the native engine; `id` is the model's.
    pub fn new(model: StreamModel, id: [u8; 32]) -> Self {
        Self {
            id,
            model,
            isa: Isa::best(),
            start: record::Start::new(),
            #[cfg(feature = "torch")]
            bulk: None,
        }
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
        use crate::engine::stream_torch::TorchNetwork;
        self.bulk = Some((device, TorchNetwork::new(device, &self.model.network)?.into()));
        Ok(self)
    }
}

impl BlockCodec for StreamCodec {
    fn model_id(&self) -> [u8; 32] {
        self.id
    }

    fn passes(&self) -> String {
        let native = format!("native ({})", self.isa);
        #[cfg(feature = "torch")]
        if let Some((device, _)) = &self.bulk {
            return format!("network {}, other passes and decoding {native}", device.engine());
        }
        format!("all passes {native}")
    }

    fn encode(
        &self,
        raw: &[u8],
        threads: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Encoded, CodecError> {
        #[cfg(feature = "torch")]
        if let Some((_, bulk)) = &self.bulk {
            let bulk = &mut *bulk.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            return block::encode_bulk(self.isa, &self.model, bulk, block::WINDOW, raw, progress);
        }
        block::encode(self.isa, &self.model, raw, threads, progress)
    }

    fn records(&self) -> Option<Box<dyn RecordCoder + '_>> {
        Some(record::coder(self.isa, &self.model, &self.start))
    }

    fn records_memory(&self) -> u64 {
        record::memory(&self.model)
    }

    fn decode_memory(&self, raw_len: usize) -> u64 {
        self.model.memory(raw_len)
    }

    fn decode(
        &self,
        payload: &[u8],
        raw_len: usize,
        progress: &dyn Fn(u64),
    ) -> Result<Vec<u8>, CodecError> {
        block::decode(self.isa, &self.model, payload, raw_len, progress)
    }
}
