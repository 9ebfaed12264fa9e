//! A tree on systems that do not hold descendants together: its children, and the groups and sessions that they lead.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use winddown_core::Signal;
use winddown_core::report::{Proof, Remains};

use super::{Member, TreeOptions};
use crate::process::registry::{self, Record, TreeId};
use crate::process::{Boundary, Child, Exit, SpawnOptions, State, spawn_into};
use crate::{Descriptor, Error, Result, Waitable, signal};

#[derive(Debug)]
pub(super) struct Tree {
    id: TreeId,
}

/// A child that was started into the tree.
#[derive(Debug)]
pub(super) struct Remaining(Arc<Record>);

impl Waitable for Remaining {
    fn descriptor(&self) -> Descriptor<'_> {
        self.0.descriptor()
    }
}

impl Tree {
    pub(super) fn new(_options: TreeOptions) -> Result<Self> {
        Ok(Self { id: TreeId::next() })
    }

    pub(super) fn spawn(&self, options: &SpawnOptions) -> Result<Child> {
        let boundary = Boundary {
            tree: self.id,
            cgroup: None,
            mark: None,
            die_with_parent: false,
        };
        spawn_into(options, Some(boundary))
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

    pub(super) fn kill(&self) -> Result<()> {
        self.signal(Signal::Kill)
    }

    pub(super) fn is_empty(&self) -> Result<bool> {
        Ok(self.running().is_empty())
    }

    pub(super) fn remaining(&self) -> Option<Remaining> {
        self.running().pop().map(Remaining)
    }

    pub(super) fn proof(&self) -> Remains {
        let why = "this system does not show what has left the group of a child";
        Remains {
            survivors: self.running().len().try_into().unwrap_or(u32::MAX),
            proof: Proof::Unproven(why.to_owned()),
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

pub(super) fn reap() -> Vec<(u32, Exit)> {
    Vec::new()
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
