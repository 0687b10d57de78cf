//! Models of a catalog, bound to an engine when an archive asks for them.

use std::path::Path;
use std::sync::Arc;

use super::ModelSource;
use crate::catalog::{Catalog, CatalogError, Entry};
use crate::codec::{BlockCodec, EngineChoice, open};
use crate::container::ModelKey;
use crate::made::file::ModelFile;

/// A catalog and the engine that its models run on.
#[derive(Clone, Debug)]
pub struct CatalogModels {
    /// Where models are looked for.
    pub catalog: Catalog,
    /// What evaluates the network in bulk.
    pub engine: EngineChoice,
    /// Where libtorch runs: `auto`, `cpu`, `cuda`, `cuda:N`.
    pub device: String,
}

impl CatalogModels {
    /// The models of a catalog, on the engine that is faster.
    pub fn new(catalog: Catalog) -> Self {
        Self { catalog, engine: EngineChoice::Auto, device: "auto".into() }
    }

    /// The same for an archive at a path, beside which its model may lie.
    pub fn beside(&self, archive: &Path) -> Self {
        Self { catalog: self.catalog.beside(Some(archive)), ..self.clone() }
    }

    /// Binds a model to the engine.
    pub fn bind(&self, entry: &Entry) -> Result<Arc<dyn BlockCodec>, CatalogError> {
        bind(entry, self.engine, &self.device)
    }
}

/// Binds a model to an engine, as [`open`].
pub fn bind(
    entry: &Entry,
    engine: EngineChoice,
    device: &str,
) -> Result<Arc<dyn BlockCodec>, CatalogError> {
    let failed = |reason: String| CatalogError::Engine { name: entry.name.clone(), reason };
    let file = ModelFile::from_bytes(&entry.bytes).map_err(|e| failed(e.to_string()))?;
    open(&file, entry.id, engine, device).map_err(|e| failed(e.to_string()))
}

impl ModelSource for CatalogModels {
    fn codecs(&self, key: &ModelKey) -> Result<Vec<Arc<dyn BlockCodec>>, CatalogError> {
        let bound: Vec<_> = self.catalog.find(key)?.iter().map(|entry| self.bind(entry)).collect();
        // of several that a tag may mean, those that can be used
        match bound.iter().any(Result::is_ok) {
            true => Ok(bound.into_iter().flatten().collect()),
            false => bound.into_iter().collect(),
        }
    }

    fn embedded(
        &self,
        packed: &[u8],
        key: Option<&ModelKey>,
    ) -> Result<Option<Arc<dyn BlockCodec>>, CatalogError> {
        let entry = Entry::embedded(packed)?;
        match key {
            Some(key) if !key.matches(&entry.id) => Ok(None),
            _ => self.bind(&entry).map(Some),
        }
    }

    fn any(&self) -> Vec<Arc<dyn BlockCodec>> {
        self.catalog.list().iter().flatten().filter_map(|e| self.bind(e).ok()).collect()
    }
}
