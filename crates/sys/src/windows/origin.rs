//! Where this process comes from: its parent, its session, its console, its window station.

use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use windows_sys::Win32::Foundation::{FALSE, FILETIME};
use windows_sys::Win32::System::Console::GetConsoleCP;
use windows_sys::Win32::System::RemoteDesktop::ProcessIdToSessionId;
use windows_sys::Win32::System::StationsAndDesktops::{
    GetProcessWindowStation, GetUserObjectInformationW, UOI_NAME,
};
use windows_sys::Win32::System::Threading::{
    GetProcessTimes, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION,
};

use super::snapshot::{self, Entry};
use super::text;

/// `StartServiceCtrlDispatcherW` has answered 1063: the SCM did not start this process.
pub(crate) static DISPATCHER_REFUSED: AtomicBool = AtomicBool::new(false);

/// Whether the SCM may have started this process. Windows itself has the last word.
pub(crate) fn may_be_a_service() -> bool {
    if DISPATCHER_REFUSED.load(Ordering::Relaxed) {
        return false;
    }
    let by_scm = |parent: Entry| parent.name.eq_ignore_ascii_case("services.exe");
    parent().is_some_and(by_scm) || (session() == Some(0) && !has_console())
}

/// The process that started this one; `None` where it has ended, also when another has got its number.
pub(crate) fn parent() -> Option<Entry> {
    let entries = snapshot::processes()?;
    let own = entries
        .iter()
        .find(|entry| entry.pid == std::process::id())?;
    let parent = entries.iter().find(|entry| entry.pid == own.parent)?;
    // The times of a process of another user may be hidden: then its number is all there is to go by.
    match (started(parent.pid), started(own.pid)) {
        (Some(parent), Some(own)) if parent > own => None,
        _ => Some(parent.clone()),
    }
}

/// When a process was started, in units of 100 ns since 1601; `None` where it may not be asked, or there is none.
pub(crate) fn started(pid: u32) -> Option<u64> {
    // SAFETY: takes no pointers; the handle is checked before it is owned.
    let process = unsafe {
        let handle = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
        if handle.is_null() {
            return None;
        }
        OwnedHandle::from_raw_handle(handle)
    };
    let mut times = [FILETIME::default(); 4];
    let [created, exited, kernel, user] = &mut times;
    // SAFETY: the handle is open and each time outlives the call.
    let known = unsafe { GetProcessTimes(process.as_raw_handle(), created, exited, kernel, user) };
    (known != 0).then(|| u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime))
}

/// How long ago a process was started; `None` where that cannot be known, or there is none.
pub(crate) fn age(pid: u32) -> Option<Duration> {
    /// From the beginning of 1601 to that of 1970.
    const EPOCH: Duration = Duration::from_secs(11_644_473_600);
    let started = Duration::from_nanos(started(pid)?.checked_mul(100)?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()? + EPOCH;
    Some(now.saturating_sub(started))
}

/// The Terminal Services session of this process.
pub(crate) fn session() -> Option<u32> {
    let mut session = 0;
    // SAFETY: the number outlives the call.
    let known = unsafe { ProcessIdToSessionId(std::process::id(), &raw mut session) };
    (known != 0).then_some(session)
}

/// Whether a console is attached, with a window or without.
pub(crate) fn has_console() -> bool {
    // SAFETY: takes nothing; answers 0 to a process without a console.
    unsafe { GetConsoleCP() != 0 }
}

/// Whether this process can show windows to a user: its window station is `WinSta0`, the only one with a display.
///
/// Source: <https://learn.microsoft.com/windows/win32/winstation/window-stations>.
pub(crate) fn is_interactive() -> bool {
    let mut name = [0_u16; 64];
    // SAFETY: the station's handle is borrowed from the system, and the buffer has the size that the call is told.
    let known = unsafe {
        GetUserObjectInformationW(
            GetProcessWindowStation(),
            UOI_NAME,
            name.as_mut_ptr().cast(),
            size_of_val(&name) as u32,
            null_mut(),
        )
    };
    known != 0 && text::from_buffer(&name).eq_ignore_ascii_case("WinSta0")
}
