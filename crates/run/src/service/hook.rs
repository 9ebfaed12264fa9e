//! A hook under way: a program at a point in the life of a service.

use std::fmt;
use std::time::Duration;

use winddown_core::report::{ExitRecord, RungRecord, StopReport, rounded};
use winddown_core::{Timestamp, format_duration};
use winddown_sys::Waitable;
use winddown_sys::process::Exit;

use crate::definition::Hook as Definition;
use crate::error::Error;
use crate::options::ServiceOptions;
use crate::process::Surroundings;
use crate::task::{Task, TaskOptions, TaskState};
use crate::timeline::Timeline;

/// How long a hook may take unless it says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// A point in the life of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    PreStart,
    PostStart,
    PreStop,
    PostStop,
    OnFailure,
}

impl Event {
    pub(super) fn of(self, options: &ServiceOptions) -> Option<&Definition> {
        let hooks = &options.hooks;
        match self {
            Self::PreStart => hooks.pre_start.as_deref(),
            Self::PostStart => hooks.post_start.as_deref(),
            Self::PreStop => hooks.pre_stop.as_deref(),
            Self::PostStop => hooks.post_stop.as_deref(),
            Self::OnFailure => hooks.on_failure.as_deref(),
        }
    }

    /// How long the hook for it may take; nothing where there is none.
    pub(super) fn time(self, options: &ServiceOptions) -> Duration {
        let timeout = |hook: &Definition| hook.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0);
        self.of(options).map(timeout).unwrap_or_default()
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PreStart => "pre-start",
            Self::PostStart => "post-start",
            Self::PreStop => "pre-stop",
            Self::PostStop => "post-stop",
            Self::OnFailure => "on-failure",
        })
    }
}

/// What a hook is told of its event, as variables.
pub(super) type Facts = Vec<(String, String)>;

/// What is known of a run that is over.
pub(super) fn facts_of(report: &StopReport) -> Facts {
    let mut facts = vec![
        ("WINDDOWN_PID", report.pid.to_string()),
        ("WINDDOWN_VERDICT", report.verdict.to_string()),
        ("WINDDOWN_ASKED_BY", report.asked_by.to_string()),
    ];
    match &report.exit {
        Some(ExitRecord::Code(code)) => facts.push(("WINDDOWN_EXIT_CODE", code.to_string())),
        Some(ExitRecord::Signal(signal)) => facts.push(("WINDDOWN_EXIT_SIGNAL", signal.clone())),
        None => {}
    }
    let owned = |(name, value): (&str, String)| (name.to_owned(), value);
    facts.into_iter().map(owned).collect()
}

/// A hook that runs.
pub(super) struct Hook {
    event: Event,
    may_fail: bool,
    timeout: Duration,
    /// Whether something else than its own time ends it.
    cut_short: bool,
    /// The program, or why it could not be started.
    task: Result<Task, String>,
}

/// How a hook ended.
#[derive(Debug)]
pub(super) struct HookEnd {
    pub(super) event: Event,
    /// For people.
    pub(super) what: String,
    /// Whether what it was run for must not go on.
    pub(super) failed: bool,
}

impl Hook {
    /// Starts the hook for `event` if there is one; it ends by `limit`.
    pub(super) fn start(
        event: Event,
        options: &ServiceOptions,
        facts: Facts,
        limit: Timestamp,
        now: Timestamp,
    ) -> Option<Box<Self>> {
        let definition = event.of(options)?;
        let timeout = event.time(options).min(limit.since(now));
        Some(Box::new(Self {
            event,
            may_fail: definition.may_fail,
            timeout,
            cut_short: false,
            task: start(event, options, facts, timeout, now).map_err(|error| error.to_string()),
        }))
    }

    /// Goes as far as it can; how it ended, once.
    pub(super) fn advance(&mut self, now: Timestamp) -> Option<HookEnd> {
        let (what, success) = match &mut self.task {
            Err(error) => (error.clone(), false),
            Ok(task) => match task.advance(now) {
                TaskState::Running => return None,
                TaskState::Done(exit) => {
                    let mut what = exit.to_string();
                    let output = task.output();
                    if !exit.success() && !output.is_empty() {
                        let last = output.lines().last().unwrap_or_default();
                        what += &format!(", its last words: {last}");
                    }
                    (what, exit == Exit::Code(0))
                }
                TaskState::TimedOut if self.cut_short => {
                    ("killed, cut short by a stop".to_owned(), false)
                }
                TaskState::TimedOut => {
                    let limit = format_duration(self.timeout);
                    (format!("killed, not done within {limit}"), false)
                }
            },
        };
        Some(HookEnd {
            event: self.event,
            what,
            failed: !success && !self.may_fail,
        })
    }

    pub(super) fn tighten(&mut self, deadline: Timestamp) {
        if let Ok(task) = &mut self.task {
            self.cut_short |= task.tighten(deadline);
        }
    }

    pub(super) fn due(&self) -> Timestamp {
        self.task
            .as_ref()
            .map_or(Timestamp::ZERO, |task| task.due())
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = &dyn Waitable> {
        self.task.iter().flat_map(Task::sources)
    }
}

fn start(
    event: Event,
    options: &ServiceOptions,
    facts: Facts,
    timeout: Duration,
    now: Timestamp,
) -> Result<Task, Error> {
    let mut surroundings = Surroundings::of(options)?;
    let variables = &mut surroundings.variables;
    variables.set("WINDDOWN_EVENT", event.to_string());
    variables.set("WINDDOWN_SERVICE", &options.name);
    for (name, value) in facts {
        variables.set(name, value);
    }
    let command = event.of(options).map_or(&[][..], |hook| &hook.command);
    let task = TaskOptions {
        command: surroundings.expand(command)?,
        surroundings,
        timeout,
    };
    Ok(Task::start(&task, now)?)
}

impl HookEnd {
    /// Tells of it; of a failure those too who do not look on.
    pub(super) fn tell(&self, timeline: &Timeline, now: Timestamp) {
        let what = format!("{} hook: {}", self.event, self.what);
        match self.failed {
            true => timeline.notice(now, what),
            false => timeline.add(now, what),
        }
    }

    /// As a step of a stop that began at `begun`.
    pub(super) fn record(&self, begun: Timestamp, now: Timestamp) -> RungRecord {
        RungRecord {
            rung: format!("{} hook", self.event),
            at: rounded(now.since(begun)),
            outcome: self.what.clone(),
        }
    }
}
