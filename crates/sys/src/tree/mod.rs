//! Everything that descends from a child: [`Tree`] signals it, kills it, counts it, and proves that nothing is left.
//!
//! | | boundary | what can leave it | proof |
//! |---|---|---|---|
//! | Linux, cgroup v2 that we may create a group in | a cgroup of its own | a process that may write to other cgroups and moves itself | `populated 0` |
//! | Linux, otherwise | this process becomes a child subreaper | nothing, short of entering another pid namespace | `waitid` says `ECHILD` |
//! | Windows | a job object, kill on close | nothing | the job's count of active processes |
//! | macOS, BSD | the child's session or process group | whatever makes a session or group of its own | none |
//!
//! Processes that somebody else starts on the tree's behalf (`systemd-run`, `at`, a container daemon) do not descend from
//! it and are not in it.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(all(unix, not(target_os = "linux")), path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod listening;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use winddown_core::Signal;

use crate::Result;
use crate::process::{Child, Exit, SpawnOptions, State};

/// A live process of a [`Tree`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its process id.
    pub pid: u32,
    /// Its parent's, as far as the system shows it to this process; 0 if not.
    pub ppid: u32,
    /// The program's short name (`comm` on Linux, 15 bytes; the file name on Windows; empty on macOS and BSD).
    pub name: String,
    /// When it was started, in a unit of the system's own (Linux: clock ticks since boot; Windows: 100 ns since 1601).
    /// Together with the pid it tells a process from a later one with the same number.
    pub start_time: u64,
    /// What it is doing.
    pub state: State,
}

/// How it is known that a [`Tree`] is empty, or why it is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proof {
    /// `cgroup.events` says `populated 0`.
    CgroupEmpty,
    /// This process, a child subreaper, has no child left, therefore no descendant.
    NoChildren,
    /// The job object has no active process.
    JobEmpty,
    /// It is not empty, or this system cannot tell.
    Unproven {
        /// Why.
        why: String,
        /// How many live members are known; 0 if they cannot be counted.
        survivors: usize,
    },
}

impl Proof {
    /// Whether the tree is known to be empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        !matches!(self, Self::Unproven { .. })
    }

    /// How many live members are known: 0 if it is empty.
    #[must_use]
    pub const fn survivors(&self) -> usize {
        match self {
            Self::Unproven { survivors, .. } => *survivors,
            _ => 0,
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CgroupEmpty => f.write_str("the cgroup is empty"),
            Self::NoChildren => f.write_str("no child is left"),
            Self::JobEmpty => f.write_str("the job is empty"),
            Self::Unproven { why, .. } => write!(f, "not proven: {why}"),
        }
    }
}

/// Everything that descends from the children spawned into it.
///
/// Dropping it ends nothing, except on Windows, where the job is killed on close.
///
/// On Linux without a cgroup of its own a tree holds every descendant of this process, except children (and their visible
/// descendants) that existed before it or that [`process::spawn`](crate::process::spawn) started outside of it. There can be
/// one such tree at a time, and while it exists children must be started through this crate only.
#[derive(Debug)]
pub struct Tree {
    imp: imp::Tree,
}

impl Tree {
    /// An empty tree. On Linux this process becomes a child subreaper and remains one.
    ///
    /// A cgroup is made below this process's own, where that is permitted: as root, or in a subtree delegated to this user.
    /// Under systemd only a unit with `Delegate=yes` counts as delegated, whatever the file permissions say.
    ///
    /// Source: `PR_SET_CHILD_SUBREAPER(2const)`, `cgroups(7)`, <https://systemd.io/CGROUP_DELEGATION/>.
    ///
    /// # Errors
    ///
    /// [`Error::Os`](crate::Error::Os) if neither kind of boundary can be had, or if another tree without a cgroup exists.
    pub fn new() -> Result<Self> {
        imp::Tree::new().map(|imp| Self { imp })
    }

    /// Starts a program that is a member before its first instruction.
    ///
    /// # Errors
    ///
    /// As for [`process::spawn`](crate::process::spawn).
    pub fn spawn(&self, options: &SpawnOptions) -> Result<Child> {
        self.imp.spawn(options)
    }

    /// The live members, in no particular order; only direct children on macOS and BSD. Zombies are not live. While members start others, some may be missing.
    ///
    /// # Errors
    ///
    /// [`Error::Os`](crate::Error::Os) if the system does not list them.
    pub fn members(&self) -> Result<Vec<Member>> {
        self.imp.members()
    }

    /// Sends every member a signal, and those too that appear while it is doing so, a few rounds long. Members that have
    /// ended meanwhile are no error.
    ///
    /// # Errors
    ///
    /// [`Error::Os`](crate::Error::Os) if members cannot be listed, or one cannot be signalled; the others are all the same.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.imp.signal(signal)
    }

    /// Kills every member, and whatever they start meanwhile, until the tree is empty or `within` is over.
    ///
    /// Members do not die at once (they may be in an uninterruptible sleep, or dumping core): what is left is in the proof.
    /// Reaps as [`Tree::reap`] does, and keeps the exits of orphans for its next call.
    ///
    /// # Errors
    ///
    /// [`Error::Os`](crate::Error::Os) if the system refuses the means, not if members are left.
    pub fn kill(&self, within: Duration) -> Result<Proof> {
        self.imp.kill(within)
    }

    /// Reaps what has ended of the descendants that this process inherited, and gives their pids and exits. Never blocks.
    ///
    /// The exits of processes started through [`Tree::spawn`] and [`process::spawn`](crate::process::spawn) are kept for
    /// [`Child::try_wait`]. Empty where this process inherits no orphans (macOS, BSD, Windows).
    pub fn reap(&self) -> Vec<(u32, Exit)> {
        self.imp.reap()
    }

    /// Whether the tree is empty, and how that is known. Reaps as [`Tree::kill`] does.
    #[must_use]
    pub fn proof(&self) -> Proof {
        self.imp.proof()
    }

    /// The processor time that its members used; `None` where the system does not say.
    ///
    /// With a cgroup or a job, members that have ended are included; otherwise those that their parents waited for.
    #[must_use]
    pub fn cpu_time(&self) -> Option<Duration> {
        self.imp.cpu_time()
    }

    /// The addresses at which members listen for TCP connections, sorted. Sockets in a network namespace of the member's own
    /// are included. Empty where the system does not say which process has a socket (macOS, BSD, Windows), and for members
    /// whose descriptors this user may not read.
    #[must_use]
    pub fn listening(&self) -> Vec<SocketAddr> {
        self.imp.listening()
    }
}
