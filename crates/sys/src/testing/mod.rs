//! What the test kit needs of the system: to misbehave on purpose, and to kill what a test left behind.
//!
//! Only with the feature `testing`. Nothing here belongs into a program that people rely on.
//!
//! | | Linux | other Unix | Windows |
//! |---|---|---|---|
//! | stop requests | `TERM`, `INT`, `HUP`, `QUIT` | the same | console events |
//! | [`detach`] | new session | new session | new console |
//! | [`pause_self`] | `SIGSTOP` | `SIGSTOP` | unsupported |
//! | [`notify`] | path and abstract sockets | path sockets | unsupported |
//! | [`await_window_message`] | unsupported | unsupported | a hidden window |
//! | [`await_event`] | unsupported | unsupported | a named event |
//! | [`kill_if`] | pidfd | unsupported | unsupported |

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

use std::io;
use std::process::Command;

use winddown_core::Mechanism;

/// Has every stop request ignored for good, as a program does that sets `SIG_IGN`.
pub fn ignore_stop_requests() {
    platform::ignore_stop_requests();
}

/// Has stop requests held back until [`await_stop_request`] takes them. Call it before the first thread is started.
///
/// On Unix they are blocked: a program that never takes them is one that lost its stop through a mask.
pub fn hold_stop_requests() {
    platform::hold_stop_requests();
}

/// Waits for the next stop request; only after [`hold_stop_requests`].
pub fn await_stop_request() -> Mechanism {
    platform::await_stop_request()
}

/// Ends this process as if nobody had handled `request`: by the signal itself on Unix, with
/// `STATUS_CONTROL_C_EXIT` on Windows.
pub fn die_of(request: &Mechanism) -> ! {
    platform::die_of(request)
}

/// Has `command` leave the session (Unix) or the console (Windows) of this process.
pub fn detach(command: &mut Command) {
    platform::detach(command);
}

/// Stops this process until somebody continues it.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`] on Windows.
pub fn pause_self() -> io::Result<()> {
    platform::pause_self()
}

/// Makes a window that nobody sees and waits until somebody closes it (`WM_CLOSE`) or ends the message loop of this thread (`WM_QUIT`); says
/// which. `ready` is called once the window is there.
///
/// # Errors
/// What the system answered; [`io::ErrorKind::Unsupported`] off Windows.
pub fn await_window_message(ready: impl FnOnce()) -> io::Result<&'static str> {
    platform::await_window_message(ready)
}

/// Makes the event of this name and waits until somebody sets it. `ready` is called once it is there.
///
/// # Errors
/// What the system answered; [`io::ErrorKind::Unsupported`] off Windows.
pub fn await_event(name: &str, ready: impl FnOnce()) -> io::Result<()> {
    platform::await_event(name, ready)
}

/// Sends `text` to the socket that `NOTIFY_SOCKET` names, where it names one.
///
/// # Errors
/// What the socket answered; [`io::ErrorKind::Unsupported`] on Windows.
pub fn notify(text: &str) -> io::Result<()> {
    platform::notify(text)
}

/// Whether there is a process of this number that has not ended; one that has ended and was not waited for counts on Unix.
#[must_use]
pub fn is_running(pid: u32) -> bool {
    platform::is_running(pid)
}

/// Kills process `pid` if `still_meant` holds for it, and says whether it did.
///
/// The process is pinned before `still_meant` is asked, so that no other process that got the same number can be hit.
///
/// # Errors
/// What the system answered, other than that there is no such process; [`io::ErrorKind::Unsupported`] off Linux.
///
/// Source: `pidfd_open(2)`, `pidfd_send_signal(2)`.
pub fn kill_if(pid: u32, still_meant: impl FnOnce() -> bool) -> io::Result<bool> {
    platform::kill_if(pid, still_meant)
}
