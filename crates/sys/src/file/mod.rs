//! Open files: whether one is still where it was opened ([`is_at`]), and this process's own streams as files. Writing that nobody who
//! reads slowly, or not at all, can hold up ([`write_in_time`]).

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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

/// Writes `text` to standard error, for which it waits no longer than `patience` in all; once that was not enough, not at all until
/// there is room again. A full pipe is what this is about, and a terminal that Ctrl+S holds up. On Windows it waits for as long as it
/// takes.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`] where something is left, and what `write(2)` says.
pub fn write_standard_error(text: &[u8], patience: Duration) -> io::Result<()> {
    static STUCK: AtomicBool = AtomicBool::new(false);
    unless_stuck(&STUCK, patience, |patience| {
        imp::write_standard_error(text, patience)
    })
}

/// Writes `text` to standard output likewise. What [`std::io::stdout`] still holds comes after it.
///
/// # Errors
/// As [`write_standard_error`].
pub fn write_standard_output(text: &[u8], patience: Duration) -> io::Result<()> {
    static STUCK: AtomicBool = AtomicBool::new(false);
    unless_stuck(&STUCK, patience, |patience| {
        imp::write_standard_output(text, patience)
    })
}

/// Makes `text` the content of a file, as [`std::fs::write`] does. The file may be a named pipe: then it waits no longer than
/// `patience` for whoever reads, and not at all for a reader to come.
///
/// # Errors
/// `ENXIO` for a named pipe that nobody has opened for reading, [`io::ErrorKind::TimedOut`] where something is left, and what
/// `open(2)` and `write(2)` say.
pub fn write_in_time(path: &Path, text: &[u8], patience: Duration) -> io::Result<()> {
    imp::write_in_time(path, text, patience)
}

fn unless_stuck(
    stuck: &AtomicBool,
    patience: Duration,
    write: impl FnOnce(Duration) -> io::Result<()>,
) -> io::Result<()> {
    let result = write(match stuck.load(Ordering::Relaxed) {
        true => Duration::ZERO,
        false => patience,
    });
    let late = matches!(&result, Err(error) if error.kind() == io::ErrorKind::TimedOut);
    stuck.store(late, Ordering::Relaxed);
    result
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
