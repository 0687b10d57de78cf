//! The models of an input: those at hand, and the one that travels with it.

use std::sync::Arc;

use super::block::Codecs;
use crate::catalog::CatalogError;
use crate::codec::BlockCodec;
use crate::container::{BlockKind, ModelKey};
use crate::error::Error;
use crate::made::packed;

/// Where decoding finds the models that archives name.
pub trait ModelSource {
    /// The codecs for a model: one, or for an ambiguous tag all that it may
    /// mean, which are then tried in turn.
    fn codecs(&self, key: &ModelKey) -> Result<Vec<Arc<dyn BlockCodec>>, CatalogError>;

    /// The codec for a model that the input brought with it, as
    /// [`crate::made::packed`] packs it; none if it is not the model of that key.
    fn embedded(
        &self,
        packed: &[u8],
        key: Option<&ModelKey>,
    ) -> Result<Option<Arc<dyn BlockCodec>>, CatalogError> {
        let _ = (packed, key);
        Ok(None)
    }

    /// Every codec at hand: for blocks whose archive has lost its header.
    fn any(&self) -> Vec<Arc<dyn BlockCodec>> {
        Vec::new()
    }
}

/// A source of models and the input's own model, with the codecs used last.
pub(super) struct Models<'a> {
    source: &'a dyn ModelSource,
    packed: Option<Vec<u8>>,
    known: Option<(ModelKey, Codecs)>,
}

impl<'a> Models<'a> {
    pub fn new(source: &'a dyn ModelSource) -> Self {
        Self { source, packed: None, known: None }
    }

    /// The content of a model frame: it serves what follows, instead of the one
    /// before it. It is unpacked only if it is needed.
    pub fn embed(&mut self, packed: Vec<u8>, memory_limit: Option<u64>) -> Result<(), Error> {
        if let (Some(limit), Ok(len)) = (memory_limit, packed::declared_len(&packed)) {
            // packed, unpacked, and laid out for use
            let needed = packed.len() as u64 + 2 * len as u64;
            if needed > limit {
                return Err(Error::Memory { needed, limit });
            }
        }
        self.packed = Some(packed);
        self.known = None;
        Ok(())
    }

    /// The codecs to try for a block of a kind. Without a key (the header is
    /// lost) these are all at hand.
    pub fn find(&mut self, kind: BlockKind, key: Option<ModelKey>) -> Result<Codecs, Error> {
        if !kind.needs_model() {
            return Ok([].into());
        }
        let Some(key) = key else {
            let mut codecs = self.source.any();
            if let Some(packed) = &self.packed {
                codecs.extend(self.source.embedded(packed, None).ok().flatten());
            }
            return Ok(codecs.into());
        };
        if let Some((known, codecs)) = &self.known
            && *known == key
        {
            return Ok(codecs.clone());
        }
        let codecs: Codecs = self.of_key(&key)?.into();
        self.known = Some((key, codecs.clone()));
        Ok(codecs)
    }

    fn of_key(&self, key: &ModelKey) -> Result<Vec<Arc<dyn BlockCodec>>, Error> {
        let found = self.source.codecs(key);
        let Some(packed) = &self.packed else { return Ok(found?) };
        match (found, key) {
            // an id is one model, wherever it comes from
            (Ok(found), ModelKey::Id(_)) => Ok(found),
            (Ok(mut found), ModelKey::Tag(_)) => {
                // one that cannot be read is of no use where another may fit
                if let Ok(Some(own)) = self.source.embedded(packed, Some(key))
                    && found.iter().all(|c| c.model_id() != own.model_id())
                {
                    found.push(own);
                }
                Ok(found)
            }
            (Err(missing @ CatalogError::Missing { .. }), _) => {
                match self.source.embedded(packed, Some(key))? {
                    Some(own) => Ok(vec![own]),
                    None => Err(missing.into()),
                }
            }
            (Err(e), _) => Err(e.into()),
        }
    }
}
