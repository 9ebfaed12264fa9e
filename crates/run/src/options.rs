//! What to supervise, and how.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use winddown_core::{Signal, StopPolicy};

/// What to supervise, and how.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The name in reports; the program's file name unless the user chose one.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// The directory to start it in; winddown's own otherwise.
    pub directory: Option<PathBuf>,
    /// Variables to set in its environment.
    pub environment: Vec<(String, String)>,
    /// How it is stopped.
    pub policy: StopPolicy,
    /// Whether the user chose the stop signal. If not, a signal that asks winddown to stop is passed on as it came.
    pub signal_chosen: bool,
    /// When the program counts as ready.
    pub ready: ReadyWhen,
    /// How long it may take to become ready.
    pub ready_timeout: Duration,
    /// Sends the program's standard output to standard error, where standard output is winddown's own.
    pub output_to_stderr: bool,
    /// Asks the program to stop by itself: a rehearsal.
    pub stop_when: Option<StopWhen>,
}

/// When a program counts as ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReadyWhen {
    /// As soon as it runs.
    #[default]
    Spawned,
    /// When it sends `READY=1` to its `NOTIFY_SOCKET`.
    Notify,
    /// When it sends `READY=1`, or listens on a TCP port and has come to rest, or has come to rest for a while.
    Auto,
}

/// When a rehearsal asks for the stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopWhen {
    /// Right after the start.
    Started,
    /// When the program is ready.
    Ready,
    /// This long after the start.
    After(Duration),
}

impl RunOptions {
    /// Supervises `command`, which must not be empty, with a `TERM` ladder of `timeout`.
    #[must_use]
    pub fn new(command: Vec<OsString>, timeout: Duration) -> Self {
        let program = command.first().map(Path::new);
        let name = program.and_then(Path::file_name).unwrap_or_default();
        Self {
            name: name.to_string_lossy().into_owned(),
            command,
            directory: None,
            environment: Vec::new(),
            policy: StopPolicy::new(Signal::Term, timeout),
            signal_chosen: false,
            ready: ReadyWhen::Spawned,
            ready_timeout: Duration::from_secs(60),
            output_to_stderr: false,
            stop_when: None,
        }
    }
}
