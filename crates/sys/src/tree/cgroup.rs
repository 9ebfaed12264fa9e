//! A cgroup v2 group of a tree's own. Source: `cgroups(7)`, the kernel's `cgroup-v2.rst`,
//! <https://systemd.io/CGROUP_DELEGATION/>.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Access;

#[derive(Debug)]
pub(super) struct Cgroup {
    directory: PathBuf,
    /// `cgroup.procs`, open for writing: a child moves itself in.
    procs: File,
}

impl Cgroup {
    /// Makes a group below this process's own, if that is permitted.
    pub(super) fn create() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);

        let own = own_directory()?;
        if Path::new("/run/systemd/system").exists() && !is_delegated(&own) {
            return Err(io::Error::other("systemd has not delegated the cgroup"));
        }
        // Moving a process needs this of the groups' common ancestor.
        rustix::fs::access(own.join("cgroup.procs"), Access::WRITE_OK)?;
        let directory = loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let directory = own.join(format!("winddown-{}-{count}", std::process::id()));
            match fs::create_dir(&directory) {
                Ok(()) => break directory,
                // Left behind by a process that had this pid.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        let group = File::options()
            .write(true)
            .open(directory.join("cgroup.procs"));
        match group
            .and_then(|procs| Ok((procs, fs::read_to_string(directory.join("cgroup.type"))?)))
        {
            Ok((procs, kind)) if kind.trim() == "domain" => Ok(Self { directory, procs }),
            result => {
                let _ = fs::remove_dir(&directory);
                let kind = result?.1;
                Err(io::Error::other(format!(
                    "a cgroup here is `{}`",
                    kind.trim()
                )))
            }
        }
    }

    pub(super) fn procs(&self) -> BorrowedFd<'_> {
        self.procs.as_fd()
    }

    /// The pids in it and in the groups below it.
    pub(super) fn pids(&self) -> io::Result<Vec<u32>> {
        let mut pids = Vec::new();
        for directory in tree_of(&self.directory) {
            match fs::read_to_string(directory.join("cgroup.procs")) {
                Ok(list) => pids.extend(list.lines().filter_map(|pid| pid.parse::<u32>().ok())),
                Err(error) if is_gone(&error) && directory != self.directory => {}
                Err(error) => return Err(error),
            }
        }
        // Shown as 0: a process of a pid namespace that this one does not see.
        pids.retain(|pid| *pid != 0);
        Ok(pids)
    }

    /// Whether the process with this pid is in it or below.
    pub(super) fn contains(&self, pid: u32) -> bool {
        let name = self.directory.file_name();
        v2_path(&format!("/proc/{pid}/cgroup"))
            .is_ok_and(|path| Path::new(&path).iter().any(|part| Some(part) == name))
    }

    /// Kills everything in it, forks in progress included. Linux 5.14 and later.
    pub(super) fn kill(&self) -> io::Result<()> {
        let mut file = File::options()
            .write(true)
            .open(self.directory.join("cgroup.kill"))?;
        file.write_all(b"1")
    }

    /// Whether a live process is in it or below.
    pub(super) fn is_populated(&self) -> io::Result<bool> {
        self.events().map(|(_, populated)| populated)
    }

    fn events(&self) -> io::Result<(File, bool)> {
        let mut file = File::open(self.directory.join("cgroup.events"))?;
        let mut events = String::new();
        file.read_to_string(&mut events)?;
        Ok((file, !events.lines().any(|line| line == "populated 0")))
    }

    /// Waits until it is empty, for `timeout`, or for less: callers look again.
    pub(super) fn wait_until_empty(&self, timeout: Duration) -> io::Result<()> {
        let (events, populated) = self.events()?;
        if populated {
            // A change since the file was read makes it ready.
            let timeout = Timespec::try_from(timeout).ok();
            let _ = poll(
                &mut [PollFd::new(&events, PollFlags::PRI)],
                timeout.as_ref(),
            );
        }
        Ok(())
    }

    /// The processor time of everything that was ever in it.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        let stat = fs::read_to_string(self.directory.join("cpu.stat")).ok()?;
        let usage = |line: &str| line.strip_prefix("usage_usec ")?.parse().ok();
        stat.lines().find_map(usage).map(Duration::from_micros)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // A group goes after those below it. One that is not empty stays, as its processes do.
        for directory in tree_of(&self.directory).iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// A directory and all below it, parents first.
fn tree_of(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    let mut next = 0;
    while let Some(directory) = found.get(next) {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let directories: Vec<PathBuf> = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .collect();
        found.extend(directories);
        next += 1;
    }
    found
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
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
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    mounts
        .lines()
        .find_map(|mount| below_mount(mount, &path))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "cgroup v2 is not mounted"))
}

/// The path in the v2 hierarchy, as `/proc/PID/cgroup` gives it: `0::/path`.
fn v2_path(file: &str) -> io::Result<String> {
    let text = fs::read_to_string(file)?;
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
