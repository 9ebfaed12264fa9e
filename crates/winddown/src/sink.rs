//! Where stop reports go.

use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use winddown_core::report::{StopReport, Verdict};
use winddown_sys::record::{self, Level};

/// What a report gets at least, where nothing is left of the time for the stop.
const LEAST: Duration = Duration::from_millis(250);

type Callback = Box<dyn FnMut(&StopReport) + Send>;

/// Where the report of a service goes.
#[derive(Default)]
pub(crate) struct ReportSink {
    /// A file that holds the last report as JSON.
    pub(crate) file: Option<PathBuf>,
    /// A function of the program's own.
    pub(crate) callback: Option<Callback>,
    /// The journal, the event log, or standard error where there is neither.
    pub(crate) record: bool,
}

impl ReportSink {
    /// Writes the report everywhere, on a thread of its own: neither the program's code nor a disk that hangs holds up the end
    /// for longer than `limit` (WD-33).
    pub(crate) fn write_within(self, report: StopReport, limit: Duration) {
        let (done, ended) = channel::<()>();
        let job = Arc::new(Mutex::new(Some((self, report, done))));
        let run = |job: &Mutex<Option<_>>| {
            let taken = job.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some((mut sink, report, _done)) = taken {
                Self::write(&mut sink, &report);
            }
        };
        let shared = Arc::clone(&job);
        let thread = thread::Builder::new()
            .name("winddown-report".to_owned())
            .spawn(move || run(&shared));
        match thread {
            // It says that it has ended by dropping its sender, also in a panic.
            Ok(_) => drop(ended.recv_timeout(limit.max(LEAST))),
            Err(_) => drop(catch_unwind(AssertUnwindSafe(|| run(&job)))),
        }
    }

    /// Writes the report everywhere. What cannot be written is said on standard error, and the stop goes on.
    fn write(&mut self, report: &StopReport) {
        if self.record {
            let (level, event) = match report.verdict {
                Verdict::Graceful => (Level::Info, record::OTHER),
                Verdict::Forced => (Level::Warning, record::FORCED),
                Verdict::Failed | Verdict::Unhandled => (Level::Error, record::OTHER),
            };
            record::entry(&report.service, level, event, &report.summary());
        }
        if let Some(file) = &self.file {
            let json = serde_json::to_string(report).expect("a report is plain data");
            if let Err(error) = fs::write(file, json + "\n") {
                let _ = writeln!(
                    std::io::stderr(),
                    "error: cannot write the stop report to {}: {error}",
                    file.display()
                );
            }
        }
        if let Some(callback) = &mut self.callback {
            callback(report);
        }
    }
}
