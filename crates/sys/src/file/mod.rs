//! Open files: whether one is still where it was opened ([`is_at`]), and this process's own streams as files.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

use std::fs::File;
use std::path::Path;

use crate::{Error, Result};

/// Whether `path` leads to the open `file`: not when it was renamed, removed or replaced since.
///
/// Compares device and inode number (`stat(2)`), or volume and file index (`GetFileInformationByHandle`). Where one of the two
/// cannot be asked, the answer is `false`.
#[must_use]
pub fn is_at(file: &File, path: &Path) -> bool {
    imp::is_at(file, path).unwrap_or(false)
}

/// This process's standard output, duplicated: without a buffer, and without the lock of [`std::io::stdout`], which whoever prints
/// would wait for while a write hangs.
///
/// # Errors
/// [`Error::Os`] if it is closed, or there are no more descriptors.
pub fn standard_output() -> Result<File> {
    imp::standard_output().map_err(|error| Error::os("duplicating standard output", error))
}

/// This process's standard error, duplicated likewise.
///
/// # Errors
/// [`Error::Os`] if it is closed, or there are no more descriptors.
pub fn standard_error() -> Result<File> {
    imp::standard_error().map_err(|error| Error::os("duplicating standard error", error))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_was_renamed_or_replaced_is_not_there_any_more() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let file = File::create(&path).unwrap();
        assert!(is_at(&file, &path));
        fs::rename(&path, directory.path().join("b")).unwrap();
        assert!(!is_at(&file, &path));
        let other = File::create(&path).unwrap();
        assert!(!is_at(&file, &path));
        assert!(is_at(&other, &path));
        assert!(is_at(&file, &directory.path().join("b")));
    }
}
