//! `madezip models`.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::Serialize;

use super::args::{ModelsArgs, ModelsVerb};
use super::codecs::Codecs;
use super::console::Console;
use super::json;
use super::settings::Settings;
use super::table::table;
use crate::catalog::{Catalog, Entry, hex};
use crate::made::file::{KIND, ModelFile, TRAINED_ON};

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
    /// What it was trained on, if it says so.
    trained_on: Option<String>,
    /// What the model says of itself.
    metadata: BTreeMap<String, String>,
}

impl From<&Entry> for ModelInfo {
    fn from(e: &Entry) -> Self {
        let metadata = ModelFile::from_bytes(&e.bytes).map(|f| f.metadata).unwrap_or_default();
        Self {
            name: e.name.clone(),
            id: hex(&e.id),
            trained_on: metadata.get(TRAINED_ON).cloned(),
            kind: metadata.get(KIND).cloned(),
            bytes: e.bytes.len(),
            place: e.place.to_string(),
            metadata,
        }
    }
}

pub(super) fn run(args: ModelsArgs, settings: &Settings, console: &Console) -> Result<()> {
    let catalog = Catalog::new(settings.models.clone());
    match args.what {
        None => list(&catalog, args.json, console),
        Some(ModelsVerb::List { json }) => list(&catalog, json, console),
        Some(ModelsVerb::Install { files, name, force }) => {
            if name.is_some() && files.len() > 1 {
                bail!("--name is one name, and there are {} files", files.len());
            }
            for file in &files {
                // a model that cannot be run is no use in a folder of models
                let installed = Codecs::new(settings)
                    .can_run(file)
                    .and_then(|()| catalog.install(file, name.as_deref(), force));
                match installed {
                    Ok(e) => {
                        let id = &hex(&e.id)[..12];
                        console.note(1, Some(file), &format!("model {id} is now {}", e.place));
                    }
                    Err(e) => console.error(Some(file), &e.into()),
                }
            }
            Ok(())
        }
        Some(ModelsVerb::Remove { names }) => {
            for name in &names {
                match catalog.remove(name) {
                    Ok(path) => console.note(1, None, &format!("{} is removed", path.display())),
                    Err(e) => console.error(None, &e.into()),
                }
            }
            Ok(())
        }
    }
}

fn list(catalog: &Catalog, json: bool, console: &Console) -> Result<()> {
    let mut models = Vec::new();
    for model in catalog.list() {
        match model {
            Ok(entry) => models.push(ModelInfo::from(&entry)),
            Err(e) => console.warn(None, &format!("{:#}", anyhow::Error::from(e))),
        }
    }
    if json {
        return json::print("madezip-models", &models);
    }
    let head = ["name", "id", "kind", "bytes", "place", "trained on"];
    let mut rows = vec![head.map(String::from).to_vec()];
    for m in models {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        let (kind, trained_on) = (or_dash(m.kind), or_dash(m.trained_on));
        rows.push(vec![m.name, m.id[..12].into(), kind, m.bytes.to_string(), m.place, trained_on]);
    }
    json::text_out(&table(&rows))?;
    console.note(1, None, &format!("looked in {}", catalog.places().join(", ")));
    Ok(())
}
