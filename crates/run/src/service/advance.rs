//! How a service goes from stage to stage.

use std::mem;

use winddown_core::order::Standing;
use winddown_core::restart::{self, Decision};
use winddown_core::{State, Timestamp, format_duration};

use super::ended::Ended;
use super::hook::{self, Event, Hook};
use super::request::StopRequest;
use super::run::Run;
use super::sockets::Sockets;
use super::{Common, Service, Stage};
use crate::error::Error;

impl Service {
    /// Starts it; for one that waits and whose turn has come.
    pub(crate) fn start(&mut self, now: Timestamp) {
        self.restarts.started(now);
        let facts = hook::Facts::new();
        match Hook::start(Event::PreStart, &self.options, facts, Timestamp::NEVER, now) {
            Some(hook) => self.stage = Stage::PreStart(hook),
            None => self.launch(now),
        }
    }

    fn launch(&mut self, now: Timestamp) {
        match self.spawn() {
            Ok(run) => self.stage = Stage::Up(run),
            Err(error) => self.fail_to_start(error, now),
        }
    }

    fn fail_to_start(&mut self, error: Error, now: Timestamp) {
        let (what, in_full) = (error.to_string(), error.in_full());
        self.last = Some(Err(error));
        self.decide(&restart::Ended::Failed(what), hook::Facts::new(), now);
        // Of the only service it is the result of the whole.
        if !(self.common.alone.get() && self.is_down()) {
            self.timeline.notice(now, format!("not started: {in_full}"));
        }
    }

    pub(super) fn spawn(&mut self) -> Result<Box<Run>, Error> {
        let sockets = match self.sockets.take() {
            Some(sockets) => sockets,
            None => {
                let spare = &mut self.common.spare.borrow_mut();
                Sockets::open(&self.options.listen, self.common.alone.get(), spare)?
            }
        };
        let sockets = self.sockets.insert(sockets);
        if self.captured.is_none() {
            self.options.check_output()?;
            let logs = self.options.output();
            let captured = self.common.logs.open(&self.options.name, &logs)?;
            self.captured = captured.map(Box::new);
        }
        let captured = self.captured.as_deref();
        let rehearsal = self.common.rehearsal;
        let run = Run::start(&self.options, sockets, captured, &self.timeline, rehearsal)?;
        self.launches = self.launches.saturating_add(1);
        Ok(Box::new(run))
    }

