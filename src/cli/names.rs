//! Names of archives from names of files, and back.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Ending of archives.
pub(super) const SUFFIX: &str = "mdz";

/// `FILE.mdz`.
pub(super) fn archive_name(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(SUFFIX);
    name.into()
}

/// Whether the name is one of an archive.
pub(super) fn is_archive_name(file: &Path) -> bool {
    content_name(file).is_some()
}

/// The file's name without `.mdz`; `.tmdz` becomes `.tar`. None for other names.
pub(super) fn content_name(archive: &Path) -> Option<PathBuf> {
    let stem = archive.file_stem().filter(|s| !s.is_empty())?;
    let extension = archive.extension()?.to_str()?.to_ascii_lowercase();
    let name: OsString = match extension.as_str() {
        SUFFIX => stem.to_owned(),
        "tmdz" => {
            let mut name = stem.to_owned();
            name.push(".tar");
            name
        }
        _ => return None,
    };
    Some(archive.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for name in ["a", "a.txt", "x/y.tar", ".hidden", "ä ö", "mdz", "a.mdz"] {
            let archive = archive_name(Path::new(name));
            assert_eq!(content_name(&archive), Some(PathBuf::from(name)));
        }
    }

    #[test]
    fn other_names() {
        assert_eq!(content_name(Path::new("d/t.tmdz")), Some("d/t.tar".into()));
        assert_eq!(content_name(Path::new("A.MDZ")), Some("A".into()));
        for none in ["a", "mdz", ".mdz", "d.mdz/f", "a.xz", "a.mdzz"] {
            assert_eq!(content_name(Path::new(none)), None, "{none}");
        }
    }
}
