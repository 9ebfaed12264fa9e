//! What to supervise, and how.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use winddown_core::health::HealthRules;
use winddown_core::order::Needs;
use winddown_core::restart::RestartRules;
use winddown_core::{ListenAddress, Signal, StopPolicy};

use crate::control::ControlOptions;
use crate::definition::{Hooks, Listen};
use crate::environment::Template;
use crate::error::Error;
use crate::logs::{ConsoleOptions, Destination, LogOptions};
use crate::probe::{LogPattern, ProbeOptions, ProbeTarget};
use crate::process::{ProcessOptions, Surroundings};
use crate::signals::SignalMap;

/// What to supervise: one service or many.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The name of the whole: under the Windows SCM the service's name.
    pub name: String,
    /// The services; their names differ.
    pub services: Vec<ServiceOptions>,
    /// How long the stop of all of them may take; without it, each may take its own time.
    pub timeout: Option<Duration>,
    /// Asks for the stop by itself: a rehearsal.
    pub stop_when: Option<StopWhen>,
    /// How output looks that is copied to winddown's own streams.
    pub console: ConsoleOptions,
    /// What becomes of particular signals that winddown receives.
    pub signals: SignalMap,
    /// The socket over which single services can be asked for things. Where nothing is said there is one in the usual place, if
    /// that is possible.
    pub control: Option<ControlOptions>,
    /// Reads the options again, for a reload.
    pub reread: Option<Reread>,
}

/// Reads the options of a run again; an error is for people.
#[derive(Clone)]
pub struct Reread(Arc<dyn Fn() -> Result<RunOptions, String> + Send + Sync>);

impl Reread {
    /// Reads by `read`, which is called on the loop's thread.
    pub fn new(read: impl Fn() -> Result<RunOptions, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    pub(crate) fn read(&self) -> Result<RunOptions, String> {
        let mut options = self.0()?;
        // As those that it is compared with.
        options.look_up();
        Ok(options)
    }
}

impl fmt::Debug for Reread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reread")
    }
}

impl RunOptions {
    /// Supervises one service.
    #[must_use]
    pub fn single(service: ServiceOptions) -> Self {
        Self {
            name: service.name.clone(),
            services: vec![service],
            timeout: None,
            stop_when: None,
            console: ConsoleOptions::default(),
            signals: SignalMap::default(),
            control: Some(ControlOptions::Usual(false)),
            reread: None,
        }
    }

    /// Looks up the accounts of all services.
    pub(crate) fn look_up(&mut self) {
        for service in &mut self.services {
            service.process.look_up();
        }
    }

    /// How long one of them takes to become ready at most.
    pub(crate) fn ready_timeout(&self) -> Duration {
        let all = self.services.iter().map(|service| service.ready_timeout);
        all.max().unwrap_or_default()
    }
}

/// A program to supervise, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceOptions {
    /// The name in reports; the program's file name unless the user chose one.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<Template>,
    /// The services that it needs, by their names.
    pub needs: Needs,
    /// Whether it starts with winddown; otherwise when a service needs it, or somebody asks for it.
    pub autostart: bool,
    /// The directory to start it in; winddown's own otherwise.
    pub directory: Option<PathBuf>,
    /// Variables to set in its environment.
    pub environment: Vec<(String, Template)>,
    /// The sockets that it is given, and that stay open between its runs.
    pub listen: Vec<Listen>,
    /// Programs to run at points in its life.
    pub hooks: Hooks,
    /// What else it is started with.
    pub process: ProcessOptions,
    /// Whether and when it is started again.
    pub restart: Arc<RestartRules>,
    /// How it is stopped.
    pub policy: StopPolicy,
    /// Whether the user chose the stop signal. If not, a signal that asks winddown to stop is passed on as it came.
    pub signal_chosen: bool,
    /// Programs of its tree that live on when it is stopped, by the names of their executable files.
    pub outlive: Vec<String>,
    /// When the program counts as ready.
    pub ready: ReadyWhen,
    /// How long it may take to become ready.
    pub ready_timeout: Duration,
    /// How often it is asked whether it is ready, where it does not tell by itself.
    pub ready_interval: Duration,
    /// How it is seen whether it is still well, once it is ready.
    pub health: Option<Box<HealthOptions>>,
    /// Where its output goes.
    pub logs: LogOptions,
    /// Hands the terminal to the program, where there is one: Ctrl+C and Ctrl+Z are its own affair then.
    pub interactive: bool,
    /// Sends the program's standard output to standard error, where standard output is winddown's own.
    pub output_to_stderr: bool,
}

