//! Everything that descends from a child: [`Tree`] signals it, kills it, counts it, and proves that nothing is left.
//!
//! | | boundary | what can leave it | proof |
//! |---|---|---|---|
//! | Linux, cgroup v2 that we may create a group in | a cgroup of its own | a process that may write to other cgroups and moves itself | `populated 0`, or that it can be removed |
//! | Linux, otherwise | this process becomes a child subreaper, and each tree's processes carry its mark | nothing leaves all trees, short of entering another pid namespace; for leaving one, see below | `waitid` says `ECHILD`; beside other trees, that every child is known to be of another |
//! | Windows | a job object, kill on close | nothing | the job's count of active processes |
//! | macOS, BSD | the child's session or process group | whatever makes a session or group of its own | none |
//!
//! # Several trees without cgroups
//! A process whose parent has ended becomes a child of this one. Its tree is then known because it was seen in it before, by the
//! variable `WINDDOWN_TREE` of its environment, or by its session or process group. A process that was never looked at while its
//! parent lived, that made a session of its own, and whose environment was cleared, written over or belongs to another user
//! cannot be told. While there is one, no tree is proven to be empty, and the proof names it; the last tree that has not ended
//! counts it as its own, so that it is killed in the end.
//!
//! # Limits
//! Processes that somebody else starts on the tree's behalf (`systemd-run`, `at`, a container daemon) do not descend from
//! it and are not in it.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(all(unix, not(target_os = "linux")), path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

#[cfg(not(target_os = "linux"))]
mod listed;

#[cfg(target_os = "linux")]
mod ancestry;
#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod group;
#[cfg(target_os = "linux")]
mod listening;
#[cfg(target_os = "linux")]
pub(crate) mod mark;
#[cfg(target_os = "linux")]
mod outlive;
#[cfg(any(target_os = "linux", windows))]
mod remains;

use std::net::SocketAddr;
use std::time::Duration;

use winddown_core::Signal;
use winddown_core::report::Remains;

#[cfg(target_os = "linux")]
pub(crate) use group::Group;

use crate::process::{Child, Exit, SpawnOptions, State};
use crate::{Descriptor, Result, Waitable};

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

/// What a [`Tree`] is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeOptions {
    /// What its cgroup is called, followed by a number of its own; other than letters, digits, `-` and `_` become `_`.
    pub name: String,
    /// Programs that may outlive the tree, such as an updater that it starts: by the name of the executable file, or, on Linux,
    /// of the script. They, and what descends from them, are no members: they are neither signalled nor killed, and a proof
    /// names those that are left. What was started with [`Tree::spawn`] itself is a member, whatever its name is.
    ///
    /// On Linux they are moved to this process's own cgroup as soon as the tree is looked at for its end. On Windows they cannot
    /// leave the job, which then is not killed when it is closed. Anybody may name a program so: the list is no protection
    /// against a program that does not want to end. Without effect on macOS and BSD, where only the groups of children are
    /// signalled.
    pub outlive: Vec<String>,
}

/// Everything that descends from the children spawned into it.
///
/// There may be any number of them in a process. While one exists, children must be started through this crate only: on Linux any
/// other child of this process is taken for a descendant whose parent has ended, unless it existed before the first tree.
///
/// Dropping it ends nothing, except on Windows, where the job is killed on close.
#[derive(Debug)]
pub struct Tree {
    imp: imp::Tree,
}

/// One of the members that are left: ready once it has ended, to be waited for before one looks again.
#[derive(Debug)]
pub struct Remaining(imp::Remaining);

impl Waitable for Remaining {
    fn descriptor(&self) -> Descriptor<'_> {
        self.0.descriptor()
    }
}

