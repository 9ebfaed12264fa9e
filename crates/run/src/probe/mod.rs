//! Asking about a service from outside whether it is ready, or still well.

mod ask;
mod checks;
mod errand;
mod pattern;
mod target;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use winddown_core::exit::OtherCode;
use winddown_core::{Timestamp, format_duration, one_line};
use winddown_sys::process::Exit;
use winddown_sys::{Error, Waitable};

use crate::process::Surroundings;
use crate::task::{Task, TaskOptions, TaskState};

pub(crate) use checks::Checks;
pub(crate) use errand::Errand;
pub use pattern::LogPattern;
pub use target::{HttpUrl, ProbeTarget, ProbeTargetError, TcpAddress};

/// Sends a `POST` to `url`, on a thread of its own.
pub(crate) fn post(url: String, timeout: Duration) -> Result<Arc<Errand>, Error> {
    Errand::send(move || ask::post(&url, timeout))
}

/// How much of what a check wrote is told.
const TOLD: usize = 200;

/// What a question came to, and why, for people.
type Answer = Result<String, String>;

/// What to ask, and how.
#[derive(Clone, Debug)]
pub(crate) struct ProbeOptions {
    /// What is asked.
    pub(crate) target: ProbeTarget,
    /// What a program is started in, and where relative paths begin.
    pub(crate) surroundings: Surroundings,
    /// When the service was started: a file from before that says nothing.
    pub(crate) started: SystemTime,
    /// How long one question may take.
    pub(crate) timeout: Duration,
}

/// How a [`Probe`] stands. Both results say why, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProbeState {
    /// It has not begun, or has no answer yet.
    Running,
    Passed(String),
    Failed(String),
}

/// A question that can be asked again and again, and that never blocks the one who asks.
#[derive(Debug)]
pub(crate) struct Probe {
    options: ProbeOptions,
    stage: Stage,
    /// The last thread, which may hang in the system beyond its time.
    errand: Option<Arc<Errand>>,
}

#[derive(Debug)]
enum Stage {
    Idle,
    Errand(Timestamp),
    Task(Box<Task>),
    Over(Answer),
}

impl Probe {
    pub(crate) const fn new(options: ProbeOptions) -> Self {
        Self {
            options,
            stage: Stage::Idle,
            errand: None,
        }
    }

    /// What is asked.
    pub(crate) const fn target(&self) -> &ProbeTarget {
        &self.options.target
    }

    /// Asks. What was asked before and has no answer yet is given up.
    pub(crate) fn begin(&mut self, now: Timestamp) {
        self.stage = match self.ask(now) {
            Ok(stage) => stage,
            Err(error) => Stage::Over(Err(error.to_string())),
        };
    }

    fn ask(&mut self, now: Timestamp) -> Result<Stage, crate::Error> {
        let timeout = self.options.timeout;
        let ask: Box<dyn FnOnce() -> Answer + Send> = match self.options.target.clone() {
            ProbeTarget::Exec(command) => {
                let task = Task::start(
                    &TaskOptions {
                        command: self.options.surroundings.expand(&command)?,
                        surroundings: self.options.surroundings.clone(),
                        timeout,
                    },
                    now,
                )?;
                return Ok(Stage::Task(Box::new(task)));
            }
            ProbeTarget::Tcp(address) => Box::new(move || ask::tcp(address.as_str(), timeout)),
            ProbeTarget::Http(url) => Box::new(move || ask::http(url.as_uri(), timeout)),
            ProbeTarget::File(path) => {
                let directory = self
                    .options
                    .surroundings
                    .directory
                    .clone()
                    .unwrap_or_default();
                let started = self.options.started;
                Box::new(move || ask::file(&directory.join(path), started))
            }
        };
        // Threads cannot be ended: one that hangs is all that a probe may have.
        if self
            .errand
            .as_ref()
            .is_some_and(|last| last.answer().is_none())
        {
            return Ok(Stage::Over(Err("the check before still hangs".to_owned())));
        }
        self.errand = Some(Errand::send(ask)?);
        Ok(Stage::Errand(now + timeout))
    }

    /// Looks at how it stands; never waits.
    pub(crate) fn advance(&mut self, now: Timestamp) -> ProbeState {
        let answer = match &mut self.stage {
            Stage::Idle | Stage::Over(_) => None,
            Stage::Errand(deadline) => {
                let late = now >= *deadline;
                let answer = self.errand.as_ref().and_then(|errand| errand.answer());
                answer.or_else(|| late.then(|| Err(no_answer(self.options.timeout))))
            }
            Stage::Task(task) => {
                let state = task.advance(now);
                let output = task.output();
                let said = output.lines().last().unwrap_or_default();
                let said = match one_line(said, TOLD) {
                    said if said.is_empty() => said,
                    said => format!(": {said}"),
                };
                let target = &self.options.target;
                match state {
                    TaskState::Running => None,
                    TaskState::Done(exit) if exit.success() => {
                        Some(Ok(format!("{target} succeeded")))
                    }
                    TaskState::Done(Exit::Code(code)) => {
                        let code = OtherCode(code);
                        Some(Err(format!("{target} exited with {code}{said}")))
                    }
                    TaskState::Done(exit) => Some(Err(format!("{target} died of {exit}{said}"))),
                    TaskState::TimedOut => {
                        let no_answer = no_answer(self.options.timeout);
                        Some(Err(format!("{target} gave {no_answer}{said}")))
                    }
                }
            }
        };
        if let Some(answer) = answer {
            self.stage = Stage::Over(answer);
        }
        match &self.stage {
            Stage::Over(Ok(why)) => ProbeState::Passed(why.clone()),
            Stage::Over(Err(why)) => ProbeState::Failed(why.clone()),
            _ => ProbeState::Running,
        }
    }

    /// When to call [`Probe::advance`] at the latest.
    pub(crate) fn due(&self) -> Timestamp {
        match &self.stage {
            Stage::Errand(deadline) => *deadline,
            Stage::Task(task) => task.due(),
            Stage::Idle | Stage::Over(_) => Timestamp::NEVER,
        }
    }

    /// What [`Probe::advance`] should be called for earlier.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &dyn Waitable> {
        let errand = match &self.stage {
            Stage::Errand(_) => self.errand.as_ref().map(|errand| errand.answered()),
            _ => None,
        };
        let task = match &self.stage {
            Stage::Task(task) => Some(task.sources()),
            _ => None,
        };
        errand.into_iter().chain(task.into_iter().flatten())
    }
}

fn no_answer(timeout: Duration) -> String {
    format!("no answer within {}", format_duration(timeout))
}

#[cfg(test)]
mod tests;
