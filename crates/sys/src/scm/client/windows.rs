use std::ptr::{null, null_mut};
use std::time::Duration;

use winddown_core::scm::{Accepted, Control, ScmError, ServiceState, ServiceStatus};
use windows_sys::Win32::Foundation::ERROR_INVALID_PARAMETER;
use windows_sys::Win32::System::Services::{
    ChangeServiceConfig2W, CloseServiceHandle, ControlService, CreateServiceW, DeleteService,
    OpenSCManagerW, OpenServiceW, QueryServiceConfig2W, QueryServiceStatusEx, SC_HANDLE,
    SC_MANAGER_CONNECT, SC_MANAGER_CREATE_SERVICE, SC_STATUS_PROCESS_INFO, SERVICE_CHANGE_CONFIG,
    SERVICE_CONFIG_PRESHUTDOWN_INFO, SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL,
    SERVICE_INTERROGATE, SERVICE_PAUSE_CONTINUE, SERVICE_PRESHUTDOWN_INFO, SERVICE_QUERY_CONFIG,
    SERVICE_QUERY_STATUS, SERVICE_START, SERVICE_STATUS, SERVICE_STATUS_PROCESS, SERVICE_STOP,
    SERVICE_USER_DEFINED_CONTROL, SERVICE_WIN32_OWN_PROCESS, StartServiceW,
};

use super::{NewService, Seen};
use crate::windows::{command_line, last_error, text};

/// The standard access right `DELETE`, which windows-sys files under the rights of files.
const DELETE: u32 = 0x0001_0000;

/// A handle to the SCM or to a service.
struct Handle(SC_HANDLE);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is open and this is its only owner.
        unsafe { CloseServiceHandle(self.0) };
    }
}

fn os(call: &'static str, code: u32) -> ScmError {
    ScmError::Os { call, code }
}

fn checked(call: &'static str, result: i32) -> Result<(), ScmError> {
    match result {
        0 => Err(os(call, last_error())),
        _ => Ok(()),
    }
}

fn manager(rights: u32) -> Result<Handle, ScmError> {
    // SAFETY: null names mean this machine and its only database.
    let handle = unsafe { OpenSCManagerW(null(), null(), rights) };
    if handle.is_null() {
        return Err(os("OpenSCManagerW", last_error()));
    }
    Ok(Handle(handle))
}

fn open(name: &str, rights: u32) -> Result<Handle, ScmError> {
    let manager = manager(SC_MANAGER_CONNECT)?;
    let name = text::wide(name);
    // SAFETY: the manager is open and the name ends with a zero.
    let handle = unsafe { OpenServiceW(manager.0, name.as_ptr(), rights) };
    if handle.is_null() {
        return Err(os("OpenServiceW", last_error()));
    }
    Ok(Handle(handle))
}

pub(super) fn create(name: &str, new: &NewService) -> Result<(), ScmError> {
    let mut command = command_line::join(new.program.as_os_str(), &new.arguments)
        .ok_or_else(|| os("CreateServiceW", ERROR_INVALID_PARAMETER))?;
    command.push(0);
    let manager = manager(SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE)?;
    let (name, display_name) = (text::wide(name), text::wide(&new.display_name));
    // SAFETY: the manager is open, every text ends with a zero, and null means none or the default.
    let handle = unsafe {
        CreateServiceW(
            manager.0,
            name.as_ptr(),
            display_name.as_ptr(),
            SERVICE_QUERY_STATUS,
            SERVICE_WIN32_OWN_PROCESS,
            SERVICE_DEMAND_START,
            SERVICE_ERROR_NORMAL,
            command.as_ptr(),
            null(),
            null_mut(),
            null(),
            null(),
            null(),
        )
    };
    if handle.is_null() {
        return Err(os("CreateServiceW", last_error()));
    }
    drop(Handle(handle));
    Ok(())
}

