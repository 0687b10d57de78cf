//! Models bound to engines.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};

use super::args::{Engine, Tuning};
use super::settings::Settings;
use crate::archive::{CompressOptions, ModelSource};
use crate::catalog::{Catalog, CatalogError, Entry, hex};
use crate::codec::{BlockCodec, Checked, EngineChoice, open, open_checker, open_records};
use crate::container::ModelKey;
use crate::made::file::{KIND, ModelFile};
use crate::made::packed::{self, MAX_EMBEDDED};
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

    /// Whether the model of a file can be run here.
    pub fn can_run(&self, file: &Path) -> Result<(), CatalogError> {
        self.bind(&Entry::read(file)?).map(drop)
    }

    /// What compression needs. `remove` says that the input goes afterwards.
    pub fn prepare(settings: &Settings, tuning: &Tuning, remove: bool) -> Result<Prepared> {
        let codecs = Self::new(settings);
        let entry = codecs.catalog.choose(settings.models.first().map(|p| p.as_os_str()))?;
        let words = format!("{} ({}, {})", entry.name, &hex(&entry.id)[..12], entry.place);
        let mut codec = codecs.bind(&entry)?;
        let mut options = settings.compress_options(tuning);
        // what is removed has been proven
        options.verify |= remove;
        if options.verify {
            let file = ModelFile::from_bytes(&entry.bytes)?;
            if let Some(reader) = open_checker(&file, codecs.engine, &codecs.device)? {
                codec = Arc::new(Checked { writer: codec, reader });
            }
        }
        if settings.embed_model(tuning) {
            let file = ModelFile::from_bytes(&entry.bytes)?.to_bytes();
            if file.len() > MAX_EMBEDDED {
                bail!(
                    "the model {} has more than 64 MiB, which do not go into an archive",
                    entry.name
                );
            }
            options.model = Some(packed::pack(&file)?.into());
        }
        Ok(Prepared { codec, options, words })
    }
}

/// A model ready to compress with.
pub(super) struct Prepared {
    pub codec: Arc<dyn BlockCodec>,
    pub options: CompressOptions,
    /// Which model it is, in words.
    pub words: String,
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
