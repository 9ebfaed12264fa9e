//! What is asked of a service.

use std::rc::Rc;
use std::sync::Arc;

use winddown_core::order::Standing;
use winddown_core::restart::Restarts;
use winddown_core::{State, Timestamp};

use super::ended::stopped_without_a_run;
use super::hook::{self, Event, Hook};
use super::request::StopRequest;
use super::{Service, Stage};
use crate::error::Error;
use crate::options::ServiceOptions;

impl Service {
    /// From now on it is to run, and at once; it waits until [`Service::start`].
    pub(crate) fn want(&mut self) {
        self.wanted = true;
        if matches!(self.stage, Stage::Down(_) | Stage::BackOff(_)) {
            self.restarts.forgive();
            self.stage = Stage::Waiting;
        }
    }

    /// It can never be started, since one that it requires is not there.
    pub(crate) fn abandon(&mut self, required: &str, now: Timestamp) {
        self.timeline.notice(
            now,
            format!("not started: `{required}`, which it requires, is not there"),
        );
        self.wanted = false;
        self.stage = Stage::Down(Standing::Failed);
    }

    /// Starts the program once more beside the one that runs, which is stopped as soon as the new one is ready. One that was to
    /// replace it before is stopped.
    ///
    /// # Errors
    /// When its program does not serve yet, when the new one could not be told to be ready, or cannot be started; the old one goes on.
    pub(crate) fn replace(&mut self, now: Timestamp) -> Result<(), Error> {
        let name = || self.options.name.clone();
        // It serves, whether or not its post-start hook has ended.
        if !matches!(&self.stage, Stage::Up(run) if run.state() == State::Running) {
            return Err(Error::NotReady(name()));
        }
        if self.options.ready.asks(&self.options.listen) {
            return Err(Error::OldWouldAnswer(name()));
        }
        self.restarts.forgive();
        if let Some(mut before) = self.next.take() {
            before.request_stop(&StopRequest::own(now, "replaced before it was ready"), now);
            self.replaced.push(*before);
        }
        let facts = hook::Facts::new();
        self.before_next =
            Hook::start(Event::PreStart, &self.options, facts, Timestamp::NEVER, now);
        if self.before_next.is_none() {
            self.next = Some(self.spawn()?);
        }
        Ok(())
    }

    /// Has it stopped and started again.
    pub(crate) fn restart(&mut self, request: &StopRequest, now: Timestamp) {
        self.restarts.forgive();
        self.before_next = None;
        self.wanted = true;
        match &self.stage {
            Stage::Up(_) => {
                self.again = true;
                self.request_stop(request, now);
            }
            Stage::Down(_) | Stage::BackOff(_) => self.stage = Stage::Waiting,
            Stage::PostStop(..) => self.again = true,
            Stage::Waiting | Stage::PreStart(_) => {}
        }
    }

    /// From now on it is not to run. What does not run yet goes down at once; what runs waits for [`Service::request_stop`].
    pub(crate) fn unwant(&mut self, request: &StopRequest, now: Timestamp) {
        self.wanted = false;
        self.again = false;
        self.before_next = None;
        let deadline = now + self.options.policy.timeout;
        if let Some(hook) = &mut self.on_failure {
            hook.tighten(deadline);
        }
        match &mut self.stage {
            Stage::Waiting => {
                self.go_down_idle(request, "it was waiting for services that it needs", now)
            }
            Stage::BackOff(_) => {
                self.go_down_idle(request, "it was waiting for its next start", now)
            }
            Stage::PreStart(hook) => {
                hook.tighten(now);
                self.stop_wish = Some(Box::new(request.clone()));
            }
            Stage::Up(_) => self.stop_wish = Some(Box::new(request.clone())),
            Stage::PostStop(hook, _) => hook.tighten(deadline),
            Stage::Down(how) if *how == Standing::Done => *how = Standing::Down,
            Stage::Down(_) => {}
        }
    }

    /// Goes down where no program runs.
    pub(super) fn go_down_idle(&mut self, request: &StopRequest, why: &str, now: Timestamp) {
        self.timeline.add(
            now,
            format!("asked to stop by {}: {why}", request.arrival.origin),
        );
        let ended = stopped_without_a_run(&self.options, request, why, now);
        self.timeline.report(&ended.report);
        self.last = Some(Ok(Box::new(ended)));
        self.stop_wish = None;
        self.stage = Stage::Down(Standing::Down);
    }

    pub(crate) fn request_stop(&mut self, request: &StopRequest, now: Timestamp) {
        self.stop_wish = None;
        if let Some(hook) = &mut self.post_start {
            hook.tighten(now);
        }
        if let Stage::Up(run) = &mut self.stage {
            run.request_stop(request, now);
        }
        if let Some(next) = &mut self.next {
            next.request_stop(request, now);
        }
    }

    /// Has what is ending already join a stop: the programs that were replaced, and the hooks after an end.
    pub(crate) fn hurry(&mut self, request: &StopRequest, now: Timestamp) {
        for run in &mut self.replaced {
            run.request_stop(request, now);
        }
        let post_stop = match &mut self.stage {
            Stage::PostStop(hook, _) => Some(hook),
            _ => None,
        };
        for hook in post_stop.into_iter().chain(&mut self.on_failure) {
            hook.tighten(request.until.unwrap_or(Timestamp::NEVER));
        }
    }

    /// Leaves its sockets to other services.
    pub(crate) fn give_up_sockets(&mut self) {
        if let Some(sockets) = self.sockets.take() {
            sockets.give_up(&mut self.common.spare.borrow_mut());
        }
    }

    /// Closes its logs; for one that is down and does not come back before the next reload.
    pub(crate) fn close_logs(&mut self) {
        self.captured = None;
    }

    /// Takes new options; whether the program must be restarted for them to hold. One that is being stopped need not be.
    pub(crate) fn amend(&mut self, options: ServiceOptions) -> bool {
        let restart = options.differs_for_the_program(&self.options);
        if options.listen != self.options.listen {
            self.give_up_sockets();
        }
        let follows = self
            .captured
            .as_ref()
            .is_none_or(|captured| captured.amend(&options.output()));
        let opens = self.captured.is_none() && options.output() != self.options.output();
        if !follows {
            self.captured = None;
        }
        let restart = restart || !follows || opens;
        self.restarts = Restarts::new(Arc::clone(&options.restart));
        self.options = Rc::new(options);
        if let (Stage::Up(run), false) = (&mut self.stage, restart) {
            run.amend(&self.options);
        }
        restart && self.wanted && matches!(self.stage, Stage::Up(_))
    }
}
