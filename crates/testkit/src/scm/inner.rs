//! The fake SCM at work: starting processes, delivering controls, and waiting in real time for what happens in fake time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use winddown_core::scm::{Control, ServiceState, ServiceStatus, code};
use winddown_core::{Clock, Timestamp};

use super::config::StartType;
use super::process::ProcessScm;
use super::rules::{self, Rule};
use super::state::{Delivery, Process, ProcessEnd, State};
use crate::FakeClock;

const BROKEN_PIPE: u32 = 109;
const CIRCULAR_DEPENDENCY: u32 = 1059;
/// How long anything may take in real time before the test is taken to hang.
const REAL_LIMIT: Duration = Duration::from_secs(30);

pub(super) struct Inner {
    clock: FakeClock,
    state: Mutex<State>,
    changed: Condvar,
}

impl Inner {
    pub(super) fn new(clock: &FakeClock, state: State) -> Arc<Self> {
        let inner = Arc::new(Self {
            clock: clock.clone(),
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let weak = Arc::downgrade(&inner);
        clock.on_advance(Arc::new(move || {
            if let Some(inner) = weak.upgrade() {
                inner.settle();
            }
        }));
        inner
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at or changes the state, and wakes all who wait for it.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let result = change(&mut self.lock(), self.clock.now());
        self.changed.notify_all();
        result
    }

    /// Waits until `ready` gives something.
    ///
    /// # Panics
    /// After 30 s of real time, with `what`.
    pub(super) fn wait<T>(
        &self,
        what: &str,
        ready: impl FnMut(&mut State, Timestamp) -> Option<T>,
    ) -> T {
        self.wait_until(Some(Instant::now() + REAL_LIMIT), ready)
            .unwrap_or_else(|| {
                panic!(
                    "fake SCM: waited {REAL_LIMIT:?} of real time for {what}; has the clock to be advanced? {}",
                    self.describe()
                )
            })
    }

    /// Waits as long as it takes until `ready` gives something.
    pub(super) fn wait_for_ever<T>(
        &self,
        ready: impl FnMut(&mut State, Timestamp) -> Option<T>,
    ) -> T {
        self.wait_until(None, ready)
            .expect("a wait without limit ends with something")
    }

    fn wait_until<T>(
        &self,
        limit: Option<Instant>,
        mut ready: impl FnMut(&mut State, Timestamp) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(result) = ready(&mut state, self.clock.now()) {
                self.changed.notify_all();
                return Some(result);
            }
            state = match limit.map(|limit| limit.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return None,
                Some(left) => {
                    let woken = self.changed.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let woken = self.changed.wait(state);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }

    fn describe(&self) -> String {
        let state = self.lock();
        let services = state.services.iter().map(|service| {
            let ServiceStatus {
                state, checkpoint, ..
            } = service.status;
            format!(
                "{} is {state:?} (checkpoint {checkpoint})",
                service.config.name
            )
        });
        services.collect::<Vec<_>>().join(", ")
    }

    /// Does what is due by now.
    pub(super) fn settle(self: &Arc<Self>) {
        self.with(|state, now| {
            state.supervise(now);
            while let Some(name) = state.due_restart(now) {
                self.launch(state, now, &name, &[]);
            }
        });
    }

    /// Starts service `name`, and first what it depends on.
    pub(super) fn start(self: &Arc<Self>, name: &str, arguments: &[&str]) -> Result<(), u32> {
        let order = self.with(|state, _| start_order(state, name))?;
        for dependency in &order[..order.len() - 1] {
            self.start_dependency(dependency)
                .map_err(|_| code::ERROR_SERVICE_DEPENDENCY_FAIL)?;
        }
        self.start_alone(name, arguments)
    }

    /// Starts a dependency unless it runs, and waits until it does.
    fn start_dependency(self: &Arc<Self>, name: &str) -> Result<(), u32> {
        match self.start_alone(name, &[]) {
            Ok(()) | Err(code::ERROR_SERVICE_ALREADY_RUNNING) => {}
            Err(code) => return Err(code),
        }
        self.wait(&format!("{name} to run"), |state, _| {
            let Ok(service) = state.service(name) else {
                return Some(Err(code::ERROR_SERVICE_DOES_NOT_EXIST));
            };
            match service.status.state {
                ServiceState::Stopped => Some(Err(service.status.exit_code)),
                ServiceState::StartPending => None,
                _ => Some(Ok(())),
            }
        })
    }

    fn start_alone(self: &Arc<Self>, name: &str, arguments: &[&str]) -> Result<(), u32> {
        let asked = self.clock.now();
        let what = format!("the start of {name}");
        let id = self.wait(&what, |state, now| {
            if let Err(code) = may_start(state, name) {
                return Some(Err(code));
            }
            if state.delivery.is_some() {
                let late = now >= asked + rules::HANDLER_LIMIT;
                return late.then_some(Err(code::ERROR_SERVICE_REQUEST_TIMEOUT));
            }
            let free = !state.is_starting();
            free.then(|| Ok(self.launch(state, now, name, arguments)))
        })?;
        self.wait(&what, |state, _| {
            let process = state.process(id);
            if process.main_started {
                return Some(Ok(()));
            }
            let ended = process.end.is_some();
            ended.then_some(Err(code::ERROR_SERVICE_REQUEST_TIMEOUT))
        })
    }

    /// Starts a process for service `name`, which exists and is stopped.
    fn launch(
        self: &Arc<Self>,
        state: &mut State,
        now: Timestamp,
        name: &str,
        arguments: &[&str],
    ) -> u64 {
        let id = state.processes.len() as u64;
        let service = state.service(name).expect("the service exists");
        service.ending = false;
        service.set(now, rules::STARTED);
        service.process = Some(id);
        service.last_process = Some(id);
        let main = Arc::clone(&service.main);
        let mut words = vec![name.to_owned()];
        words.extend(arguments.iter().map(ToString::to_string));
        state.processes.insert(id, Process::new(name, now, words));
        let inner = Arc::clone(self);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let scm = Arc::new(ProcessScm::new(Arc::clone(&inner), id));
                let end = match catch_unwind(AssertUnwindSafe(|| main(scm))) {
                    Ok(()) => ProcessEnd::Returned,
                    Err(_) => ProcessEnd::Panicked,
                };
                inner.end(id, end);
                inner.with(|state, _| state.process(id).returned = true);
            })
            .expect("a thread can be started");
        id
    }

    /// Ends process `id`; a service that it leaves without `STOPPED` was aborted.
    pub(super) fn end(self: &Arc<Self>, id: u64, end: ProcessEnd) {
        self.with(|state, now| {
            // One that never reached the dispatcher has not answered its start.
            let exit_code = match state.process(id).connected {
                true => code::ERROR_PROCESS_ABORTED,
                false => code::ERROR_SERVICE_REQUEST_TIMEOUT,
            };
            state.end(now, id, end, exit_code);
        });
        self.settle();
    }

    /// Sends a control, and gives the status after the handler took it.
    pub(super) fn send(&self, name: &str, control: Control) -> Result<ServiceStatus, u32> {
        let asked = self.clock.now();
        let what = format!("{control} to reach {name}");
        let (id, sent) = self.wait(&what, |state, now| {
            if let Err(code) = state.service(name) {
                return Some(Err(code));
            }
            if state.delivery.is_some() {
                let late = now >= asked + rules::HANDLER_LIMIT;
                return late.then_some(Err(code::ERROR_SERVICE_REQUEST_TIMEOUT));
            }
            Some(deliver(state, name, control).map(|id| (id, now)))
        })?;
        let answer = self.wait(&format!("{name} to take {control}"), |state, now| {
            let delivery = state.delivery.as_mut().expect("it is under way");
            if let Some(answer) = delivery.answer {
                state.delivery = None;
                return Some(Ok(answer));
            }
            let late = now >= sent + rules::HANDLER_LIMIT;
            delivery.abandoned = late;
            if state.process(id).end.is_some() {
                state.delivery = None;
                return Some(Err(BROKEN_PIPE));
            }
            late.then_some(Err(code::ERROR_SERVICE_REQUEST_TIMEOUT))
        });
        self.with(|state, now| {
            let status = state
                .service(name)
                .map_or(ServiceStatus::of(ServiceState::Stopped), |service| {
                    service.status
                });
            match answer {
                Ok(code::NO_ERROR) => Ok(status),
                Ok(answer) => {
                    if let Some(service) = state.served_by(id) {
                        service.ending &= !rules::ends(control);
                    }
                    if rules::must_be_taken(control) {
                        state.violate(now, id, Rule::Refused { control, answer }, status);
                    }
                    Err(answer)
                }
                Err(code) => {
                    if code == code::ERROR_SERVICE_REQUEST_TIMEOUT {
                        state.violate(now, id, Rule::SlowHandler(control), status);
                    }
                    Err(code)
                }
            }
        })
    }
}

fn may_start(state: &mut State, name: &str) -> Result<(), u32> {
    if state.shutting_down {
        return Err(code::ERROR_SHUTDOWN_IN_PROGRESS);
    }
    let service = state.service(name)?;
    if service.deleted {
        return Err(code::ERROR_SERVICE_MARKED_FOR_DELETE);
    }
    if service.config.start_type == StartType::Disabled {
        return Err(code::ERROR_SERVICE_DISABLED);
    }
    match service.status.state {
        ServiceState::Stopped => Ok(()),
        _ => Err(code::ERROR_SERVICE_ALREADY_RUNNING),
    }
}

/// The services to start for `name`, itself last.
fn start_order(state: &mut State, name: &str) -> Result<Vec<String>, u32> {
    may_start(state, name)?;
    let mut order = Vec::new();
    visit(state, name, &mut Vec::new(), &mut order)?;
    Ok(order)
}

fn visit(
    state: &mut State,
    name: &str,
    above: &mut Vec<String>,
    order: &mut Vec<String>,
) -> Result<(), u32> {
    if above.iter().any(|other| other == name) {
        return Err(CIRCULAR_DEPENDENCY);
    }
    if order.iter().any(|other| other == name) {
        return Ok(());
    }
    above.push(name.to_owned());
    for dependency in state.service(name)?.config.dependencies.clone() {
        match state.service(&dependency) {
            Ok(service) if !service.deleted => visit(state, &dependency, above, order)?,
            _ => return Err(code::ERROR_SERVICE_DEPENDENCY_DELETED),
        }
    }
    above.pop();
    order.push(name.to_owned());
    Ok(())
}

/// Checks that service `name` may be sent `control`, and hands it to its dispatcher.
fn deliver(state: &mut State, name: &str, control: Control) -> Result<u64, u32> {
    let service = state.service(name)?;
    let status = service.status;
    if service.ending && !service.is(ServiceState::Stopped) {
        return Err(code::ERROR_SERVICE_CANNOT_ACCEPT_CTRL);
    }
    rules::may_be_sent(&status, control)?;
    let depends = |other: &super::state::Service| {
        !other.is(ServiceState::Stopped)
            && other
                .config
                .dependencies
                .iter()
                .any(|needed| needed == name)
    };
    if control == Control::Stop && state.services.iter().any(depends) {
        return Err(code::ERROR_DEPENDENT_SERVICES_RUNNING);
    }
    let service = state.service(name)?;
    let id = service
        .process
        .ok_or(code::ERROR_SERVICE_CANNOT_ACCEPT_CTRL)?;
    service.ending |= rules::ends(control);
    state.process(id).inbox.push_back(control);
    state.delivery = Some(Delivery {
        process: id,
        answer: None,
        abandoned: false,
    });
    Ok(id)
}
