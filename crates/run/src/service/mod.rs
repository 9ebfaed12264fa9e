//! One supervised service: its runs, and what is between them.

mod judge;
mod ready;
mod run;
mod stopping;

use std::mem;
use std::rc::Rc;

use winddown_core::order::Standing;
use winddown_core::restart::{self, Decision, Restarts};
use winddown_core::{Signal, State, Timestamp, format_duration};
use winddown_sys::Waitable;

use crate::error::Error;
use crate::options::ServiceOptions;
use crate::timeline::Timeline;

pub(crate) use run::{Ended, StopRequest};

use run::Run;

/// A service, from its first start to its last end.
pub(crate) struct Service {
    options: Rc<ServiceOptions>,
    timeline: Timeline,
    /// Whether it is the only one.
    alone: bool,
    rehearsal: bool,
    restarts: Restarts,
    stage: Stage,
    /// Whether it is to run.
    wanted: bool,
    last: Option<Result<Ended, Error>>,
    wants_shutdown: Option<String>,
}

/// Where a service is between its starts and its ends.
enum Stage {
    /// Nothing of it runs.
    Down { failed: bool },
    /// It is to be started once the services that it needs are ready.
    Waiting,
    /// Its program runs.
    Up(Box<Run>),
    /// It is started again at this time.
    BackOff(Timestamp),
}

impl Service {
    pub(crate) fn new(
        options: ServiceOptions,
        timeline: Timeline,
        alone: bool,
        rehearsal: bool,
    ) -> Self {
        Self {
            restarts: Restarts::new(options.restart.clone()),
            options: Rc::new(options),
            timeline,
            alone,
            rehearsal,
            stage: Stage::Down { failed: false },
            wanted: false,
            last: None,
            wants_shutdown: None,
        }
    }

    pub(crate) fn options(&self) -> &ServiceOptions {
        &self.options
    }

    pub(crate) fn standing(&self) -> Standing {
        match &self.stage {
            Stage::Down { failed: false } => Standing::Down,
            Stage::Down { failed: true } => Standing::Failed,
            Stage::Waiting | Stage::BackOff(_) => Standing::Waiting,
            Stage::Up(run) => match run.state() {
                State::Running | State::Paused | State::Reloading => Standing::Ready,
                State::Idle | State::Starting => Standing::Starting,
                State::Stopping | State::Stopped => Standing::Stopping,
            },
        }
    }

    /// Whether nothing of it runs, and nothing will before somebody asks.
    pub(crate) const fn is_down(&self) -> bool {
        matches!(self.stage, Stage::Down { .. })
    }

