//! [`Settings`]: what the system keeps about a process and its children inherit, from the user to the limits.
//!
//! | | Linux | macOS, BSD | Windows |
//! |---|---|---|---|
//! | [`Settings::account`] | `setresuid(2)`, `setgroups(2)` | the same | refused |
//! | [`Settings::nice`] | `setpriority(2)` | the same | priority class |
//! | [`Settings::affinity`] | `sched_setaffinity(2)` | refused | `SetProcessAffinityMask` |
//! | [`Settings::umask`], [`Settings::limits`] | yes | yes | refused |
//! | [`Settings::oom_score_adjust`], [`Settings::no_new_privileges`], [`Settings::capabilities`] | yes | refused | refused |
//!
//! What is refused is an [`Error::Unsupported`](crate::Error::Unsupported) of [`spawn`](super::spawn), never ignored.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
pub(super) mod imp;

mod capability;
mod limit;

use std::collections::BTreeMap;

use super::Account;

pub use capability::{Capability, NoSuchCapability};
pub use limit::{Limit, NoLimit, NoSuchResource, Resource};

/// What is set in a child before its program runs. What is `None` or empty is inherited from this process.
///
/// All of it is made in this order, each part while the rights that it needs are still there: the score, limits, niceness,
/// processors, umask, bounding set, groups, user, capabilities, privileges. The directory is entered as the new user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The user and groups it runs as.
    pub account: Option<Box<Account>>,
    /// The permissions that new files do not get, 0 to `0o777`. Source: `umask(2)`.
    pub umask: Option<u32>,
    /// How much it stands back for others: -20 (first) to 19 (last); 0 is normal.
    ///
    /// On Windows the priority class that libuv gives the same number: 19 idle, from 10 below normal, from 0 normal, from -7 above
    /// normal, from -14 high, else realtime (high where the account may not). On Linux it weighs against processes of the
    /// same session alone where `sched_autogroup_enabled` is set, see `sched(7)`.
    pub nice: Option<i32>,
    /// The processors that it may use, numbered from 0. On Windows up to 63.
    pub affinity: Vec<usize>,
    /// Limits of resources. Source: `setrlimit(2)`.
    pub limits: BTreeMap<Resource, Limit>,
    /// How soon the system kills it when memory is short: -1000 (never) to 1000 (first). Linux only; source:
    /// `proc_pid_oom_score_adj(5)`.
    pub oom_score_adjust: Option<i32>,
    /// No program that it starts gets more rights than it has: setuid bits and file capabilities do nothing. Linux only; source:
    /// `PR_SET_NO_NEW_PRIVS(2const)`.
    pub no_new_privileges: bool,
    /// The only capabilities that it and its descendants can ever have: they are in its bounding set, and it has them as
    /// another user too (ambient set). This process must have them itself. Linux only; source: `capabilities(7)`.
    pub capabilities: Option<Vec<Capability>>,
}
