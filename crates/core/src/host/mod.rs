//! Which host started this process and will stop it: a pure decision over collected [`Facts`], with its evidence.
//!
//! Environment variables are inherited: a shell opened from a service, and all it starts, carries the service's. So a
//! variable counts only where something that is not inherited agrees: a pid in it, the parent's name, being the first process
//! of a pid namespace.
//!
//! `NOTIFY_SOCKET` is a capability, never a host: many things besides systemd offer one.

mod decide;
mod facts;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use decide::decide;
pub use facts::{Capabilities, Facts, FileId, MARKER_FILES, Process, VARIABLES, WindowsFacts};

/// A kind of host: whatever starts a program and asks it to stop.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HostKind {
    /// The Windows Service Control Manager.
    Scm,
    /// systemd, as the system's or a user's manager.
    Systemd,
    /// launchd of macOS.
    Launchd,
    /// OpenRC, with `supervise-daemon` or `start-stop-daemon`.
    #[serde(rename = "openrc")]
    OpenRc,
    /// runit's `runsv`.
    Runit,
    /// `s6-supervise`.
    S6,
    /// supervisord.
    Supervisord,
    /// A Kubernetes pod.
    Kubernetes,
    /// Amazon ECS.
    Ecs,
    /// Google Cloud Run.
    CloudRun,
    /// AWS Lambda.
    Lambda,
    /// HashiCorp Nomad.
    Nomad,
    /// A container, or a bare pid namespace, of which this is the first process.
    Container,
    /// A terminal or a Windows console.
    Console,
    /// A graphical session, without a terminal.
    Session,
    /// Nothing that is known, such as cron or a build machine.
    Unknown,
}

impl HostKind {
    /// The name, as JSON writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scm => "scm",
            Self::Systemd => "systemd",
            Self::Launchd => "launchd",
            Self::OpenRc => "openrc",
            Self::Runit => "runit",
            Self::S6 => "s6",
            Self::Supervisord => "supervisord",
            Self::Kubernetes => "kubernetes",
            Self::Ecs => "ecs",
            Self::CloudRun => "cloud-run",
            Self::Lambda => "lambda",
            Self::Nomad => "nomad",
            Self::Container => "container",
            Self::Console => "console",
            Self::Session => "session",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for HostKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A host and what it calls this process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedHost {
    /// Which kind.
    pub kind: HostKind,
    /// The unit, label, service, task or container runtime, where known.
    pub name: Option<String>,
}

/// One observation, and what it was worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The host that it speaks of.
    pub about: HostKind,
    /// What was looked at.
    pub what: String,
    /// What was there.
    pub value: String,
    /// Whether it counts for that host.
    pub counts: bool,
    /// Why it counts, or does not.
    pub why: String,
}

/// The host of this process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Which kind of host starts and stops this process.
    pub kind: HostKind,
    /// The unit, label, service, task or container runtime, where known.
    pub name: Option<String>,
    /// This process is process 1: it has no default signal actions, and its end ends all others of its namespace.
    pub pid1: bool,
    /// This process is inside a container.
    pub in_container: bool,
    /// Hosts further out, which do not stop this process directly.
    pub enclosing: Vec<NamedHost>,
    /// What may be relied on.
    pub capabilities: Capabilities,
    /// All that was looked at.
    pub evidence: Vec<Evidence>,
}

#[cfg(test)]
mod tests;
