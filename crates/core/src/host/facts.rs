//! [`Facts`]: what the decision about the host is made from.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The environment variables that are facts.
pub const VARIABLES: &[&str] = &[
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "CLOUD_RUN_JOB",
    "DISPLAY",
    "ECS_CONTAINER_METADATA_URI_V4",
    "FDSTORE",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "KUBERNETES_SERVICE_HOST",
    "K_SERVICE",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOMAD_ALLOC_ID",
    "NOMAD_TASK_NAME",
    "NOTIFY_SOCKET",
    "RC_SVCNAME",
    "SUPERVISOR_ENABLED",
    "SUPERVISOR_PROCESS_NAME",
    "SYSTEMD_EXEC_PID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "WAYLAND_DISPLAY",
    "XPC_SERVICE_NAME",
    "container",
];

/// The files whose presence is a fact.
pub const MARKER_FILES: &[&str] = &[
    "/.dockerenv",
    "/run/.containerenv",
    "/run/systemd/system",
    "/var/run/secrets/kubernetes.io/serviceaccount",
];

/// A process as another sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Its pid; 0 where it is outside the pid namespace.
    pub pid: u32,
    /// Its name: the first 15 bytes of the executable's name on Linux (`comm`), the image's name on Windows. `None` where
    /// the system does not tell.
    pub name: Option<String>,
}

/// A file's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileId {
    /// The device number (`st_dev`).
    pub device: u64,
    /// The inode number (`st_ino`).
    pub inode: u64,
}

impl FileId {
    /// Whether `value`, which is `JOURNAL_STREAM`, names this file.
    ///
    /// Source: `systemd.exec(5)`.
    #[must_use]
    pub fn is_journal_stream(self, value: &str) -> bool {
        value
            .split_once(':')
            .and_then(|(device, inode)| Some((device.parse().ok()?, inode.parse().ok()?)))
            .is_some_and(|(device, inode)| self == Self { device, inode })
    }
}

/// What is known only on Windows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WindowsFacts {
    /// The Terminal Services session; services live in 0.
    pub session_id: u32,
    /// A console is attached.
    pub console: bool,
    /// The window station is the interactive one, `WinSta0`.
    pub interactive: bool,
    /// `StartServiceCtrlDispatcher` has answered 1063: this process is no service. False while it was not asked.
    pub dispatcher_refused: bool,
}

/// What was found out about this process and what surrounds it. The default is a process of which nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Facts {
    /// This process.
    pub pid: u32,
    /// Its parent. On Windows only where the parent is older than this process: pids are used again.
    pub parent: Process,
    /// The name of process 1 of this pid namespace.
    pub init: Option<String>,
    /// This process leads its session, as after `setsid(2)`.
    pub session_leader: bool,
    /// There is a controlling terminal.
    pub terminal: bool,
    /// Those of [`VARIABLES`] that are set, or were when the process started.
    pub variables: BTreeMap<String, String>,
    /// Those of [`MARKER_FILES`] that exist.
    pub files: BTreeSet<String>,
    /// The file behind standard error.
    pub stderr: Option<FileId>,
    /// The path of the control group: in the unified hierarchy, or else in that of systemd or OpenRC.
    pub cgroup: Option<String>,
    /// What only Windows knows.
    pub windows: Option<WindowsFacts>,
}

impl Facts {
    /// The value of `variable`.
    #[must_use]
    pub fn variable(&self, variable: &str) -> Option<&str> {
        self.variables.get(variable).map(String::as_str)
    }

    /// Whether `variable` names this process.
    pub(super) fn names_this_process(&self, variable: &str) -> bool {
        self.variable(variable)
            .is_some_and(|value| value == self.pid.to_string())
    }

    /// Whether `variable` is a number above zero.
    pub(super) fn is_positive(&self, variable: &str) -> bool {
        self.variable(variable)
            .and_then(|value| value.parse::<u64>().ok())
            .is_some_and(|number| number > 0)
    }

    /// The systemd service whose control group this process is in: the innermost unit, if it is a service.
    pub(super) fn service_unit(&self) -> Option<&str> {
        let is_unit = |part: &&str| {
            [".service", ".scope", ".slice"]
                .iter()
                .any(|suffix| part.ends_with(suffix))
        };
        self.cgroup
            .as_deref()?
            .rsplit('/')
            .find(is_unit)
            .filter(|unit| unit.ends_with(".service"))
    }
}

/// What of the host winddown may rely on, beyond being signalled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capabilities {
    /// The host can be told when the program is ready.
    pub ready: bool,
    /// The host grants more time to stop when asked, while progress is made.
    pub extend: bool,
    /// The host has a request for reloading.
    pub reload: bool,
    /// The host supervises a watchdog that this process has to feed.
    pub watchdog: bool,
    /// The host passed listening sockets to this process.
    pub listen: bool,
    /// The host keeps descriptors across a restart.
    pub fdstore: bool,
}
