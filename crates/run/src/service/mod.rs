//! One supervised service: its runs, and what is between them.

mod advance;
mod asking;
mod ended;
mod evidence;
mod health;
mod hook;
mod judge;
mod ready;
mod request;
mod run;
mod saying;
mod sockets;
mod status;
mod stopping;
mod wishes;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use winddown_core::order::Standing;
use winddown_core::restart::Restarts;
use winddown_core::{Signal, State, Timestamp};
use winddown_sys::Waitable;
use winddown_sys::guard::Guard;

use crate::error::Error;
use crate::logs::{Captured, Logs};
use crate::options::ServiceOptions;
use crate::timeline::Timeline;

pub(crate) use ended::Ended;
pub(crate) use request::StopRequest;
pub(crate) use saying::News;
pub(crate) use sockets::SpareSockets;

use hook::Hook;
use run::Run;
use sockets::Sockets;

/// What all services of a winddown have in common.
pub(crate) struct Common {
    pub(crate) spare: RefCell<SpareSockets>,
    pub(crate) logs: Logs,
    /// Whether there is only one service.
    pub(crate) alone: Cell<bool>,
    pub(crate) rehearsal: bool,
    /// Whether everything is being stopped: nothing is started again.
    pub(crate) ending: Cell<bool>,
    pub(crate) guard: Rc<Guard>,
}

/// A service, from its first start to its last end.
pub(crate) struct Service {
    options: Rc<ServiceOptions>,
    timeline: Timeline,
    common: Rc<Common>,
    restarts: Restarts,
    /// How often its program was started.
    launches: u32,
    sockets: Option<Sockets>,
    captured: Option<Box<Captured>>,
    stage: Stage,
    /// The hook that the start of the run that is to replace the one that is up waits for.
    before_next: Option<Box<Hook>>,
    /// The run that is to replace the one that is up, once it is ready.
    next: Option<Box<Run>>,
    /// Runs that were replaced and are being stopped.
    replaced: Vec<Run>,
    /// The hook that the program's being ready waits for.
    post_start: Option<Box<Hook>>,
    /// The hook that tells of a failure.
    on_failure: Option<Box<Hook>>,
    /// Whether it is to run.
    wanted: bool,
    /// Who wants it to stop, while others must stop before it, or a hook must end.
    stop_wish: Option<Box<StopRequest>>,
    /// Whether it is started again once its stop has ended.
    again: bool,
    last: Option<Result<Box<Ended>, Error>>,
    wants_shutdown: Option<String>,
}

/// Where a service is between its starts and its ends.
enum Stage {
    /// Nothing of it runs; whether it failed, is done, or neither.
    Down(Standing),
    /// It is to be started once the services that it needs are ready.
    Waiting,
    /// What must be done before the program is started.
    PreStart(Box<Hook>),
    /// Its program runs.
    Up(Box<Run>),
    /// What must be done after the program has ended, so.
    PostStop(Box<Hook>, Box<Ended>),
    /// It is started again at this time.
    BackOff(Timestamp),
}

impl Service {
    pub(crate) fn new(options: ServiceOptions, timeline: Timeline, common: &Rc<Common>) -> Self {
        Self {
            restarts: Restarts::new(Arc::clone(&options.restart)),
            options: Rc::new(options),
            timeline,
            common: Rc::clone(common),
            launches: 0,
            sockets: None,
            captured: None,
            stage: Stage::Down(Standing::Down),
            before_next: None,
            next: None,
            replaced: Vec::new(),
            post_start: None,
            on_failure: None,
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
            Stage::Down(_) if !self.is_down() => Standing::Stopping,
            Stage::Down(how) => *how,
            Stage::Waiting | Stage::BackOff(_) => Standing::Waiting,
            Stage::PreStart(_) => Standing::Starting,
            Stage::PostStop(..) => Standing::Stopping,
            Stage::Up(run) => match run.state() {
                State::Idle | State::Starting => Standing::Starting,
                State::Stopping | State::Stopped => Standing::Stopping,
                _ if self.post_start.is_some() => Standing::Starting,
                State::Running | State::Paused | State::Reloading => Standing::Ready,
            },
        }
    }