    /// Goes as far as it can; when to call again at the latest.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Result<Timestamp, Error> {
        let replacing = self
            .advance_before_next(now)
            .min(self.advance_next(now)?)
            .min(self.advance_replaced(now)?);
        let hooks = self
            .advance_post_start(now)
            .min(self.advance_on_failure(now));
        let stage = self.advance_stage(now)?;
        // They may have begun just now.
        let begun = self.post_start.iter().chain(&self.on_failure);
        let begun = begun.map(|hook| hook.due()).min();
        let begun = begun.unwrap_or(Timestamp::NEVER);
        Ok(stage.min(replacing).min(hooks).min(begun))
    }

    /// Starts the run that is to replace the one that is up once its hook has ended; when to call again.
    fn advance_before_next(&mut self, now: Timestamp) -> Timestamp {
        let Some(hook) = &mut self.before_next else {
            return Timestamp::NEVER;
        };
        let Some(end) = hook.advance(now) else {
            return hook.due();
        };
        self.before_next = None;
        end.tell(&self.timeline, now);
        let next = match end.failed {
            true => Err(Error::Hook(self.options.name.clone(), end.what)),
            false => self.spawn(),
        };
        match next {
            Ok(next) => self.next = Some(next),
            Err(error) => self.timeline.notice(now, format!("not replaced: {error}")),
        }
        Timestamp::NEVER
    }

    fn advance_next(&mut self, now: Timestamp) -> Result<Timestamp, Error> {
        let Some(mut next) = self.next.take() else {
            return Ok(Timestamp::NEVER);
        };
        // As below.
        let now = now.max(next.started());
        let due = next.advance(now)?;
        match next.state() {
            // What must be done after the end of the old one is done first.
            State::Running if !matches!(self.stage, Stage::PostStop(..)) => {
                let why = format!("replaced by pid {}", next.pid());
                let before = self.take_over(next, now);
                if let Stage::Up(mut before) = before {
                    before.request_stop(&StopRequest::own(now, why), now);
                    self.replaced.push(*before);
                }
                // The one that was replaced is looked at in this same turn.
                Ok(Timestamp::NEVER)
            }
            State::Stopped if next.is_over() => {
                let ended = next.conclude(now);
                self.timeline.report(&ended.report);
                self.timeline
                    .notice(now, format!("not replaced: {}", ended.how));
                Ok(Timestamp::NEVER)
            }
            _ => {
                self.next = Some(next);
                Ok(due)
            }
        }
    }

    /// Makes `run` the one that is up; what it was before.
    fn take_over(&mut self, run: Box<Run>, now: Timestamp) -> Stage {
        let is_ready = run.state() == State::Running;
        let before = mem::replace(&mut self.stage, Stage::Up(run));
        if is_ready {
            self.became_ready(now);
        }
        before
    }

    fn became_ready(&mut self, now: Timestamp) {
        let Stage::Up(run) = &self.stage else {
            return;
        };
        self.restarts.ready(now);
        let facts = vec![("WINDDOWN_PID".to_owned(), run.pid().to_string())];
        let never = Timestamp::NEVER;
        self.post_start = Hook::start(Event::PostStart, &self.options, facts, never, now);
    }

    fn advance_replaced(&mut self, now: Timestamp) -> Result<Timestamp, Error> {
        let mut due = Timestamp::NEVER;
        for mut run in mem::take(&mut self.replaced) {
            due = due.min(run.advance(now)?);
            match run.is_over() {
                true => self.timeline.report(&run.conclude(now).report),
                false => self.replaced.push(run),
            }
        }
        Ok(due)
    }

    fn advance_post_start(&mut self, now: Timestamp) -> Timestamp {
        let Some(hook) = &mut self.post_start else {
            return Timestamp::NEVER;
        };
        let Some(end) = hook.advance(now) else {
            return hook.due();
        };
        self.post_start = None;
        end.tell(&self.timeline, now);
        if let (true, Stage::Up(run)) = (end.failed, &mut self.stage) {
            run.fail("its post-start hook failed", now);
        }
        Timestamp::NEVER
    }

    fn advance_on_failure(&mut self, now: Timestamp) -> Timestamp {
        let Some(hook) = &mut self.on_failure else {
            return Timestamp::NEVER;
        };
        let Some(end) = hook.advance(now) else {
            return hook.due();
        };
        self.on_failure = None;
        end.tell(&self.timeline, now);
        Timestamp::NEVER
    }

    fn advance_stage(&mut self, now: Timestamp) -> Result<Timestamp, Error> {
        loop {
            match &mut self.stage {
                Stage::Down(_) | Stage::Waiting => return Ok(Timestamp::NEVER),
                Stage::BackOff(at) if now < *at => return Ok(*at),
                Stage::BackOff(_) => {
                    self.stage = Stage::Waiting;
                    return Ok(Timestamp::NEVER);
                }
                Stage::PreStart(hook) => match hook.advance(now) {
                    None => return Ok(hook.due()),
                    Some(end) => self.after_pre_start(&end, now),
                },
                Stage::Up(run) => {
                    // It may have been started in this very turn, which began before.
                    let now = now.max(run.started());
                    let before = run.state();
                    let next = run.advance(now)?;
                    if before == State::Starting && run.state() == State::Running {
                        self.became_ready(now);
                        return Ok(next);
                    }
                    if !run.is_over() {
                        return Ok(next);
                    }
                    self.conclude(now);
                }
                Stage::PostStop(hook, _) => match hook.advance(now) {
                    None => return Ok(hook.due()),
                    Some(end) => self.after_post_stop(&end, now),
                },
            }
        }
    }

    fn after_pre_start(&mut self, end: &hook::HookEnd, now: Timestamp) {
        end.tell(&self.timeline, now);
        if let Some(request) = self.stop_wish.take() {
            self.go_down_idle(&request, "its pre-start hook was cut short", now);
        } else if end.failed {
            let name = self.options.name.clone();
            self.fail_to_start(Error::Hook(name, end.what.clone()), now);
        } else {
            self.launch(now);
        }
    }

    fn conclude(&mut self, now: Timestamp) {
        let Stage::Up(run) = mem::replace(&mut self.stage, Stage::Down(Standing::Down)) else {
            return;
        };
        if run.is_empty() && self.is_last() {
            // Its end takes as long as what is left to be done.
            self.common.guard.release();
        }
        let ended = Box::new(run.conclude(now));
        self.before_next = None;
        self.post_start = None;
        if self.next.is_none() {
            self.stop_wish = None;
        }
        let facts = hook::facts_of(&ended.report);
        // A stop has an end; an end that nobody asked for has time.
        let limit = match ended.asked {
            true => ended.deadline,
            false => Timestamp::NEVER,
        };
        match Hook::start(Event::PostStop, &self.options, facts, limit, now) {
            Some(hook) => self.stage = Stage::PostStop(hook, ended),
            None => self.finish(ended, now),
        }
    }

    /// Whether no program is started any more by anybody.
    fn is_last(&self) -> bool {
        let Common { alone, ending, .. } = &*self.common;
        alone.get()
            && ending.get()
            && self.options.hooks.post_stop.is_none()
            && self.next.is_none()
            && self.replaced.is_empty()
            && self.on_failure.is_none()
    }

    fn after_post_stop(&mut self, end: &hook::HookEnd, now: Timestamp) {
        end.tell(&self.timeline, now);
        let stage = mem::replace(&mut self.stage, Stage::Down(Standing::Down));
        if let Stage::PostStop(_, mut ended) = stage {
            ended.append(end.record(ended.begun, now), now);
            self.finish(ended, now);
        }
    }

    fn finish(&mut self, ended: Box<Ended>, now: Timestamp) {
        self.timeline.report(&ended.report);
        let how = ended.how.clone();
        let facts = hook::facts_of(&ended.report);
        self.last = Some(Ok(ended));
        if let Some(next) = self.next.take() {
            self.take_over(next, now);
        } else if mem::take(&mut self.again) {
            self.stage = Stage::Waiting;
        } else if self.wanted {
            self.decide(&how, facts, now);
        }
    }

    /// Decides what follows an end that nobody asked for.
    fn decide(&mut self, ended: &restart::Ended, facts: hook::Facts, now: Timestamp) {
        let failed = !self.restarts.rules().is_success(ended);
        let down = match ended {
            _ if failed => Standing::Failed,
            restart::Ended::Code(_) => Standing::Done,
            // It was asked to stop by somebody else: it is not there.
            _ => Standing::Down,
        };
        self.stage = match self.restarts.ended(now, ended, fastrand::f64()) {
            Decision::Restart { at } => {
                let wait = format_duration(at.since(now));
                let number = self.restarts.in_a_row();
                self.timeline
                    .notice(now, format!("restart {number} in {wait}: {ended}"));
                Stage::BackOff(at)
            }
            Decision::Stop { .. } => Stage::Down(down),
            Decision::Shutdown { why } => {
                self.wants_shutdown = Some(why);
                Stage::Down(down)
            }
            Decision::GiveUp { why } => {
                self.timeline.notice(now, format!("given up: {why}"));
                Stage::Down(Standing::Failed)
            }
        };
        if matches!(self.stage, Stage::Down(_)) {
            self.wanted = false;
        }
        if failed {
            let limit = Timestamp::NEVER;
            self.on_failure = Hook::start(Event::OnFailure, &self.options, facts, limit, now);
        }
    }
}
