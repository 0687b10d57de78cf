//! Where models are looked for.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::entry::{Entry, SHIPPED, Shipped};
use super::{CatalogError, EXTENSION, PATH_VARIABLE};
use crate::container::ModelKey;

/// A list of places. It reads them anew at each question.
#[derive(Clone, Debug)]
pub struct Catalog {
    shipped: &'static [Shipped],
    given: Vec<PathBuf>,
    environment: Vec<PathBuf>,
    user: Option<PathBuf>,
    beside: Option<PathBuf>,
}

/// The folder of installed models, if the user has a data folder.
pub fn user_folder() -> Option<PathBuf> {
    dirs::data_dir().map(|d| d.join("madezip").join("models"))
}

impl Catalog {
    /// The usual places and the files and folders `given`.
    pub fn new(given: Vec<PathBuf>) -> Self {
        let environment = std::env::var_os(PATH_VARIABLE)
            .map(|v| std::env::split_paths(&v).filter(|p| !p.as_os_str().is_empty()).collect())
            .unwrap_or_default();
        Self { shipped: SHIPPED, given, environment, user: user_folder(), beside: None }
    }

    /// The shipped models and nothing else.
    pub fn shipped() -> Self {
        Self { shipped: SHIPPED, given: vec![], environment: vec![], user: None, beside: None }
    }

    /// The same, with the folder of an archive as the last place.
    pub fn beside(&self, archive: Option<&Path>) -> Self {
        let folder = archive
            .and_then(|a| a.parent())
            .map(|p| if p.as_os_str().is_empty() { PathBuf::from(".") } else { p.to_owned() });
        Self { beside: folder, ..self.clone() }
    }

    /// The model to compress with: `name` is a file, the name of a shipped model
    /// or of one in a folder, or the beginning of the id of any (at least six digits); nothing
    /// means the default model.
    pub fn choose(&self, name: Option<&OsStr>) -> Result<Entry, CatalogError> {
        let unknown =
            |name: &str| CatalogError::Unknown { name: name.to_string(), looked: self.places() };
        let Some(name) = name else {
            return match self.shipped.first() {
                Some(default) => Ok(Entry::shipped(default)),
                None => Err(unknown("default")),
            };
        };
        if Path::new(name).is_file() {
            return Entry::read(Path::new(name));
        }
        let name = name.to_string_lossy();
        if let Some(model) = self.shipped.iter().find(|m| m.name == name) {
            return Ok(Entry::shipped(model));
        }
        let installed = self.folders().flat_map(|p| files(p));
        if let Some(file) =
            installed.into_iter().find(|f| f.file_stem() == Some(OsStr::new(&*name)))
        {
            return Entry::read(&file);
        }
        if name.len() < 6 || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(unknown(&name));
        }
        let digits = name.to_ascii_lowercase();
        let mut found = self.matching(|e| hex(&e.id).starts_with(&digits));
        match found.len() {
            0 => Err(unknown(&name)),
            1 => Ok(found.remove(0)),
            _ => Err(CatalogError::Ambiguous {
                name: name.into_owned(),
                ids: found.iter().map(|e| hex(&e.id)).collect(),
            }),
        }
    }

    /// Whether a shipped model has this name.
    pub(super) fn is_shipped(&self, name: &str) -> bool {
        self.shipped.iter().any(|m| m.name == name)
    }

    /// The models an archive may mean: one for an id; for a tag, all whose ids
    /// begin so.
    pub fn find(&self, key: &ModelKey) -> Result<Vec<Entry>, CatalogError> {
        let found = match key {
            // an id is one model: the first place that has it is enough
            ModelKey::Id(id) => {
                self.entries().flatten().find(|e| e.id == *id).into_iter().collect()
            }
            ModelKey::Tag(_) => self.matching(|e| key.matches(&e.id)),
        };
        if found.is_empty() {
            return Err(CatalogError::Missing { key: *key, looked: self.places() });
        }
        Ok(found)
    }

    /// Every model and every file that was refused, in the order of the search.
    pub fn list(&self) -> Vec<Result<Entry, CatalogError>> {
        self.entries().collect()
    }

    fn entries(&self) -> impl Iterator<Item = Result<Entry, CatalogError>> {
        let read = |file: PathBuf| Entry::read(&file);
        let given = self.given.iter().flat_map(|p| files(p)).map(read);
        let shipped = self.shipped.iter().map(|m| Ok(Entry::shipped(m)));
        given.chain(shipped).chain(self.folders().flat_map(|p| files(p)).map(read))
    }

    /// The places that are searched, in words.
    pub fn places(&self) -> Vec<String> {
        let mut places: Vec<String> = self.given.iter().map(|p| p.display().to_string()).collect();
        places.push("the shipped models".into());
        if self.environment.is_empty() {
            places.push(format!("${PATH_VARIABLE} (not set)"));
        }
        let words = |p: &PathBuf| match p.to_str() {
            Some("." | "") => "this folder".into(),
            _ => p.display().to_string(),
        };
        places.extend(self.folders().map(words));
        places
    }

    fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        self.environment.iter().chain(&self.user).chain(&self.beside)
    }

    /// Models that fit, each id once. Files that are no models are passed over.
    fn matching(&self, fits: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let mut found: Vec<Entry> = Vec::new();
        for entry in self.entries().flatten() {
            if fits(&entry) && found.iter().all(|e| e.id != entry.id) {
                found.push(entry);
            }
        }
        found
    }
}

/// A file itself; the model files in a folder, sorted by name.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(path)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension() == Some(OsStr::new(EXTENSION)) && p.is_file())
        .collect();
    files.sort();
    files
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
