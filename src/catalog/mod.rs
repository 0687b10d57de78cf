//! Models by id: those in the binary, those a user names, those installed, and
//! those that lie beside an archive.
//!
//! A model is looked for, in this order, in
//!
//! 1. the files and folders given by name (`-m`),
//! 2. the models shipped in the binary,
//! 3. the files and folders of `MADEZIP_MODEL_PATH`, separated as in `PATH`,
//! 4. `madezip/models` in the user's data folder,
//! 5. the folder of the archive.
//!
//! In a folder, the files ending in `.safetensors` count. Every one of them is
//! as hostile as an archive until the model's own reader has accepted it.

mod entry;
mod error;
mod install;
mod search;

pub use entry::{Entry, Place, SHIPPED, Shipped};
pub use error::CatalogError;
pub(crate) use search::hex;
pub use search::{Catalog, user_folder};

/// Environment variable with more files and folders of models.
pub const PATH_VARIABLE: &str = "MADEZIP_MODEL_PATH";
/// How model files end.
pub const EXTENSION: &str = "safetensors";
/// Bytes of a model file, at most.
pub const MAX_FILE: u64 = crate::made::file::MAX_FILE_BYTES;