impl ServiceOptions {
    /// Supervises `command`, which must not be empty and is taken as it is, with a `TERM` ladder of `timeout`.
    #[must_use]
    pub fn new(command: Vec<OsString>, timeout: Duration) -> Self {
        Self::of(
            command.into_iter().map(Template::literal).collect(),
            timeout,
        )
    }

    /// As [`new`](Self::new), for a command that may refer to variables.
    #[must_use]
    pub fn of(command: Vec<Template>, timeout: Duration) -> Self {
        let program = command.first().map(Template::to_string).unwrap_or_default();
        let name = Path::new(&program).file_name().unwrap_or_default();
        Self {
            name: name.to_string_lossy().into_owned(),
            command,
            needs: Needs::default(),
            autostart: true,
            directory: None,
            environment: Vec::new(),
            listen: Vec::new(),
            hooks: Hooks::default(),
            process: ProcessOptions::default(),
            restart: default_restart(),
            policy: StopPolicy::new(Signal::Term, timeout),
            signal_chosen: false,
            outlive: Vec::new(),
            ready: ReadyWhen::Spawned,
            ready_timeout: Duration::from_secs(60),
            ready_interval: Duration::from_millis(250),
            health: None,
            logs: LogOptions::default(),
            interactive: false,
            output_to_stderr: false,
        }
    }

    /// How to ask `target` about it, when it was started at `started`.
    ///
    /// # Errors
    /// When its variables or its user cannot be had.
    pub(crate) fn probe(
        &self,
        target: ProbeTarget,
        timeout: Duration,
        started: SystemTime,
    ) -> Result<ProbeOptions, Error> {
        Ok(ProbeOptions {
            target,
            surroundings: Surroundings::of(self)?,
            started,
            timeout,
        })
    }

    /// Where its output goes: through winddown if its lines are looked at, and from there to where it would have gone.
    pub(crate) fn output(&self) -> LogOptions {
        let looks = matches!(self.ready, ReadyWhen::Line(_));
        let mut logs = self.logs.clone();
        logs.forward |= looks && logs.to == Destination::Inherit;
        logs
    }

    /// Checks what can be known beforehand of where its output goes.
    ///
    /// # Errors
    /// Where a file for it is none.
    pub(crate) fn check_output(&self) -> Result<(), Error> {
        match self.logs.to.not_a_file() {
            Some(path) => Err(Error::NoLogFile {
                service: self.name.clone(),
                path: path.to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Whether a program that was started with `other` must be started again for these options to hold.
    pub(crate) fn differs_for_the_program(&self, other: &Self) -> bool {
        let mut same = self.clone();
        same.needs.clone_from(&other.needs);
        same.autostart = other.autostart;
        same.hooks.clone_from(&other.hooks);
        // The logs decide for themselves.
        same.logs.clone_from(&other.logs);
        same.restart.clone_from(&other.restart);
        same.policy.clone_from(&other.policy);
        same.signal_chosen = other.signal_chosen;
        same.ready.clone_from(&other.ready);
        same.ready_timeout = other.ready_timeout;
        same.ready_interval = other.ready_interval;
        let watchdog = |options: &Self| options.health.as_ref().and_then(|health| health.watchdog);
        if watchdog(self) == watchdog(other) {
            same.health.clone_from(&other.health);
        }
        same != *other
    }
}

/// Most services have these, and share them.
fn default_restart() -> Arc<RestartRules> {
    static DEFAULT: LazyLock<Arc<RestartRules>> = LazyLock::new(Arc::default);
    Arc::clone(&DEFAULT)
}

/// When a program counts as ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReadyWhen {
    /// As soon as it runs.
    #[default]
    Spawned,
    /// When it sends `READY=1` to its `NOTIFY_SOCKET`.
    Notify,
    /// When it sends `READY=1`, or listens on a TCP port and has come to rest, or has come to rest for a while, or has worked for 20 s and
    /// said nothing.
    Auto,
    /// When this is so.
    Probe(ProbeTarget),
    /// When a line of its output matches.
    Line(LogPattern),
    /// When it has ended with a success: a program that does one thing.
    Exited,
}

impl ReadyWhen {
    /// Whether it is asked for over one of these sockets, which winddown keeps: whoever has it may answer.
    pub(crate) fn asks(&self, sockets: &[Listen]) -> bool {
        let Self::Probe(target) = self else {
            return false;
        };
        sockets.iter().any(|it| match &it.address {
            Some(ListenAddress::Tcp(address)) => target.may_ask(*address),
            _ => false,
        })
    }
}

/// How it is seen whether a program that is ready is still well. One that is not is stopped, and counts as failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthOptions {
    /// What is checked.
    pub probe: Option<ProbeTarget>,
    /// How it is checked.
    pub rules: HealthRules,
    /// How often the program must send `WATCHDOG=1`, if it must.
    pub watchdog: Option<Duration>,
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
