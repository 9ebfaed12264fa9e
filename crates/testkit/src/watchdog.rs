use std::process;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::Census;

/// Aborts the test process when a test takes too long, once it has killed what every [`Census`] of the process marked.
/// Dropping it disarms it.
///
/// ```
/// use std::time::Duration;
/// use winddown_testkit::Watchdog;
///
/// let _watchdog = Watchdog::arm(Duration::from_secs(30));
/// // ... what must not hang ...
/// ```
#[derive(Debug)]
#[must_use = "it is disarmed when it is dropped"]
pub struct Watchdog {
    disarm: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts the countdown for the calling test, which is named in the message by the name of its thread.
    ///
    /// # Panics
    /// When no thread can be started.
    pub fn arm(limit: Duration) -> Self {
        let test = thread::current().name().unwrap_or("a test").to_owned();
        let (disarm, disarmed) = mpsc::channel::<()>();
        let thread = thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || {
                if disarmed.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                    eprintln!("watchdog: {test} still runs after {limit:?}; aborting");
                    Census::kill_all();
                    process::abort();
                }
            })
            .expect("a thread can be started");
        Self {
            disarm: Some(disarm),
            thread: Some(thread),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.disarm.take());
        // A watchdog that has fired aborts here: what it kills may let a test go on that hung, and pass.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
