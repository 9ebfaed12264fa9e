//! The cgroup that holds the cgroups of this process's trees. Source: `cgroups(7)`, the kernel's `cgroup-v2.rst`,
//! <https://systemd.io/CGROUP_DELEGATION/>.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::fs::{Access, FlockOperation, flock, statfs};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::mark;
use crate::process::State;
use crate::process::procfs;

const PREFIX: &str = "winddown-";
/// `CGROUP2_SUPER_MAGIC`.
const CGROUP2: rustix::fs::FsWord = 0x6367_7270;

/// A directory `winddown-PID-ID` below this process's own cgroup, removed on drop with all the empty groups in it.
#[derive(Debug)]
pub(crate) struct Group {
    directory: PathBuf,
    /// Groups below it that nobody wants any more, in which something is about to end.
    given_up: Mutex<Vec<PathBuf>>,
    /// Held as long as its process lives: by this, others know what was left behind by one that is dead.
    _lock: File,
}

impl Group {
    /// That of this process, made if there is none yet.
    pub(crate) fn of_this_process() -> io::Result<Arc<Self>> {
        static GROUP: Mutex<Weak<Group>> = Mutex::new(Weak::new());

        let mut group = GROUP.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = group.upgrade() {
            return Ok(group);
        }
        let made = Arc::new(Self::make()?);
        *group = Arc::downgrade(&made);
        Ok(made)
    }

    fn make() -> io::Result<Self> {
        let own = own_directory()?;
        if Path::new("/run/systemd/system").exists() && !is_delegated(&own) {
            return Err(io::Error::other("systemd has not delegated the cgroup"));
        }
        // Moving a process needs this of the groups' common ancestor.
        rustix::fs::access(own.join("cgroup.procs"), Access::WRITE_OK)?;
        let name = format!("{PREFIX}{}-{}", std::process::id(), mark::of_this_process());
        let directory = own.join(name);
        loop {
            match fs::create_dir(&directory) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            // Between the two calls another process may take it for abandoned.
            let lock = match File::open(&directory) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            flock(&lock, FlockOperation::LockExclusive)?;
            if is_still(&lock, &directory) {
                return Ok(Self {
                    directory,
                    given_up: Mutex::default(),
                    _lock: lock,
                });
            }
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Removes a group below this one, now or when another is made.
    pub(super) fn give_up(&self, directory: PathBuf) {
        self.given_up().push(directory);
        self.remove_given_up();
    }

    pub(super) fn remove_given_up(&self) {
        self.given_up().retain(|directory| {
            Self::remove(directory);
            directory.exists()
        });
    }

    fn given_up(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the empty groups beside a group whose processes could not do so because they were killed.
    pub(crate) fn remove_abandoned_beside(directory: &Path) {
        let Some(parent) = directory.parent() else {
            return;
        };
        for directory in directories_in(parent) {
            let name = directory.file_name().unwrap_or_default();
            if !name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
                continue;
            }
            let abandoned = File::open(&directory)
                .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok());
            if abandoned {
                Self::remove(&directory);
            }
        }
    }

    /// Kills everything in a group and below it, forks in progress included, but for [headless](Self::kill_headless) processes.
    /// Linux 5.14 and later.
    pub(crate) fn kill(directory: &Path) -> io::Result<()> {
        let mut file = File::options()
            .write(true)
            .open(directory.join("cgroup.kill"))?;
        file.write_all(b"1")
    }

    /// Kills what has lost its main thread: the kernel sends the kill of a group to that thread of each process, where it comes to
    /// nothing if it has ended and others run on. Every process in the group is looked at.
    pub(crate) fn kill_headless(directory: &Path) -> io::Result<()> {
        let is_headless = |pid: &u32| {
            procfs::stat(*pid).is_ok_and(|stat| stat.state == State::Zombie && stat.is_live())
        };
        let headless = Self::pids(directory)?.into_iter().filter(is_headless);
        let open = |pid: u32| {
            let pidfd = pidfd_open(Pid::from_raw(pid.try_into().ok()?)?, PidfdFlags::empty());
            Some((pid, pidfd.ok()?))
        };
        let opened: Vec<(u32, OwnedFd)> = headless.filter_map(open).collect();
        if opened.is_empty() {
            return Ok(());
        }
        // What is in it after it was opened, and not another process that has got the number.
        let still_there = Self::pids(directory)?;
        for (pid, pidfd) in opened {
            if still_there.contains(&pid) {
                // It may have ended meanwhile.
                let _ = pidfd_send_signal(&pidfd, Signal::KILL);
            }
        }
        Ok(())
    }

    /// The pids in a group and in those below it.
    pub(super) fn pids(directory: &Path) -> io::Result<Vec<u32>> {
        let mut pids = Vec::new();
        for group in tree_of(directory) {
            match fs::read_to_string(group.join("cgroup.procs")) {
                Ok(list) => pids.extend(list.lines().filter_map(|pid| pid.parse::<u32>().ok())),
                Err(error) if is_gone(&error) && group != directory => {}
                Err(error) => return Err(error),
            }
        }
        // Shown as 0: a process of a pid namespace that this one does not see.
        pids.retain(|pid| *pid != 0);
        Ok(pids)
    }

    /// Whether a live process is in a group or below it.
    pub(crate) fn is_populated(directory: &Path) -> io::Result<bool> {
        let mut events = [0; 128];
        let mut file = File::open(directory.join("cgroup.events"))?;
        let length = file.read(&mut events)?;
        let mut lines = events[..length].split(|byte| *byte == b'\n');
        Ok(!lines.any(|line| line == b"populated 0"))
    }

    /// Removes a group after those below it. One that is not empty stays, as its processes do.
    pub(crate) fn remove(directory: &Path) {
        // Nearly always there is nothing below, and a stop waits for this.
        if fs::remove_dir(directory).is_ok() {
            return;
        }
        for directory in tree_of(directory).iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        Self::remove(&self.directory);
    }
}

/// A directory and all below it, parents first.
fn tree_of(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    let mut next = 0;
    while let Some(directory) = found.get(next) {
        found.extend(directories_in(directory));
        next += 1;
    }
    found
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

fn directories_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

/// Whether `path` is the directory that was opened, and not a later one of that name.
fn is_still(opened: &File, path: &Path) -> bool {
    match (opened.metadata(), path.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

fn is_delegated(directory: &Path) -> bool {
    ["trusted.delegate", "user.delegate"].iter().any(|name| {
        let mut value = [0; 8];
        matches!(rustix::fs::getxattr(directory, *name, &mut value), Ok(1) if value[0] == b'1')
    })
}

/// Where the v2 group of this process is in the file system.
fn own_directory() -> io::Result<PathBuf> {
    let path = v2_path("/proc/self/cgroup")?;
    if let Some(directory) = in_the_usual_place(&path) {
        return Ok(directory);
    }
    let mounts = procfs::read_text("/proc/self/mountinfo")?;
    mounts
        .lines()
        .find_map(|mount| below_mount(mount, &path))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "cgroup v2 is not mounted"))
}

/// Where the cgroup of this process is on most systems, if it is there: by its number, which on Linux 6.13 and later costs less
/// to ask for than the list of all mounts does.
fn in_the_usual_place(path: &str) -> Option<PathBuf> {
    let own = pidfd_cgroup(&pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).ok()?)?;
    let places = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
    let directories = places.map(|place| Path::new(place).join(path.trim_start_matches('/')));
    directories.into_iter().find(|directory| {
        directory.metadata().is_ok_and(|found| found.ino() == own)
            && statfs(directory).is_ok_and(|found| found.f_type == CGROUP2)
    })
}

/// The number of the cgroup that a process is in, which is that of its directory. Source: `ioctl_pidfd(2)`, `PIDFD_GET_INFO`.
fn pidfd_cgroup(pidfd: &OwnedFd) -> Option<u64> {
    /// `struct pidfd_info` in its first version.
    #[repr(C)]
    struct Info {
        mask: u64,
        cgroup: u64,
        rest: [u32; 12],
    }
    const CGROUP: u64 = 1 << 2;
    const GET_INFO: libc::c_ulong = 0xC040_FF0B;

    let mut info = Info {
        mask: CGROUP,
        cgroup: 0,
        rest: [0; 12],
    };
    // SAFETY: the kernel writes at most as many bytes as the request's number says, which are those of `info`.
    let asked = unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO as _, &raw mut info) };
    (asked == 0 && info.mask & CGROUP != 0).then_some(info.cgroup)
}

