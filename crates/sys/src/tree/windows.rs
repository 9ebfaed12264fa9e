//! A job object, and the handles of its processes.
//!
//! The job's count alone is no proof: it can reach 0 a moment before the last process has ended.

use std::io;
use std::net::SocketAddr;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use winddown_core::Signal;
use winddown_core::report::{Proof, Remains};
use windows_sys::Win32::Foundation::FALSE;
use windows_sys::Win32::System::Threading::{
    OpenProcess, PROCESS_QUERY_INFORMATION, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE,
    TerminateProcess,
};

use super::{Member, TreeOptions, remains};
use crate::process::{Child, Exit, SpawnOptions, State, ask_to_stop, send, spawn_into};
use crate::wake::is_signalled;
use crate::windows::console::Event;
use crate::windows::job::Job;
use crate::windows::{origin, snapshot};
use crate::{Descriptor, Error, Result, Waitable};

#[derive(Debug)]
pub(super) struct Tree {
    job: Job,
    outlive: Vec<String>,
    /// The processes that were started into it: pid and time.
    leaders: Mutex<Vec<(u32, u64)>>,
    /// Those that were found to be named so, or to descend from one.
    spared: Mutex<Vec<(u32, u64)>>,
    /// Processes that were once seen in the job, until they are seen to have ended.
    seen: Mutex<Vec<Seen>>,
}

#[derive(Debug)]
struct Seen {
    pid: u32,
    process: OwnedHandle,
}

impl Seen {
    fn runs(&self) -> bool {
        !is_signalled(self.process.as_handle())
    }
}

/// A process of the job.
#[derive(Debug)]
pub(super) struct Remaining(OwnedHandle);

impl Waitable for Remaining {
    fn descriptor(&self) -> Descriptor<'_> {
        self.0.as_handle()
    }
}

impl Tree {
    pub(super) fn new(options: TreeOptions) -> Result<Self> {
        Ok(Self {
            job: Job::new()?,
            outlive: options.outlive,
            leaders: Mutex::default(),
            spared: Mutex::default(),
            seen: Mutex::default(),
        })
    }

    pub(super) fn spawn(&self, options: &SpawnOptions) -> Result<Child> {
        let child = spawn_into(options, Some(&self.job))?;
        if let Some(started) = origin::started(child.pid()) {
            lock(&self.leaders).push((child.pid(), started));
        }
        self.look()?;
        Ok(child)
    }

    pub(super) fn members(&self) -> Result<Vec<Member>> {
        Ok(self.find()?.0)
    }

    /// Its processes, and those in its job that may outlive it.
    fn find(&self) -> Result<(Vec<Member>, Vec<Member>)> {
        let entries = snapshot::processes().unwrap_or_default();
        let member = |pid: u32| {
            let entry = entries.iter().find(|entry| entry.pid == pid)?;
            Some(Member {
                pid,
                ppid: entry.parent,
                name: entry.name.to_string_lossy().into_owned(),
                start_time: origin::started(pid)?,
                state: State::Unknown,
            })
        };
        let found = self.job.pids()?.into_iter().filter_map(member);
        let found: Vec<Member> = found.filter(|member| !is_console_host(member)).collect();
        let spared = self.spared_of(&found);
        let split = found.into_iter();
        Ok(split.partition(|member| !spared.contains(&member.pid)))
    }

    /// Those with one of the names that may outlive the tree, and what descends from them.
    fn spared_of(&self, found: &[Member]) -> Vec<u32> {
        let (leaders, mut known) = (lock(&self.leaders), lock(&self.spared));
        let key = |member: &Member| (member.pid, member.start_time);
        let is_root = |member: &&Member| {
            let mut names = self.outlive.iter();
            let is_named = names.any(|name| name.eq_ignore_ascii_case(&member.name));
            known.contains(&key(member)) || is_named && !leaders.contains(&key(member))
        };
        let mut spared: Vec<&Member> = found.iter().filter(is_root).collect();
        let mut next = 0;
        while let Some(above) = spared.get(next).copied() {
            // The number of a parent that has ended may be another's by now, which then is younger than the child.
            let children = found
                .iter()
                .filter(|member| member.ppid == above.pid && member.start_time >= above.start_time);
            let new: Vec<&Member> = children
                .filter(|child| !spared.iter().any(|known| known.pid == child.pid))
                .collect();
            spared.extend(new);
            next += 1;
        }
        *known = spared.iter().map(|member| key(member)).collect();
        spared.iter().map(|member| member.pid).collect()
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let ask: fn(u32) -> Result<Vec<u32>> = match signal {
            Signal::Kill => return self.kill(),
            Signal::Term => ask_to_stop,
            Signal::Int => |pid| send(pid, Event::C),
            Signal::Quit => |pid| send(pid, Event::Break),
            _ => return Err(Error::NoSuchSignal(signal)),
        };
        let members = self.members()?.into_iter();
        let mut left: Vec<u32> = members.map(|member| member.pid).collect();
        let mut result = Ok(());
        while let Some(pid) = left.pop() {
            match ask(pid) {
                // One event is enough for all who share a console.
                Ok(reached) => left.retain(|pid| !reached.contains(pid)),
                Err(_) if !self.job.pids()?.contains(&pid) => {}
                Err(error) => result = Err(error),
            }
        }
        result
    }

