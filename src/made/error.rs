//! What can be wrong with a model.

use thiserror::Error;

/// Why a model file was refused or could not be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The bytes are no safetensors file, or not one that madezip writes.
    #[error("not a madezip model: {0}")]
    Format(String),
    /// A size is beyond what a model may have.
    #[error("{what} is {got}, the limit is {limit}")]
    TooLarge {
        /// What was measured.
        what: String,
        /// Its value.
        got: u64,
        /// The largest value allowed.
        limit: u64,
    },
    /// A metadata entry is missing or has a value that is not allowed.
    #[error("model metadata `{key}`: {reason}")]
    Metadata {
        /// The entry's key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor is missing, is one too many, or has the wrong type, shape or
    /// values.
    #[error("model tensor `{name}`: {reason}")]
    Tensor {
        /// The tensor's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The model is for later programs.
    #[error("the model needs {0}, which this program does not know: use a newer madezip")]
    Newer(String),
    /// An architecture that cannot be built.
    #[error("model architecture: {0}")]
    Architecture(String),
    /// The file could not be read or written.
    #[error("model file: {0}")]
    Io(#[from] std::io::Error),
}

impl ModelError {
    /// A complaint about the tensor `name`.
    pub fn tensor(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Tensor { name: shown(&name.into()), reason: reason.into() }
    }

    /// A complaint about the metadata entry `key`.
    pub fn metadata(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Metadata { key: shown(&key.into()), reason: reason.into() }
    }

    /// `Err` unless `got ≤ limit`.
    pub fn check_limit(what: &str, got: u64, limit: u64) -> Result<(), Self> {
        if got <= limit { Ok(()) } else { Err(Self::TooLarge { what: what.into(), got, limit }) }
    }
}

/// A name from a file for people: not without end, and without what a terminal obeys.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(60).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_without_harm() {
        let said = ModelError::tensor("a\u{1b}[31m\n".repeat(1000), "unknown").to_string();
        assert!(said.len() < 300 && !said.chars().any(char::is_control), "{said:?}");
        assert!(said.starts_with(r"model tensor `a\u{1b}[31m\n"), "{said}");
        let said = ModelError::metadata("best.x86.limit", "missing").to_string();
        assert_eq!(said, "model metadata `best.x86.limit`: missing");
    }
}
