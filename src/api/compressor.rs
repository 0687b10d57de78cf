//! Compression with options.

use std::io::{Read, Write};

use super::Model;
use crate::archive::{CompressOptions, NoProgress, Summary, compress};
use crate::error::Error;
use crate::split::{MAX_CHECK, Records, Split};

/// How to compress. Nothing that is set here is needed to decompress, but a model
/// that is not shipped and does not travel with the archive.
///
/// ```
/// use madezip::{Compressor, Decompressor};
///
/// let log = "GET /index.html 200\n".repeat(500);
/// let mut archive = Vec::new();
/// let done = Compressor::new().threads(2).copy(log.as_bytes(), &mut archive)?;
/// assert_eq!((done.raw, done.archive), (10_000, archive.len() as u64));
///
/// let mut back = Vec::new();
/// Decompressor::new().copy(&archive[..], &mut back)?;
/// assert_eq!(back, log.as_bytes());
/// # Ok::<(), madezip::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Compressor {
    model: Option<Model>,
    options: CompressOptions,
    embed: bool,
}

impl Compressor {
    /// The default model and one thread.
    pub fn new() -> Self {
        Self::default()
    }

    /// Compresses with this model.
    pub fn model(mut self, model: &Model) -> Self {
        self.model = Some(model.clone());
        self
    }

    /// Threads, 0 for one a core. The archive does not change by it.
    pub fn threads(mut self, threads: usize) -> Self {
        self.options.threads = cores(threads);
        self
    }

    /// How much time compressing and decompressing is worth, from 1 to 9: up to 3 it is the
    /// fast level, from 7 on the best one (or for a block of at most 64 KiB the default one where
    /// that makes it shorter), between them the default one. A model that does not have it uses
    /// its default level.
    pub fn level(mut self, number: u8) -> Self {
        self.options = self.options.with_level(number);
        self
    }

    /// Bytes of content in a block: as [`CompressOptions::block_size`].
    pub fn block_size(mut self, bytes: u32) -> Self {
        self.options.block_size = Some(bytes);
        self
    }

    /// Codes every record by itself, so that [`Decompressor::records`] can have any
    /// alone.
    ///
    /// ```
    /// use std::io::Cursor;
    /// use madezip::{Compressor, Decompressor, Split};
    ///
    /// let table = b"id,name\n1,fox\n2,dog\n3,hen\n";
    /// let archive = Compressor::new().split(Split::Lines).compress(table)?;
    /// let mut dog = Vec::new();
    /// Decompressor::new().records(&mut Cursor::new(&archive), 2..3, &mut dog)?;
    /// assert_eq!(dog, b"2,dog\n");
    /// assert_eq!(madezip::decompress(&archive)?, table);
    /// # Ok::<(), madezip::Error>(())
    /// ```
    ///
    /// [`Decompressor::records`]: super::Decompressor::records
    pub fn split(mut self, rule: Split) -> Self {
        let check = self.options.records.map_or(0, |r| r.check);
        self.options.records = Some(Records { rule, check });
        self
    }

    /// After [`Self::split`]: bytes of a checksum for each record, 0 to 4.
    pub fn record_check(mut self, bytes: u8) -> Self {
        if let Some(records) = &mut self.options.records {
            records.check = bytes.min(MAX_CHECK);
        }
        self
    }

    /// Decodes every block again and compares before it is written.
    pub fn verify(mut self, verify: bool) -> Self {
        self.options.verify = verify;
        self
    }

    /// Puts the model into the archive, so that it can be read anywhere.
    pub fn embed_model(mut self, embed: bool) -> Self {
        self.embed = embed;
        self
    }

    /// Compresses a slice.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn compress(&self, content: &[u8]) -> Result<Vec<u8>, Error> {
        let mut archive = Vec::new();
        self.run(content, &mut archive, Some(content.len() as u64))?;
        Ok(archive)
    }

    /// Compresses what `reader` gives to its end, block by block; `writer` is not
    /// flushed. Both should be buffered.
    ///
    /// # Errors
    /// See [`Error`]; `writer` then has the beginning of an archive.
    pub fn copy(&self, reader: impl Read, writer: impl Write) -> Result<Summary, Error> {
        self.run(reader, writer, None)
    }

    fn run(
        &self,
        reader: impl Read,
        writer: impl Write,
        content_size: Option<u64>,
    ) -> Result<Summary, Error> {
        let model = match &self.model {
            Some(model) => model.clone(),
            None => Model::default_model()?,
        };
        let mut options = CompressOptions { content_size, ..self.options.clone() };
        if self.embed {
            options.model = Some(model.packed()?);
        }
        compress(reader, writer, model.codec().as_ref(), &options, &NoProgress)
    }
}

/// As many threads as asked for; 0 is one for every core.
pub(super) fn cores(threads: usize) -> usize {
    match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    }
}
