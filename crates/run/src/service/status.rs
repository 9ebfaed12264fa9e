//! How a service stands, for those who ask.

use std::time::Duration;

use winddown_core::order::Standing;
use winddown_core::report::rounded;
use winddown_core::{Clock, State, Timestamp, format_duration};
use winddown_sys::Monotonic;

use super::{Service, Stage};
use crate::control::{LastStop, ServiceState, ServiceStatus};
use crate::error::Error;
use crate::logs::{Captured, Subscription};

/// The time until `at` in seconds, as a person counts down.
pub(super) fn countdown(at: Timestamp, now: Timestamp) -> String {
    let left = at.since(now).as_secs_f64().ceil();
    format_duration(Duration::try_from_secs_f64(left).unwrap_or_default()).to_string()
}

impl Service {
    pub(crate) fn status(&self) -> ServiceStatus {
        let now = Monotonic.now();
        let run = match &self.stage {
            Stage::Up(run) => Some(run),
            _ => None,
        };
        let last_stop = match &self.last {
            Some(Ok(ended)) => Some(LastStop {
                verdict: ended.report.verdict,
                at: ended.report.at,
                asked_by: ended.asked.then(|| ended.report.asked_by.to_string()),
                exit: ended.report.exit.clone(),
            }),
            _ => None,
        };
        let problem = match &self.last {
            Some(Err(error)) => Some(error.to_string()),
            _ => None,
        };
        ServiceStatus {
            service: self.options.name.clone(),
            state: self.state(),
            awaits: self.awaits(now),
            pid: run.map(|run| run.pid()),
            seconds: run.map(|run| rounded(now.since(run.started()))),
            says: run.and_then(|run| run.status().map(str::to_owned)),
            ready_by: run.and_then(|run| run.ready_by().map(str::to_owned)),
            restarts: self.launches.saturating_sub(1),
            last_stop,
            problem,
        }
    }

    /// The last `last` lines that it wrote, and those that it writes from now on.
    ///
    /// # Errors
    /// Where nobody reads its output.
    pub(crate) fn subscribe(&self, last: usize) -> Result<Subscription, Error> {
        Ok(self.captured()?.subscribe(last)?)
    }

    /// Begins new files for its output.
    ///
    /// # Errors
    /// Where nobody reads its output.
    pub(crate) fn rotate_logs(&self) -> Result<(), Error> {
        self.captured()?.rotate();
        Ok(())
    }

    fn captured(&self) -> Result<&Captured, Error> {
        let name = || self.options.name.clone();
        match (&self.captured, self.options.logs.captures()) {
            (Some(captured), _) => Ok(captured),
            (None, true) => Err(Error::NoOutputYet(name())),
            (None, false) => Err(Error::NotCaptured(name())),
        }
    }

    /// Whether another run of it is being started or stopped beside the one that is up.
    pub(crate) fn is_being_replaced(&self) -> bool {
        self.before_next.is_some() || self.next.is_some() || !self.replaced.is_empty()
    }

    /// The process of its program.
    pub(crate) fn pid(&self) -> Option<u32> {
        match &self.stage {
            Stage::Up(run) => Some(run.pid()),
            _ => None,
        }
    }

    fn state(&self) -> ServiceState {
        match &self.stage {
            Stage::Down(_) if !self.is_down() => ServiceState::Stopping,
            Stage::Down(Standing::Failed) => ServiceState::Failed,
            Stage::Down(Standing::Done) => ServiceState::Done,
            Stage::Down(_) => ServiceState::Down,
            Stage::Waiting => ServiceState::Waiting,
            Stage::BackOff(_) => ServiceState::BackOff,
            Stage::PreStart(_) => ServiceState::Starting,
            Stage::PostStop(..) => ServiceState::Stopping,
            Stage::Up(run) => match run.state() {
                State::Idle | State::Starting => ServiceState::Starting,
                State::Stopping | State::Stopped => ServiceState::Stopping,
                _ if self.post_start.is_some() => ServiceState::Starting,
                State::Running | State::Paused | State::Reloading => ServiceState::Ready,
            },
        }
    }

    /// What its stop or its next start waits for, for a person who looks on.
    pub(crate) fn waits(&self, now: Timestamp) -> Option<String> {
        match &self.stage {
            Stage::BackOff(at) => Some(format!("next attempt in {}", countdown(*at, now))),
            Stage::PostStop(..) => Some("post-stop hook".to_owned()),
            Stage::Up(run) => run.stop.as_ref().map(|stop| stop.waits(now)),
            _ => None,
        }
    }

    /// What it waits for, as far as it knows without the others.
    fn awaits(&self, now: Timestamp) -> Option<String> {
        let within = |at: Timestamp| format_duration(at.since(now));
        Some(match &self.stage {
            Stage::Down(_) if self.on_failure.is_some() => "its on-failure hook".to_owned(),
            Stage::Down(_) | Stage::Waiting => return None,
            Stage::BackOff(at) => format!("its next start in {}", within(*at)),
            Stage::PreStart(_) => "its pre-start hook".to_owned(),
            Stage::PostStop(..) => "its post-stop hook".to_owned(),
            Stage::Up(run) => match (run.state(), run.stop_deadline()) {
                (_, Some(deadline)) => {
                    format!("the end of its program, {} at most", within(deadline))
                }
                (State::Idle | State::Starting, None) => {
                    let patience = within(run.ready_deadline());
                    format!("its program to be ready, {patience} at most")
                }
                _ if self.post_start.is_some() => "its post-start hook".to_owned(),
                _ if self.next.is_some() => "the program that is to replace it".to_owned(),
                _ if !self.replaced.is_empty() => "the end of what it replaced".to_owned(),
                _ => return None,
            },
        })
    }
}
