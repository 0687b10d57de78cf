//! A stream model: contexts, the maps' starting point, the network.

use super::adaptive::{MAX_LIMIT, entry};
use super::contexts::Context;
use super::direct;
use super::evidence::{Evidence, Maps, untrained_maps};
use super::language::Language;
use super::network::{Network, values};
use super::slots::{SLOT, slot_bits};
use super::start::slots::PrimedSlots;
use super::start::weights::OnlineWeights;
use crate::engine::language_native::PackedLanguage;
use crate::engine::stream_native::PackedNetwork;
use crate::made::error::ModelError;
use crate::made::file::{KIND, ModelFile, Tensor};

/// Value of the metadata entry [`KIND`].
pub const STREAM: &str = "stream";
/// The tensor of a model's text.
const TEXT: &str = "text";
/// Most bytes of a model's text: every block costs the time to read it.
pub const MAX_TEXT: usize = 1 << 20;
/// The numbers of contexts that the code is compiled for.
pub const CONTEXT_COUNTS: [usize; 1] = [16];

/// `with_contexts!(n, C => expression)`: the expression compiled for each number of
/// contexts that is built in, as the constant `C`, and evaluated for `n`, which
/// [`parse_contexts`] has checked.
macro_rules! with_contexts {
    ($n:expr, $c:ident => $body:expr) => {
        match $n {
            16 => {
                const $c: usize = 16;
                $body
            }
            n => unreachable!("{n} contexts are not built in"),
        }
    };
}
pub(crate) use with_contexts;

/// A model ready for use.
#[derive(Clone, Debug)]
pub struct StreamModel {
    /// As many as [`CONTEXT_COUNTS`] has.
    pub contexts: Vec<Context>,
    /// The contexts as the model file names them.
    pub names: String,
    /// Bound of the maps' counts.
    pub limit: u32,
    /// Where the maps start, `[context][history]`: 16-bit probability and count.
    pub maps: Vec<(u16, u16)>,
    /// The network.
    pub network: Network,
    /// What a block is read after, as if it were its beginning; at most [`MAX_TEXT`].
    pub text: Vec<u8>,
    /// Where the slots start.
    pub primed: PrimedSlots,
    /// Where the online stage starts.
    pub weights: OnlineWeights,
    language: Option<PackedLanguage>,
    pub(crate) packed: PackedNetwork,
}

impl StreamModel {
    /// Puts a model together that starts from no statistics; `maps` holds `256 · contexts` entries.
    pub fn new(
        names: &str,
        limit: u32,
        maps: Vec<(u16, u16)>,
        network: Network,
    ) -> Result<Self, ModelError> {
        let contexts = parse_contexts(names)?;
        if maps.len() != 256 * contexts.len() {
            return Err(ModelError::tensor("maps", format!("{} entries", maps.len())));
        }
        if limit == 0 || limit as usize > MAX_LIMIT {
            return Err(ModelError::metadata(
                "limit",
                format!("{limit} is not in 1..={MAX_LIMIT}"),
            ));
        }
        let packed = PackedNetwork::new(&network);
        let weights = OnlineWeights::untrained(contexts.len());
        let primed = PrimedSlots::default();
        let (names, text) = (names.into(), Vec::new());
        let language = None;
        Ok(Self { contexts, names, limit, maps, network, text, primed, weights, language, packed })
    }

    /// The model with a language model, or without.
    pub fn with_language(mut self, language: Option<Language>) -> Self {
        self.language = language.map(|l| PackedLanguage::new(&l));
        self
    }

    /// The language model, if there is one.
    pub fn language(&self) -> Option<Language> {
        self.language.as_ref().map(PackedLanguage::unpack)
    }

    pub(super) fn packed_language(&self) -> Option<&PackedLanguage> {
        self.language.as_ref()
    }

