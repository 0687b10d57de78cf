//! Output that appears whole or not at all.
//!
//! A file is written under another name in the folder where it will stand,
//! given the input's mode, owner and times, brought to disk, and then renamed.
//! An error or a signal removes it. Pipes and devices are written directly.

use std::fs::{File, FileTimes, Metadata, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::{NamedTempFile, PersistError};

use super::interrupt::Partial;

/// Something to write to.
pub(super) enum Output {
    /// Standard output.
    Stdout(BufWriter<io::Stdout>),
    /// A file that exists and is no regular one: written as it is.
    Device(BufWriter<File>),
    /// A file that does not yet stand under its name.
    File(NewFile),
}

/// A file on its way.
pub(super) struct NewFile {
    // dropped in this order: the file goes, then its name leaves the list
    temp: BufWriter<NamedTempFile>,
    partial: Partial,
    path: PathBuf,
    replace: bool,
}

const BUFFER: usize = 1 << 16;

impl Output {
    /// Standard output; archives do not go to a terminal unless `force`.
    pub fn stdout(archive: bool, force: bool) -> Result<Self> {
        if archive && !force && io::stdout().is_terminal() {
            bail!("an archive is not written to a terminal; use -o FILE or a pipe, or -f");
        }
        Ok(Self::Stdout(BufWriter::with_capacity(BUFFER, io::stdout())))
    }

    /// A file. One that exists is an error unless `force`. `secret` keeps others
    /// from reading it until [`Output::finish`] has given it the input's mode.
    pub fn file(path: &Path, force: bool, secret: bool) -> Result<Self> {
        let last = path.as_os_str().as_encoded_bytes().last();
        if last.is_some_and(|&c| std::path::is_separator(c.into())) && !path.exists() {
            bail!("the folder {} does not exist", path.display());
        }
        if let Ok(metadata) = std::fs::metadata(path) {
            if metadata.is_dir() {
                bail!("{} is a folder", path.display());
            }
            if !metadata.is_file() {
                let context = || format!("cannot write {}", path.display());
                let file = OpenOptions::new().write(true).open(path).with_context(context)?;
                // what was opened, whatever stands there by now
                if file.metadata().with_context(context)?.is_file() {
                    bail!("{} became a file just now; try again", path.display());
                }
                return Ok(Self::Device(BufWriter::with_capacity(BUFFER, file)));
            }
        }
        match std::fs::symlink_metadata(path) {
            Ok(_) if !force => bail!("{} exists; use -f to overwrite it", path.display()),
            // before the work, not after it
            Err(e) if e.kind() == io::ErrorKind::InvalidFilename => {
                return Err(e).with_context(|| format!("cannot write {}", path.display()));
            }
            _ => {}
        }
        let folder = match path.parent() {
            Some(p) if !p.as_os_str().is_empty() => p,
            _ => Path::new("."),
        };
        let make = || {
            let mut builder = tempfile::Builder::new();
            builder.prefix(".madezip-").suffix(".part");
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                let mode = if secret { 0o600 } else { 0o666 };
                builder.permissions(std::fs::Permissions::from_mode(mode));
            }
            #[cfg(not(unix))]
            let _ = secret;
            builder.tempfile_in(folder)
        };
        let (temp, partial) = Partial::create(make, NamedTempFile::path)
            .with_context(|| format!("cannot write into {}", folder.display()))?;
        let temp = BufWriter::with_capacity(BUFFER, temp);
        Ok(Self::File(NewFile { temp, partial, path: path.to_owned(), replace: force }))
    }

    /// Whether this is a terminal's own file, such as /dev/tty.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Device(out) if out.get_ref().is_terminal())
    }

    /// Whether a crash after [`Output::finish`] leaves the bytes on disk.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Brings everything to where it belongs. `like` is the input whose mode,
    /// owner and times a file takes over. Returns what could not be taken over.
    pub fn finish(self, like: Option<&Metadata>) -> Result<Option<String>> {
        match self {
            Self::Stdout(mut out) => {
                out.flush().context("stdout cannot be written")?;
                Ok(None)
            }
            Self::Device(mut out) => {
                out.flush().context("the output cannot be written")?;
                Ok(None)
            }
            Self::File(file) => file.finish(like),
        }
    }
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(buf),
            Self::Device(out) => out.write(buf),
            Self::File(file) => file.temp.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::Device(out) => out.flush(),
            Self::File(file) => file.temp.flush(),
        }
    }
}

impl NewFile {
    fn finish(self, like: Option<&Metadata>) -> Result<Option<String>> {
        let Self { temp, partial, path, replace } = self;
        let context = || format!("cannot write {}", path.display());
        let temp =
            temp.into_inner().map_err(io::IntoInnerError::into_error).with_context(context)?;
        let lost = like.and_then(|m| take_over(temp.as_file(), m).err());
        temp.as_file().sync_all().with_context(context)?;
        let placed = match if replace { temp.persist(&path) } else { persist_new(temp, &path) } {
            Ok(file) => file,
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {
                bail!("{} exists; use -f to overwrite it", path.display())
            }
            Err(e) => return Err(e.error).with_context(context),
        };
        drop(partial);
        let lost = lost.or(settle(&placed, &path, like).err());
        Ok(lost.map(|e| format!("the input's mode, owner or times were not taken over: {e}")))
    }
}

/// Gives a file its name, which no other file has.
fn persist_new(temp: NamedTempFile, path: &Path) -> Result<File, PersistError> {
    match temp.persist_noclobber(path) {
        // a file system that can neither rename without replacing nor link: the name is taken
        // first, by an empty file
        Err(e) if cfg!(not(windows)) && e.error.kind() != io::ErrorKind::AlreadyExists => {
            match OpenOptions::new().write(true).create_new(true).open(path) {
                Ok(_) => e.file.persist(path).inspect_err(|_| {
                    // unless it is another's by now
                    if std::fs::metadata(path).is_ok_and(|m| m.len() == 0) {
                        let _ = std::fs::remove_file(path);
                    }
                }),
                Err(error) => Err(PersistError { error, file: e.file }),
            }
        }
        placed => placed,
    }
}

/// Gives a file the owner (where permitted), mode and times of another.
fn take_over(file: &File, like: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
        let own = file.metadata()?;
        let mut mode = like.mode() & 0o777;
        if own.uid() != like.uid() {
            // only the super-user may give files away
            let _ = fchown(file, Some(like.uid()), None);
        }
        if own.gid() != like.gid() && fchown(file, None, Some(like.gid())).is_err() {
            // another group must not get more than everybody has
            mode &= 0o707 | (mode & 0o007) << 3;
        }
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    }
    let mut times = FileTimes::new().set_modified(like.modified()?);
    if let Ok(accessed) = like.accessed() {
        times = times.set_accessed(accessed);
    }
    file.set_times(times)
}

/// Brings the new name to disk, where the system can.
#[cfg(unix)]
fn settle(_: &File, path: &Path, _: Option<&Metadata>) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Gives a file its mode, which it loses when it gets its name, and brings both to disk.
#[cfg(windows)]
fn settle(file: &File, _: &Path, like: Option<&Metadata>) -> io::Result<()> {
    let mode = like.map_or(Ok(()), |like| file.set_permissions(like.permissions()));
    let _ = file.sync_all();
    mode
}

#[cfg(not(any(unix, windows)))]
fn settle(_: &File, _: &Path, _: Option<&Metadata>) -> io::Result<()> {
    Ok(())
}
