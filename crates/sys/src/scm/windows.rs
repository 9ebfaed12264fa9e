//! The dispatcher, the control handler and the status of this process's one service.
//!
//! The SCM keeps the addresses of [`service_main`] and [`handle_control`] for the life of the process and gives them no
//! owner, so what they need is static: they cannot outlive it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use winddown_core::scm::{
    Control, Scm, ScmError, ServiceProgram, ServiceState, ServiceStatus, code,
};
use windows_sys::Win32::Foundation::{
    ERROR_EXCEPTION_IN_SERVICE, ERROR_FAILED_SERVICE_CONTROLLER_CONNECT, ERROR_INVALID_HANDLE,
    ERROR_SERVICE_ALREADY_RUNNING,
};
use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, RRF_RT_REG_SZ, RegGetValueW};
use windows_sys::Win32::System::RemoteDesktop::WTSSESSION_NOTIFICATION;
use windows_sys::Win32::System::Services::{
    RegisterServiceCtrlHandlerExW, SERVICE_CONTROL_SESSIONCHANGE, SERVICE_STATUS,
    SERVICE_STATUS_HANDLE, SERVICE_TABLE_ENTRYW, SERVICE_WIN32_OWN_PROCESS, SetServiceStatus,
    StartServiceCtrlDispatcherW,
};

use super::client::Service;
use crate::windows::{last_error, origin, text};

/// The SCM of this system, for the one service that this process can be.
///
/// [`Scm::run`] decides by evidence whether to connect, since a process that the SCM did not start may have to wait for the
/// refusal: it connects when the parent process is `services.exe`, or, for services that something else launches on the
/// SCM's behalf (a debugger), when the process is in session 0 without a console. Windows itself then has the last word.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemScm;

/// What [`service_main`] learned from the SCM.
struct Connection {
    /// The name the service was started under, which may differ from the one that the program gave.
    name: String,
    handle: SERVICE_STATUS_HANDLE,
    /// Nothing may be reported after `STOPPED`.
    stopped: bool,
}

// SAFETY: a status handle is a token for `SetServiceStatus`, which any thread may call.
unsafe impl Send for Connection {}

/// Whom the SCM calls in this process.
static PROGRAM: OnceLock<Arc<dyn ServiceProgram>> = OnceLock::new();
static CONNECTION: Mutex<Option<Connection>> = Mutex::new(None);

impl Scm for SystemScm {
    fn run(&self, name: &str, program: Arc<dyn ServiceProgram>) -> Result<(), ScmError> {
        const CALL: &str = "StartServiceCtrlDispatcherW";
        if !origin::may_be_a_service() {
            return Err(ScmError::NotStartedByScm);
        }
        if PROGRAM.set(program).is_err() {
            return Err(os(CALL, ERROR_SERVICE_ALREADY_RUNNING));
        }
        let mut name = text::wide(name);
        let table = [
            SERVICE_TABLE_ENTRYW {
                lpServiceName: name.as_mut_ptr(),
                lpServiceProc: Some(service_main),
            },
            SERVICE_TABLE_ENTRYW {
                lpServiceName: null_mut(),
                lpServiceProc: None,
            },
        ];
        // SAFETY: the table ends with an empty entry and, like the name in it, lives until the call returns.
        if unsafe { StartServiceCtrlDispatcherW(table.as_ptr()) } != 0 {
            return Ok(());
        }
        match last_error() {
            ERROR_FAILED_SERVICE_CONTROLLER_CONNECT => {
                origin::DISPATCHER_REFUSED.store(true, Ordering::Relaxed);
                Err(ScmError::NotStartedByScm)
            }
            code => Err(os(CALL, code)),
        }
    }

    fn set_status(&self, status: ServiceStatus) -> Result<(), ScmError> {
        const CALL: &str = "SetServiceStatus";
        let mut guard = CONNECTION.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = guard.as_mut().ok_or(ScmError::NotStartedByScm)?;
        if connection.stopped {
            return Err(os(CALL, ERROR_INVALID_HANDLE));
        }
        let last = status.state == ServiceState::Stopped;
        let status = SERVICE_STATUS {
            dwServiceType: SERVICE_WIN32_OWN_PROCESS,
            dwCurrentState: status.state.code(),
            dwControlsAccepted: status.accepted.bits(),
            dwWin32ExitCode: status.exit_code,
            dwServiceSpecificExitCode: status.specific_exit_code,
            dwCheckPoint: status.checkpoint,
            dwWaitHint: status.wait_hint.as_millis().try_into().unwrap_or(u32::MAX),
        };
        // SAFETY: the handle came from `RegisterServiceCtrlHandlerExW` and is never closed.
        if unsafe { SetServiceStatus(connection.handle, &raw const status) } == 0 {
            return Err(os(CALL, last_error()));
        }
        connection.stopped = last;
        Ok(())
    }