    /// Reads and validates a model file of kind `stream`.
    pub fn from_file(file: &ModelFile) -> Result<Self, ModelError> {
        if file.text(KIND)? != STREAM {
            return Err(ModelError::metadata(KIND, "not a stream model"));
        }
        let names = file.text("contexts")?;
        let limit = file
            .text("limit")?
            .parse()
            .map_err(|_| ModelError::metadata("limit", "not a number"))?;
        let contexts = parse_contexts(names)?.len();
        let (_, p) = values::<u16>(file, "maps.probability")?;
        let (_, n) = values::<u16>(file, "maps.count")?;
        if p.len() != n.len() || n.iter().any(|&n| u32::from(n) > limit) {
            return Err(ModelError::tensor("maps.count", "does not fit the probabilities"));
        }
        let maps = p.into_iter().zip(n).collect();
        let mut model = Self::new(names, limit, maps, Network::from_file(file, contexts)?)?;
        if file.tensors.contains_key(TEXT) {
            model.text = values::<u8>(file, TEXT)?.1;
            if model.text.len() > MAX_TEXT {
                return Err(ModelError::tensor(TEXT, format!("longer than {MAX_TEXT} bytes")));
            }
        }
        model.primed = PrimedSlots::from_file(file)?;
        model.weights = OnlineWeights::from_file(file, contexts)?;
        Ok(model.with_language(Language::from_file(file)?))
    }

    /// The model as a file.
    pub fn to_file(&self) -> ModelFile {
        let mut file = ModelFile::default();
        file.metadata.insert(KIND.into(), STREAM.into());
        file.metadata.insert("contexts".into(), self.names.clone());
        file.metadata.insert("limit".into(), self.limit.to_string());
        let shape = [self.contexts.len(), 256];
        let p: Vec<u16> = self.maps.iter().map(|m| m.0).collect();
        let n: Vec<u16> = self.maps.iter().map(|m| m.1).collect();
        file.tensors.insert("maps.probability".into(), Tensor::from_values(&shape, &p));
        file.tensors.insert("maps.count".into(), Tensor::from_values(&shape, &n));
        self.network.to_file(&mut file);
        if let Some(language) = self.language() {
            language.to_file(&mut file);
        }
        if !self.text.is_empty() {
            file.tensors.insert(TEXT.into(), Tensor::from_values(&[self.text.len()], &self.text));
        }
        self.primed.to_file(&mut file);
        if self.weights != OnlineWeights::untrained(self.contexts.len()) {
            self.weights.to_file(self.contexts.len(), &mut file);
        }
        file
    }

    /// Bytes that the statistics of a block of `block_len` bytes take, at most.
    pub fn memory(&self, block_len: usize) -> u64 {
        let block_len = block_len + self.text.len();
        // match heads, maps, mixers and APMs, the period's votes
        const FIXED: u64 = 20 << 20;
        FIXED
            + ((SLOT as u64) << slot_bits(block_len, self.contexts.len(), &self.primed))
            + ((direct::LINE as u64) << direct::line_bits(block_len))
    }

    /// The statistics at the start of a block of `block_len` bytes; `C` must be
    /// the number of contexts.
    pub fn evidence<const C: usize>(&self, block_len: usize) -> Evidence<'_, C> {
        let mut maps: Box<Maps<C>> = untrained_maps();
        for (map, start) in maps.iter_mut().zip(self.maps.chunks_exact(256)) {
            for (e, &(p, n)) in map.iter_mut().zip(start) {
                *e = entry(p, n.into());
            }
        }
        let language = self.packed_language();
        Evidence::new(&self.contexts, language, &maps, self.limit, &self.primed, block_len)
    }
}

/// Parses a list of contexts whose number the code is compiled for.
pub fn parse_contexts(names: &str) -> Result<Vec<Context>, ModelError> {
    let contexts =
        names.split_whitespace().map(str::parse).collect::<Result<Vec<_>, _>>().map_err(
            |e: super::contexts::UnknownContext| ModelError::metadata("contexts", e.to_string()),
        )?;
    if CONTEXT_COUNTS.contains(&contexts.len()) {
        Ok(contexts)
    } else {
        let n = contexts.len();
        Err(ModelError::metadata("contexts", format!("{n} contexts; 16 are built in")))
    }
}
