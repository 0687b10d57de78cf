//! `madezip models`.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use super::args::ModelsArgs;
use super::console::Console;
use super::json;
use super::settings::Settings;
use super::table::table;
use crate::catalog::{Catalog, Entry, hex};
use crate::made::file::{KIND, ModelFile};

/// One model of `models --json`.
#[derive(Debug, Serialize)]
struct ModelInfo {
    /// Name of a shipped model, else the file's name without its ending.
    name: String,
    /// Its id in hexadecimal digits.
    id: String,
    /// `stream` or `records`.
    kind: Option<String>,
    /// Bytes of its file.
    bytes: usize,
    /// `shipped` or the file.
    place: String,
    /// What the model says of itself.
    metadata: BTreeMap<String, String>,
}

impl From<&Entry> for ModelInfo {
    fn from(e: &Entry) -> Self {
        let metadata = ModelFile::from_bytes(&e.bytes).map(|f| f.metadata).unwrap_or_default();
        Self {
            name: e.name.clone(),
            id: hex(&e.id),
            kind: metadata.get(KIND).cloned(),
            bytes: e.bytes.len(),
            place: e.place.to_string(),
            metadata,
        }
    }
}

pub(super) fn run(args: ModelsArgs, settings: &Settings, console: &Console) -> Result<()> {
    let catalog = Catalog::new(settings.models.clone());
    let mut models = Vec::new();
    for model in catalog.list() {
        match model {
            Ok(entry) => models.push(ModelInfo::from(&entry)),
            Err(e) => console.warn(None, &format!("{:#}", anyhow::Error::from(e))),
        }
    }
    if args.json {
        return json::print("madezip-models", &models);
    }
    let mut rows = vec![["name", "id", "kind", "bytes", "place"].map(String::from).to_vec()];
    for m in models {
        let kind = m.kind.unwrap_or_else(|| "-".into());
        rows.push(vec![m.name, m.id[..12].into(), kind, m.bytes.to_string(), m.place]);
    }
    json::text_out(&table(&rows))?;
    console.note(1, None, &format!("looked in {}", catalog.places().join(", ")));
    Ok(())
}
