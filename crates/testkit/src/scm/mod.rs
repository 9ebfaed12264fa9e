//! A Service Control Manager for tests, on any system.

mod config;
mod inner;
mod process;
mod rules;
mod shutdown;
mod state;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use winddown_core::Timestamp;
use winddown_core::scm::{
    Control, Scm, ScmError, ServiceProgram, ServiceState, ServiceStatus, code,
};

pub use config::{FailureAction, ServiceConfig, StartType};
pub use rules::{Rule, Violation};
pub use shutdown::{Shutdown, ShutdownReport};
pub use state::{Hung, ProcessEnd};

use crate::FakeClock;
use inner::Inner;
use state::{Service, State};

/// A Service Control Manager (SCM) that follows Microsoft's documented rules on a [`FakeClock`]. Clones are handles to it.
///
/// It plays the SCM's side: it starts a service's "process" as a thread that runs a closure, delivers controls to it, watches
/// over its status, and shuts the system down. The test plays the side of the service's clients. The closure is given an
/// [`Scm`] to serve with; a `FakeScm` itself is the [`Scm`] of a process that no SCM started, and refuses to serve (1063).
///
/// Time passes only when the test advances the clock. Every limit counts on it, and what is due is done as it is advanced:
/// advance in steps shorter than what should happen in between.
///
/// # Processes that are killed
/// A thread cannot be killed. A killed process is cut off instead: the SCM's calls fail in it from then on, its
/// [`Scm::run`] returns error 1067, so that its closure returns, and [`FakeScm::wait_for_exit`] gives
/// [`ProcessEnd::Killed`]. A thread of it that waits for something else stays until that comes.
///
/// # Panics
/// Whatever waits here panics after 30 s of real time, and names what it waited for.
#[derive(Clone)]
pub struct FakeScm {
    owner: Arc<Owner>,
}

/// Ends every process when the last handle of the test has gone.
struct Owner {
    inner: Arc<Inner>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.inner.with(|state, now| {
            state.shutting_down = true;
            let processes: Vec<_> = state.processes.keys().copied().collect();
            for id in processes {
                state.end(now, id, ProcessEnd::Killed, code::ERROR_PROCESS_ABORTED);
            }
        });
    }
}

impl FakeScm {
    /// An SCM with no services. `WaitToKillServiceTimeout` is 5 s, as Windows sets it up.
    #[must_use]
    pub fn new(clock: &FakeClock) -> Self {
        let state = State {
            wait_to_kill: Duration::from_secs(5),
            ..State::default()
        };
        let inner = Inner::new(clock, state);
        Self {
            owner: Arc::new(Owner { inner }),
        }
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.owner.inner
    }

    fn look<T>(&self, name: &str, look: impl FnOnce(&mut Service) -> T) -> T {
        self.inner()
            .with(|state, _| state.service(name).map(look))
            .unwrap_or_else(|code| panic!("fake SCM: no service {name} ({code})"))
    }
}

/// Setting up services.
impl FakeScm {
    /// Creates a service with the usual configuration; `main` is the main function of its process.
    ///
    /// # Panics
    /// When there is a service of this name.
    pub fn service(&self, name: &str, main: impl Fn(Arc<dyn Scm>) + Send + Sync + 'static) {
        self.create(ServiceConfig::new(name), main)
            .unwrap_or_else(|code| panic!("fake SCM: cannot create {name}: {code}"));
    }

    /// Creates a service; `main` is the main function of its process and is called at each start.
    ///
    /// # Errors
    /// 1073 when there is a service of this name, 1072 when it is marked for deletion.
    pub fn create(
        &self,
        config: ServiceConfig,
        main: impl Fn(Arc<dyn Scm>) + Send + Sync + 'static,
    ) -> Result<(), u32> {
        self.inner()
            .with(|state, _| match state.service(&config.name) {
                Ok(service) if service.deleted => Err(code::ERROR_SERVICE_MARKED_FOR_DELETE),
                Ok(_) => Err(code::ERROR_SERVICE_EXISTS),
                Err(_) => {
                    state.services.push(Service::new(config, Arc::new(main)));
                    Ok(())
                }
            })
    }

