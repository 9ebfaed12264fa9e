//! The children that this process started and has not reaped: who started them, and how they ended.
//!
//! One lock serialises every `fork` and every reaping, so that a pid in this list is a child of ours, alive or a zombie, and
//! cannot have been given to another process.

#[cfg(target_os = "linux")]
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

#[cfg(target_os = "linux")]
use rustix::process::wait;
use rustix::process::{Pid, WaitOptions, WaitStatus, waitpid};
use winddown_core::Signal;

use super::Exit;
use super::handle::Handle;
use crate::{Descriptor, Error, Result, Waitable, signal};

/// Which [`Tree`](crate::tree::Tree) a child was spawned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TreeId(pub(crate) u64);

impl TreeId {
    /// One that no tree of this process has had.
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

#[derive(Debug)]
pub(crate) struct Record {
    pid: Pid,
    tree: Option<TreeId>,
    handle: Handle,
    exit: OnceLock<Exit>,
}

pub(crate) struct Registry {
    unreaped: Vec<Arc<Record>>,
    /// The trees of children that this process did not start, as far as they are known; `None` for those of no tree.
    #[cfg(target_os = "linux")]
    inherited: BTreeMap<u32, Option<TreeId>>,
    /// Those of them that were reaped, until somebody asks.
    #[cfg(target_os = "linux")]
    ended: Vec<(u32, Exit)>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    unreaped: Vec::new(),
    #[cfg(target_os = "linux")]
    inherited: BTreeMap::new(),
    #[cfg(target_os = "linux")]
    ended: Vec::new(),
});

pub(crate) fn lock() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The unreaped children that this process started, with the trees that they were spawned into.
    #[cfg(target_os = "linux")]
    pub(crate) fn started(&self) -> impl Iterator<Item = (u32, Option<TreeId>)> {
        self.unreaped
            .iter()
            .map(|record| (record.pid(), record.tree))
    }

    /// Those of them that were spawned into `tree`.
    #[cfg(target_os = "linux")]
    pub(crate) fn started_into(&self, tree: TreeId) -> impl Iterator<Item = u32> {
        let of_tree = self.started().filter(move |(_, of)| *of == Some(tree));
        of_tree.map(|(pid, _)| pid)
    }

    /// The unreaped children that it inherited, as far as their trees are known.
    #[cfg(target_os = "linux")]
    pub(crate) fn inherited(&self) -> impl Iterator<Item = (u32, Option<TreeId>)> {
        self.inherited.iter().map(|(pid, tree)| (*pid, *tree))
    }

    /// `pid` is a child that this process did not start, and of this tree. That holds until it is reaped.
    #[cfg(target_os = "linux")]
    pub(crate) fn inherit(&mut self, pid: u32, tree: Option<TreeId>) {
        self.inherited.insert(pid, tree);
    }

    /// A child that was inherited was reaped elsewhere.
    #[cfg(target_os = "linux")]
    pub(crate) fn forget(&mut self, pid: u32) {
        self.inherited.remove(&pid);
    }

    /// Nothing is known any more of the inherited children of `tree`.
    #[cfg(target_os = "linux")]
    pub(crate) fn disinherit(&mut self, tree: TreeId) {
        self.inherited.retain(|_, of| *of != Some(tree));
    }

    /// Reaps every child that has ended, and says whether none at all is left. Exits of registered children go into their
    /// records.
    ///
    /// Children whose end sends no `SIGCHLD` do not count (`wait(2)`, `__WCLONE`): the guard is one. No member of a tree is:
    /// the kernel makes an inherited child, and one that has run `exec`, send it.
    #[cfg(target_os = "linux")]
    pub(crate) fn reap_all(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => match self.position(pid) {
                    Some(at) => self.ended(at, status),
                    None => {
                        self.inherited.remove(&number(pid));
                        self.ended.push((number(pid), exit(status)));
                    }
                },
                Err(rustix::io::Errno::INTR) => {}
                result => return result.is_err(),
            }
        }
    }

    /// The exits of inherited processes that were reaped since the last call.
    #[cfg(target_os = "linux")]
    pub(crate) fn take_ended(&mut self) -> Vec<(u32, Exit)> {
        std::mem::take(&mut self.ended)
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
