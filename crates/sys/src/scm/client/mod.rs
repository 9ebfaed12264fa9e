//! The side that controls services: create, start, control, watch, delete.
//!
//! Each call opens the service with no more than the rights that it needs and closes it again: a handle left open would keep
//! a deleted service half alive (error 1072), and asking for all rights fails for accounts that have only some.
//!
//! ```no_run
//! use std::time::Duration;
//! use winddown_core::scm::{Control, ScmError, ServiceState};
//! use winddown_sys::scm::client::Service;
//!
//! # fn main() -> Result<(), ScmError> {
//! let orders = Service::named("orders");
//! orders.control(Control::Stop)?;
//! let last = orders.wait_for(ServiceState::Stopped, Duration::from_secs(30))?;
//! println!("{:?} with exit code {}", last.status.state, last.status.exit_code);
//! # Ok(())
//! # }
//! ```

#[cfg(not(windows))]
mod unix;
#[cfg(windows)]
mod windows;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use winddown_core::scm::{Control, ScmError, ServiceState, ServiceStatus};

#[cfg(not(windows))]
use unix as platform;
#[cfg(windows)]
use windows as platform;

/// How often [`Service::wait_for`] looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A service of this machine, by the name that it was created under.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    name: String,
}

/// What [`Service::create`] needs to know. The service runs as `LocalSystem` in a process of its own and is started on demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewService {
    /// The name that people see.
    pub display_name: String,
    /// The executable, as an absolute path.
    pub program: PathBuf,
    /// Its arguments on each start. They come before those of [`Service::start`], and elsewhere: as the process's own.
    pub arguments: Vec<OsString>,
}

/// What [`Service::status`] saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What the service last told the SCM.
    pub status: ServiceStatus,
    /// The service's process; `None` when it is stopped.
    pub pid: Option<u32>,
}

/// Every error is a [`ScmError::Os`] with the code that Windows documents for the function, such as 5 (not permitted),
/// 1060 (no such service) or 1072 (marked for deletion); 120 on systems without an SCM.
impl Service {
    /// The service of this name, which need not exist.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Creates the service. Needs an administrator.
    ///
    /// # Errors
    /// 1073 where there is one of this name, 1072 where one is still marked for deletion, 87 where the command line cannot
    /// be written down.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-createservicew>.
    pub fn create(&self, new: &NewService) -> Result<(), ScmError> {
        platform::create(&self.name, new)
    }

    /// Starts the service with `arguments`, which its `service_main` gets after its name.
    ///
    /// Returns when the SCM has started it, which is before it is running: see [`Service::wait_for`].
    ///
    /// # Errors
    /// 1056 where it is running, 1053 where its process did not connect in time, 1058 where it is disabled.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-startservicew>.
    pub fn start(&self, arguments: &[&str]) -> Result<(), ScmError> {
        platform::start(&self.name, arguments)
    }

    /// Sends `control` and returns when the service's handler has answered.
    ///
    /// # Errors
    /// 1052 where it does not accept this control, 1061 where it cannot now, 1062 where it does not run, 1053 where its
    /// handler did not answer, 87 for a control that only the system sends.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-controlservice>.
    pub fn control(&self, control: Control) -> Result<(), ScmError> {
        platform::control(&self.name, control)
    }

    /// What the service last told the SCM.
    ///
    /// # Errors
    /// 1060 where there is none of this name.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-queryservicestatusex>.
    pub fn status(&self) -> Result<Seen, ScmError> {
        platform::status(&self.name)
    }

    /// Waits until the service is in `state`, no longer than `timeout`, and tells what it saw last: compare its state.
    ///
    /// # Errors
    /// As [`Service::status`].
    pub fn wait_for(&self, state: ServiceState, timeout: Duration) -> Result<Seen, ScmError> {
        let begin = Instant::now();
        loop {
            let seen = self.status()?;
            if seen.status.state == state || begin.elapsed() >= timeout {
                return Ok(seen);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// How long the system waits for this service once it was sent `PRESHUTDOWN`.
    ///
    /// # Errors
    /// 1060 where there is none of this name.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/ns-winsvc-service_preshutdown_info>.
    pub fn preshutdown_timeout(&self) -> Result<Duration, ScmError> {
        platform::preshutdown_timeout(&self.name)
    }

    /// Sets that time, to the millisecond, and reads it back, so that what it returns is what the system has.
    ///
    /// # Errors
    /// 5 without the right to change the service.
    pub fn set_preshutdown_timeout(&self, timeout: Duration) -> Result<Duration, ScmError> {
        platform::set_preshutdown_timeout(&self.name, timeout)?;
        self.preshutdown_timeout()
    }

    /// Marks the service for deletion: it is gone as soon as it is stopped and no handle to it is open anywhere.
    ///
    /// # Errors
    /// 1072 where it was marked already.
    ///
    /// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-deleteservice>.
    pub fn delete(&self) -> Result<(), ScmError> {
        platform::delete(&self.name)
    }
}
