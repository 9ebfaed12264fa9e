//! A tree on Linux: a cgroup where one may be had, the descendants of a child subreaper otherwise.

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use winddown_core::Signal;

use super::cgroup::Cgroup;
use super::{Member, Proof, listening};
use crate::process::procfs::{self, Stat};
use crate::process::registry::{self, TreeId};
use crate::process::{Child, Exit, SpawnOptions, spawn_into};
use crate::{Error, Result, signal};

/// How often [`Tree::signal`] looks for members that appeared meanwhile.
const SIGNAL_ROUNDS: usize = 8;
/// How long one round of killing waits for its victims before it looks for new ones.
const KILL_ROUND: Duration = Duration::from_millis(20);
/// How many victims of one round are waited for, so as not to run out of descriptors.
const AWAITED: usize = 128;

#[derive(Debug)]
pub(super) struct Tree {
    id: TreeId,
    boundary: Boundary,
    /// Exits that were reaped on the way and not yet told.
    orphans: Mutex<Vec<(u32, Exit)>>,
}

#[derive(Debug)]
enum Boundary {
    Cgroup(Cgroup),
    Descendants(Descendants),
}

impl Tree {
    pub(super) fn new() -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);

        procfs::is_ours().map_err(|error| Error::os("reading /proc", error))?;
        // With a cgroup as well: whoever would inherit its orphans otherwise may not reap them.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|error| Error::os("becoming a child subreaper", error))?;
        let boundary = match Cgroup::create() {
            Ok(cgroup) => Boundary::Cgroup(cgroup),
            Err(_) => Boundary::Descendants(Descendants::claim()?),
        };
        Ok(Self {
            id: TreeId(NEXT.fetch_add(1, Ordering::Relaxed)),
            boundary,
            orphans: Mutex::default(),
        })
    }

    pub(super) fn spawn(&self, options: &SpawnOptions) -> Result<Child> {
        let procs = match &self.boundary {
            Boundary::Cgroup(cgroup) => Some(cgroup.procs()),
            Boundary::Descendants(_) => None,
        };
        spawn_into(options, Some((self.id, procs)))
    }

    pub(super) fn members(&self) -> Result<Vec<Member>> {
        let found = match &self.boundary {
            Boundary::Cgroup(cgroup) => cgroup.pids().map(|pids| {
                let stats = pids
                    .into_iter()
                    .map(|pid| Some((pid, procfs::stat(pid).ok()?)));
                stats.flatten().collect()
            }),
            Boundary::Descendants(descendants) => descendants.walk(self.id),
        };
        let found: Vec<(u32, Stat)> =
            found.map_err(|error| Error::os("listing the processes of a tree", error))?;
        let live = found.into_iter().filter(|(_, stat)| stat.is_live());
        Ok(live.map(|(pid, stat)| member(pid, stat)).collect())
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let mut seen = HashSet::new();
        let mut result = Ok(());
        for _ in 0..SIGNAL_ROUNDS {
            let mut members = self.members()?;
            members.retain(|member| seen.insert((member.pid, member.start_time)));
            if members.is_empty() {
                break;
            }
            for member in members {
                result = result.and(self.send(&member, signal).map(drop));
            }
        }
        result
    }

    pub(super) fn kill(&self, within: Duration) -> Result<Proof> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let round = left.min(KILL_ROUND);
            match &self.boundary {
                Boundary::Cgroup(cgroup) if cgroup.kill().is_ok() => cgroup
                    .wait_until_empty(left)
                    .map_err(|error| Error::os("waiting for a cgroup to be empty", error))?,
                _ => {
                    let mut victims = Vec::new();
                    for member in self.members()? {
                        victims.extend(self.send(&member, Signal::Kill)?);
                        victims.truncate(AWAITED);
                    }
                    wait_for(&victims, round);
                }
            }
            let proof = self.proof();
            if proof.is_empty() || left.is_zero() {
                return Ok(proof);
            }
        }
    }

    pub(super) fn reap(&self) -> Vec<(u32, Exit)> {
        self.reap_all();
        std::mem::take(&mut *self.untold())
    }

    pub(super) fn proof(&self) -> Proof {
        let none_left = self.reap_all();
        let outside = match &self.boundary {
            Boundary::Cgroup(cgroup) => match cgroup.is_populated() {
                Ok(false) => return Proof::CgroupEmpty,
                Ok(true) => "the cgroup holds processes that this one does not see".to_owned(),
                Err(error) => format!("cgroup.events cannot be read: {error}"),
            },
            Boundary::Descendants(_) if none_left => return Proof::NoChildren,
            Boundary::Descendants(_) => "this process has children outside of the tree".to_owned(),
        };
        match self.members() {
            Ok(members) if members.is_empty() => Proof::Unproven {
                why: outside,
                survivors: 0,
            },
            Ok(members) => Proof::Unproven {
                why: format!("left: {}", list(&members)),
                survivors: members.len(),
            },
            Err(error) => Proof::Unproven {
                why: error.to_string(),
                survivors: 0,
            },
        }
    }

    pub(super) fn cpu_time(&self) -> Option<Duration> {
        match &self.boundary {
            Boundary::Cgroup(cgroup) => cgroup.cpu_time(),
            Boundary::Descendants(descendants) => {
                let found = descendants.walk(self.id).ok()?;
                let ticks: u64 = found.iter().map(|(_, stat)| stat.cpu_ticks).sum();
                let per_second = rustix::param::clock_ticks_per_second();
                Some(Duration::from_millis(ticks * 1000 / per_second))
            }
        }
    }

    pub(super) fn listening(&self) -> Vec<std::net::SocketAddr> {
        let members = self.members().unwrap_or_default();
        listening::of(members.iter().map(|member| member.pid))
    }

    /// Opens first, checks then, sends last: what the descriptor refers to cannot change in between. Gives the descriptor, or
    /// `None` for a process that is gone.
    fn send(&self, member: &Member, signal: Signal) -> Result<Option<OwnedFd>> {
        let number = signal::number(signal).ok_or(Error::NoSuchSignal(signal))?;
        let pid = member.pid.try_into().ok().and_then(Pid::from_raw);
        let pidfd = match pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) {
            None | Some(Err(Errno::SRCH)) => return Ok(None),
            Some(opened) => opened.map_err(|error| Error::os("pidfd_open", error))?,
        };
        let still_member = match &self.boundary {
            Boundary::Cgroup(cgroup) => cgroup.contains(member.pid),
            Boundary::Descendants(_) => is_unchanged(member),
        };
        if !still_member {
            return Ok(None);
        }
        // SAFETY: the number is that of a signal.
        let raw = unsafe { rustix::process::Signal::from_raw_unchecked(number) };
        match pidfd_send_signal(&pidfd, raw) {
            Ok(()) => Ok(Some(pidfd)),
            Err(Errno::SRCH) => Ok(None),
            Err(error) => {
                let what = format!("sending {signal} to {} ({})", member.name, member.pid);
                Err(Error::os(what, error))
            }
        }
    }

    /// Whether this process has no child left at all.
    fn reap_all(&self) -> bool {
        let reaped = registry::lock().reap_all();
        self.untold().extend(reaped.orphans);
        reaped.none_left
    }

    fn untold(&self) -> std::sync::MutexGuard<'_, Vec<(u32, Exit)>> {
        self.orphans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn member(pid: u32, stat: Stat) -> Member {
    Member {
        pid,
        ppid: stat.ppid,
        name: stat.name,
        start_time: stat.start_time,
        state: stat.state,
    }
}

