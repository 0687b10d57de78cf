//! Decompression with options.

use std::io::{Read, Seek, Write};
use std::ops::Range;
use std::sync::Arc;

use super::Model;
use super::compressor::cores;
use crate::archive::{
    CatalogModels, DecompressOptions, ModelSource, NoProgress, Summary, decompress,
    decompress_range, decompress_records,
};
use crate::catalog::{Catalog, CatalogError};
use crate::codec::BlockCodec;
use crate::container::ModelKey;
use crate::error::Error;

/// Bytes that [`Decompressor::decompress`] gives at most unless told otherwise
/// (1 GiB): a small archive may hold very much.
pub const DEFAULT_LIMIT: u64 = 1 << 30;

/// How to decompress.
///
/// ```
/// use std::io::Cursor;
/// use madezip::{Compressor, Decompressor, Error, Model};
///
/// let model = Model::open("models/default.safetensors")?; // one of your own
/// let archive = Compressor::new().model(&model).compress(&b"abcdefghij".repeat(100))?;
///
/// let careful = Decompressor::new().model(&model).limit(999).memory_limit(100 << 20);
/// assert!(matches!(careful.decompress(&archive), Err(Error::ContentLimit { limit: 999 })));
///
/// let mut part = Vec::new();
/// careful.range(&mut Cursor::new(&archive), 995..1000, &mut part)?;
/// assert_eq!(part, b"fghij");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Decompressor {
    models: Vec<Model>,
    installed: bool,
    options: DecompressOptions,
}

impl Decompressor {
    /// Shipped models and those that travel with archives, one thread.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also reads archives of this model.
    pub fn model(mut self, model: &Model) -> Self {
        self.models.push(model.clone());
        self
    }

    /// Also looks for models where the command line does, the archive's own
    /// folder apart: see [`crate::catalog`].
    pub fn installed(mut self, installed: bool) -> Self {
        self.installed = installed;
        self
    }

    /// Threads, at most; 0 for one a core.
    pub fn threads(mut self, threads: usize) -> Self {
        self.options.threads = cores(threads);
        self
    }

    /// Bytes of content, at most. Unless it is set, [`Self::decompress`] gives
    /// [`DEFAULT_LIMIT`] and [`Self::copy`] any number.
    pub fn limit(mut self, bytes: u64) -> Self {
        self.options.content_limit = Some(bytes);
        self
    }

    /// Bytes of memory: as [`DecompressOptions::memory_limit`].
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.options.memory_limit = Some(bytes);
        self
    }

    /// Restores what an archive in a slice holds.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn decompress(&self, archive: &[u8]) -> Result<Vec<u8>, Error> {
        let limit = self.options.content_limit.unwrap_or(DEFAULT_LIMIT);
        let options = DecompressOptions { content_limit: Some(limit), ..self.options.clone() };
        let mut content = Vec::new();
        decompress(archive, &mut content, &self.source(), &options, &NoProgress)?;
        Ok(content)
    }

    /// Restores what the archives hold that `reader` gives, to its end; `writer`
    /// is not flushed. No byte is written that has not been checked.
    ///
    /// # Errors
    /// See [`Error`]; `writer` then has the beginning of the content.
    pub fn copy(&self, reader: impl Read, writer: impl Write) -> Result<Summary, Error> {
        decompress(reader, writer, &self.source(), &self.options, &NoProgress)
    }

    /// Restores a range of the content's bytes, decoding only the blocks that hold
    /// some of it.
    ///
    /// # Errors
    /// See [`Error`]: also a range that the content does not have.
    pub fn range(
        &self,
        archive: &mut (impl Read + Seek),
        range: Range<u64>,
        writer: impl Write,
    ) -> Result<Summary, Error> {
        decompress_range(archive, writer, range, &self.source(), &self.options, &NoProgress)
    }

    /// Restores records of content that was compressed with
    /// [`Compressor::split`](super::Compressor::split), joined, decoding no other.
    ///
    /// # Errors
    /// See [`Error`]: also content that was not split, and records that it does not
    /// have.
    pub fn records(
        &self,
        archive: &mut (impl Read + Seek),
        range: Range<u64>,
        writer: impl Write,
    ) -> Result<Summary, Error> {
        decompress_records(archive, writer, range, &self.source(), &self.options, &NoProgress)
    }

    fn source(&self) -> Source<'_> {
        let catalog = if self.installed { Catalog::new(Vec::new()) } else { Catalog::shipped() };
        Source { given: &self.models, catalog: CatalogModels::new(catalog) }
    }
}

/// The given models, then a catalog's.
struct Source<'a> {
    given: &'a [Model],
    catalog: CatalogModels,
}

impl Source<'_> {
    fn default_codec(key: &ModelKey) -> Option<Arc<dyn BlockCodec>> {
        // bound once a process
        Model::default_model().ok().filter(|m| key.matches(&m.id())).map(|m| m.codec().clone())
    }
}

impl ModelSource for Source<'_> {
    fn codecs(&self, key: &ModelKey) -> Result<Vec<Arc<dyn BlockCodec>>, CatalogError> {
        let fits = |m: &&Model| key.matches(&m.id());
        let mut found: Vec<_> = self.given.iter().filter(fits).map(|m| m.codec().clone()).collect();
        if found.is_empty() && matches!(key, ModelKey::Id(_)) {
            found.extend(Self::default_codec(key));
        }
        if !found.is_empty() && matches!(key, ModelKey::Id(_)) {
            found.truncate(1);
            return Ok(found);
        }
        match self.catalog.codecs(key) {
            Ok(more) => found.extend(more),
            Err(CatalogError::Missing { .. }) if !found.is_empty() => {}
            Err(e) => return Err(e),
        }
        Ok(found)
    }

    fn embedded(
        &self,
        packed: &[u8],
        key: Option<&ModelKey>,
    ) -> Result<Option<Arc<dyn BlockCodec>>, CatalogError> {
        self.catalog.embedded(packed, key)
    }

    fn any(&self) -> Vec<Arc<dyn BlockCodec>> {
        self.given.iter().map(|m| m.codec().clone()).chain(self.catalog.any()).collect()
    }
}
