//! What the fake SCM knows, and what it does on its own when time passes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use winddown_core::Timestamp;
use winddown_core::scm::{Control, Scm, ServiceState, ServiceStatus, code};

use super::config::{FailureAction, ServiceConfig, StartType};
use super::rules::{self, Rule, Violation};

const NEVER_STARTED: u32 = 1077;

pub(super) type Main = Arc<dyn Fn(Arc<dyn Scm>) + Send + Sync>;

pub(super) struct Service {
    pub(super) config: ServiceConfig,
    pub(super) main: Main,
    pub(super) status: ServiceStatus,
    pub(super) history: Vec<(Timestamp, ServiceStatus)>,
    /// The process that serves it now.
    pub(super) process: Option<u64>,
    /// The process that served it last, which may still be ending.
    pub(super) last_process: Option<u64>,
    /// A control was sent after which no other is.
    pub(super) ending: bool,
    pub(super) handles: usize,
    pub(super) deleted: bool,
    pub(super) failures: Vec<(Timestamp, FailureAction)>,
    failures_counted: usize,
    /// When it last showed progress, and what it then hinted.
    progress: (Timestamp, Duration),
    hang_noted: bool,
}

pub(super) struct Process {
    pub(super) service: String,
    pub(super) launched: Timestamp,
    pub(super) connected: bool,
    pub(super) main_started: bool,
    pub(super) arguments: Vec<String>,
    pub(super) inbox: VecDeque<Control>,
    /// The service reported `STOPPED`: the dispatcher is done.
    pub(super) stopped: bool,
    pub(super) end: Option<ProcessEnd>,
    /// Its thread has returned too.
    pub(super) returned: bool,
}

/// How a service's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEnd {
    /// Its main function returned.
    Returned,
    /// It panicked, in its main function, its `service_main` or its handler.
    Panicked,
    /// It was killed: by the test, or by the SCM at one of its limits.
    Killed,
}

/// A service in a pending state whose wait hint passed without a higher checkpoint or another state.
///
/// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/ns-winsvc-service_status>.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hung {
    /// The service.
    pub service: String,
    /// When its hint had passed.
    pub at: Timestamp,
    /// Its last status.
    pub status: ServiceStatus,
}

/// The one control that is under way: the SCM delivers one at a time, across all services.
pub(super) struct Delivery {
    pub(super) process: u64,
    pub(super) answer: Option<u32>,
    /// Nobody waits for the answer any more.
    pub(super) abandoned: bool,
}

#[derive(Default)]
pub(super) struct State {
    /// In the order of the database, which is that of creation.
    pub(super) services: Vec<Service>,
    pub(super) processes: BTreeMap<u64, Process>,
    pub(super) delivery: Option<Delivery>,
    pub(super) restarts: Vec<(Timestamp, String)>,
    pub(super) violations: Vec<Violation>,
    pub(super) hung: Vec<Hung>,
    pub(super) shutting_down: bool,
    pub(super) preshutdown_order: Vec<String>,
    pub(super) wait_to_kill: Duration,
}

impl Service {
    pub(super) fn new(config: ServiceConfig, main: Main) -> Self {
        let status = ServiceStatus {
            exit_code: NEVER_STARTED,
            ..ServiceStatus::of(ServiceState::Stopped)
        };
        Self {
            config,
            main,
            status,
            history: Vec::new(),
            process: None,
            last_process: None,
            ending: false,
            handles: 0,
            deleted: false,
            failures: Vec::new(),
            failures_counted: 0,
            progress: (Timestamp::ZERO, Duration::ZERO),
            hang_noted: false,
        }
    }

    pub(super) fn is(&self, state: ServiceState) -> bool {
        self.status.state == state
    }

    pub(super) fn set(&mut self, now: Timestamp, status: ServiceStatus) {
        if rules::progressed(&self.status, &status) {
            self.progress = (now, status.wait_hint);
            self.hang_noted = false;
        }
        if status.state == ServiceState::Stopped {
            self.process = None;
        }
        self.status = status;
        self.history.push((now, status));
    }

    fn last_update(&self) -> Timestamp {
        self.history.last().map_or(Timestamp::ZERO, |(at, _)| *at)
    }

    /// Counts a failure, and says after which time to restart.
    fn fail(&mut self, now: Timestamp) -> Option<Duration> {
        let last = self.failures.last().map(|(at, _)| *at);
        if let (Some(period), Some(last)) = (self.config.failure_reset_period, last) {
            if now.since(last) >= period {
                self.failures_counted = 0;
            }
        }
        let actions = &self.config.failure_actions;
        let action = *actions.get(self.failures_counted).or(actions.last())?;
        self.failures_counted += 1;
        self.failures.push((now, action));
        match action {
            FailureAction::Nothing => None,
            FailureAction::Restart(delay) => Some(delay),
        }
    }
}

