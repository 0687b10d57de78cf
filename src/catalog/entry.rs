//! One model that was found.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{CatalogError, MAX_FILE};
use crate::container::ModelId;
use crate::made::file::ModelFile;
use crate::made::packed;

/// A model in the binary.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// What users call it.
    pub name: &'static str,
    /// Its file.
    pub bytes: &'static [u8],
    /// Its id, which need not be computed at every start.
    pub id: ModelId,
}

/// The models in the binary; the first is the default. A static, which is there once.
pub static SHIPPED: &[Shipped] = &[Shipped {
    name: "default",
    bytes: include_bytes!("../../models/default.safetensors"),
    id: id_of(include_bytes!("../../models/default.id")),
}];

/// An id from the 64 hexadecimal digits that a file begins with.
const fn id_of(file: &[u8]) -> ModelId {
    let mut id = [0; 32];
    let mut i = 0;
    while i < 64 {
        let digit = match file[i] {
            c @ b'0'..=b'9' => c - b'0',
            c @ b'a'..=b'f' => c - b'a' + 10,
            _ => panic!("not a digit"),
        };
        id[i / 2] = id[i / 2] << 4 | digit;
        i += 1;
    }
    id
}

/// Where a model was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the binary.
    Shipped,
    /// In a file.
    File(PathBuf),
    /// In the archive.
    Archive,
    /// In the memory of a program that uses the library.
    Memory,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped => f.write_str("shipped"),
            Self::File(path) => path.display().fmt(f),
            Self::Archive => f.write_str("in the archive"),
            Self::Memory => f.write_str("in memory"),
        }
    }
}

/// A model file that was read and whose id is known.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Name of a shipped model, else the file's name without its ending.
    pub name: String,
    /// Where it was found.
    pub place: Place,
    /// SHA-256 of its canonical content.
    pub id: ModelId,
    /// Its file.
    pub bytes: Cow<'static, [u8]>,
}

impl Entry {
    /// A shipped model.
    pub(super) fn shipped(model: &Shipped) -> Self {
        Self {
            name: model.name.to_string(),
            place: Place::Shipped,
            id: model.id,
            bytes: Cow::Borrowed(model.bytes),
        }
    }

    /// Reads a model file.
    pub fn read(path: &Path) -> Result<Self, CatalogError> {
        let read = || -> io::Result<Vec<u8>> {
            let file = File::open(path)?;
            let mut bytes = Vec::new();
            file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes =
            read().map_err(|source| CatalogError::Read { path: path.to_owned(), source })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if bytes.len() as u64 > MAX_FILE {
            return Err(CatalogError::Refused {
                name: path.display().to_string(),
                reason: format!("it has more than {MAX_FILE} bytes"),
            });
        }
        Self::new(name, Place::File(path.to_owned()), Cow::Owned(bytes))
    }

    /// The model that travels with an archive.
    pub fn embedded(packed: &[u8]) -> Result<Self, CatalogError> {
        let name = "embedded in the archive".to_string();
        match packed::unpack(packed) {
            Ok(bytes) => Self::new(name, Place::Archive, Cow::Owned(bytes)),
            Err(e) => Err(CatalogError::Refused { name, reason: e.to_string() }),
        }
    }

    /// A model file in memory.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, CatalogError> {
        Self::new(name.to_string(), Place::Memory, Cow::Owned(bytes))
    }

    fn new(name: String, place: Place, bytes: Cow<'static, [u8]>) -> Result<Self, CatalogError> {
        let refused = |e: &dyn fmt::Display| CatalogError::Refused {
            name: match &place {
                Place::Shipped | Place::Archive | Place::Memory => name.clone(),
                Place::File(path) => path.display().to_string(),
            },
            reason: e.to_string(),
        };
        let file = ModelFile::from_bytes(&bytes).map_err(|e| refused(&e))?;
        let id = file.id();
        Ok(Self { name, place, id, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::hex;

    #[test]
    fn shipped_models_have_their_ids() {
        for model in SHIPPED {
            let file = ModelFile::from_bytes(model.bytes).unwrap();
            assert_eq!(hex(&model.id), hex(&file.id()), "models/{}.id", model.name);
        }
    }
}
