//! The SCM as one process sees it that the fake SCM started.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use winddown_core::Timestamp;
use winddown_core::scm::{
    Control, Scm, ScmError, ServiceProgram, ServiceState, ServiceStatus, code,
};

use super::inner::Inner;
use super::rules::{self, Rule};
use super::state::{Process, ProcessEnd, State};

const INVALID_HANDLE: u32 = 6;
const DISPATCHER: &str = "StartServiceCtrlDispatcherW";

pub(super) struct ProcessScm {
    inner: Arc<Inner>,
    id: u64,
}

impl ProcessScm {
    pub(super) fn new(inner: Arc<Inner>, id: u64) -> Self {
        Self { inner, id }
    }

    fn connect(&self) -> Result<Vec<String>, ScmError> {
        let refused = |code| ScmError::Os {
            call: DISPATCHER,
            code,
        };
        self.inner.with(|state, _| {
            let process = state.process(self.id);
            if process.end.is_some() {
                return Err(refused(code::ERROR_PROCESS_ABORTED));
            }
            if process.connected {
                return Err(refused(code::ERROR_SERVICE_ALREADY_RUNNING));
            }
            process.connected = true;
            Ok(process.arguments.clone())
        })
    }

    fn start_main(&self, arguments: Vec<String>, program: Arc<dyn ServiceProgram>) {
        let (inner, id) = (Arc::clone(&self.inner), self.id);
        inner.with(|state, _| state.process(id).main_started = true);
        thread::Builder::new()
            .name(format!("{} main", arguments[0]))
            .spawn(move || {
                let body = AssertUnwindSafe(|| program.service_main(arguments));
                if catch_unwind(body).is_err() {
                    inner.end(id, ProcessEnd::Panicked);
                }
            })
            .expect("a thread can be started");
    }

    /// The next control, or `None` when the service has stopped.
    fn next_control(&self) -> Result<Option<Control>, ScmError> {
        self.inner.wait_for_ever(|state, _| {
            let process = state.process(self.id);
            if process.end.is_some() {
                return Some(Err(ScmError::Os {
                    call: DISPATCHER,
                    code: code::ERROR_PROCESS_ABORTED,
                }));
            }
            match process.inbox.pop_front() {
                Some(control) => Some(Ok(Some(control))),
                None => process.stopped.then_some(Ok(None)),
            }
        })
    }

    fn answer(&self, answer: u32) {
        self.inner.with(|state, _| match &mut state.delivery {
            Some(delivery) if delivery.process == self.id => {
                if delivery.abandoned {
                    state.delivery = None;
                } else {
                    delivery.answer = Some(answer);
                }
            }
            _ => {}
        });
    }
}

impl Scm for ProcessScm {
    fn run(&self, _name: &str, program: Arc<dyn ServiceProgram>) -> Result<(), ScmError> {
        let arguments = self.connect()?;
        self.start_main(arguments, Arc::clone(&program));
        while let Some(control) = self.next_control()? {
            match catch_unwind(AssertUnwindSafe(|| program.control(control))) {
                Ok(answer) => self.answer(answer),
                Err(_) => self.inner.end(self.id, ProcessEnd::Panicked),
            }
        }
        Ok(())
    }

    fn set_status(&self, status: ServiceStatus) -> Result<(), ScmError> {
        let accepted = self
            .inner
            .with(|state, now| report(state, now, self.id, status));
        self.inner.settle();
        accepted.map_err(|code| ScmError::Os {
            call: "SetServiceStatus",
            code,
        })
    }

    fn limit(&self, control: Control) -> Option<Duration> {
        self.inner.with(|state, _| match control {
            Control::Shutdown => Some(state.wait_to_kill),
            Control::Preshutdown => state
                .served_by(self.id)
                .map(|service| service.config.preshutdown_timeout),
            _ => None,
        })
    }
}

fn report(state: &mut State, now: Timestamp, id: u64, status: ServiceStatus) -> Result<(), u32> {
    let process = state.process(id);
    if process.stopped {
        state.violate(now, id, Rule::ReportAfterStopped, status);
        return Err(INVALID_HANDLE);
    }
    if process.end.is_some() || !process.connected {
        return Err(INVALID_HANDLE);
    }
    let stopped = status.state == ServiceState::Stopped;
    process.stopped = stopped;
    let service = state
        .served_by(id)
        .expect("a process that has not ended or stopped serves its service");
    let before = service.status;
    let failed = service.config.failure_actions_on_non_crash_failures && status.exit_code != 0;
    let name = service.config.name.clone();
    service.set(now, status);
    for rule in rules::broken(&before, &status) {
        state.violate(now, id, rule, status);
    }
    if stopped && failed {
        state.fail(now, &name);
    }
    state.purge();
    Ok(())
}

impl Process {
    pub(super) fn new(service: &str, launched: Timestamp, arguments: Vec<String>) -> Self {
        Self {
            service: service.to_owned(),
            launched,
            arguments,
            connected: false,
            main_started: false,
            inbox: VecDeque::new(),
            stopped: false,
            end: None,
            returned: false,
        }
    }
}
