//! The end of this process without anybody's leave.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod imp;

/// Ends this process at once with `code`: no destructor, no `atexit` handler, no thread can hold it up.
///
/// | system | source |
/// |---|---|
/// | Unix | `_exit(2)` |
/// | Windows | `TerminateProcess`, since `ExitProcess` waits for locks that a hung thread may hold |
pub fn exit_now(code: i32) -> ! {
    imp::exit_now(code)
}
