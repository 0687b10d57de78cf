//! Models bound to engines.

use std::path::Path;
use std::sync::Arc;

use super::args::Engine;
use super::settings::Settings;
use crate::archive::ModelSource;
use crate::catalog::{Catalog, CatalogError, Entry, hex};
use crate::codec::{BlockCodec, EngineChoice, open, open_records};
use crate::container::ModelKey;
use crate::made::file::{KIND, ModelFile};
use crate::records::{RecordsCodec, RecordsModel};

/// Where codecs come from.
#[derive(Clone, Debug)]
pub(super) struct Codecs {
    catalog: Catalog,
    engine: EngineChoice,
    device: String,
}

impl Codecs {
    pub fn new(settings: &Settings) -> Self {
        let engine = match settings.engine {
            Engine::Auto => EngineChoice::Auto,
            Engine::Torch => EngineChoice::Torch,
            Engine::Native => EngineChoice::Native,
        };
        let catalog = Catalog::new(settings.models.clone());
        Self { catalog, engine, device: settings.device.clone() }
    }

    /// The same for an archive at a path, beside which its model may lie.
    pub fn beside(&self, archive: &Path) -> Self {
        Self { catalog: self.catalog.beside(Some(archive)), ..self.clone() }
    }

    fn bind(&self, entry: &Entry) -> Result<Arc<dyn BlockCodec>, CatalogError> {
        let failed = |reason: String| CatalogError::Engine { name: entry.name.clone(), reason };
        let file = ModelFile::from_bytes(&entry.bytes).map_err(|e| failed(e.to_string()))?;
        open(&file, self.engine, &self.device).map_err(|e| failed(e.to_string()))
    }

    /// The codec to compress with, and words about it.
    pub fn chosen(
        &self,
        settings: &Settings,
    ) -> Result<(Arc<dyn BlockCodec>, String), CatalogError> {
        let entry = self.catalog.choose(settings.models.first().map(|p| p.as_os_str()))?;
        let words = format!("{} ({}, {})", entry.name, &hex(&entry.id)[..12], entry.place);
        Ok((self.bind(&entry)?, words))
    }
}

/// A model of records, bound to an engine.
pub(super) struct Records {
    pub codec: RecordsCodec,
    /// Words about the model.
    pub words: String,
    /// Bytes of its file.
    pub bytes: usize,
}

impl Codecs {
    /// The model, if it is one of records; rows begin `offset` bytes into the data.
    pub fn records(
        &self,
        settings: &Settings,
        offset: usize,
    ) -> Result<Option<Records>, CatalogError> {
        let entry = self.catalog.choose(settings.models.first().map(|p| p.as_os_str()))?;
        let failed = |reason: String| CatalogError::Engine { name: entry.name.clone(), reason };
        let file = ModelFile::from_bytes(&entry.bytes).map_err(|e| failed(e.to_string()))?;
        if !file.text(KIND).is_ok_and(RecordsModel::is_kind) {
            return Ok(None);
        }
        let codec = open_records(&file, self.engine, &self.device, offset)
            .map_err(|e| failed(e.to_string()))?;
        let words = format!("{} ({}, {})", entry.name, &hex(&entry.id)[..12], entry.place);
        Ok(Some(Records { codec, words, bytes: entry.bytes.len() }))
    }
}

impl ModelSource for Codecs {
    fn codecs(&self, key: &ModelKey) -> Result<Vec<Arc<dyn BlockCodec>>, CatalogError> {
        self.catalog.find(key)?.iter().map(|entry| self.bind(entry)).collect()
    }

    fn any(&self) -> Vec<Arc<dyn BlockCodec>> {
        self.catalog.list().iter().flatten().filter_map(|e| self.bind(e).ok()).collect()
    }
}