impl Tree {
    /// An empty tree. On Linux this process becomes a child subreaper and remains one.
    ///
    /// A cgroup is made for it where that is permitted, as root, or in a subtree delegated to this user:
    /// `winddown-PID-ID/NAME-N` below this process's own. The first tree also removes empty ones that were left behind by
    /// processes that were killed. Under systemd only a unit with `Delegate=yes` counts as delegated, whatever the file
    /// permissions say.
    ///
    /// Source: `PR_SET_CHILD_SUBREAPER(2const)`, `cgroups(7)`, <https://systemd.io/CGROUP_DELEGATION/>.
    ///
    /// # Errors
    ///
    /// [`Error::Os`](crate::Error::Os) if neither kind of boundary can be had: there is no `/proc` of this process's pid
    /// namespace, or a kernel without `CONFIG_PROC_CHILDREN`.
    pub fn new(options: TreeOptions) -> Result<Self> {
        imp::Tree::new(options).map(|imp| Self { imp })
    }

    /// Starts a program that is a member before its first instruction.
    ///
    /// On Linux and Windows it is killed when this process dies, however that happens, as with
    /// [`SpawnOptions::die_with_parent`]: on Linux, call this from a thread that stays.
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

    /// Whether the process with this number is a live member: cheap where there is a cgroup, else as [`Tree::members`].
    #[must_use]
    pub fn contains(&self, pid: u32) -> bool {
        self.imp.contains(pid)
    }

    /// Sends the member with this number a signal; whether there is one. Only Linux: elsewhere there never is.
    ///
    /// # Errors
    ///
    /// As for [`Tree::signal`].
    pub fn signal_member(&self, pid: u32, signal: Signal) -> Result<bool> {
        self.imp.signal_member(pid, signal)
    }

    /// As [`Tree::members`], but not more than `most` of them: of large trees every look takes its time.
    ///
    /// # Errors
    ///
    /// As for [`Tree::members`].
    pub fn some_members(&self, most: usize) -> Result<Vec<Member>> {
        self.imp.some_members(most)
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

    /// Kills every member, or goes on doing so. Returns at once.
    ///
    /// Members do not die at once (they may be in an uninterruptible sleep, or dumping core), and without a cgroup or a job what
    /// a member starts in this very moment is missed: call it again until [`Tree::is_empty`].
    ///
    /// # Errors
    ///
    /// [`Error::Os`](crate::Error::Os) if the system refuses the means for some member; the others are killed all the same.
    pub fn kill(&self) -> Result<()> {
        self.imp.kill()
    }

    /// Kills as [`Tree::kill`] does, and tells who the live members were. Without a cgroup or a job this takes one look, where listing and
    /// killing them takes two.
    ///
    /// # Errors
    ///
    /// As for [`Tree::kill`], beside the members.
    pub fn kill_and_name(&self) -> (Vec<Member>, Result<()>) {
        self.imp.kill_and_name()
    }

    /// Whether nothing of it is known to be left. Cheaper than [`Tree::proof`], to be asked again and again; the answer may be
    /// `true` where there is no proof.
    ///
    /// On Linux the last member to end is a child of this process, so that a `SIGCHLD` ([`SignalQueue`](crate::SignalQueue))
    /// tells when to ask; elsewhere wait for what [`Tree::remaining`] gives. In both cases ask every few milliseconds, too: a
    /// cgroup or a job may be empty only a moment after that.
    ///
    /// # Errors
    ///
    /// [`Error::Os`](crate::Error::Os) if the system does not say.
    pub fn is_empty(&self) -> Result<bool> {
        self.imp.is_empty()
    }

    /// One of the members, to be waited for; `None` where there is none, or none that can be waited for.
    #[must_use]
    pub fn remaining(&self) -> Option<Remaining> {
        self.imp.remaining().map(Remaining)
    }

    /// How many members are left, and how that is known. Reaps as [`reap`] does.
    #[must_use]
    pub fn proof(&self) -> Remains {
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

/// Reaps what has ended of the descendants of any tree that this process inherited, and gives the pids and exits of those that
/// were reaped since the last call. Never blocks.
///
/// The exits of processes started through [`Tree::spawn`] and [`process::spawn`](crate::process::spawn) are kept for
/// [`Child::try_wait`]. Empty where this process inherits no orphans (macOS, BSD, Windows).
pub fn reap() -> Vec<(u32, Exit)> {
    imp::reap()
}
