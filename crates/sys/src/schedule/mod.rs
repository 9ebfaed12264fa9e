//! When threads run: [`interrupt_no_thread`], [`run_in_background`].

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(windows, path = "windows.rs")]
#[cfg_attr(not(any(target_os = "linux", windows)), path = "none.rs")]
mod imp;

/// Has the calling thread, when it is woken, wait for its turn instead of interrupting the thread that runs. It gets the same
/// share of the processors as before.
///
/// For a thread that is woken together with another one which has the more urgent work. Threads and processes that it starts
/// inherit this. Without effect where the system does not allow it, and elsewhere than on Linux.
///
/// Source: `sched(7)`, `SCHED_BATCH`.
pub fn interrupt_no_thread() {
    imp::interrupt_no_thread();
}

/// Has the calling thread run only when nothing else wants to, as far as the system allows. It cannot be undone.
///
/// Linux: the niceness of this thread alone, 19. Windows: the background mode, which lowers its priority for disks too. Elsewhere
/// without effect: there niceness belongs to the whole process.
///
/// Source: `setpriority(2)`, "C library/kernel differences"; `SetThreadPriority`, `THREAD_MODE_BACKGROUND_BEGIN`.
pub fn run_in_background() {
    imp::run_in_background();
}
