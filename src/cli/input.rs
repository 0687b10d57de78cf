//! Opening what is read.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::files::is_dash;

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
        let opened = File::open(path);
        // some systems open folders, some do not
        if opened.as_ref().map_or_else(|_| path.is_dir(), is_folder) {
            bail!("is a folder; -r goes into folders, and tar makes one file of a folder");
        }
        let file = opened.context("cannot be opened")?;
        let metadata = file.metadata().context("cannot be examined")?;
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

    /// Whether a path leads to this file on disk, through links or not.
    pub fn is_at(&self, path: &Path) -> bool {
        match self {
            Self::File(file, metadata) if metadata.is_file() => leads_to(path, file, metadata),
            _ => false,
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

fn is_folder(file: &File) -> bool {
    file.metadata().is_ok_and(|m| m.is_dir())
}

#[cfg(unix)]
fn leads_to(path: &Path, _: &File, metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    // not opened, as same-file would: that may be forbidden
    std::fs::metadata(path).is_ok_and(|m| (m.dev(), m.ino()) == (metadata.dev(), metadata.ino()))
}

#[cfg(windows)]
fn leads_to(path: &Path, file: &File, _: &Metadata) -> bool {
    use same_file::Handle;
    let there = || -> io::Result<bool> {
        Ok(std::fs::metadata(path)?.is_file()
            && Handle::from_path(path)? == Handle::from_file(file.try_clone()?)?)
    };
    there().unwrap_or(false)
}

#[cfg(not(any(unix, windows)))]
fn leads_to(path: &Path, _: &File, metadata: &Metadata) -> bool {
    // nothing names a file there: one of this length that was changed at this very time is it
    let known = |m: &Metadata| (m.len(), m.modified().ok());
    std::fs::metadata(path).is_ok_and(|m| known(&m) == known(metadata))
}