    pub(super) fn kill(&self) -> Result<()> {
        self.look()?;
        if self.outlive.is_empty() {
            return self.job.terminate();
        }
        let mut result = Ok(());
        for member in self.members()? {
            result = result.and(self.terminate(member.pid));
        }
        result
    }

    /// Ends one process, if it is in the job.
    fn terminate(&self, pid: u32) -> Result<()> {
        let rights = PROCESS_TERMINATE | PROCESS_SYNCHRONIZE | PROCESS_QUERY_INFORMATION;
        let Some(process) = open(pid, rights) else {
            return Ok(());
        };
        if !self.job.contains(process.as_handle())? {
            return Ok(());
        }
        // SAFETY: the handle is open.
        let terminated = unsafe { TerminateProcess(process.as_raw_handle(), 1) } != 0;
        // Ending a process that is about to end is refused.
        if terminated || is_signalled(process.as_handle()) {
            return Ok(());
        }
        let what = format!("terminating process {pid}");
        Err(Error::os(what, io::Error::last_os_error()))
    }

    pub(super) fn is_empty(&self) -> Result<bool> {
        self.seen().retain(Seen::runs);
        let none_seen = self.seen().is_empty();
        Ok(none_seen
            && match self.outlive.as_slice() {
                [] => self.job.active()? == 0,
                _ => self.members()?.is_empty(),
            })
    }

    pub(super) fn remaining(&self) -> Option<Remaining> {
        self.look().ok()?;
        let seen = self.seen();
        let handle = seen.iter().find(|process| process.runs())?;
        handle.process.try_clone().ok().map(Remaining)
    }

    pub(super) fn proof(&self) -> Remains {
        match self.is_empty() {
            Ok(true) => match self.find() {
                Ok((_, spared)) if !spared.is_empty() => {
                    remains::none(Proof::Outlived(remains::list(&spared)))
                }
                _ => remains::none(Proof::JobEmpty),
            },
            Ok(false) => match self.members() {
                Ok(members) if !members.is_empty() => remains::some(&members),
                _ => {
                    let why = "a process of the job is about to end";
                    remains::none(Proof::Unproven(why.to_owned()))
                }
            },
            Err(error) => remains::none(Proof::Unproven(error.to_string())),
        }
    }

    pub(super) fn cpu_time(&self) -> Option<Duration> {
        self.job.cpu_time().ok()
    }

    pub(super) fn listening(&self) -> Vec<SocketAddr> {
        Vec::new()
    }

    /// Takes hold of the processes that are in the job now.
    fn look(&self) -> Result<()> {
        let pids = match self.outlive.as_slice() {
            [] => self.job.pids()?,
            _ => self.members()?.iter().map(|member| member.pid).collect(),
        };
        let mut seen = self.seen();
        for pid in pids {
            if seen.iter().any(|known| known.pid == pid) {
                continue;
            }
            // One that has just ended has none.
            let Some(process) = open(pid, PROCESS_SYNCHRONIZE) else {
                continue;
            };
            seen.push(Seen { pid, process });
        }
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        lock(&self.seen)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // Else the system kills, as it closes the job, also what may live on.
        if !self.outlive.is_empty() && self.find().is_ok_and(|(_, spared)| !spared.is_empty()) {
            let _ = self.job.release();
        }
    }
}

pub(super) fn reap() -> Vec<(u32, Exit)> {
    Vec::new()
}

/// The host of a console, which is no program, and goes with the last one on it.
fn is_console_host(member: &Member) -> bool {
    member.name.eq_ignore_ascii_case("conhost.exe")
}

fn open(pid: u32, rights: u32) -> Option<OwnedHandle> {
    // SAFETY: takes no pointers; the handle is checked before it is owned.
    unsafe {
        let handle = OpenProcess(rights, FALSE, pid);
        (!handle.is_null()).then(|| OwnedHandle::from_raw_handle(handle))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
