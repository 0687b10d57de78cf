//! Model files: named integer tensors and text metadata in safetensors.
//!
//! This layer knows no kind of model. It bounds every size before it allocates,
//! refuses what is not an integer, and hands out tensors whose bytes fit their
//! shapes; [`crate::made::weights`] and the stream model give them meaning.
//!
//! # Model id
//!
//! The id of a model is the SHA-256 of its canonical content, not of its file:
//! the order of the header's entries, their white space and the order of the
//! tensors do not count. The digest is taken over, in this sequence (integers
//! are unsigned 64-bit little-endian, strings are their length in bytes as such
//! an integer and then their UTF-8 bytes):
//!
//! 1. the string `madezip model`;
//! 2. the number of metadata entries; for each, sorted by key (bytewise): the key
//!    and the value, both strings;
//! 3. the number of tensors; for each, sorted by name (bytewise): the name, the
//!    name of its element type (`I16`, …), the number of dimensions, each
//!    dimension, and the elements, little-endian and row-major, as a string.

use super::PROFILE;
pub use super::error::ModelError;
use super::error::shown;
pub use super::tensor::{DType, Element, Tensor};
use super::unique;
use safetensors::SafeTensors;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::io::Read;
use std::path::Path;

/// The number that a text of decimal digits alone is, the first not 0 unless it is the only one.
pub fn decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    // a plus sign and zeros before the number parse, too
    let is_shortest = text == "0" || !text.starts_with('0');
    text.parse().ok().filter(|_| is_shortest && text.bytes().all(|b| b.is_ascii_digit()))
}

/// Largest model file.
pub const MAX_FILE_BYTES: u64 = 1 << 29;
/// Largest safetensors header (names, shapes, metadata).
pub const MAX_HEADER_BYTES: u64 = 1 << 20;
/// Most dimensions of a tensor.
pub const MAX_RANK: usize = 8;
/// What keys of metadata begin with that are common to all kinds of models; those that are not
/// named here are for people.
const OWN: &str = "madezip.";
/// Key of the metadata entry that names the arithmetic profile of a model, if it is not 1.
pub const PROFILE_OF: &str = "madezip.profile";
/// Key of the metadata entry that names the kind of model.
pub const KIND: &str = "madezip.kind";
/// Key of the metadata entry that says what the model was trained on, for people.
pub const TRAINED_ON: &str = "madezip.trained_on";

/// A model as its file holds it: metadata and tensors, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelFile {
    /// Text entries; [`KIND`] says which code can read the rest.
    pub metadata: BTreeMap<String, String>,
    /// Tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
}

/// Judges what readers of safetensors leave open: how the header begins, a key that stands
/// twice, more than is known of a tensor, metadata that are none. A profile of later programs
/// comes before tensors: they may have changed anything else.
fn check_header(text: &[u8]) -> Result<(), ModelError> {
    if text.first() != Some(&b'{') {
        return Err(ModelError::Format("the header does not begin with {".into()));
    }
    let header = unique::object(text).map_err(|e| ModelError::Format(e.to_string()))?;
    let profile = header.get("__metadata__").and_then(|m| m.get(PROFILE_OF));
    if let Some(profile) = profile {
        match profile.as_str().and_then(decimal::<u16>) {
            Some(PROFILE) => {}
            Some(other) => return Err(ModelError::Newer(format!("arithmetic profile {other}"))),
            None => return Err(ModelError::metadata(PROFILE_OF, "not a profile's number")),
        }
    }
    for (name, entry) in &header {
        match entry.as_object() {
            Some(entry) if name == "__metadata__" || entry.len() == 3 => {}
            _ => return Err(ModelError::Format(format!("the header's entry `{}`", shown(name)))),
        }
    }
    Ok(())
}

/// A header entry of safetensors; the field order is the one its own writer uses.
#[derive(Serialize)]
struct Entry<'a> {
    dtype: &'static str,
    shape: &'a [usize],
    data_offsets: (usize, usize),
}

