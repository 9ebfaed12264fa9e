//! Settings as a list of changes that the forked child makes one after the other.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "other.rs")]
mod native;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Rlimit, setpriority_process, setrlimit, umask};

use super::{Limit, Resource, Settings};
use crate::process::account::Credential;
use crate::{Error, Result};

/// One change, prepared so that making it allocates nothing.
pub(in crate::process) enum Change {
    Limit(Resource, rustix::process::Resource, Limit),
    Nice(i32),
    Umask(u32),
    Credential(Credential),
    Native(native::Change),
}

/// Looks at everything that can be refused before the fork, and gives the order of the changes.
pub(in crate::process) fn changes(settings: &Settings) -> Result<Vec<Change>> {
    let mut changes = natives(native::while_privileged(settings)?);
    for (resource, limit) in &settings.limits {
        let native = native::resource(*resource).ok_or_else(|| unsupported(resource))?;
        changes.push(Change::Limit(*resource, native, *limit));
    }
    // After the limits: one of them is how low this may be.
    changes.extend(settings.nice.map(Change::Nice));
    changes.extend(settings.umask.map(Change::Umask));
    let account = settings.account.iter();
    changes.extend(
        account
            .flat_map(|account| account.credentials())
            .map(Change::Credential),
    );
    changes.extend(natives(native::as_the_user(settings)));
    Ok(changes)
}

fn natives(changes: Vec<native::Change>) -> Vec<Change> {
    changes.into_iter().map(Change::Native).collect()
}

fn unsupported(resource: &Resource) -> Error {
    Error::Unsupported {
        what: format!("{resource}"),
        instead: "this system has no such limit",
    }
}

impl Change {
    /// Makes it in this process. Async-signal-safe.
    ///
    /// # Safety
    ///
    /// Only in a process that `fork` has just made: it has one thread.
    pub(in crate::process) unsafe fn make(&self) -> Result<(), Errno> {
        match self {
            Self::Limit(_, resource, limit) => {
                let bounds = Rlimit {
                    current: limit.soft,
                    maximum: limit.hard,
                };
                setrlimit(*resource, bounds)
            }
            Self::Nice(nice) => setpriority_process(None, *nice),
            Self::Umask(mask) => {
                umask(Mode::from_bits_truncate(*mask as rustix::fs::RawMode));
                Ok(())
            }
            // SAFETY: the caller's promise.
            Self::Credential(credential) => unsafe { credential.take() },
            Self::Native(change) => change.make(),
        }
    }

    /// Why the child was not started.
    pub(in crate::process) fn failed(&self, source: std::io::Error) -> Error {
        let refused = source.kind() == std::io::ErrorKind::PermissionDenied;
        let (what, remedy) = match self {
            Self::Limit(resource, _, limit) => (
                format!("set {resource} to {limit}"),
                refused.then_some(
                    "a hard limit is raised by root (CAP_SYS_RESOURCE) alone: raise it for winddown first, in its unit or \
                     limits.conf",
                ),
            ),
            Self::Nice(nice) => (
                format!("set the niceness to {nice}"),
                refused.then_some("below winddown's own it takes root (CAP_SYS_NICE) or a higher limit `nice`"),
            ),
            Self::Umask(mask) => (format!("set the umask to {mask:03o}"), None),
            Self::Credential(credential) => (
                credential.to_string(),
                refused.then_some("only root changes users and groups: run winddown as root, or as that user"),
            ),
            Self::Native(change) => change.explain(refused),
        };
        Error::Setting {
            what,
            source,
            remedy,
        }
    }
}