    fn limit(&self, control: Control) -> Option<Duration> {
        match control {
            Control::Shutdown => Some(shutdown_limit()),
            Control::Preshutdown => Some(preshutdown_limit()),
            _ => None,
        }
    }
}

fn os(call: &'static str, code: u32) -> ScmError {
    ScmError::Os { call, code }
}

unsafe extern "system" fn service_main(count: u32, arguments: *mut *mut u16) {
    let arguments: Vec<String> = (0..count as usize)
        .map(|index| {
            // SAFETY: the SCM passes `count` pointers to texts that end with a zero.
            let argument = unsafe { text::from_pointer(*arguments.add(index)) };
            argument.to_string_lossy().into_owned()
        })
        .collect();
    let name = arguments.first().cloned().unwrap_or_default();
    let wide = text::wide(&name);
    // SAFETY: the name is copied by the call, and the handler lives as long as the process.
    let handle =
        unsafe { RegisterServiceCtrlHandlerExW(wide.as_ptr(), Some(handle_control), null_mut()) };
    let Some(program) = PROGRAM.get().filter(|_| !handle.is_null()) else {
        // Without a handle there is no status to report: the SCM ends the process when its patience does.
        return;
    };
    *CONNECTION.lock().unwrap_or_else(PoisonError::into_inner) = Some(Connection {
        name,
        handle,
        stopped: false,
    });
    let body = AssertUnwindSafe(|| program.service_main(arguments));
    if catch_unwind(body).is_err() {
        // The exit code of a Rust program whose main thread panicked.
        let _ = SystemScm.set_status(ServiceStatus {
            exit_code: code::ERROR_SERVICE_SPECIFIC_ERROR,
            specific_exit_code: 101,
            ..ServiceStatus::of(ServiceState::Stopped)
        });
    }
}

unsafe extern "system" fn handle_control(
    control: u32,
    event: u32,
    data: *mut core::ffi::c_void,
    _context: *mut core::ffi::c_void,
) -> u32 {
    let session = if control == SERVICE_CONTROL_SESSIONCHANGE && !data.is_null() {
        // SAFETY: this control comes with a `WTSSESSION_NOTIFICATION` that lives until the handler returns.
        unsafe { (*data.cast::<WTSSESSION_NOTIFICATION>()).dwSessionId }
    } else {
        0
    };
    match (Control::from_code(control, event, session), PROGRAM.get()) {
        // The SCM knows the status already and asks for no more than an answer.
        (Some(Control::Interrogate), _) => code::NO_ERROR,
        (Some(control), Some(program)) => {
            catch_unwind(AssertUnwindSafe(|| program.control(control)))
                .unwrap_or(ERROR_EXCEPTION_IN_SERVICE)
        }
        _ => code::ERROR_CALL_NOT_IMPLEMENTED,
    }
}

/// `WaitToKillServiceTimeout`: how long the system waits for all services together once it shuts down.
///
/// Source: <https://learn.microsoft.com/windows/win32/services/service-control-handler-function>; Windows 8 and later have
/// 5 s where the value is missing.
fn shutdown_limit() -> Duration {
    let key = text::wide(r"SYSTEM\CurrentControlSet\Control");
    let value = text::wide("WaitToKillServiceTimeout");
    let mut buffer = [0_u16; 32];
    let mut bytes = size_of_val(&buffer) as u32;
    // SAFETY: the names end with a zero and `bytes` is the size of the buffer.
    let result = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            value.as_ptr(),
            RRF_RT_REG_SZ,
            null_mut(),
            buffer.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    let millis = (result == 0)
        .then(|| text::from_buffer(&buffer))
        .and_then(|text| text.to_str()?.trim().parse().ok());
    Duration::from_millis(millis.unwrap_or(5_000))
}

/// The preshutdown timeout of this service; Windows 10 1703 and later have 10 s where nothing was configured.
///
/// Source: <https://learn.microsoft.com/windows/win32/api/winsvc/ns-winsvc-service_preshutdown_info>.
fn preshutdown_limit() -> Duration {
    let guard = CONNECTION.lock().unwrap_or_else(PoisonError::into_inner);
    let name = guard.as_ref().map(|connection| connection.name.clone());
    drop(guard);
    name.and_then(|name| Service::named(name).preshutdown_timeout().ok())
        .unwrap_or(Duration::from_secs(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shutdown_limit_is_read_or_known() {
        let limit = SystemScm.limit(Control::Shutdown).unwrap();
        assert!(limit >= Duration::from_millis(1), "{limit:?}");
        assert_eq!(SystemScm.limit(Control::Stop), None);
    }
}
