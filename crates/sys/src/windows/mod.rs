//! What the Windows files share: text, error codes, handles, the process table, argument lists.

pub(crate) mod command_line;
pub(crate) mod snapshot;
pub(crate) mod text;

use windows_sys::Win32::Foundation::GetLastError;

/// The error code that the last call on this thread left.
pub(crate) fn last_error() -> u32 {
    // SAFETY: reads a value of this thread.
    unsafe { GetLastError() }
}
