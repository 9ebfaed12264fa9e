use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::process::Command;
use std::ptr::{null, null_mut};
use std::sync::{Condvar, Mutex, PoisonError};

use winddown_core::{ConsoleEvent, Mechanism};
use windows_sys::Win32::Foundation::{FALSE, STATUS_CONTROL_C_EXIT, TRUE, WAIT_OBJECT_0};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_CONSOLE, CreateEventW, INFINITE, OpenProcess, PROCESS_SYNCHRONIZE,
    WaitForSingleObject,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CreateWindowExW, DispatchMessageW, GetMessageW, MSG, WM_CLOSE, WS_OVERLAPPED,
};
use windows_sys::core::BOOL;

use crate::wake::is_signalled;
use crate::windows::text;

static REQUEST: Mutex<Option<ConsoleEvent>> = Mutex::new(None);
static ARRIVED: Condvar = Condvar::new();

unsafe extern "system" fn swallow(_event: u32) -> BOOL {
    TRUE
}

unsafe extern "system" fn keep(event: u32) -> BOOL {
    let event = match event {
        CTRL_C_EVENT => ConsoleEvent::CtrlC,
        CTRL_BREAK_EVENT => ConsoleEvent::CtrlBreak,
        CTRL_CLOSE_EVENT => ConsoleEvent::Close,
        CTRL_LOGOFF_EVENT => ConsoleEvent::Logoff,
        _ => ConsoleEvent::Shutdown,
    };
    *REQUEST.lock().unwrap_or_else(PoisonError::into_inner) = Some(event);
    ARRIVED.notify_one();
    if matches!(event, ConsoleEvent::CtrlC | ConsoleEvent::CtrlBreak) {
        return TRUE;
    }
    // Returning from the others ends the process.
    loop {
        std::thread::park();
    }
}

fn attach(handler: unsafe extern "system" fn(u32) -> BOOL) {
    // SAFETY: the handler is a static function that may run on any thread at any time.
    let attached = unsafe { SetConsoleCtrlHandler(Some(handler), TRUE) };
    assert_ne!(attached, 0, "a console handler can be added");
}

pub(super) fn ignore_stop_requests() {
    attach(swallow);
}

pub(super) fn hold_stop_requests() {
    attach(keep);
}

pub(super) fn await_stop_request() -> Mechanism {
    let mut request = REQUEST.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(event) = request.take() {
            return Mechanism::Console(event);
        }
        request = ARRIVED
            .wait(request)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

pub(super) fn die_of(_request: &Mechanism) -> ! {
    std::process::exit(STATUS_CONTROL_C_EXIT)
}

pub(super) fn detach(command: &mut Command) {
    command.creation_flags(CREATE_NEW_CONSOLE);
}

pub(super) fn pause_self() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn await_window_message(ready: impl FnOnce()) -> io::Result<&'static str> {
    let class = text::wide("STATIC");
    // SAFETY: the class is Windows' own, its name ends with a zero, and the rest is nothing.
    let window = unsafe {
        CreateWindowExW(
            0,
            class.as_ptr(),
            null(),
            WS_OVERLAPPED,
            0,
            0,
            0,
            0,
            null_mut(),
            null_mut(),
            null_mut(),
            null(),
        )
    };
    if window.is_null() {
        return Err(io::Error::last_os_error());
    }
    ready();
    let mut message = MSG::default();
    // SAFETY: the message is valid for each call; null means any window of this thread.
    while unsafe { GetMessageW(&raw mut message, null_mut(), 0, 0) } > 0 {
        if message.message == WM_CLOSE {
            return Ok("WM_CLOSE");
        }
        // SAFETY: the message came from `GetMessageW`.
        unsafe { DispatchMessageW(&raw const message) };
    }
    Ok("WM_QUIT")
}

pub(super) fn await_event(name: &str, ready: impl FnOnce()) -> io::Result<()> {
    let name = text::wide(name);
    // SAFETY: the name ends with a zero and outlives the call; null means the usual rights. The handle is checked before it is owned.
    let event = unsafe {
        let event = CreateEventW(null(), TRUE, FALSE, name.as_ptr());
        if event.is_null() {
            return Err(io::Error::last_os_error());
        }
        OwnedHandle::from_raw_handle(event)
    };
    ready();
    // SAFETY: the handle is open.
    match unsafe { WaitForSingleObject(event.as_raw_handle(), INFINITE) } {
        WAIT_OBJECT_0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub(super) fn notify(_: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn is_running(pid: u32) -> bool {
    // SAFETY: takes no pointers; the handle is checked before it is owned.
    let process = unsafe {
        let handle = OpenProcess(PROCESS_SYNCHRONIZE, FALSE, pid);
        if handle.is_null() {
            return false;
        }
        OwnedHandle::from_raw_handle(handle)
    };
    !is_signalled(process.as_handle())
}

pub(super) fn kill_if(_pid: u32, _still_meant: impl FnOnce() -> bool) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}
