//! `TerminateProcess`.

use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};

pub(super) fn exit_now(code: i32) -> ! {
    // SAFETY: the pseudo handle of this process is always valid.
    unsafe { TerminateProcess(GetCurrentProcess(), code as u32) };
    // Not reached: a process that terminates itself does not come back.
    std::process::abort()
}
