//! A job object, and the handles of its processes.
//!
//! The job's count alone is no proof: it can reach 0 a moment before the last process has ended.

use std::net::SocketAddr;
use std::os::windows::io::{AsHandle, FromRawHandle, OwnedHandle};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use winddown_core::Signal;
use winddown_core::report::{Proof, Remains};
use windows_sys::Win32::Foundation::FALSE;
use windows_sys::Win32::System::Threading::{OpenProcess, PROCESS_SYNCHRONIZE};

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
    pub(super) fn new(_options: TreeOptions) -> Result<Self> {
        Ok(Self {
            job: Job::new()?,
            seen: Mutex::default(),
        })
    }

    pub(super) fn spawn(&self, options: &SpawnOptions) -> Result<Child> {
        let child = spawn_into(options, Some(&self.job))?;
        self.look()?;
        Ok(child)
    }

    pub(super) fn members(&self) -> Result<Vec<Member>> {
        let entries = snapshot::processes().unwrap_or_default();
        let pids = programs(self.job.pids()?, &entries);
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
        Ok(pids.into_iter().filter_map(member).collect())
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let ask: fn(u32) -> Result<Vec<u32>> = match signal {
            Signal::Kill => return self.job.terminate(),
            Signal::Term => ask_to_stop,
            Signal::Int => |pid| send(pid, Event::C),
            Signal::Quit => |pid| send(pid, Event::Break),
            _ => return Err(Error::NoSuchSignal(signal)),
        };
        let entries = snapshot::processes().unwrap_or_default();
        let mut left = programs(self.job.pids()?, &entries);
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
        self.job.terminate()
    }

    pub(super) fn is_empty(&self) -> Result<bool> {
        self.seen().retain(Seen::runs);
        Ok(self.seen().is_empty() && self.job.active()? == 0)
    }

    pub(super) fn remaining(&self) -> Option<Remaining> {
        self.look().ok()?;
        let seen = self.seen();
        let handle = seen.iter().find(|process| process.runs())?;
        handle.process.try_clone().ok().map(Remaining)
    }

    pub(super) fn proof(&self) -> Remains {
        match self.is_empty() {
            Ok(true) => remains::none(Proof::JobEmpty),
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
        let pids = self.job.pids()?;
        let mut seen = self.seen();
        for pid in pids {
            if seen.iter().any(|known| known.pid == pid) {
                continue;
            }
            // SAFETY: takes no pointers; the handle is checked before it is owned. A process that has just ended has none.
            let process = unsafe {
                let handle = OpenProcess(PROCESS_SYNCHRONIZE, FALSE, pid);
                if handle.is_null() {
                    continue;
                }
                OwnedHandle::from_raw_handle(handle)
            };
            seen.push(Seen { pid, process });
        }
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn reap() -> Vec<(u32, Exit)> {
    Vec::new()
}

/// Those of `pids` that are programs, and not the host of a console, which goes with the last program on it.
fn programs(mut pids: Vec<u32>, entries: &[snapshot::Entry]) -> Vec<u32> {
    let is_console_host = |pid: &u32| {
        let entry = entries.iter().find(|entry| entry.pid == *pid);
        entry.is_some_and(|entry| entry.name.eq_ignore_ascii_case("conhost.exe"))
    };
    pids.retain(|pid| !is_console_host(pid));
    pids
}
