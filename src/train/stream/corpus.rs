//! The files to learn from.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::engine::EngineError;
use crate::made::random::SplitMix64;

/// Fewest bytes worth training on.
pub const MIN_BYTES: u64 = 200_000;
/// A longer file is read in pieces of this size.
const PIECE: usize = 8 << 20;

/// Why a model could not be trained.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A file or folder could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Too little data.
    #[error(
        "{got} bytes in {files} files are too little to train on; at least {MIN_BYTES} bytes in two files or one file of twice that are needed"
    )]
    TooLittle {
        /// Bytes found.
        got: u64,
        /// Files found.
        files: usize,
    },
    /// Too few samples to adapt a model to.
    #[error("{got} bytes are too few samples; {} or more are needed", super::base::MIN_SAMPLES)]
    FewSamples {
        /// Bytes found.
        got: u64,
    },
    /// libtorch or the device failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The model could not be built, read or written.
    #[error(transparent)]
    Model(#[from] crate::made::ModelError),
    /// A document could not be coded.
    #[error(transparent)]
    Codec(#[from] crate::codec::CodecError),
    /// A checkpoint does not belong to these options.
    #[error("checkpoint {path}: {reason}")]
    Checkpoint {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Loss is no longer a number.
    #[error("training diverged; try a smaller learning rate")]
    Diverged,
}

impl From<tch::TchError> for TrainError {
    fn from(e: tch::TchError) -> Self {
        Self::Engine(e.into())
    }
}

/// Documents: files, or sequences of small neighbouring files.
#[derive(Debug, Default)]
pub struct Corpus {
    /// For the statistics that a model brings along.
    pub primed: Vec<Vec<u8>>,
    /// For training.
    pub train: Vec<Vec<u8>>,
    /// Held out.
    pub valid: Vec<Vec<u8>>,
}

impl Corpus {
    /// Reads files and folders (recursively, in name order). About `holdout` of
    /// the documents, at least one, are held out, chosen by `seed`. Every second
    /// folder's small files are joined into longer documents, so that the model
    /// sees both cold and warm statistics.
    ///
    /// A share `primed` is for the statistics that a model brings along.
    ///
    /// Of more than `most` bytes of `wanted` documents a random selection is kept.
    pub fn read(
        paths: &[PathBuf],
        most: usize,
        primed: f64,
        holdout: f64,
        seed: u64,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Self, TrainError> {
        let mut files = Vec::new();
        for path in paths {
            list(path, &mut files)?;
        }
        let mut random = SplitMix64::new(seed);
        let mut documents: Vec<Vec<u8>> = Vec::new();
        let mut joined: Option<(PathBuf, Vec<u8>)> = None;
        for path in &files {
            let data = std::fs::read(path)
                .map_err(|source| TrainError::Read { path: path.clone(), source })?;
            let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
            let join =
                files.len() > 20 && data.len() < PIECE / 8 && random.next_u64().is_multiple_of(2);
            if !join {
                documents.extend(data.chunks(PIECE).filter(|c| !c.is_empty()).map(<[u8]>::to_vec));
                continue;
            }
            match &mut joined {
                Some((of, document)) if *of == folder && document.len() < PIECE / 2 => {
                    document.extend(data);
                }
                _ => documents.extend(joined.replace((folder, data)).map(|(_, d)| d)),
            }
        }
        documents.extend(joined.map(|(_, d)| d));
        documents.retain(|d| wanted(d));
        let got = documents.iter().map(|d| d.len() as u64).sum();
        let little = TrainError::TooLittle { got, files: files.len() };
        if got < MIN_BYTES {
            return Err(little);
        }
        if documents.len() == 1 {
            let half = documents[0].len() - documents[0].len() / 8;
            let tail = documents[0].split_off(half);
            documents.push(tail);
        }
        for i in (1..documents.len()).rev() {
            documents.swap(i, (random.next_u64() % (i as u64 + 1)) as usize);
        }
        let mut left = most;
        documents.retain(|d| {
            let keep = left > 0;
            left = left.saturating_sub(d.len());
            keep
        });
        let mut corpus = Self::default();
        for document in documents {
            let place = random.unit();
            if place < holdout {
                corpus.valid.push(document);
            } else if place < holdout + primed {
                corpus.primed.push(document);
            } else {
                corpus.train.push(document);
            }
        }
        // of a few documents all may have fallen to one part
        if corpus.train.is_empty() || corpus.valid.is_empty() && corpus.train.len() < 2 {
            corpus.train.append(&mut corpus.primed);
        }
        if corpus.valid.is_empty() {
            corpus.valid.extend(corpus.train.pop());
        }
        if corpus.train.is_empty() {
            corpus.train.extend(corpus.valid.pop());
        }
        if corpus.valid.is_empty() { Err(little) } else { Ok(corpus) }
    }
}

/// Files of a file or folder, recursively, in name order. Archives in folders are left out: they
/// have nothing that a model could learn.
pub(super) fn list(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), TrainError> {
    let read = |source| TrainError::Read { path: path.into(), source };
    if std::fs::metadata(path).map_err(read)?.is_dir() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
            .map_err(read)?
            .map(|e| e.map(|e| e.path()))
            .filter(|p| p.as_ref().map_or(true, |p| p.extension().is_none_or(|e| e != "mdz")))
            .collect::<Result<_, _>>()
            .map_err(read)?;
        entries.sort();
        for entry in entries {
            list(&entry, files)?;
        }
    } else {
        files.push(path.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_documents_are_some_to_learn_from_and_some_held_out() {
        let folder = tempfile::tempdir().unwrap();
        for n in 1..=6 {
            std::fs::write(folder.path().join(n.to_string()), vec![n; 150_000]).unwrap();
            for seed in 0..50 {
                let paths = [folder.path().to_path_buf()];
                let read = Corpus::read(&paths, usize::MAX, 0.45, 0.05, seed, |_| true);
                if n == 1 {
                    assert!(matches!(read, Err(TrainError::TooLittle { files: 1, .. })));
                    continue;
                }
                let Corpus { primed, train, valid } = read.unwrap();
                assert!(!train.is_empty() && !valid.is_empty(), "{n} documents, seed {seed}");
                assert_eq!(primed.len() + train.len() + valid.len(), usize::from(n));
            }
        }
    }
}
