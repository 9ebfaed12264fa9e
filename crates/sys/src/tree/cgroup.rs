//! A cgroup v2 group of a tree's own, in the group of this process's trees.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::group::{self, Group};
use crate::process::registry::TreeId;

/// How much of a tree's name the name of its group keeps.
const LONGEST_NAME: usize = 64;

#[derive(Debug)]
pub(super) struct Cgroup {
    directory: PathBuf,
    /// Removed when the last of its groups has gone.
    parent: Arc<Group>,
}

impl Cgroup {
    /// Makes the group of a tree, if that is permitted.
    pub(super) fn make(tree: TreeId, name: &str) -> io::Result<Self> {
        let parent = Group::of_this_process()?;
        let name: String = name.chars().take(LONGEST_NAME).map(plain).collect();
        let directory = parent.directory().join(format!("{name}-{}", tree.0));
        fs::create_dir(&directory)?;
        let made = Self { directory, parent };
        // Below a group whose subtree is threaded, a new one cannot take processes.
        match fs::read_to_string(made.directory.join("cgroup.type"))?.trim() {
            "domain" => Ok(made),
            kind => Err(io::Error::other(format!("a cgroup here is `{kind}`"))),
        }
    }

    /// Its directory, for a child to be born in it.
    pub(super) fn open(&self) -> io::Result<File> {
        File::open(&self.directory)
    }

    /// The pids in it and in the groups below it.
    pub(super) fn pids(&self) -> io::Result<Vec<u32>> {
        let mut pids = Vec::new();
        for directory in group::tree_of(&self.directory) {
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
        let above = self.parent.directory().parent().unwrap_or(Path::new("/"));
        // The paths begin at the root of the cgroup namespace, and the directories at a mount.
        let Ok(own) = self.directory.strip_prefix(above) else {
            return false;
        };
        group::v2_path(&format!("/proc/{pid}/cgroup"))
            .is_ok_and(|path| Path::new(&path).ancestors().any(|part| part.ends_with(own)))
    }

    /// Moves a process out, to where this one is. One that has ended is no error.
    pub(super) fn release(&self, pid: u32) -> io::Result<()> {
        let own = self.parent.directory().with_file_name("cgroup.procs");
        let mut procs = File::options().write(true).open(own)?;
        match procs.write_all(pid.to_string().as_bytes()) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            result => result,
        }
    }

    pub(super) fn kill(&self) -> io::Result<()> {
        Group::kill(&self.directory)
    }

    pub(super) fn is_populated(&self) -> io::Result<bool> {
        Group::is_populated(&self.directory)
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
        Group::remove(&self.directory);
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

fn plain(letter: char) -> char {
    match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => letter,
        _ => '_',
    }
}