pub(super) fn start(name: &str, arguments: &[&str]) -> Result<(), ScmError> {
    let service = open(name, SERVICE_START)?;
    let arguments: Vec<_> = arguments.iter().map(text::wide).collect();
    let pointers: Vec<_> = arguments.iter().map(|text| text.as_ptr()).collect();
    // SAFETY: the service is open; as many pointers as counted, each to a text that ends with a zero.
    let result = unsafe { StartServiceW(service.0, pointers.len() as u32, pointers.as_ptr()) };
    checked("StartServiceW", result)
}

pub(super) fn control(name: &str, control: Control) -> Result<(), ScmError> {
    let right = match control {
        Control::Stop => SERVICE_STOP,
        Control::Interrogate => SERVICE_INTERROGATE,
        Control::Custom(_) => SERVICE_USER_DEFINED_CONTROL,
        _ => SERVICE_PAUSE_CONTINUE,
    };
    let service = open(name, right)?;
    let mut status = SERVICE_STATUS::default();
    // SAFETY: the service is open and `status` outlives the call.
    let result = unsafe { ControlService(service.0, control.code(), &raw mut status) };
    checked("ControlService", result)
}

pub(super) fn status(name: &str) -> Result<Seen, ScmError> {
    let service = open(name, SERVICE_QUERY_STATUS)?;
    let mut status = SERVICE_STATUS_PROCESS::default();
    let mut needed = 0;
    // SAFETY: the service is open and the buffer is as large as the call is told.
    let result = unsafe {
        QueryServiceStatusEx(
            service.0,
            SC_STATUS_PROCESS_INFO,
            (&raw mut status).cast(),
            size_of_val(&status) as u32,
            &raw mut needed,
        )
    };
    checked("QueryServiceStatusEx", result)?;
    let state = ServiceState::from_code(status.dwCurrentState)
        .ok_or_else(|| os("QueryServiceStatusEx", ERROR_INVALID_PARAMETER))?;
    Ok(Seen {
        status: ServiceStatus {
            state,
            accepted: Accepted::from_bits(status.dwControlsAccepted),
            exit_code: status.dwWin32ExitCode,
            specific_exit_code: status.dwServiceSpecificExitCode,
            checkpoint: status.dwCheckPoint,
            wait_hint: Duration::from_millis(status.dwWaitHint.into()),
        },
        pid: (status.dwProcessId != 0).then_some(status.dwProcessId),
    })
}

pub(super) fn preshutdown_timeout(name: &str) -> Result<Duration, ScmError> {
    let service = open(name, SERVICE_QUERY_CONFIG)?;
    let mut info = SERVICE_PRESHUTDOWN_INFO::default();
    let mut needed = 0;
    // SAFETY: the service is open and the buffer is as large as the call is told.
    let result = unsafe {
        QueryServiceConfig2W(
            service.0,
            SERVICE_CONFIG_PRESHUTDOWN_INFO,
            (&raw mut info).cast(),
            size_of_val(&info) as u32,
            &raw mut needed,
        )
    };
    checked("QueryServiceConfig2W", result)?;
    Ok(Duration::from_millis(info.dwPreshutdownTimeout.into()))
}

pub(super) fn set_preshutdown_timeout(name: &str, timeout: Duration) -> Result<(), ScmError> {
    let service = open(name, SERVICE_CHANGE_CONFIG)?;
    let info = SERVICE_PRESHUTDOWN_INFO {
        dwPreshutdownTimeout: timeout.as_millis().try_into().unwrap_or(u32::MAX),
    };
    // SAFETY: the service is open and `info` is the structure of this level.
    let result = unsafe {
        ChangeServiceConfig2W(
            service.0,
            SERVICE_CONFIG_PRESHUTDOWN_INFO,
            (&raw const info).cast(),
        )
    };
    checked("ChangeServiceConfig2W", result)
}

pub(super) fn delete(name: &str) -> Result<(), ScmError> {
    let service = open(name, DELETE)?;
    // SAFETY: the service is open with the right to delete it.
    checked("DeleteService", unsafe { DeleteService(service.0) })
}
