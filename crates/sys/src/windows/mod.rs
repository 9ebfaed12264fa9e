//! What the Windows files share: text, error codes, argument lists, the process table, this process's
//! origin, jobs, console events, windows,
//! who may do what.

pub(crate) mod command_line;
pub(crate) mod console;
pub(crate) mod descriptor;
pub(crate) mod job;
pub(crate) mod origin;
pub(crate) mod snapshot;
pub(crate) mod text;
pub(crate) mod window;

use windows_sys::Win32::Foundation::GetLastError;

/// The error code that the last call on this thread left.
pub(crate) fn last_error() -> u32 {
    // SAFETY: reads a value of this thread.
    unsafe { GetLastError() }
}
