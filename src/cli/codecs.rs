//! Models bound to engines.

use std::path::Path;
use std::sync::Arc;

use super::settings::Settings;
use crate::archive::ModelSource;
use crate::catalog::{Catalog, CatalogError, Entry, hex};
use crate::codec::BlockCodec;
use crate::container::ModelKey;

/// Where codecs come from.
#[derive(Clone, Debug)]
pub(super) struct Codecs {
    catalog: Catalog,
}

impl Codecs {
    pub fn new(settings: &Settings) -> Self {
        Self { catalog: Catalog::new(settings.models.clone()) }
    }

    /// The same for an archive at a path, beside which its model may lie.
    pub fn beside(&self, archive: &Path) -> Self {
        Self { catalog: self.catalog.beside(Some(archive)) }
    }

    /// The codec to compress with, and words about it.
    pub fn chosen(
        &self,
        settings: &Settings,
    ) -> Result<(Arc<dyn BlockCodec>, String), CatalogError> {
        let name = settings.models.first().map(|p| p.as_os_str());
        if name.is_none() {
            let codec = Arc::new(crate::archive::interim::Interim);
            return Ok((codec, "interim".into()));
        }
        let entry = self.catalog.choose(name)?;
        let words = format!("{} ({}, {})", entry.name, &hex(&entry.id)[..12], entry.place);
        Ok((bind(&entry)?, words))
    }
}

impl ModelSource for Codecs {
    fn codecs(&self, key: &ModelKey) -> Result<Vec<Arc<dyn BlockCodec>>, CatalogError> {
        let interim = crate::archive::interim::Interim;
        if key.matches(&interim.model_id()) {
            return Ok(vec![Arc::new(interim)]);
        }
        self.catalog.find(key)?.iter().map(bind).collect()
    }
}

fn bind(entry: &Entry) -> Result<Arc<dyn BlockCodec>, CatalogError> {
    Err(CatalogError::Engine { name: entry.name.clone(), reason: "no engine yet".into() })
}
