//! `SCHED_BATCH`, and niceness, which is each thread's own here.

use rustix::process::setpriority_process;

pub(super) fn interrupt_no_thread() {
    // SAFETY: all zero is a valid parameter, and the one that this policy takes.
    let parameter: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: the parameter outlives the call, and 0 is the calling thread.
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameter) };
}

pub(super) fn run_in_background() {
    // The lowest; "no process" is the calling thread.
    let _ = setpriority_process(None, 19);
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_thread_in_the_background_is_alone_there() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        std::thread::spawn(move || {
            super::run_in_background();
            assert_eq!(nice(), 19);
        })
        .join()
        .unwrap();
        assert_eq!(nice(), before);
    }

    #[test]
    fn the_thread_is_one_that_interrupts_none() {
        let policy = std::thread::spawn(|| {
            super::interrupt_no_thread();
            // SAFETY: takes no pointers.
            unsafe { libc::sched_getscheduler(0) }
        });
        assert_eq!(policy.join().unwrap(), libc::SCHED_BATCH);
    }
}