/// The path in the v2 hierarchy, as `/proc/PID/cgroup` gives it: `0::/path`.
pub(super) fn v2_path(file: &str) -> io::Result<String> {
    let text = procfs::read_text(file)?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"));
    path.map(str::to_owned)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no cgroup v2 hierarchy"))
}

/// The directory of `path` if this line of `proc_pid_mountinfo(5)` is a mount of cgroup v2 that shows it.
fn below_mount(mount: &str, path: &str) -> Option<PathBuf> {
    let (fields, kind) = mount.split_once(" - ")?;
    if kind.split(' ').next()? != "cgroup2" {
        return None;
    }
    let mut fields = fields.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    // What the mount's root is not above cannot be seen through it.
    let below = Path::new(path).strip_prefix(root).ok()?;
    let inside = below
        .components()
        .all(|part| part != std::path::Component::ParentDir);
    inside.then(|| Path::new(point).join(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_place_is_that_of_the_mounts() {
        let Ok(path) = v2_path("/proc/self/cgroup") else {
            return;
        };
        if let Some(directory) = in_the_usual_place(&path) {
            let mounts = procfs::read_text("/proc/self/mountinfo").unwrap();
            let found: Vec<_> = mounts
                .lines()
                .filter_map(|mount| below_mount(mount, &path))
                .collect();
            assert!(found.contains(&directory), "{directory:?}: {found:?}");
        }
    }

    #[test]
    fn a_group_is_found_in_each_layout() {
        let pure = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
        let hybrid = "41 32 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        let container = "99 98 0:26 /docker/4f /sys/fs/cgroup rw - cgroup2 cgroup rw";
        let v1 = "33 32 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu";
        let found = |mount, path| below_mount(mount, path).map(|found| found.display().to_string());
        assert_eq!(
            found(pure, "/a.slice/b").unwrap(),
            "/sys/fs/cgroup/a.slice/b"
        );
        assert_eq!(found(hybrid, "/x").unwrap(), "/sys/fs/cgroup/unified/x");
        assert_eq!(
            found(container, "/docker/4f/x").unwrap(),
            "/sys/fs/cgroup/x"
        );
        assert_eq!(found(container, "/other"), None);
        assert_eq!(found(pure, "/../outside"), None);
        assert_eq!(found(v1, "/x"), None);
    }
}
