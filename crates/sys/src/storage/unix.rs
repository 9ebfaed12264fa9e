//! Modes and owners.

use std::env;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::untrusted;

const OF_THE_SYSTEM: &str = if cfg!(target_os = "linux") {
    "/var/lib"
} else {
    "/var/db"
};

pub(super) fn state_home() -> Option<PathBuf> {
    if let Some(units) = env::var_os("STATE_DIRECTORY") {
        if let Some(first) = env::split_paths(&units).find(|path| path.is_absolute()) {
            return Some(first);
        }
    }
    if geteuid().is_root() {
        return Some(PathBuf::from(OF_THE_SYSTEM));
    }
    absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))
}

fn absolute(variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env::var_os(variable)?);
    path.is_absolute().then_some(path)
}

pub(super) fn owner_only(builder: &mut DirBuilder) {
    builder.mode(0o700);
}

pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

pub(super) fn refuse_foreign(_path: &Path, metadata: &Metadata) -> io::Result<()> {
    if metadata.uid() != geteuid().as_raw() {
        return Err(untrusted("it belongs to another user"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(untrusted("others may write to it"));
    }
    Ok(())
}

/// A pipe in the file's place is not waited for.
pub(super) fn private_file(options: &mut OpenOptions) {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.mode(0o600).custom_flags(flags.bits() as i32);
}

pub(super) fn try_lock(options: &OpenOptions, path: &Path) -> io::Result<Option<File>> {
    let file = options.open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::fs::{self, Permissions};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::storage::{append_to_private_file, create_private_directory};

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().mode() & 0o777
    }

    #[test]
    fn directories_and_files_are_the_owners_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b");
        create_private_directory(&path).unwrap();
        append_to_private_file(&path.join("file")).unwrap();
        assert_eq!(mode(&place.path().join("a")), 0o700);
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&path.join("file")), 0o600);
    }

    #[test]
    fn links_and_directories_that_others_write_to_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let link = place.path().join("link");
        symlink(place.path(), &link).unwrap();
        let refused = create_private_directory(&link).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);

        let open = place.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        let refused = create_private_directory(&open).unwrap_err();
        assert_eq!(refused.to_string(), "others may write to it");
    }

    #[test]
    fn nothing_but_a_file_of_ones_own_is_appended_to() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::write(at("elsewhere"), "").unwrap();
        symlink(at("elsewhere"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        let pipe = CString::new(at("pipe").as_os_str().as_bytes()).unwrap();
        // SAFETY: the path ends with a NUL.
        assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o700) }, 0);
        for name in ["link", "dangling", "pipe"] {
            append_to_private_file(&at(name)).unwrap_err();
        }
        let _reader = OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32)
            .open(at("pipe"))
            .unwrap();
        let refused = append_to_private_file(&at("pipe")).unwrap_err();
        assert_eq!(refused.to_string(), "it is not a regular file");
        assert!(!at("nowhere").exists());

        fs::set_permissions(at("elsewhere"), Permissions::from_mode(0o666)).unwrap();
        let refused = append_to_private_file(&at("elsewhere")).unwrap_err();
        assert_eq!(refused.to_string(), "others may write to it");
    }

    #[test]
    fn a_directory_of_another_user_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("theirs");
        create_private_directory(&path).unwrap();
        // Only root can give a directory away.
        if std::os::unix::fs::chown(&path, Some(65_534), None).is_ok() {
            let refused = create_private_directory(&path).unwrap_err();
            assert_eq!(refused.to_string(), "it belongs to another user");
        }
    }
}
