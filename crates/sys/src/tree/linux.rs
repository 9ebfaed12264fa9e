//! A tree on Linux: a cgroup where one may be had, the descendants of a child subreaper otherwise.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use winddown_core::Signal;
use winddown_core::report::{Proof, Remains};

use super::ancestry::Processes;
use super::cgroup::Cgroup;
use super::{Member, TreeOptions, ancestry, listening, mark, outlive, remains};
use crate::process::procfs::{self, Stat};
use crate::process::registry::{self, TreeId};
use crate::process::{Boundary, Child, Exit, SpawnOptions, spawn_into};
use crate::{Descriptor, Error, Result, Waitable, signal};

/// How often one looks for what appeared meanwhile.
const ROUNDS: usize = 8;

#[derive(Debug)]
pub(super) struct Tree {
    id: TreeId,
    /// `None`: its members are told from others by [`ancestry`].
    cgroup: Option<Cgroup>,
    outlive: Vec<String>,
    /// Those that were found to be named so, or to descend from one.
    spared: Mutex<Vec<Member>>,
}

/// A pidfd.
#[derive(Debug)]
pub(super) struct Remaining(OwnedFd);

impl Waitable for Remaining {
    fn descriptor(&self) -> Descriptor<'_> {
        self.0.as_fd()
    }
}

impl Tree {
    pub(super) fn new(options: TreeOptions) -> Result<Self> {
        procfs::is_ours().map_err(Error::Proc)?;
        // With a cgroup as well: whoever would inherit its orphans otherwise may not reap them.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|error| Error::os("becoming a child subreaper", error))?;
        let id = TreeId::next();
        let cgroup = Cgroup::make(id, &options.name).ok();
        if cgroup.is_none() {
            ancestry::lock().begin(id).map_err(listing_failed)?;
        }
        Ok(Self {
            id,
            cgroup,
            outlive: options.outlive,
            spared: Mutex::default(),
        })
    }

    pub(super) fn spawn(&self, options: &SpawnOptions) -> Result<Child> {
        let cgroup = self.cgroup.as_ref().map(Cgroup::open).transpose();
        let cgroup = cgroup.map_err(|error| Error::os("opening a cgroup", error))?;
        let boundary = Boundary {
            tree: self.id,
            cgroup: cgroup.as_ref().map(AsFd::as_fd),
            mark: Some(mark::of_tree(self.id)),
            die_with_parent: true,
        };
        let child = spawn_into(options, Some(boundary))?;
        ancestry::lock().started(self.id, child.pid());
        Ok(child)
    }

    pub(super) fn members(&self) -> Result<Vec<Member>> {
        let live = self.find()?.0.into_iter();
        let live = live.filter(|(_, stat)| stat.is_live());
        Ok(live.map(|(pid, stat)| member(pid, stat)).collect())
    }

    pub(super) fn some_members(&self, most: usize) -> Result<Vec<Member>> {
        let found = match &self.cgroup {
            _ if !self.outlive.is_empty() => self.find().map(|(found, _)| found)?,
            Some(cgroup) => stats(
                cgroup
                    .pids()
                    .map_err(listing_failed)?
                    .into_iter()
                    .take(most),
            ),
            None => ancestry::lock()
                .some(self.id, most)
                .map_err(listing_failed)?,
        };
        let live = found.into_iter().filter(|(_, stat)| stat.is_live());
        let members = live.map(|(pid, stat)| member(pid, stat));
        Ok(members.take(most).collect())
    }

    /// Its processes, and those in it that may outlive it.
    fn find(&self) -> Result<(Processes, Processes)> {
        let found = match &self.cgroup {
            Some(cgroup) => cgroup.pids().map(stats),
            None => ancestry::lock().walk(self.id),
        };
        let found = found.map_err(listing_failed)?;
        if self.outlive.is_empty() {
            return Ok((found, Vec::new()));
        }
        let leaders: Vec<u32> = registry::lock().started_into(self.id).collect();
        let known = self.spared().iter().map(|member| member.pid).collect();
        let (found, spared) = outlive::split(found, &self.outlive, &leaders, &known);
        ancestry::lock().spare(&spared);
        let new = spared.iter().filter(|(pid, _)| !known.contains(pid));
        self.spared()
            .extend(new.map(|(pid, stat)| member(*pid, stat.clone())));
        Ok((found, spared))
    }

