//! When threads run: [`interrupt_no_thread`].

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "none.rs")]
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