    /// Whether nothing of it runs, and nothing will before somebody asks.
    pub(crate) fn is_down(&self) -> bool {
        matches!(self.stage, Stage::Down(_))
            && self.replaced.is_empty()
            && self.on_failure.is_none()
    }

    /// Whether it was asked to stop and is not down yet.
    pub(crate) const fn is_ending(&self) -> bool {
        !self.wanted && !matches!(self.stage, Stage::Down(_))
    }

    /// Whether it waits to be started again.
    pub(crate) const fn is_backing_off(&self) -> bool {
        matches!(self.stage, Stage::BackOff(_))
    }

    /// Whether it waits for the services that it needs.
    pub(crate) const fn is_waiting(&self) -> bool {
        matches!(self.stage, Stage::Waiting)
    }

    /// Whether it is to run.
    pub(crate) const fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// The wish that it stops, if its program has yet to be asked for that.
    pub(crate) fn stop_wish(&self) -> Option<&StopRequest> {
        let wish = self.stop_wish.as_deref();
        wish.filter(|_| matches!(self.stage, Stage::Up(_)))
    }

    /// When its stop ends at the latest.
    pub(crate) fn stop_deadline(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Up(run) => run.stop_deadline(),
            _ => None,
        }
    }

    /// When its start ends at the latest.
    pub(crate) fn start_deadline(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Up(run) if run.state() == State::Starting => Some(run.ready_deadline()),
            _ => None,
        }
    }

    /// When the program that runs was started.
    pub(crate) fn started(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Up(run) => Some(run.started()),
            _ => None,
        }
    }

    /// Whether it has failed without its program having run.
    pub(crate) const fn never_ran(&self) -> bool {
        !matches!(self.last, Some(Ok(_)))
    }

    /// How its last run ended, or why it could not be started.
    pub(crate) fn into_last(self) -> Option<Result<Box<Ended>, Error>> {
        self.last
    }

    /// Why everything is to be stopped, once.
    pub(crate) fn take_shutdown(&mut self) -> Option<String> {
        self.wants_shutdown.take()
    }

    /// What its programs have said since the last call that the host is told too.
    pub(crate) fn take_news(&mut self) -> News {
        match &mut self.stage {
            Stage::Up(run) => run.take_news(),
            _ => News::default(),
        }
    }

    /// Writes down something that happened to it.
    pub(crate) fn note(&self, what: String, now: Timestamp) {
        self.timeline.add(now, what);
    }

    /// Passes a signal on to the program.
    pub(crate) fn forward(&self, signal: Signal) {
        if let Stage::Up(run) = &self.stage {
            run.forward(signal);
        }
    }

    /// Whether the last of its output is being written.
    pub(crate) fn is_draining(&self) -> bool {
        self.runs().any(Run::is_draining)
    }

    /// What it waits for.
    pub(crate) fn sources(&self) -> Vec<&dyn Waitable> {
        let mut sources = Vec::new();
        for run in self.runs() {
            run.sources(&mut sources);
        }
        let hook = match &self.stage {
            Stage::PreStart(hook) | Stage::PostStop(hook, _) => Some(hook),
            _ => None,
        };
        for hook in hook
            .iter()
            .copied()
            .chain(&self.before_next)
            .chain(&self.post_start)
            .chain(&self.on_failure)
        {
            sources.extend(hook.sources());
        }
        sources
    }

    fn runs(&self) -> impl Iterator<Item = &Run> {
        let up = match &self.stage {
            Stage::Up(run) => Some(run),
            _ => None,
        };
        let up = up.into_iter().chain(&self.next).map(|run| &**run);
        up.chain(&self.replaced)
    }
}
