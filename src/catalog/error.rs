//! Why a model cannot be had.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::container::ModelKey;

/// Why a model cannot be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// An archive names a model that is nowhere.
    #[error(
        "the archive needs model {key}, which is in none of: {}. Give the model's file with \
         -m FILE or put it into one of these folders", .looked.join(", ")
    )]
    Missing {
        /// How the archive names it.
        key: ModelKey,
        /// The places, in words.
        looked: Vec<String>,
    },
    /// A model was asked for by a name that is none.
    #[error(
        "there is no model {name:?}: it is no file, no name and no id of those in {}. \
         `madezip models` lists them", .looked.join(", ")
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The places, in words.
        looked: Vec<String>,
    },
    /// The beginning of an id fits several models.
    #[error("{name:?} begins the ids of several models: {}", .ids.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// The ids that begin so.
        ids: Vec<String>,
    },
    /// A model file cannot be read.
    #[error("the model file {} cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A model was refused.
    #[error("the model {name} is refused: {reason}")]
    Refused {
        /// File or name of the model.
        name: String,
        /// Why.
        reason: String,
    },
    /// Two models have the same short tag.
    #[error(
        "the model {name} is refused: its id begins as that of {other} does, so that small \
         archives could not tell them apart. Train it again with another --seed, or remove the \
         other one"
    )]
    Twin {
        /// The model that was to be installed.
        name: String,
        /// The model that is there.
        other: String,
    },
    /// Another model of that name is installed.
    #[error("another model {name} is installed; -f replaces it, --name gives another name")]
    Exists {
        /// Its name.
        name: String,
    },
    /// A model cannot be installed or removed.
    #[error("{} cannot be written", .path.display())]
    Write {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no place for models.
    #[error("there is no data folder for models: set HOME or XDG_DATA_HOME")]
    NoFolder,
    /// A model is good, but no engine can run it.
    #[error("the model {name} cannot be run: {reason}")]
    Engine {
        /// File or name of the model.
        name: String,
        /// Why.
        reason: String,
    },
}
