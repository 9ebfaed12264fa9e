//! Niceness, which is each thread's own here.

use rustix::process::setpriority_process;

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
}
