//! When threads run: [`run_in_background`].

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(windows, path = "windows.rs")]
#[cfg_attr(not(any(target_os = "linux", windows)), path = "none.rs")]
mod imp;

/// Has the calling thread run only when nothing else wants to, as far as the system allows. It cannot be undone.
///
/// Linux: the niceness of this thread alone, 19. Windows: the background mode, which lowers its priority for disks too. Elsewhere
/// without effect: there niceness belongs to the whole process.
///
/// Source: `setpriority(2)`, "C library/kernel differences"; `SetThreadPriority`, `THREAD_MODE_BACKGROUND_BEGIN`.
pub fn run_in_background() {
    imp::run_in_background();
}