    /// Whether it waits for the services that it needs.
    pub(crate) const fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting)
    }

    /// Whether something of it runs that has yet to be asked to stop, though it is not wanted any more.
    pub(crate) fn is_to_be_stopped(&self) -> bool {
        !self.wanted
            && match &self.stage {
                Stage::Up(run) => run.stop_deadline().is_none(),
                Stage::Down { .. } | Stage::Waiting | Stage::BackOff(_) => false,
            }
    }

    /// From now on it is to run; it waits until [`Service::start`].
    pub(crate) fn want(&mut self) {
        self.wanted = true;
        if self.is_down() {
            self.stage = Stage::Waiting;
        }
    }

    /// It can never be started, since one that it requires is not there.
    pub(crate) fn abandon(&mut self, required: &str, now: Timestamp) {
        self.timeline.add(
            now,
            format!("not started: `{required}`, which it requires, is not there"),
        );
        self.wanted = false;
        self.stage = Stage::Down { failed: true };
    }

    pub(crate) fn start(&mut self, now: Timestamp) {
        self.restarts.started(now);
        match Run::start(&self.options, &self.timeline, self.rehearsal) {
            Ok(run) => self.stage = Stage::Up(Box::new(run)),
            Err(error) => {
                let what = error.to_string();
                self.last = Some(Err(error));
                self.decide(&restart::Ended::Failed(what.clone()), now);
                // Of the only service it is the result of the whole.
                if !(self.alone && self.is_down()) {
                    self.timeline.add(now, format!("not started: {what}"));
                }
            }
        }
    }

    /// From now on it is not to run. What does not run yet goes down at once; what runs waits for [`Service::request_stop`].
    pub(crate) fn unwant(&mut self, now: Timestamp) {
        self.wanted = false;
        match &self.stage {
            Stage::Waiting => self.stage = Stage::Down { failed: false },
            Stage::BackOff(_) => {
                self.timeline.add(now, "asked to stop: not started again");
                self.stage = Stage::Down { failed: false };
            }
            Stage::Down { .. } | Stage::Up(_) => {}
        }
    }

    pub(crate) fn request_stop(&mut self, request: &StopRequest, now: Timestamp) {
        if let Stage::Up(run) = &mut self.stage {
            run.request_stop(request, now);
        }
    }

    /// Goes as far as it can; when to call again at the latest.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Result<Timestamp, Error> {
        loop {
            match &mut self.stage {
                Stage::Down { .. } | Stage::Waiting => return Ok(Timestamp::NEVER),
                Stage::BackOff(at) if now < *at => return Ok(*at),
                Stage::BackOff(_) => {
                    self.stage = Stage::Waiting;
                    return Ok(Timestamp::NEVER);
                }
                Stage::Up(run) => {
                    let before = run.state();
                    let next = run.advance(now)?;
                    if before == State::Starting && run.state() == State::Running {
                        self.restarts.ready(now);
                    }
                    if run.state() != State::Stopped {
                        return Ok(next);
                    }
                    self.conclude(now);
                }
            }
        }
    }

    fn conclude(&mut self, now: Timestamp) {
        let Stage::Up(run) = mem::replace(&mut self.stage, Stage::Down { failed: false }) else {
            return;
        };
        let ended = run.conclude(now);
        self.timeline.report(&ended.report);
        let how = ended.how.clone();
        self.last = Some(Ok(ended));
        if self.wanted {
            self.decide(&how, now);
        }
    }

    /// Decides what follows an end that nobody asked for.
    fn decide(&mut self, ended: &restart::Ended, now: Timestamp) {
        let failed = !self.restarts.rules().is_success(ended);
        self.stage = match self.restarts.ended(now, ended, fastrand::f64()) {
            Decision::Restart { at } => {
                let wait = format_duration(at.since(now));
                let number = self.restarts.in_a_row();
                self.timeline
                    .add(now, format!("restart {number} in {wait}: {ended}"));
                Stage::BackOff(at)
            }
            Decision::Stop { .. } => Stage::Down { failed },
            Decision::Shutdown { why } => {
                self.wants_shutdown = Some(why);
                Stage::Down { failed }
            }
            Decision::GiveUp { why } => {
                self.timeline.add(now, format!("given up: {why}"));
                Stage::Down { failed: true }
            }
        };
        if self.is_down() {
            self.wanted = false;
        }
    }

    /// Why everything is to be stopped, once.
    pub(crate) fn take_shutdown(&mut self) -> Option<String> {
        self.wants_shutdown.take()
    }

    pub(crate) fn forward(&self, signal: Signal) {
        if let Stage::Up(run) = &self.stage {
            run.forward(signal);
        }
    }

    /// Reaps descendants that this process inherited.
    pub(crate) fn reap(&self) {
        if let Stage::Up(run) = &self.stage {
            run.reap();
        }
    }

    /// What it waits for.
    pub(crate) fn sources(&self) -> Vec<&dyn Waitable> {
        let mut sources = Vec::new();
        if let Stage::Up(run) = &self.stage {
            run.sources(&mut sources);
        }
        sources
    }

    /// When its stop ends at the latest.
    pub(crate) fn stop_deadline(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Up(run) => run.stop_deadline(),
            Stage::Down { .. } | Stage::Waiting | Stage::BackOff(_) => None,
        }
    }

    /// Whether it has failed without its program having run.
    pub(crate) const fn never_ran(&self) -> bool {
        !matches!(self.last, Some(Ok(_)))
    }

    /// How its last run ended, or why it could not be started.
    pub(crate) fn into_last(self) -> Option<Result<Ended, Error>> {
        self.last
    }

    /// When the program that runs was started.
    pub(crate) fn started(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Up(run) => Some(run.started()),
            Stage::Down { .. } | Stage::Waiting | Stage::BackOff(_) => None,
        }
    }
}
