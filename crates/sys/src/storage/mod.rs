//! What a process keeps for longer than it runs: where, and so that nobody else can read, plant or change it.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The directory in which winddown keeps its state; `None` where the environment names no home either. It need not be there yet.
///
/// | who | where |
/// |---|---|
/// | a systemd unit with `StateDirectory=` | `winddown` in the first directory of `STATE_DIRECTORY` |
/// | root, on Linux | `/var/lib/winddown` |
/// | root, on other Unix systems | `/var/db/winddown` |
/// | another user of a Unix system | `$XDG_STATE_HOME/winddown`, else `~/.local/state/winddown` |
/// | an elevated process or a service of Windows | `%ProgramData%\winddown` |
/// | another user of Windows | `%LocalAppData%\winddown` |
///
/// A variable that holds a relative path is not believed.
///
/// Sources: `systemd.exec(5)`, `STATE_DIRECTORY`;
/// <https://specifications.freedesktop.org/basedir-spec/latest>, `XDG_STATE_HOME`.
#[must_use]
pub fn state_directory() -> Option<PathBuf> {
    Some(imp::state_home()?.join("winddown"))
}

/// Makes `path` a directory that only this process's user (on Windows also administrators and the system) can use, with the
/// directories above it that are missing. Whether it was not there before.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`] for one that is there already and is a link, belongs to somebody else, or that others
/// may write to: what is kept in it could not be trusted. On Windows, only its kind and its owner are looked at. Otherwise
/// what the system says.
pub fn create_private_directory(path: &Path) -> io::Result<bool> {
    let (metadata, is_new) = match path.symlink_metadata() {
        Ok(metadata) => (metadata, false),
        Err(_) => (create(path)?, true),
    };
    if !metadata.is_dir() {
        return Err(untrusted("it is not a directory"));
    }
    imp::refuse_foreign(path, &metadata)?;
    Ok(is_new)
}

fn create(path: &Path) -> io::Result<Metadata> {
    if let Some(parent) = path.parent() {
        let mut builder = DirBuilder::new();
        imp::owner_only(&mut builder);
        builder.recursive(true).create(parent)?;
    }
    match imp::create_directory(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => path.symlink_metadata(),
    }
}

/// Opens a file to append to, and tells how long it is already. One that is not there is made, so that only this process's user
/// can open it; in a directory that [`create_private_directory`] made, on Windows as well.
///
/// Each write goes to the end whatever else is appended meanwhile, on local file systems.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`] for what is there and is not a file, or belongs to somebody else, or that others may write
/// to; otherwise what the system says. Links are not followed.
///
/// Sources: `open(2)`, `O_APPEND`, `O_NOFOLLOW`;
/// <https://learn.microsoft.com/en-us/windows-hardware/drivers/ddi/wdm/nf-wdm-zwcreatefile>, `FILE_APPEND_DATA`.
pub fn append_to_private_file(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    imp::private_file(&mut options);
    let file = options.append(true).create(true).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(untrusted("it is not a regular file"));
    }
    imp::refuse_foreign(path, &metadata)?;
    Ok((file, metadata.len()))
}

/// Takes the lock that a file stands for, which is made where there is none; `None` while somebody else holds it. It is given up
/// when what is returned is dropped, or the process ends in any way.
///
/// # Errors
/// What the system says.
///
/// Sources: `flock(2)`;
/// <https://learn.microsoft.com/en-us/windows/win32/api/fileapi/nf-fileapi-createfilew>, `dwShareMode`.
pub fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    imp::private_file(&mut options);
    options.write(true).create(true).truncate(false);
    imp::try_lock(&options, path)
}

/// Waits until the names in a directory are on the disk as they are now: a file that was renamed has its new name after a loss of
/// power as well. On Windows the file system's own journal sees to that, and this does nothing.
///
/// # Errors
/// What the system says.
///
/// Source: `fsync(2)`.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    imp::sync_directory(path)
}

fn untrusted(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_private_directory_is_made_once_and_accepted_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b/c");
        assert!(create_private_directory(&path).unwrap());
        assert!(!create_private_directory(&path).unwrap());
        assert!(path.is_dir());
        sync_directory(&path).unwrap();
    }

    #[test]
    fn what_is_appended_by_two_comes_one_after_the_other() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        let (one, length) = append_to_private_file(&path).unwrap();
        let (other, _) = append_to_private_file(&path).unwrap();
        assert_eq!(length, 0);
        for mut file in [&one, &other, &one] {
            file.write_all(b"line\n").unwrap();
        }
        assert_eq!(append_to_private_file(&path).unwrap().1, 15);
        append_to_private_file(place.path()).unwrap_err();
    }

    #[test]
    fn one_at_a_time_has_the_lock() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("lock");
        let lock = try_lock(&path).unwrap();
        assert!(lock.is_some());
        assert!(try_lock(&path).unwrap().is_none());
        drop(lock);
        assert!(try_lock(&path).unwrap().is_some());
    }

    #[test]
    fn a_file_in_the_place_of_a_directory_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        std::fs::write(&path, "").unwrap();
        create_private_directory(&path).unwrap_err();
    }

    #[test]
    fn the_state_directory_is_absolute() {
        assert!(state_directory().is_none_or(|path| path.is_absolute()));
    }
}
