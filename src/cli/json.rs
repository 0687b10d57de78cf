//! JSON on stdout: an object with the name and version of its form, and files.
//!
//! Fields are only ever added within a version; their meaning does not change.

use std::io::{self, Write};

use anyhow::{Context, Result};
use serde::Serialize;

/// Version of every form.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a, T> {
    format: &'a str,
    version: u32,
    files: &'a [T],
}

/// Prints `{"format": format, "version": 1, "files": [...]}`.
pub(super) fn print<T: Serialize>(format: &str, files: &[T]) -> Result<()> {
    let mut text = serde_json::to_string_pretty(&Document { format, version: VERSION, files })?;
    text.push('\n');
    text_out(&text)
}

/// Writes text to stdout, where a reader that left is told by the error.
pub(super) fn text_out(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("stdout cannot be written")
}