impl ModelFile {
    /// Parses a safetensors file held in memory.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        ModelError::check_limit("the model's size", bytes.len() as u64, MAX_FILE_BYTES)?;
        let declared = bytes
            .first_chunk::<8>()
            .ok_or_else(|| ModelError::Format("shorter than a safetensors header".into()))?;
        ModelError::check_limit("the header", u64::from_le_bytes(*declared), MAX_HEADER_BYTES)?;
        let bad = |e: safetensors::SafeTensorError| ModelError::Format(e.to_string());
        let text = bytes[8..].get(..u64::from_le_bytes(*declared) as usize);
        check_header(text.ok_or_else(|| ModelError::Format("the header is cut short".into()))?)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(bad)?;
        let views = SafeTensors::deserialize(bytes).map_err(bad)?;
        let metadata =
            header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        let mut tensors = BTreeMap::new();
        for (name, view) in views.iter() {
            let dtype = DType::from_safetensors(view.dtype()).ok_or_else(|| {
                ModelError::tensor(name, format!("{:?} elements; only integers", view.dtype()))
            })?;
            if view.shape().len() > MAX_RANK {
                return Err(ModelError::tensor(name, format!("more than {MAX_RANK} dimensions")));
            }
            let tensor = Tensor::new(dtype, view.shape().to_vec(), view.data().to_vec())
                .map_err(|e| ModelError::tensor(name, e.to_string()))?;
            tensors.insert(name.to_string(), tensor);
        }
        Ok(Self { metadata, tensors })
    }

    /// Reads a file, never more than [`MAX_FILE_BYTES`] of it.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        Self::from_bytes(&bytes)
    }

    /// The file's bytes: the same content always gives the same bytes. Tensors
    /// stand in order of falling element size, then by name, so that each is
    /// aligned.
    ///
    /// # Panics
    /// When a metadata key is `__metadata__` or a tensor has that name.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut order: Vec<_> = self.tensors.iter().collect();
        order.sort_by_key(|(_, t)| std::cmp::Reverse(t.dtype().size()));
        let mut header = serde_json::Map::new();
        if !self.metadata.is_empty() {
            header.insert("__metadata__".into(), serde_json::json!(self.metadata));
        }
        let mut offset = 0;
        for (name, tensor) in &order {
            assert_ne!(name.as_str(), "__metadata__");
            let entry = Entry {
                dtype: tensor.dtype().name(),
                shape: tensor.shape(),
                data_offsets: (offset, offset + tensor.bytes().len()),
            };
            offset += tensor.bytes().len();
            header.insert(name.to_string(), serde_json::json!(entry));
        }
        let mut text = serde_json::Value::Object(header).to_string().into_bytes();
        text.resize(text.len().next_multiple_of(8), b' ');
        let mut bytes = Vec::with_capacity(8 + text.len() + offset);
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text);
        for (_, tensor) in order {
            bytes.extend(tensor.bytes());
        }
        bytes
    }

    /// Writes the file whole or not at all (a temporary neighbour is renamed).
    pub fn write(&self, path: &Path) -> Result<(), ModelError> {
        let folder = match path.parent() {
            Some(p) if !p.as_os_str().is_empty() => p,
            _ => Path::new("."),
        };
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, &self.to_bytes())?;
        #[cfg(unix)]
        {
            // A temporary file is private; a model is an ordinary file.
            use std::os::unix::fs::PermissionsExt;
            file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        }
        // what stood there is gone when the name is given
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| ModelError::Io(e.error))?;
        Ok(())
    }

    /// SHA-256 of the canonical content, as the module's text defines it.
    pub fn id(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let number = |hash: &mut Sha256, n: usize| hash.update((n as u64).to_le_bytes());
        let string = |hash: &mut Sha256, s: &[u8]| {
            number(hash, s.len());
            hash.update(s);
        };
        string(&mut hash, b"madezip model");
        number(&mut hash, self.metadata.len());
        for (key, value) in &self.metadata {
            string(&mut hash, key.as_bytes());
            string(&mut hash, value.as_bytes());
        }
        number(&mut hash, self.tensors.len());
        for (name, tensor) in &self.tensors {
            string(&mut hash, name.as_bytes());
            string(&mut hash, tensor.dtype().name().as_bytes());
            number(&mut hash, tensor.shape().len());
            for &d in tensor.shape() {
                number(&mut hash, d);
            }
            string(&mut hash, tensor.bytes());
        }
        hash.finalize().into()
    }

    /// A metadata entry, or an error that names it.
    pub fn text(&self, key: &str) -> Result<&str, ModelError> {
        self.metadata
            .get(key)
            .map(String::as_str)
            .ok_or_else(|| ModelError::metadata(key, "missing"))
    }

    /// A metadata entry that is a decimal number, if there is one.
    pub fn number<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, ModelError> {
        let Some(text) = self.metadata.get(key) else { return Ok(None) };
        match decimal(text) {
            None => Err(ModelError::metadata(key, format!("{text:?} is not such a number"))),
            number => Ok(number),
        }
    }

    /// The elements of a tensor that must have this shape and the element type
    /// `T`; an error that names it otherwise.
    pub fn values<T: Element>(&self, name: &str, shape: &[usize]) -> Result<Vec<T>, ModelError> {
        let tensor = self.tensors.get(name).ok_or_else(|| ModelError::tensor(name, "missing"))?;
        if tensor.shape() != shape || tensor.dtype() != T::DTYPE {
            return Err(ModelError::tensor(
                name,
                format!(
                    "is {} {:?}, should be {} {shape:?}",
                    tensor.dtype().name(),
                    tensor.shape(),
                    T::DTYPE.name()
                ),
            ));
        }
        tensor.values().ok_or_else(|| ModelError::tensor(name, "has another type"))
    }

    /// An error when there are tensors and metadata beyond those that are named here and
    /// metadata `madezip.…`: a model has no room for content that nothing reads.
    pub fn refuse_others(&self, tensors: &[String], metadata: &[String]) -> Result<(), ModelError> {
        const OTHER: &str = "is not part of such a model; a newer madezip may know it";
        let known = |names: &[String]| names.iter().cloned().collect::<HashSet<_>>();
        let (tensors, metadata) = (known(tensors), known(metadata));
        if let Some(name) = self.tensors.keys().find(|&name| !tensors.contains(name)) {
            return Err(ModelError::tensor(name, OTHER));
        }
        let free = |key: &str| key.starts_with(OWN) || metadata.contains(key);
        match self.metadata.keys().find(|key| !free(key)) {
            Some(key) => Err(ModelError::metadata(key, OTHER)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> ModelFile {
        let mut file = ModelFile::default();
        file.metadata.insert(KIND.into(), "test".into());
        file.metadata.insert("b".into(), "ü \"quoted\"\n".into());
        file.tensors.insert("w".into(), Tensor::from_values(&[2, 3], &[1i16, -2, 3, 4, 5, -6]));
        file.tensors.insert("a".into(), Tensor::from_values(&[1], &[7u8]));
        file.tensors.insert("b".into(), Tensor::from_values(&[2], &[i32::MIN, 9]));
        file.tensors.insert("none".into(), Tensor::from_values::<i8>(&[0, 4], &[]));
        file
    }

    fn hex(id: [u8; 32]) -> String {
        id.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn numbers_are_digits() {
        assert_eq!(["0", "255", "7"].map(decimal::<u8>), [Some(0), Some(255), Some(7)]);
        for text in ["", "256", "007", "00", "+1", "-1", " 1", "1 ", "1e3", "0x1", "١"] {
            assert_eq!(decimal::<u8>(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_file_comes_back() {
        let file = sample();
        let bytes = file.to_bytes();
        let back = ModelFile::from_bytes(&bytes).unwrap();
        assert_eq!(back, file);
        assert_eq!(back.to_bytes(), bytes);
        assert_eq!(back.values::<i16>("w", &[2, 3]).unwrap(), [1, -2, 3, 4, 5, -6]);
        assert!(back.values::<i16>("w", &[3, 2]).is_err());
        assert!(back.values::<u16>("w", &[2, 3]).is_err());
        assert!(back.values::<u16>("x", &[2, 3]).is_err());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        file.write(&path).unwrap();
        assert_eq!(ModelFile::read(&path).unwrap(), file);
    }

    #[test]
    fn the_id_is_of_the_content_alone() {
        let file = sample();
        // Other header order, white space and tensor order, written by another writer.
        let mut data = std::collections::HashMap::new();
        for (name, t) in &file.tensors {
            let dtype = match t.dtype() {
                DType::U8 => safetensors::Dtype::U8,
                DType::I8 => safetensors::Dtype::I8,
                DType::I16 => safetensors::Dtype::I16,
                _ => safetensors::Dtype::I32,
            };
            let view =
                safetensors::tensor::TensorView::new(dtype, t.shape().to_vec(), t.bytes()).unwrap();
            data.insert(name.clone(), view);
        }
        let meta = file.metadata.clone().into_iter().collect();
        let other = safetensors::serialize(data, Some(meta)).unwrap();
        assert_eq!(ModelFile::from_bytes(&other).unwrap().id(), file.id());
        assert_eq!(
            hex(file.id()),
            "2551ff2d603fec2f9dde13fcd39d26601264b8ce37b8deb9446fb36c7e9c4bf1"
        );
    }

    #[test]
    fn every_change_of_content_changes_the_id() {
        let file = sample();
        let change: [fn(&mut ModelFile); 6] = [
            |f| drop(f.metadata.insert("b".into(), "ü".into())),
            |f| drop(f.metadata.remove("b")),
            |f| drop(f.tensors.remove("none")),
            |f| {
                drop(f.tensors.insert("a".into(), Tensor::from_values(&[1], &[7i8])));
            },
            |f| {
                drop(f.tensors.insert("none".into(), Tensor::from_values::<i8>(&[4, 0], &[])));
            },
            |f| {
                let t = f.tensors.remove("w").unwrap();
                f.tensors.insert("v".into(), t);
            },
        ];
        for (i, change) in change.iter().enumerate() {
            let mut other = file.clone();
            change(&mut other);
            assert_ne!(other.id(), file.id(), "change {i}");
        }
    }

    #[test]
    fn floats_and_oversized_headers_are_refused() {
        let header = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend([0; 4]);
        assert!(matches!(ModelFile::from_bytes(&bytes), Err(ModelError::Tensor { .. })));
        let mut bytes = sample().to_bytes();
        bytes[..8].copy_from_slice(&(MAX_HEADER_BYTES + 1).to_le_bytes());
        assert!(matches!(ModelFile::from_bytes(&bytes), Err(ModelError::TooLarge { .. })));
    }

    #[test]
    fn every_prefix_is_refused() {
        let bytes = sample().to_bytes();
        for n in 0..bytes.len() {
            assert!(ModelFile::from_bytes(&bytes[..n]).is_err(), "{n}");
        }
        let mut longer = bytes;
        longer.push(0);
        assert!(ModelFile::from_bytes(&longer).is_err());
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..400, value: u8, cut in 0usize..400) {
            let mut bytes = sample().to_bytes();
            let at = at % bytes.len();
            bytes[at] = value;
            let _ = ModelFile::from_bytes(&bytes);
            bytes.truncate(cut);
            let _ = ModelFile::from_bytes(&bytes);
        }

        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = ModelFile::from_bytes(&bytes);
            let mut framed = (bytes.len() as u64).to_le_bytes().to_vec();
            framed.extend(&bytes);
            let _ = ModelFile::from_bytes(&framed);
        }
    }
}
