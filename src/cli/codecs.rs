//! Models bound to engines.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};

use super::args::{Engine, Tuning};
use super::console::Console;
use super::settings::Settings;
use crate::archive::{CatalogModels, CompressOptions, ModelSource};
use crate::catalog::{Catalog, CatalogError, Entry, hex};
use crate::codec::{
    BlockCodec, Checked, CodecError, EngineChoice, open, open_checker, open_records,
};
use crate::container::ModelKey;
use crate::made::file::{KIND, ModelFile};
use crate::made::packed::{self, MAX_EMBEDDED};
use crate::records::{RecordsCodec, RecordsModel};
use crate::stream::coding::Level;

/// Where codecs come from.
#[derive(Clone, Debug)]
pub(super) struct Codecs(CatalogModels);

impl Codecs {
    pub fn new(settings: &Settings) -> Self {
        let engine = match settings.engine {
            Engine::Auto => EngineChoice::Auto,
            Engine::Torch => EngineChoice::Torch,
            Engine::Native => EngineChoice::Native,
        };
        let catalog = Catalog::new(settings.models.clone());
        Self(CatalogModels { catalog, engine, device: settings.device.clone() })
    }

    /// The same for an archive at a path, beside which its model may lie.
    pub fn beside(&self, archive: &Path) -> Self {
        Self(self.0.beside(archive))
    }

    /// Whether the model of a file can be run here.
    pub fn can_run(&self, file: &Path) -> Result<(), CatalogError> {
        self.0.bind(&Entry::read(file)?).map(drop)
    }

    /// The model to code with: the one that was named, else the default.
    pub fn choose(self, settings: &Settings) -> Result<Chosen, CatalogError> {
        let entry = self.0.catalog.choose(settings.models.first().map(|p| p.as_os_str()))?;
        Ok(Chosen { codecs: self.0, entry })
    }
}

/// The model to code with.
pub(super) struct Chosen {
    codecs: CatalogModels,
    entry: Entry,
}

impl Chosen {
    /// Which model it is, in words.
    pub fn words(&self) -> String {
        let Entry { name, id, place, .. } = &self.entry;
        format!("{name} ({}, {place})", &hex(id)[..12])
    }

    /// Its file, parsed anew: it would take memory while blocks are coded.
    pub fn file(&self) -> Result<ModelFile, CatalogError> {
        ModelFile::from_bytes(&self.entry.bytes).map_err(|e| self.failed(&e.into()))
    }

    /// Whether it is a model of records.
    pub fn is_of_records(&self) -> Result<bool, CatalogError> {
        Ok(has_records(&self.file()?))
    }

    /// Bytes of its file.
    pub fn bytes(&self) -> usize {
        self.entry.bytes.len()
    }

    /// Says so if the level that was asked for is not the one that will be used.
    pub fn check_level(codec: &dyn BlockCodec, options: &CompressOptions, console: &Console) {
        if !codec.has_level(options.level) {
            console.note(0, None, "the model does not have this level: the default one is used");
        } else if options.records.is_some() && options.level != Level::Default {
            console.note(0, None, "records of --split are coded at the default level");
        }
    }

    /// What compression is asked for. `remove` says that the input goes afterwards.
    pub fn options(
        &self,
        settings: &Settings,
        tuning: &Tuning,
        remove: bool,
    ) -> Result<CompressOptions> {
        let mut options = settings.compress_options(tuning);
        // what is removed has been proven
        options.verify |= remove;
        if settings.embed_model(tuning) {
            let file = self.file()?.to_bytes();
            if file.len() > MAX_EMBEDDED {
                bail!(
                    "the model {} has more than 64 MiB, which do not go into an archive",
                    self.entry.name
                );
            }
            options.model = Some(packed::pack(&file)?.into());
        }
        Ok(options)
    }

    /// The model bound to its engine; with `verify`, what it writes is decoded by
    /// another where there is one.
    pub fn codec(&self, verify: bool) -> Result<Arc<dyn BlockCodec>, CatalogError> {
        let CatalogModels { engine, device, .. } = &self.codecs;
        let file = self.file()?;
        let writer = open(&file, self.entry.id, *engine, device).map_err(|e| self.failed(&e))?;
        let reader = match verify {
            true => {
                open_checker(&file, self.entry.id, *engine, device).map_err(|e| self.failed(&e))?
            }
            false => None,
        };
        Ok(match reader {
            Some(reader) => Arc::new(Checked { writer, reader }),
            None => writer,
        })
    }

    /// The same for a model of records, whose rows begin `offset` bytes into the
    /// data; nothing if it is one of another kind.
    pub fn records(&self, offset: usize) -> Result<Option<RecordsCodec>, CatalogError> {
        let file = self.file()?;
        if !has_records(&file) {
            return Ok(None);
        }
        let CatalogModels { engine, device, .. } = &self.codecs;
        open_records(&file, self.entry.id, *engine, device, offset)
            .map(Some)
            .map_err(|e| self.failed(&e))
    }

    fn failed(&self, e: &CodecError) -> CatalogError {
        CatalogError::Engine { name: self.entry.name.clone(), reason: e.to_string() }
    }
}

fn has_records(file: &ModelFile) -> bool {
    file.text(KIND).is_ok_and(RecordsModel::is_kind)
}

impl ModelSource for Codecs {
    fn codecs(&self, key: &ModelKey) -> Result<Vec<Arc<dyn BlockCodec>>, CatalogError> {
        self.0.codecs(key)
    }

    fn embedded(
        &self,
        packed: &[u8],
        key: Option<&ModelKey>,
    ) -> Result<Option<Arc<dyn BlockCodec>>, CatalogError> {
        self.0.embedded(packed, key)
    }

    fn any(&self) -> Vec<Arc<dyn BlockCodec>> {
        self.0.any()
    }
}
