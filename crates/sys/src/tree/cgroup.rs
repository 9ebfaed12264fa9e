//! A cgroup v2 group of a tree's own, in the group of this process's trees.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::group::{self, Group};
use crate::process::procfs;
use crate::process::registry::TreeId;

/// How much of a tree's name the name of its group keeps.
const LONGEST_NAME: usize = 64;
/// What lives so long after the kill may have no main thread. To look at a thousand that are about to end would hold them up.
const SLOW: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Cgroup {
    /// The name of its directory in that of its parent.
    name: String,
    /// Whether it was found to be empty, and is there no more.
    removed: AtomicBool,
    /// Since when it is killed.
    killed: Mutex<Option<Instant>>,
    /// Removed when the last of its groups has gone.
    parent: Arc<Group>,
}

impl Cgroup {
    /// Makes the group of a tree, if that is permitted.
    pub(super) fn make(tree: TreeId, name: &str) -> io::Result<Self> {
        let parent = Group::of_this_process()?;
        parent.remove_given_up();
        let name: String = name.chars().take(LONGEST_NAME).map(plain).collect();
        let name = format!("{name}-{}", tree.0);
        let directory = parent.directory().join(&name);
        fs::create_dir(&directory)?;
        let made = Self {
            name,
            removed: AtomicBool::new(false),
            killed: Mutex::default(),
            parent,
        };
        // Below a group whose subtree is threaded, a new one cannot take processes.
        match procfs::read(directory.join("cgroup.type"))?.trim_ascii() {
            b"domain" => Ok(made),
            kind => {
                let kind = String::from_utf8_lossy(kind);
                Err(io::Error::other(format!("a cgroup here is `{kind}`")))
            }
        }
    }

    fn directory(&self) -> PathBuf {
        self.parent.directory().join(&self.name)
    }

    /// Its directory, for a child to be born in it.
    pub(super) fn open(&self) -> io::Result<File> {
        if self.removed.swap(false, Ordering::Relaxed) {
            fs::create_dir(self.directory())?;
            *self.killed() = None;
        }
        File::open(self.directory())
    }

    /// The pids in it and in the groups below it.
    pub(super) fn pids(&self) -> io::Result<Vec<u32>> {
        match self.is_removed() {
            true => Ok(Vec::new()),
            false => Group::pids(&self.directory()),
        }
    }

    /// Whether the process with this pid is in it or below.
    pub(super) fn contains(&self, pid: u32) -> bool {
        let above = self.parent.directory().parent().unwrap_or(Path::new("/"));
        // The paths begin at the root of the cgroup namespace, and the directories at a mount.
        let directory = self.directory();
        let Ok(own) = directory.strip_prefix(above) else {
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

    /// Lets nothing in it run any more but to be killed, or all go on. Linux 5.2 and later.
    pub(super) fn freeze(&self, frozen: bool) -> io::Result<()> {
        let value = if frozen { "1" } else { "0" };
        match self.is_removed() {
            true => Ok(()),
            false => fs::write(self.directory().join("cgroup.freeze"), value),
        }
    }

    pub(super) fn kill(&self) -> io::Result<()> {
        match self.is_removed() {
            true => Ok(()),
            false => {
                Group::kill(&self.directory())?;
                let first = *self.killed().get_or_insert_with(Instant::now);
                match first.elapsed() < SLOW {
                    true => Ok(()),
                    false => Group::kill_headless(&self.directory()),
                }
            }
        }
    }

    pub(super) fn is_populated(&self) -> io::Result<bool> {
        Ok(!self.is_removed() && Group::is_populated(&self.directory())?)
    }

    /// Whether nothing lives in it or below. One that is empty is removed thereby: the kernel refuses that while anything lives in
    /// it, by the same count that `populated` shows, and it has to be removed anyway. It is made again for the next child.
    pub(super) fn is_empty(&self) -> io::Result<bool> {
        if self.is_removed() {
            return Ok(true);
        }
        if fs::remove_dir(self.directory()).is_ok() {
            self.removed.store(true, Ordering::Relaxed);
            return Ok(true);
        }
        // There are groups below it, which may be empty as well.
        Ok(!self.is_populated()?)
    }

    fn killed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.killed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }

    /// The processor time of everything that was ever in it.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        let stat = fs::read_to_string(self.directory().join("cpu.stat")).ok()?;
        let usage = |line: &str| line.strip_prefix("usage_usec ")?.parse().ok();
        stat.lines().find_map(usage).map(Duration::from_micros)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        if self.is_removed() {
            return;
        }
        if self.killed().is_some() {
            // It may have been killed only once, and nobody does so again.
            let _ = Group::kill_headless(&self.directory());
        }
        self.parent.give_up(self.directory());
    }
}

fn plain(letter: char) -> char {
    match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => letter,
        _ => '_',
    }
}
