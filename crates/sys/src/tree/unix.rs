//! A tree on systems that do not hold descendants together: its children, and the groups and sessions that they lead.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use winddown_core::Signal;

use super::{Member, Proof};
use crate::process::registry::{self, Record, TreeId};
use crate::process::{Child, Exit, SpawnOptions, State, spawn_into};
use crate::{Error, Result, Waitable, signal, wait_any};

#[derive(Debug)]
pub(super) struct Tree {
    id: TreeId,
}

impl Tree {
    pub(super) fn new() -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Ok(Self {
            id: TreeId(NEXT.fetch_add(1, Ordering::Relaxed)),
        })
    }

    pub(super) fn spawn(&self, options: &SpawnOptions) -> Result<Child> {
        spawn_into(options, Some((self.id, None)))
    }

    pub(super) fn members(&self) -> Result<Vec<Member>> {
        let members = self.running().into_iter().map(|child| Member {
            pid: child.pid(),
            ppid: std::process::id(),
            name: String::new(),
            start_time: 0,
            state: State::Unknown,
        });
        Ok(members.collect())
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let number = signal::number(signal).ok_or(Error::NoSuchSignal(signal))?;
        // While the lock is held no leader is reaped, and so the groups are those of our children.
        let registry = registry::lock();
        let mut result = Ok(());
        for child in registry.spawned_into(self.id) {
            result = result.and(signal_group_of(&child, number));
        }
        result
    }

    pub(super) fn kill(&self, within: Duration) -> Result<Proof> {
        let deadline = Instant::now() + within;
        loop {
            self.signal(Signal::Kill)?;
            let running = self.running();
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(first) = running.first().filter(|_| !left.is_zero()) else {
                return Ok(self.proof());
            };
            let first: &dyn Waitable = &**first;
            let _ = wait_any(&[first], Some(left));
        }
    }

    pub(super) fn reap(&self) -> Vec<(u32, Exit)> {
        Vec::new()
    }

    pub(super) fn proof(&self) -> Proof {
        Proof::Unproven {
            why: "this system does not show what has left the group of a child".to_owned(),
            survivors: self.running().len(),
        }
    }

    pub(super) fn cpu_time(&self) -> Option<Duration> {
        None
    }

    pub(super) fn listening(&self) -> Vec<SocketAddr> {
        Vec::new()
    }

    fn running(&self) -> Vec<Arc<Record>> {
        let mut children = registry::lock().spawned_into(self.id);
        children.retain(|child| matches!(child.try_wait(), Ok(None)));
        children
    }
}

/// Signals the group that the child leads, or the child alone if it leads none.
fn signal_group_of(child: &Record, number: i32) -> Result<()> {
    let Ok(pid) = libc::pid_t::try_from(child.pid()) else {
        return Ok(());
    };
    // SAFETY: neither call takes a pointer.
    let sent = unsafe {
        let target = if libc::getpgid(pid) == pid { -pid } else { pid };
        libc::kill(target, number)
    };
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        _ if sent == 0 => Ok(()),
        // Everything in it has ended. (macOS says EPERM of a group of zombies.)
        Some(libc::ESRCH | libc::EPERM) => Ok(()),
        _ => Err(Error::os(format!("signalling the group of {pid}"), error)),
    }
}
