//! The children that this process started and has not reaped: who started them, and how they ended.
//!
//! One lock serialises every `fork` and every reaping, so that a pid in this list is a child of ours, alive or a zombie, and
//! cannot have been given to another process.

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

#[cfg(target_os = "linux")]
use rustix::process::wait;
use rustix::process::{Pid, WaitOptions, WaitStatus, waitpid};
use winddown_core::Signal;

use super::Exit;
use super::handle::Handle;
use crate::{Descriptor, Error, Result, Waitable, signal};

/// Which [`Tree`](crate::tree::Tree) a child was spawned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TreeId(pub(crate) u64);

#[derive(Debug)]
pub(crate) struct Record {
    pid: Pid,
    tree: Option<TreeId>,
    handle: Handle,
    exit: OnceLock<Exit>,
}

pub(crate) struct Registry {
    unreaped: Vec<Arc<Record>>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    unreaped: Vec::new(),
});

pub(crate) fn lock() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What [`Registry::reap_all`] found.
#[cfg(target_os = "linux")]
pub(crate) struct Reaped {
    /// Processes that this one inherited.
    pub(crate) orphans: Vec<(u32, Exit)>,
    /// The system says that this process has no child left.
    pub(crate) none_left: bool,
}

impl Registry {
    pub(super) fn add(&mut self, pid: Pid, tree: Option<TreeId>, handle: Handle) -> Arc<Record> {
        let record = Arc::new(Record {
            pid,
            tree,
            handle,
            exit: OnceLock::new(),
        });
        self.unreaped.push(Arc::clone(&record));
        record
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn spawned_into(&self, tree: TreeId) -> Vec<Arc<Record>> {
        let of_tree = self
            .unreaped
            .iter()
            .filter(|record| record.tree == Some(tree));
        of_tree.cloned().collect()
    }

    /// The pids of unreaped children that were not spawned into `tree`.
    #[cfg(target_os = "linux")]
    pub(crate) fn outside(&self, tree: TreeId) -> Vec<u32> {
        self.unreaped
            .iter()
            .filter(|record| record.tree != Some(tree))
            .map(|record| record.pid())
            .collect()
    }

    /// Reaps every child that has ended. Exits of registered children go into their records.
    #[cfg(target_os = "linux")]
    pub(crate) fn reap_all(&mut self) -> Reaped {
        // Also children whose end sends no SIGCHLD.
        let wall = WaitOptions::from_bits_retain(libc::__WALL as u32);
        let options = WaitOptions::NOHANG | wall;
        let mut orphans = Vec::new();
        loop {
            match wait(options) {
                Ok(Some((pid, status))) => match self.position(pid) {
                    Some(at) => self.ended(at, status),
                    None => orphans.push((number(pid), exit(status))),
                },
                Err(rustix::io::Errno::INTR) => {}
                result => {
                    return Reaped {
                        orphans,
                        none_left: result.is_err(),
                    };
                }
            }
        }
    }

    fn position(&self, pid: Pid) -> Option<usize> {
        self.unreaped.iter().position(|record| record.pid == pid)
    }

    fn ended(&mut self, at: usize, status: WaitStatus) {
        let record = self.unreaped.swap_remove(at);
        let first = record.exit.set(exit(status));
        debug_assert!(first.is_ok(), "a process ends once");
    }
}

fn number(pid: Pid) -> u32 {
    pid.as_raw_pid().unsigned_abs()
}

impl Record {
    pub(crate) fn pid(&self) -> u32 {
        number(self.pid)
    }

    pub(crate) fn try_wait(&self) -> Result<Option<Exit>> {
        let mut registry = lock();
        if let Some(exit) = self.exit.get() {
            return Ok(Some(*exit));
        }
        let waited = rustix::io::retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::NOHANG));
        if let Some((pid, status)) = waited.map_err(|error| Error::os("waitpid", error))? {
            if let Some(at) = registry.position(pid) {
                registry.ended(at, status);
            }
        }
        Ok(self.exit.get().copied())
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let number = signal::number(signal).ok_or(Error::NoSuchSignal(signal))?;
        // The lock keeps the pid ours until the signal is sent.
        let _registry = lock();
        if self.exit.get().is_some() {
            return Err(Error::Gone);
        }
        self.handle.signal(self.pid, number)
    }
}

fn exit(status: WaitStatus) -> Exit {
    match status.terminating_signal() {
        Some(number) => Exit::Signal {
            number,
            signal: signal::from_number(number),
            core_dumped: libc::WCOREDUMP(status.as_raw()),
        },
        None => Exit::Code(status.exit_status().unwrap_or_default()),
    }
}

impl Waitable for Record {
    fn descriptor(&self) -> Descriptor<'_> {
        self.handle.as_fd()
    }
}