/// The same process, with the same parent or, if that has ended, with this process for one.
fn is_unchanged(member: &Member) -> bool {
    procfs::stat(member.pid).is_ok_and(|stat| {
        stat.start_time == member.start_time
            && (stat.ppid == member.ppid || stat.ppid == std::process::id())
    })
}

fn wait_for(victims: &[OwnedFd], at_most: Duration) {
    let until = Instant::now() + at_most;
    for victim in victims {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).ok();
        let _ = poll(&mut [PollFd::new(victim, PollFlags::IN)], left.as_ref());
    }
}

fn list(members: &[Member]) -> String {
    const SHOWN: usize = 5;
    let mut names: Vec<String> = members
        .iter()
        .take(SHOWN)
        .map(|member| format!("{} ({}, {})", member.name, member.pid, member.state))
        .collect();
    if members.len() > SHOWN {
        names.push(format!("and {} more", members.len() - SHOWN));
    }
    names.join(", ")
}

/// Every descendant of this process, except through children that are somebody else's.
#[derive(Debug)]
struct Descendants {
    /// Children that this process had before: pid and start time.
    strangers: HashSet<(u32, u64)>,
}

/// Orphans come to this process without saying which tree they are from.
static CLAIMED: AtomicBool = AtomicBool::new(false);

impl Descendants {
    fn claim() -> Result<Self> {
        if CLAIMED.swap(true, Ordering::AcqRel) {
            let source = io::Error::other("another tree of this process has no cgroup either");
            return Err(Error::os("making a tree without a cgroup", source));
        }
        let mut claimed = Self {
            strangers: HashSet::new(),
        };
        let own = std::process::id();
        let supported = format!("/proc/{own}/task/{own}/children");
        std::fs::metadata(&supported).map_err(|error| Error::os(supported, error))?;
        let children =
            procfs::children(own).map_err(|error| Error::os("listing children", error))?;
        for pid in children {
            claimed
                .strangers
                .extend(procfs::stat(pid).map(|stat| (pid, stat.start_time)));
        }
        Ok(claimed)
    }

    fn walk(&self, tree: TreeId) -> io::Result<Vec<(u32, Stat)>> {
        let outside = registry::lock().outside(tree);
        let own = std::process::id();
        let mut next: Vec<(u32, u32)> = Vec::new();
        let children = procfs::children(own)?.into_iter();
        next.extend(
            children
                .filter(|pid| !outside.contains(pid))
                .map(|pid| (pid, own)),
        );
        let mut found = Vec::new();
        while let Some((pid, parent)) = next.pop() {
            let Ok(stat) = procfs::stat(pid) else {
                continue;
            };
            // With another parent the number has come to be another process's.
            let is_descendant = stat.ppid == parent || stat.ppid == own;
            if is_descendant && !self.strangers.contains(&(pid, stat.start_time)) {
                let children = procfs::children(pid).unwrap_or_default().into_iter();
                next.extend(children.map(|child| (child, pid)));
                found.push((pid, stat));
            }
        }
        Ok(found)
    }
}

impl Drop for Descendants {
    fn drop(&mut self) {
        CLAIMED.store(false, Ordering::Release);
    }
}
