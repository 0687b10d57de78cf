//! Opening what is read.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::files::is_dash;

const IS_A_FOLDER: &str = "is a folder; -r goes into folders, and tar makes one file of a folder";

/// Something to read.
#[derive(Debug)]
pub(super) enum Input {
    /// Standard input.
    Stdin,
    /// An open file and what is known of it.
    File(File, Metadata),
}

impl Input {
    /// Opens a file, or stdin for `-`.
    pub fn open(path: &Path) -> Result<Self> {
        if is_dash(path) {
            return Ok(Self::Stdin);
        }
        // a folder is named as such, and no FIFO is waited for in vain
        let file = match File::open(path) {
            // on some systems it cannot be opened
            Err(_) if path.is_dir() => bail!(IS_A_FOLDER),
            opened => opened.context("cannot be opened")?,
        };
        let metadata = file.metadata().context("cannot be examined")?;
        if metadata.is_dir() {
            bail!(IS_A_FOLDER);
        }
        Ok(Self::File(file, metadata))
    }

    /// Opens an archive; a terminal holds none.
    pub fn open_archive(path: &Path) -> Result<Self> {
        let input = Self::open(path)?;
        if matches!(input, Self::Stdin) && io::stdin().is_terminal() {
            bail!("an archive cannot be read from a terminal; name a file or use a pipe");
        }
        Ok(input)
    }

    /// What is known of a file on disk; nothing of pipes and devices.
    pub fn regular(&self) -> Option<&Metadata> {
        match self {
            Self::File(_, metadata) if metadata.is_file() => Some(metadata),
            _ => None,
        }
    }

    /// Whether a path leads to this file on disk, through links or not. An error if that
    /// cannot be known.
    pub fn is_at(&self, path: &Path) -> io::Result<bool> {
        match (self, std::fs::metadata(path)) {
            (Self::File(file, own), Ok(there)) if own.is_file() && there.is_file() => {
                is_same(file, own, path, &there)
            }
            _ => Ok(false),
        }
    }

    /// The length of a file on disk. Files in /proc say 0 and hold more: theirs
    /// is not known.
    pub fn size(&self) -> Option<u64> {
        self.regular().map(Metadata::len).filter(|&n| n > 0)
    }

    /// The file, if it is one that can seek.
    pub fn seekable(&mut self) -> Option<&mut File> {
        match self {
            Self::File(file, metadata) if metadata.is_file() => Some(file),
            _ => None,
        }
    }

    /// Its bytes, buffered.
    pub fn reader(&mut self) -> Box<dyn Read + '_> {
        match self {
            Self::Stdin => Box::new(BufReader::with_capacity(1 << 16, io::stdin().lock())),
            Self::File(file, _) => Box::new(BufReader::with_capacity(1 << 16, file)),
        }
    }
}

#[cfg(unix)]
fn is_same(_: &File, own: &Metadata, _: &Path, there: &Metadata) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    // nothing is opened, as same-file does: that may be forbidden
    Ok((own.dev(), own.ino()) == (there.dev(), there.ino()))
}

#[cfg(windows)]
fn is_same(file: &File, _: &Metadata, path: &Path, _: &Metadata) -> io::Result<bool> {
    use same_file::Handle;
    Ok(Handle::from_path(path)? == Handle::from_file(file.try_clone()?)?)
}

/// Nothing names a file there. One of another length, or changed at another time, is another.
#[cfg(not(any(unix, windows)))]
fn is_same(_: &File, own: &Metadata, _: &Path, there: &Metadata) -> io::Result<bool> {
    let known = |m: &Metadata| (m.len(), m.modified().ok());
    if known(own) != known(there) {
        return Ok(false);
    }
    Err(io::ErrorKind::Unsupported.into())
}
