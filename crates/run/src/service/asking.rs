//! A rung that asks by more than a call: by a program, or by HTTP.

use std::sync::Arc;
use std::time::Duration;

use winddown_core::{Rung, Timestamp};
use winddown_sys::Waitable;

use crate::error::Error;
use crate::options::ServiceOptions;
use crate::probe::{self, Errand};
use crate::process::Surroundings;
use crate::task::{Task, TaskOptions, TaskState};

/// A request that is under way.
pub(super) struct Asking {
    rung: Rung,
    means: Means,
}

enum Means {
    Program(Box<Task>),
    Http(Arc<Errand>),
}

impl Asking {
    /// Asks by `rung` if it is one that takes time, which is `timeout` at most. `pid` is that of the program while it is its own.
    pub(super) fn begin(
        rung: &Rung,
        options: &ServiceOptions,
        pid: Option<u32>,
        timeout: Duration,
        now: Timestamp,
    ) -> Result<Option<Self>, Error> {
        let means = match rung {
            Rung::Command(command) => {
                let mut surroundings = Surroundings::of(options)?;
                let variables = &mut surroundings.variables;
                variables.set("WINDDOWN_SERVICE", &options.name);
                if let Some(pid) = pid {
                    variables.set("WINDDOWN_PID", pid.to_string());
                }
                let task = TaskOptions {
                    command: command.iter().map(Into::into).collect(),
                    surroundings,
                    timeout,
                };
                Means::Program(Box::new(Task::start(&task, now)?))
            }
            Rung::Http(url) => Means::Http(probe::post(url.clone(), timeout)?),
            _ => return Ok(None),
        };
        Ok(Some(Self {
            rung: rung.clone(),
            means,
        }))
    }

    /// What came of it; `None` while that is not known.
    pub(super) fn advance(&mut self, now: Timestamp) -> Option<Result<String, String>> {
        match &mut self.means {
            Means::Http(errand) => errand.answer(),
            Means::Program(task) => match task.advance(now) {
                TaskState::Running => None,
                TaskState::Done(exit) if exit.success() => Some(Ok(exit.to_string())),
                TaskState::Done(exit) => Some(Err(exit.to_string())),
                TaskState::TimedOut => Some(Err("killed, not done in time".to_owned())),
            },
        }
    }

    pub(super) fn rung(&self) -> &Rung {
        &self.rung
    }

    pub(super) fn due(&self) -> Timestamp {
        match &self.means {
            Means::Program(task) => task.due(),
            Means::Http(_) => Timestamp::NEVER,
        }
    }

    pub(super) fn sources(&self) -> Vec<&dyn Waitable> {
        match &self.means {
            Means::Program(task) => task.sources().collect(),
            Means::Http(errand) => vec![errand.answered()],
        }
    }
}
