//! The Windows Service Control Manager as a host.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use winddown_core::scm::{
    Accepted, Control, Scm, ServiceProgram, ServiceState, ServiceStatus, code,
};
use winddown_core::{Extension, Mechanism};

use super::Host;
use crate::exit::Exit;

/// Tells the SCM the states of the service.
pub struct ScmHost {
    scm: Arc<dyn Scm>,
    accepted: Accepted,
    checkpoint: u32,
    started: bool,
    stopped: bool,
}

impl ScmHost {
    /// A service that accepts `accepted` while it runs; the SCM is told that it starts, and may wait `wait` for more.
    #[must_use]
    pub fn new(scm: Arc<dyn Scm>, accepted: Accepted, wait: Duration) -> Self {
        let mut host = Self {
            scm,
            accepted,
            checkpoint: 0,
            started: false,
            stopped: false,
        };
        host.pending(ServiceState::StartPending, wait);
        host
    }

    fn tell(&self, status: ServiceStatus) {
        // A refusal leaves nothing to do: the SCM itself is gone, or it has given this service up.
        let _ = self.scm.set_status(status);
    }

    fn pending(&mut self, state: ServiceState, wait: Duration) {
        self.checkpoint += 1;
        self.tell(ServiceStatus {
            checkpoint: self.checkpoint,
            wait_hint: wait,
            ..ServiceStatus::of(state)
        });
    }

    fn settled(&mut self, state: ServiceState) {
        self.checkpoint = 0;
        self.started = true;
        self.tell(ServiceStatus {
            accepted: self.accepted,
            ..ServiceStatus::of(state)
        });
    }
}

impl Host for ScmHost {
    fn extend_start(&mut self, extension: Extension) {
        // What runs does not start any more, also where another attempt is made behind it.
        if !self.started {
            self.pending(ServiceState::StartPending, extension.wait);
        }
    }

    fn running(&mut self) {
        self.settled(ServiceState::Running);
    }

    /// While a start is pending the SCM passes on no stop, and this one may go on for ever.
    fn retrying(&mut self) {
        self.running();
    }

    fn paused(&mut self) {
        self.settled(ServiceState::Paused);
    }

    fn reloading(&mut self) {}

    fn stopping(&mut self, wait: Duration) {
        self.checkpoint = 0;
        self.pending(ServiceState::StopPending, wait);
    }

    fn extend_stop(&mut self, extension: Extension) {
        self.pending(ServiceState::StopPending, extension.wait);
    }

    fn status(&mut self, _: &str) {}

    fn alive(&mut self) {}

    fn watchdog(&self) -> Option<Duration> {
        None
    }

    fn limit(&self, mechanism: &Mechanism) -> Option<Duration> {
        match mechanism {
            Mechanism::Control(control) => self.scm.limit(*control),
            other => other.limit(true),
        }
    }

    fn stopped(&mut self, exit: Exit) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        let specific = u32::from(exit.code());
        self.tell(ServiceStatus {
            exit_code: if specific == 0 {
                code::NO_ERROR
            } else {
                code::ERROR_SERVICE_SPECIFIC_ERROR
            },
            specific_exit_code: specific,
            ..ServiceStatus::of(ServiceState::Stopped)
        });
    }
}

/// What the SCM calls: the body once, and the handler, which only notes what came (WD-56).
pub struct ScmProgram {
    body: Mutex<Option<ServiceBody>>,
    handler: ControlHandler,
}

/// Runs the service with the arguments of its start; the first is the service's name.
pub type ServiceBody = Box<dyn FnOnce(Vec<String>) + Send>;

/// Notes a control; whether the program wants it.
pub type ControlHandler = Box<dyn Fn(Control) -> bool + Send + Sync>;

impl ScmProgram {
    /// A program of this body; `handler` is asked about every control but INTERROGATE, and must return at once.
    #[must_use]
    pub fn new(body: ServiceBody, handler: ControlHandler) -> Self {
        Self {
            body: Mutex::new(Some(body)),
            handler,
        }
    }
}

impl ServiceProgram for ScmProgram {
    fn service_main(&self, arguments: Vec<String>) {
        let body = self
            .body
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(body) = body {
            body(arguments);
        }
    }

    fn control(&self, control: Control) -> u32 {
        if control == Control::Interrogate || (self.handler)(control) {
            code::NO_ERROR
        } else {
            code::ERROR_CALL_NOT_IMPLEMENTED
        }
    }
}
