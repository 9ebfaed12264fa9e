//! One supervised service: its runs, and what is between them.

mod judge;
mod ready;
mod run;
mod sockets;
mod stopping;

use std::cell::RefCell;
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
pub(crate) use sockets::Inherited;

use run::Run;
use sockets::Sockets;

/// A service, from its first start to its last end.
pub(crate) struct Service {
    options: Rc<ServiceOptions>,
    timeline: Timeline,
    /// Whether it is the only one.
    alone: bool,
    rehearsal: bool,
    restarts: Restarts,
    inherited: Rc<RefCell<Inherited>>,
    sockets: Option<Sockets>,
    stage: Stage,
    /// The run that is to replace the one that is up, once it is ready.
    next: Option<Box<Run>>,
    /// Runs that were replaced and are being stopped.
    replaced: Vec<Run>,
    /// Whether it is to run.
    wanted: bool,
    /// Who wants it to stop, while others must stop before it.
    stop_wish: Option<StopRequest>,
    /// Whether it is started again once its stop has ended.
    again: bool,
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
        inherited: &Rc<RefCell<Inherited>>,
        alone: bool,
        rehearsal: bool,
    ) -> Self {
        Self {
            restarts: Restarts::new(options.restart.clone()),
            options: Rc::new(options),
            timeline,
            alone,
            rehearsal,
            inherited: Rc::clone(inherited),
            sockets: None,
            stage: Stage::Down { failed: false },
            next: None,
            replaced: Vec::new(),
            wanted: false,
            stop_wish: None,
            again: false,
            last: None,
            wants_shutdown: None,
        }
    }

    pub(crate) fn options(&self) -> &ServiceOptions {
        &self.options
    }

    pub(crate) fn standing(&self) -> Standing {
        match &self.stage {
            Stage::Down { .. } if !self.replaced.is_empty() => Standing::Stopping,
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
    pub(crate) fn is_down(&self) -> bool {
        matches!(self.stage, Stage::Down { .. }) && self.replaced.is_empty()
    }

    /// Whether it waits for the services that it needs.
    pub(crate) const fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting)
    }

    /// Whether it is to run.
    pub(crate) const fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// The wish that it stops, if it has yet to be asked for that.
    pub(crate) const fn stop_wish(&self) -> Option<&StopRequest> {
        self.stop_wish.as_ref()
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
        match self.spawn() {
            Ok(run) => self.stage = Stage::Up(run),
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

    fn spawn(&mut self) -> Result<Box<Run>, Error> {
        let sockets = match self.sockets.take() {
            Some(sockets) => sockets,
            None => {
                let inherited = &mut self.inherited.borrow_mut();
                Sockets::open(&self.options.listen, self.alone, inherited)?
            }
        };
        let sockets = self.sockets.insert(sockets);
        Run::start(&self.options, sockets, &self.timeline, self.rehearsal).map(Box::new)
    }

    /// Starts the program once more beside the one that runs, which is stopped as soon as the new one is ready.
    ///
    /// # Errors
    /// When it is not ready itself, or is being replaced already, or the new one cannot be started; the old one goes on.
    pub(crate) fn replace(&mut self) -> Result<(), Error> {
        if self.standing() != Standing::Ready || self.next.is_some() {
            return Err(Error::NotReady(self.options.name.clone()));
        }
        self.restarts.forgive();
        self.next = Some(self.spawn()?);
        Ok(())
    }

    /// Has it stopped and started again.
    pub(crate) fn restart(&mut self, request: &StopRequest, now: Timestamp) {
        self.restarts.forgive();
        self.wanted = true;
        match &self.stage {
            Stage::Up(_) => {
                self.again = true;
                self.request_stop(request, now);
            }
            Stage::Down { .. } | Stage::BackOff(_) => self.stage = Stage::Waiting,
            Stage::Waiting => {}
        }
    }

    /// From now on it is not to run. What does not run yet goes down at once; what runs waits for [`Service::request_stop`].
    pub(crate) fn unwant(&mut self, request: &StopRequest, now: Timestamp) {
        self.wanted = false;
        self.again = false;
        match &self.stage {
            Stage::Waiting => self.stage = Stage::Down { failed: false },
            Stage::BackOff(_) => {
                self.timeline.add(now, "asked to stop: not started again");
                self.stage = Stage::Down { failed: false };
            }
            Stage::Up(_) => self.stop_wish = Some(request.clone()),
            Stage::Down { .. } => {}
        }
    }

    pub(crate) fn request_stop(&mut self, request: &StopRequest, now: Timestamp) {
        self.stop_wish = None;
        if let Stage::Up(run) = &mut self.stage {
            run.request_stop(request, now);
        }
        if let Some(next) = &mut self.next {
            next.request_stop(request, now);
        }
    }

    /// Takes new options; whether the program must be restarted for them to hold.
    pub(crate) fn amend(&mut self, options: ServiceOptions) -> bool {
        let restart = options.differs_for_the_program(&self.options);
        if options.listen != self.options.listen {
            self.sockets = None;
        }
        self.restarts = Restarts::new(options.restart.clone());
        self.options = Rc::new(options);
        if let (Stage::Up(run), false) = (&mut self.stage, restart) {
            run.amend(&self.options);
        }
        restart && matches!(self.stage, Stage::Up(_))
    }

    /// Goes as far as it can; when to call again at the latest.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Result<Timestamp, Error> {
        let replacing = self.advance_next(now)?.min(self.advance_replaced(now)?);
        Ok(self.advance_stage(now)?.min(replacing))
    }

    fn advance_next(&mut self, now: Timestamp) -> Result<Timestamp, Error> {
        let Some(mut next) = self.next.take() else {
            return Ok(Timestamp::NEVER);
        };
        let due = next.advance(now)?;
        match next.state() {
            State::Running => {
                let why = format!("replaced by pid {}", next.pid());
                let before = mem::replace(&mut self.stage, Stage::Up(next));
                if let Stage::Up(mut before) = before {
                    before.request_stop(&StopRequest::own(now, why), now);
                    self.replaced.push(*before);
                }
                Ok(Timestamp::NEVER)
            }
            State::Stopped => {
                let ended = next.conclude(now);
                self.timeline.report(&ended.report);
                self.timeline
                    .add(now, format!("not replaced: {}", ended.how));
                Ok(Timestamp::NEVER)
            }
            _ => {
                self.next = Some(next);
                Ok(due)
            }
        }
    }

    fn advance_replaced(&mut self, now: Timestamp) -> Result<Timestamp, Error> {
        let mut due = Timestamp::NEVER;
        for mut run in mem::take(&mut self.replaced) {
            due = due.min(run.advance(now)?);
            match run.state() {
                State::Stopped => self.timeline.report(&run.conclude(now).report),
                _ => self.replaced.push(run),
            }
        }
        Ok(due)
    }

    fn advance_stage(&mut self, now: Timestamp) -> Result<Timestamp, Error> {
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
        self.stop_wish = None;
        if let Some(next) = self.next.take() {
            self.stage = Stage::Up(next);
        } else if mem::take(&mut self.again) {
            self.stage = Stage::Waiting;
        } else if self.wanted {
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

    /// What it waits for.
    pub(crate) fn sources(&self) -> Vec<&dyn Waitable> {
        let mut sources = Vec::new();
        if let Stage::Up(run) = &self.stage {
            run.sources(&mut sources);
        }
        for run in self.next.as_deref().into_iter().chain(&self.replaced) {
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