    /// Those that may outlive it and have not ended.
    fn spared(&self) -> MutexGuard<'_, Vec<Member>> {
        let mut spared = self.spared.lock().unwrap_or_else(PoisonError::into_inner);
        spared.retain(|member| {
            let stat = procfs::stat(member.pid);
            stat.is_ok_and(|stat| stat.start_time == member.start_time && stat.is_live())
        });
        spared
    }

    /// Takes what may outlive the tree out of its cgroup.
    fn release(&self, cgroup: &Cgroup) -> Result<()> {
        // What it starts meanwhile is found in the next round; what it starts once it is out, is out.
        for _ in 0..ROUNDS {
            let spared = self.find()?.1;
            if spared.is_empty() {
                return Ok(());
            }
            for (pid, _) in spared {
                let released = cgroup.release(pid);
                released.map_err(|error| Error::os("moving a process out of a cgroup", error))?;
            }
        }
        let source = std::io::Error::other("it keeps starting others");
        Err(Error::os("taking out what may outlive the tree", source))
    }

    pub(super) fn contains(&self, pid: u32) -> bool {
        match &self.cgroup {
            Some(cgroup) => cgroup.contains(pid),
            None => self
                .members()
                .is_ok_and(|members| members.iter().any(|member| member.pid == pid)),
        }
    }

    pub(super) fn signal_member(&self, pid: u32, signal: Signal) -> Result<bool> {
        let members = self.members()?;
        match members.iter().find(|member| member.pid == pid) {
            Some(member) => self.send(member, signal).map(|()| true),
            None => Ok(false),
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let mut seen = HashSet::new();
        let mut result = Ok(());
        for _ in 0..ROUNDS {
            let mut members = self.members()?;
            members.retain(|member| seen.insert((member.pid, member.start_time)));
            if members.is_empty() {
                break;
            }
            for member in members {
                result = result.and(self.send(&member, signal));
            }
        }
        result
    }

    pub(super) fn kill(&self) -> Result<()> {
        if let Some(cgroup) = &self.cgroup {
            let all = self.outlive.is_empty() || self.release(cgroup).is_ok();
            if all && cgroup.kill().is_ok() {
                return Ok(());
            }
        } else if self.outlive.is_empty() {
            return self.kill_on_a_walk().1;
        }
        let mut result = Ok(());
        for member in self.members()? {
            result = result.and(self.send(&member, Signal::Kill));
        }
        result
    }

    pub(super) fn kill_and_name(&self) -> (Vec<Member>, Result<()>) {
        if self.cgroup.is_none() && self.outlive.is_empty() {
            return self.kill_on_a_walk();
        }
        let Some(cgroup) = &self.cgroup else {
            return (self.members().unwrap_or_default(), self.kill());
        };
        // Many that run leave no processor to whoever lists them; many that sleep die sooner when they are not woken to freeze.
        let freezes = procfs::is_crowded();
        if freezes {
            let _ = cgroup.freeze(true);
        }
        let killed = (self.members().unwrap_or_default(), self.kill());
        if freezes {
            let _ = cgroup.freeze(false);
        }
        killed
    }

    /// Kills each process as soon as it is found, since of large trees every look takes its time. What was opened before it was looked
    /// at is what was found, or has ended.
    fn kill_on_a_walk(&self) -> (Vec<Member>, Result<()>) {
        let mut result = Ok(());
        let killed = ancestry::lock().visit(self.id, usize::MAX, open, |pidfd, pid, stat| {
            let sent = match pidfd {
                Ok(Some(pidfd)) => send(&pidfd, Signal::Kill, pid, &stat.name),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if result.is_ok() {
                result = sent;
            }
        });
        match killed {
            Ok(found) => {
                let live = found.into_iter().filter(|(_, stat)| stat.is_live());
                let members = live.map(|(pid, stat)| member(pid, stat)).collect();
                (members, result)
            }
            Err(error) => (Vec::new(), Err(listing_failed(error))),
        }
    }

    pub(super) fn is_empty(&self) -> Result<bool> {
        let look = || match &self.cgroup {
            Some(cgroup) => cgroup
                .is_empty()
                .map_err(|error| Error::os("reading cgroup.events", error)),
            None => ancestry::lock().is_empty(self.id).map_err(listing_failed),
        };
        let is_empty = look()?;
        if is_empty || self.outlive.is_empty() {
            return Ok(is_empty);
        }
        match &self.cgroup {
            Some(cgroup) => self.release(cgroup)?,
            None => drop(self.find()?),
        }
        look()
    }

    pub(super) fn remaining(&self) -> Option<Remaining> {
        let members = self.members().ok()?;
        let open = |member: &Member| open(member.pid).ok().flatten();
        members.iter().find_map(open).map(Remaining)
    }

    pub(super) fn proof(&self) -> Remains {
        let proven = match &self.cgroup {
            Some(cgroup) => match cgroup.is_populated() {
                Ok(false) => Ok(Proof::CgroupEmpty),
                Ok(true) => Err("the cgroup holds processes that this one does not see".to_owned()),
                Err(error) => Err(format!("cgroup.events cannot be read: {error}")),
            },
            None => self.proof_of_descent(),
        };
        let why = match proven {
            Ok(proof) => {
                if !self.outlive.is_empty() {
                    // Those that nobody has looked at yet.
                    let _ = self.find();
                }
                let spared = self.spared();
                return remains::none(match spared.is_empty() {
                    true => proof,
                    false => Proof::Outlived(remains::list(&spared)),
                });
            }
            Err(why) => why,
        };
        match self.members() {
            Ok(members) if members.is_empty() => remains::none(Proof::Unproven(why)),
            Ok(members) => remains::some(&members),
            Err(error) => remains::none(Proof::Unproven(error.to_string())),
        }
    }

    /// The proof without a cgroup, or why there is none.
    fn proof_of_descent(&self) -> Result<Proof, String> {
        let mut ancestry = ancestry::lock();
        let mut registry = registry::lock();
        if registry.reap_all() {
            return Ok(Proof::NoChildren);
        }
        let inherited = ancestry.look(self.id, &mut registry);
        let strays = inherited.map_err(|error| error.to_string())?.strays;
        drop(registry);
        if !ancestry.is_vacant(self.id) {
            return Err("a member is about to end".to_owned());
        }
        if strays.is_empty() {
            return Ok(Proof::OthersOnly);
        }
        let strays = strays.into_iter().map(|(pid, stat)| member(pid, stat));
        let strays: Vec<Member> = strays.collect();
        Err(format!(
            "nothing tells of which tree these are: {}",
            remains::list(&strays)
        ))
    }

    pub(super) fn cpu_time(&self) -> Option<Duration> {
        if let Some(cgroup) = &self.cgroup {
            return cgroup.cpu_time();
        }
        let found = ancestry::lock().walk(self.id).ok()?;
        let ticks: u64 = found.iter().map(|(_, stat)| stat.cpu_ticks).sum();
        let per_second = rustix::param::clock_ticks_per_second();
        Some(Duration::from_millis(ticks * 1000 / per_second))
    }

    pub(super) fn listening(&self) -> Vec<std::net::SocketAddr> {
        let members = self.members().unwrap_or_default();
        listening::of(members.iter().map(|member| member.pid))
    }

    /// Opens first, checks then, sends last: what the descriptor refers to cannot change in between.
    fn send(&self, member: &Member, signal: Signal) -> Result<()> {
        let Some(pidfd) = open(member.pid)? else {
            return Ok(());
        };
        let still_member = match &self.cgroup {
            Some(cgroup) => cgroup.contains(member.pid),
            None => is_unchanged(member),
        };
        match still_member {
            true => send(&pidfd, signal, member.pid, &member.name),
            false => Ok(()),
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let is_outlived = !self.spared().is_empty();
        ancestry::lock().end(self.id, is_outlived);
    }
}

pub(super) fn reap() -> Vec<(u32, Exit)> {
    let mut registry = registry::lock();
    registry.reap_all();
    registry.take_ended()
}

fn listing_failed(error: std::io::Error) -> Error {
    Error::os("listing the processes of a tree", error)
}

/// A descriptor of the process with this number; `None` where there is none any more.
fn open(pid: u32) -> Result<Option<OwnedFd>> {
    let Some(pid) = pid.try_into().ok().and_then(Pid::from_raw) else {
        return Ok(None);
    };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => Ok(None),
        opened => Ok(Some(
            opened.map_err(|error| Error::os("pidfd_open", error))?,
        )),
    }
}

/// Whose process has ended is no error.
fn send(pidfd: &OwnedFd, signal: Signal, pid: u32, name: &str) -> Result<()> {
    let number = signal::number(signal).ok_or(Error::NoSuchSignal(signal))?;
    // SAFETY: the number is that of a signal.
    let raw = unsafe { rustix::process::Signal::from_raw_unchecked(number) };
    match pidfd_send_signal(pidfd, raw) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => {
            let what = format!("sending {signal} to {name} ({pid})");
            Err(Error::os(what, error))
        }
    }
}

/// What the processes with these numbers are, where they are there still.
fn stats(pids: impl IntoIterator<Item = u32>) -> Processes {
    let stats = pids
        .into_iter()
        .map(|pid| Some((pid, procfs::stat(pid).ok()?)));
    stats.flatten().collect()
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