    /// Changes the configuration of a service, except its name.
    ///
    /// # Errors
    /// 1060 when there is none of this name, 1072 when it is marked for deletion.
    pub fn configure(
        &self,
        name: &str,
        change: impl FnOnce(&mut ServiceConfig),
    ) -> Result<(), u32> {
        self.inner().with(|state, _| {
            let service = state.service(name)?;
            if service.deleted {
                return Err(code::ERROR_SERVICE_MARKED_FOR_DELETE);
            }
            change(&mut service.config);
            service.config.name = name.to_owned();
            Ok(())
        })
    }

    /// Marks a service for deletion. It goes when it has stopped and no handle is open any more.
    ///
    /// # Errors
    /// 1060 when there is none of this name, 1072 when it is marked already.
    pub fn delete(&self, name: &str) -> Result<(), u32> {
        self.inner().with(|state, _| {
            let service = state.service(name)?;
            if service.deleted {
                return Err(code::ERROR_SERVICE_MARKED_FOR_DELETE);
            }
            service.deleted = true;
            state.purge();
            Ok(())
        })
    }

    /// Opens a handle, as a window of `services.msc` holds it.
    ///
    /// # Errors
    /// 1060 when there is no service of this name.
    pub fn open(&self, name: &str) -> Result<ServiceHandle, u32> {
        self.inner()
            .with(|state, _| state.service(name).map(|service| service.handles += 1))?;
        Ok(ServiceHandle {
            inner: Arc::clone(self.inner()),
            name: name.to_owned(),
        })
    }

    /// Sets the registry's `WaitToKillServiceTimeout`.
    pub fn set_wait_to_kill(&self, timeout: Duration) {
        self.inner().with(|state, _| state.wait_to_kill = timeout);
    }

    /// Sets the registry's `PreshutdownOrder`: services that are told one after another, before all others.
    pub fn set_preshutdown_order(&self, names: &[&str]) {
        let order = names.iter().map(ToString::to_string).collect();
        self.inner()
            .with(|state, _| state.preshutdown_order = order);
    }
}

/// What a client of the services does.
impl FakeScm {
    /// Starts a service, with arguments that follow its name, after those that it depends on.
    ///
    /// Returns when its `service_main` was called, not when it runs. While another service starts, it waits for that.
    ///
    /// # Errors
    /// 1053 (no dispatcher within 30 s, or a handler is busy for so long), 1056, 1058, 1059, 1060, 1068, 1072, 1075, 1115.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-startservicew>.
    pub fn start(&self, name: &str, arguments: &[&str]) -> Result<(), u32> {
        self.inner().start(name, arguments)
    }

    /// Sends a control, and gives the status that the service had when its handler had returned.
    ///
    /// # Errors
    /// 87 (not for clients to send), 109 (the process ended in its handler), 1051, 1052, 1053 (the handler, or that of
    /// another service, takes longer than 30 s), 1060, 1061, 1062, 1115, and what the handler answered.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-controlservice>.
    pub fn control(&self, name: &str, control: Control) -> Result<ServiceStatus, u32> {
        if !rules::may_be_requested(control) {
            return Err(code::ERROR_INVALID_PARAMETER);
        }
        if self.inner().with(|state, _| state.shutting_down) {
            return Err(code::ERROR_SHUTDOWN_IN_PROGRESS);
        }
        self.inner().send(name, control)
    }

    /// The last status of a service.
    ///
    /// # Errors
    /// 1060 when there is none of this name.
    pub fn status(&self, name: &str) -> Result<ServiceStatus, u32> {
        self.inner()
            .with(|state, _| state.service(name).map(|service| service.status))
    }

    /// Waits until a service has this state, and gives its status. A state that it passes quickly can be missed: see
    /// [`FakeScm::history`].
    ///
    /// # Panics
    /// When there is no such service, or after 30 s of real time.
    pub fn wait_for_state(&self, name: &str, state: ServiceState) -> ServiceStatus {
        self.wait_for(name, |status| status.state == state)
    }

    /// Waits until the status of a service fulfils `wanted`, and gives it.
    ///
    /// # Panics
    /// When there is no such service, or after 30 s of real time.
    pub fn wait_for(
        &self,
        name: &str,
        mut wanted: impl FnMut(&ServiceStatus) -> bool,
    ) -> ServiceStatus {
        self.inner()
            .wait(&format!("the status of {name}"), |state, _| {
                let service = state.service(name);
                let status = service
                    .unwrap_or_else(|code| panic!("fake SCM: no service {name} ({code})"))
                    .status;
                wanted(&status).then_some(status)
            })
    }
}