impl State {
    pub(super) fn service(&mut self, name: &str) -> Result<&mut Service, u32> {
        self.services
            .iter_mut()
            .find(|service| service.config.name == name)
            .ok_or(code::ERROR_SERVICE_DOES_NOT_EXIST)
    }

    pub(super) fn process(&mut self, id: u64) -> &mut Process {
        self.processes
            .get_mut(&id)
            .expect("a process is never forgotten")
    }

    /// The service that process `id` serves now.
    pub(super) fn served_by(&mut self, id: u64) -> Option<&mut Service> {
        self.services
            .iter_mut()
            .find(|service| service.process == Some(id))
    }

    pub(super) fn violate(&mut self, now: Timestamp, id: u64, rule: Rule, status: ServiceStatus) {
        let service = self.process(id).service.clone();
        self.violations.push(Violation {
            service,
            at: now,
            rule,
            status,
        });
    }

    /// Ends process `id` unless it has ended. A service that it leaves without `STOPPED` has failed with `exit_code`.
    pub(super) fn end(&mut self, now: Timestamp, id: u64, end: ProcessEnd, exit_code: u32) {
        let process = self.process(id);
        if process.end.is_some() {
            return;
        }
        process.end = Some(end);
        let delivery = self.delivery.as_ref();
        if delivery.is_some_and(|delivery| delivery.abandoned && delivery.process == id) {
            self.delivery = None;
        }
        let stopped = ServiceStatus {
            exit_code,
            ..ServiceStatus::of(ServiceState::Stopped)
        };
        if let Some(service) = self.served_by(id) {
            service.set(now, stopped);
            let name = service.config.name.clone();
            self.fail(now, &name);
        }
        self.purge();
    }

    /// Queues the action for a failure of service `name`.
    pub(super) fn fail(&mut self, now: Timestamp, name: &str) {
        if self.shutting_down {
            return;
        }
        let delay = self.service(name).ok().and_then(|s| s.fail(now));
        if let Some(delay) = delay {
            self.restarts.push((now + delay, name.to_owned()));
        }
    }

    /// Removes what is marked for deletion, has no handle and does not run.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-deleteservice>.
    pub(super) fn purge(&mut self) {
        self.services.retain(|service| {
            !service.deleted || service.handles > 0 || !service.is(ServiceState::Stopped)
        });
    }

    /// Whether a service holds the lock that is held while one starts.
    pub(super) fn is_starting(&self) -> bool {
        self.services
            .iter()
            .any(|service| service.is(ServiceState::StartPending))
    }

    /// Notes hints that passed, and ends what did not start in time.
    pub(super) fn supervise(&mut self, now: Timestamp) {
        let mut late = Vec::new();
        for service in &mut self.services {
            if !service.status.state.is_pending() {
                continue;
            }
            let (since, hint) = service.progress;
            if now > since + hint && !service.hang_noted {
                service.hang_noted = true;
                self.hung.push(Hung {
                    service: service.config.name.clone(),
                    at: since + hint,
                    status: service.status,
                });
            }
            if let (ServiceState::StartPending, Some(id)) = (service.status.state, service.process)
            {
                let silence = rules::START_LIMIT + service.status.wait_hint;
                late.push((id, service.last_update() + silence));
            }
        }
        for (id, start_limit) in late {
            let process = self.process(id);
            let connect_limit = process.launched + rules::DISPATCHER_LIMIT;
            if !process.connected && now >= connect_limit || now >= start_limit {
                let timeout = code::ERROR_SERVICE_REQUEST_TIMEOUT;
                self.end(now, id, ProcessEnd::Killed, timeout);
            }
        }
    }

    /// A service whose queued restart is due and can be done now.
    pub(super) fn due_restart(&mut self, now: Timestamp) -> Option<String> {
        if self.shutting_down || self.is_starting() {
            return None;
        }
        let due = self.restarts.iter().position(|(at, _)| *at <= now)?;
        let (_, name) = self.restarts.remove(due);
        let startable = self.service(&name).is_ok_and(|service| {
            service.is(ServiceState::Stopped)
                && !service.deleted
                && service.config.start_type != StartType::Disabled
        });
        if startable {
            Some(name)
        } else {
            self.due_restart(now)
        }
    }
}
