//! What a stream model has for one kind of content: contexts, the maps' starting point,
//! the network, where the online stage starts.

use super::adaptive::MAX_LIMIT;
use super::content::Content;
use super::contexts::Context;
use super::effort::{Effort, Sparing};
use super::model::CONTEXT_COUNTS;
use super::network::Network;
use super::start::weights::OnlineWeights;
use crate::engine::stream_native::PackedNetwork;
use crate::made::error::ModelError;
use crate::made::file::{ModelFile, Tensor};

/// The metadata entry of [`Part::recurrent_to`].
pub(super) const RECURRENT_TO: &str = "recurrent_to";

/// A part of a model.
#[derive(Clone, Debug)]
pub struct Part {
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
    /// Where the online stage starts.
    pub weights: OnlineWeights,
    /// What is left out in long blocks.
    pub sparing: Option<Sparing>,
    /// Bytes of the longest block, a model's text among them, in which the language model's
    /// recurrent layer speaks to the part; 0: in none.
    pub recurrent_to: u64,
    pub(crate) packed: PackedNetwork,
}

impl Part {
    /// Puts a part together; `maps` holds `256 · contexts` entries.
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
        let (sparing, recurrent_to, names) = (None, 0, names.into());
        Ok(Self { contexts, names, limit, maps, network, weights, sparing, recurrent_to, packed })
    }

    /// Whether it can code this kind of content: contexts of code need code, those of
    /// signals need signals, and templates bilevel pictures.
    pub(super) fn fits(&self, content: Content) -> bool {
        self.contexts.iter().all(|context| context.content().is_none_or(|own| own == content))
    }

    /// Whether the recurrent layer speaks to it in a block of so many bytes, a model's text
    /// among them.
    pub fn hears_recurrent_layer(&self, block_len: usize) -> bool {
        block_len as u64 <= self.recurrent_to
    }

    /// What is left out in a block of so many bytes.
    pub fn effort(&self, block_len: usize) -> Effort {
        match self.sparing {
            Some(Sparing { from, effort }) if block_len as u64 >= from => effort,
            _ => Effort::FULL,
        }
    }

    /// Reads and validates the part of a model file for a kind of content: `prefix` is
    /// what its tensors' names and its metadata begin with.
    pub(super) fn from_file(file: &ModelFile, prefix: &str) -> Result<Self, ModelError> {
        let own;
        let file = if prefix.is_empty() {
            file
        } else {
            own = stripped(file, prefix);
            &own
        };
        let names = file.text("contexts")?;
        let limit =
            file.number("limit")?.ok_or_else(|| ModelError::metadata("limit", "missing"))?;
        let contexts = parse_contexts(names)?.len();
        let p = file.values::<u16>("maps.probability", &[contexts, 256])?;
        let n = file.values::<u16>("maps.count", &[contexts, 256])?;
        if n.iter().any(|&n| u32::from(n) > limit) {
            return Err(ModelError::tensor("maps.count", "a count above the limit"));
        }
        let maps = p.into_iter().zip(n).collect();
        let mut part = Self::new(names, limit, maps, Network::from_file(file, contexts)?)?;
        part.weights = OnlineWeights::from_file(file, contexts)?;
        part.sparing = Sparing::from_file(file)?;
        part.recurrent_to = file.number(RECURRENT_TO)?.unwrap_or(0);
        Ok(part)
    }

    /// Puts the part into a model file.
    pub(super) fn to_file(&self, file: &mut ModelFile, prefix: &str) {
        let mut part = ModelFile::default();
        part.metadata.insert("contexts".into(), self.names.clone());
        part.metadata.insert("limit".into(), self.limit.to_string());
        if let Some(sparing) = &self.sparing {
            sparing.to_file(&mut part);
        }
        if self.recurrent_to > 0 {
            part.metadata.insert(RECURRENT_TO.into(), self.recurrent_to.to_string());
        }
        let shape = [self.contexts.len(), 256];
        let p: Vec<u16> = self.maps.iter().map(|m| m.0).collect();
        let n: Vec<u16> = self.maps.iter().map(|m| m.1).collect();
        part.tensors.insert("maps.probability".into(), Tensor::from_values(&shape, &p));
        part.tensors.insert("maps.count".into(), Tensor::from_values(&shape, &n));
        self.network.to_file(&mut part);
        if self.weights != OnlineWeights::untrained(self.contexts.len()) {
            self.weights.to_file(self.contexts.len(), &mut part);
        }
        file.metadata.extend(part.metadata.into_iter().map(|(k, v)| (format!("{prefix}{k}"), v)));
        file.tensors.extend(part.tensors.into_iter().map(|(k, v)| (format!("{prefix}{k}"), v)));
    }
}

/// What of a file begins with `prefix`, without it.
fn stripped(file: &ModelFile, prefix: &str) -> ModelFile {
    let own = |name: &str| name.strip_prefix(prefix).map(str::to_string);
    ModelFile {
        metadata: file.metadata.iter().filter_map(|(k, v)| Some((own(k)?, v.clone()))).collect(),
        tensors: file.tensors.iter().filter_map(|(k, t)| Some((own(k)?, t.clone()))).collect(),
    }
}

/// Parses a list of contexts whose number the code is compiled for.
pub fn parse_contexts(names: &str) -> Result<Vec<Context>, ModelError> {
    let contexts = names.split(' ').map(str::parse).collect::<Result<Vec<_>, _>>().map_err(
        |e: super::contexts::UnknownContext| ModelError::metadata("contexts", e.to_string()),
    )?;
    if CONTEXT_COUNTS.contains(&contexts.len()) {
        Ok(contexts)
    } else {
        let n = contexts.len();
        Err(ModelError::metadata("contexts", format!("{n} contexts; 8, 16 and 32 are built in")))
    }
}
