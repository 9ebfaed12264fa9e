//! `SCHED_BATCH`.

pub(super) fn interrupt_no_thread() {
    // SAFETY: all zero is a valid parameter, and the one that this policy takes.
    let parameter: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: the parameter outlives the call, and 0 is the calling thread.
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameter) };
}

#[cfg(test)]
mod tests {
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
