//! Models into the user's folder, and out of it.

use std::path::{Path, PathBuf};

use super::{Catalog, CatalogError, EXTENSION, Entry, Place, user_folder};
use crate::container::TAG_LEN;
use crate::made::file::ModelFile;

impl Catalog {
    /// Copies a model file into the user's folder under `name`, or under its own.
    /// A model whose short tag is also another's is refused: short archives name
    /// their model by it. An installed model of that name is replaced only with
    /// `force`. Returns the model as installed.
    ///
    /// Whether any engine can run the model is for the caller to find out first.
    pub fn install(
        &self,
        file: &Path,
        name: Option<&str>,
        force: bool,
    ) -> Result<Entry, CatalogError> {
        let entry = Entry::read(file)?;
        let name = name.unwrap_or(&entry.name).to_string();
        let folder = folder()?;
        let target = folder.join(format!("{name}.{EXTENSION}"));
        let refused =
            |reason: String| CatalogError::Refused { name: file.display().to_string(), reason };
        // the name is one file's in that folder, and none that means a shipped one
        let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
        if !plain || self.is_shipped(&name) {
            return Err(refused(format!("{name:?} is no name for a model; give another one")));
        }
        for other in self.list().into_iter().flatten() {
            let replaced = other.place == Place::File(target.clone());
            if other.id != entry.id && other.id[..TAG_LEN] == entry.id[..TAG_LEN] && !replaced {
                return Err(CatalogError::Twin { name, other: other.name });
            }
        }
        if target.exists() && !force {
            return match Entry::read(&target) {
                Ok(there) if there.id == entry.id => Ok(there),
                _ => Err(CatalogError::Exists { name }),
            };
        }
        let failed = |source| CatalogError::Write { path: target.clone(), source };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let model = ModelFile::from_bytes(&entry.bytes).map_err(|e| refused(e.to_string()))?;
        model.write(&target).map_err(|e| failed(std::io::Error::other(e)))?;
        Entry::read(&target)
    }

    /// Removes an installed model by its name; returns where it was.
    pub fn remove(&self, name: &str) -> Result<PathBuf, CatalogError> {
        let folder = folder()?;
        let target = folder.join(format!("{name}.{EXTENSION}"));
        if name.contains(['/', '\\']) || !target.is_file() {
            let looked = vec![folder.display().to_string()];
            return Err(CatalogError::Unknown { name: name.into(), looked });
        }
        std::fs::remove_file(&target)
            .map_err(|source| CatalogError::Write { path: target.clone(), source })?;
        Ok(target)
    }
}

fn folder() -> Result<PathBuf, CatalogError> {
    user_folder().ok_or(CatalogError::NoFolder)
}