/// What the system does.
impl FakeScm {
    /// Sends a control that only the system sends, such as `POWEREVENT` or `SESSIONCHANGE`, to one service.
    ///
    /// # Errors
    /// As [`FakeScm::control`], except that no control is refused for being the system's.
    pub fn system_control(&self, name: &str, control: Control) -> Result<ServiceStatus, u32> {
        self.inner().send(name, control)
    }

    /// Begins the shutdown of the system.
    ///
    /// `PRESHUTDOWN` comes first: to the services of `PreshutdownOrder` one after another, then to the others, each waited
    /// for until its own timeout. Then `SHUTDOWN` goes to the others that accept it, in the order of the database and
    /// regardless of dependencies, and they are waited for together until `WaitToKillServiceTimeout`. What runs then is
    /// killed. Clients are answered 1115 meanwhile.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/services/service-control-handler-function>.
    pub fn shutdown(&self) -> Shutdown {
        shutdown::begin(self.inner())
    }

    /// Kills the process of a service, as `TerminateProcess` does.
    ///
    /// # Errors
    /// 1060 when there is no service of this name, 1062 when it does not run.
    pub fn kill(&self, name: &str) -> Result<(), u32> {
        let id = self.inner().with(|state, _| {
            let service = state.service(name)?;
            service.process.ok_or(code::ERROR_SERVICE_NOT_ACTIVE)
        })?;
        self.inner().end(id, ProcessEnd::Killed);
        Ok(())
    }
}

/// What a test asserts.
impl FakeScm {
    /// Every status of a service, with the time at which it was set.
    ///
    /// # Panics
    /// When there is no such service.
    #[must_use]
    pub fn history(&self, name: &str) -> Vec<(Timestamp, ServiceStatus)> {
        self.look(name, |service| service.history.clone())
    }

    /// The failures of a service, with what was done about each. Without failure actions none is counted.
    ///
    /// # Panics
    /// When there is no such service.
    #[must_use]
    pub fn failures(&self, name: &str) -> Vec<(Timestamp, FailureAction)> {
        self.look(name, |service| service.failures.clone())
    }

    /// Every rule that any service has broken.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.inner().with(|state, _| state.violations.clone())
    }

    /// Every time that a service let its wait hint pass without progress.
    #[must_use]
    pub fn hung(&self) -> Vec<Hung> {
        self.inner().with(|state, _| state.hung.clone())
    }

    /// Waits until the main function of a service's last process has returned, and says how that process ended.
    ///
    /// # Panics
    /// When there is no such service, when it was never started, or after 30 s of real time.
    pub fn wait_for_exit(&self, name: &str) -> ProcessEnd {
        let id = self
            .look(name, |service| service.last_process)
            .unwrap_or_else(|| panic!("fake SCM: {name} was never started"));
        self.inner()
            .wait(&format!("the process of {name} to end"), |state, _| {
                let process = state.process(id);
                process.returned.then_some(process.end).flatten()
            })
    }
}

/// An open handle to a service: while there is one, a service that is marked for deletion stays.
pub struct ServiceHandle {
    inner: Arc<Inner>,
    name: String,
}

impl Drop for ServiceHandle {
    fn drop(&mut self) {
        self.inner.with(|state, _| {
            if let Ok(service) = state.service(&self.name) {
                service.handles -= 1;
            }
            state.purge();
        });
    }
}

/// A process that no SCM started.
impl Scm for FakeScm {
    fn run(&self, _name: &str, _program: Arc<dyn ServiceProgram>) -> Result<(), ScmError> {
        Err(ScmError::NotStartedByScm)
    }

    fn set_status(&self, _status: ServiceStatus) -> Result<(), ScmError> {
        Err(ScmError::NotStartedByScm)
    }

    fn limit(&self, _control: Control) -> Option<Duration> {
        None
    }
}

impl fmt::Debug for FakeScm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeScm").finish_non_exhaustive()
    }
}

impl fmt::Debug for ServiceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceHandle")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
