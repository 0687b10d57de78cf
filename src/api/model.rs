//! A model at hand.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::archive::bind;
use crate::catalog::{Catalog, CatalogError, Entry};
use crate::codec::{BlockCodec, EngineChoice};
use crate::container::ModelId;
use crate::error::Error;
use crate::made::file::ModelFile;
use crate::made::packed::{self, MAX_EMBEDDED};

/// A model, read, checked and bound to an engine. Clones share it.
///
/// ```
/// use madezip::Model;
///
/// let model = Model::shipped("default")?;
/// assert_eq!(model.name(), "default");
/// assert_eq!(model.id(), Model::default_model()?.id());
/// # Ok::<(), madezip::Error>(())
/// ```
#[derive(Clone)]
pub struct Model {
    entry: Arc<Entry>,
    codec: Arc<dyn BlockCodec>,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("name", &self.entry.name).finish_non_exhaustive()
    }
}

impl Model {
    /// The model that is used when none is named; read once a process.
    pub fn default_model() -> Result<Self, Error> {
        static MODEL: OnceLock<Model> = OnceLock::new();
        if let Some(model) = MODEL.get() {
            return Ok(model.clone());
        }
        let model = Self::bound(Catalog::shipped().choose(None)?)?;
        Ok(MODEL.get_or_init(|| model).clone())
    }

    /// A shipped model by its name.
    pub fn shipped(name: &str) -> Result<Self, Error> {
        let is_name = |e: &Entry| e.name == name;
        match Catalog::shipped().list().into_iter().flatten().find(is_name) {
            Some(entry) => Self::bound(entry),
            None => Err(CatalogError::Unknown {
                name: name.to_string(),
                looked: Catalog::shipped().places(),
            }
            .into()),
        }
    }

    /// Reads a model file, as `madezip train` writes it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::bound(Entry::read(path.as_ref())?)
    }

    /// A model file in memory; `name` is for messages.
    pub fn from_bytes(name: &str, file: Vec<u8>) -> Result<Self, Error> {
        Self::bound(Entry::from_bytes(name, file)?)
    }

    /// The model on another engine: `device` is `auto`, `cpu`, `cuda` or `cuda:N`.
    /// No archive changes by it.
    pub fn on(&self, engine: EngineChoice, device: &str) -> Result<Self, Error> {
        Self::bound_to(self.entry.clone(), engine, device)
    }

    fn bound(entry: Entry) -> Result<Self, Error> {
        Self::bound_to(entry.into(), EngineChoice::Auto, "auto")
    }

    fn bound_to(entry: Arc<Entry>, engine: EngineChoice, device: &str) -> Result<Self, Error> {
        #[cfg(feature = "torch")]
        crate::codec::link_libtorch();
        let codec = bind(&entry, engine, device)?;
        Ok(Self { entry, codec })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// SHA-256 of its canonical content, by which archives name it.
    pub fn id(&self) -> ModelId {
        self.entry.id
    }

    pub(super) fn codec(&self) -> &Arc<dyn BlockCodec> {
        &self.codec
    }

    /// As it travels in an archive.
    pub(super) fn packed(&self) -> Result<Arc<[u8]>, Error> {
        let refused = |reason: String| CatalogError::Refused { name: self.name().into(), reason };
        let file = ModelFile::from_bytes(&self.entry.bytes).map_err(|e| refused(e.to_string()))?;
        let bytes = file.to_bytes();
        if bytes.len() > MAX_EMBEDDED {
            return Err(refused("more than 64 MiB do not go into an archive".into()).into());
        }
        Ok(packed::pack(&bytes).map_err(|e| refused(e.to_string()))?.into())
    }
}
