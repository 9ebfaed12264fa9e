//! One supervised service: its runs, and what is between them.

mod judge;
mod ready;
mod run;
mod stopping;

use std::rc::Rc;

use winddown_core::{Signal, State, Timestamp};
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
    rehearsal: bool,
    stage: Stage,
    last: Option<Ended>,
}

/// Where a service is between its starts and its ends.
enum Stage {
    /// Nothing of it runs.
    Down,
    /// Its program runs.
    Up(Box<Run>),
}

impl Service {
    pub(crate) fn new(options: ServiceOptions, timeline: Timeline, rehearsal: bool) -> Self {
        Self {
            options: Rc::new(options),
            timeline,
            rehearsal,
            stage: Stage::Down,
            last: None,
        }
    }

    /// Where it is, in the words of a life.
    pub(crate) fn state(&self) -> State {
        match &self.stage {
            Stage::Down => State::Stopped,
            Stage::Up(run) => run.state(),
        }
    }

    pub(crate) const fn is_down(&self) -> bool {
        matches!(self.stage, Stage::Down)
    }

    pub(crate) fn start(&mut self) -> Result<(), Error> {
        let run = Run::start(&self.options, &self.timeline, self.rehearsal)?;
        self.stage = Stage::Up(Box::new(run));
        Ok(())
    }

    /// Goes as far as it can; when to call again at the latest.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Result<Timestamp, Error> {
        let Stage::Up(run) = &mut self.stage else {
            return Ok(Timestamp::NEVER);
        };
        let next = run.advance(now)?;
        if run.state() != State::Stopped {
            return Ok(next);
        }
        if let Stage::Up(run) = std::mem::replace(&mut self.stage, Stage::Down) {
            let ended = run.conclude(now);
            self.timeline.report(&ended.report);
            self.last = Some(ended);
        }
        Ok(Timestamp::NEVER)
    }

    pub(crate) fn request_stop(&mut self, request: &StopRequest, now: Timestamp) {
        if let Stage::Up(run) = &mut self.stage {
            run.request_stop(request, now);
        }
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
            Stage::Down => None,
            Stage::Up(run) => run.stop_deadline(),
        }
    }

    /// How its last run ended.
    pub(crate) fn into_last(self) -> Option<Ended> {
        self.last
    }

    /// When its last run was started.
    pub(crate) fn started(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Down => None,
            Stage::Up(run) => Some(run.started()),
        }
    }
}
