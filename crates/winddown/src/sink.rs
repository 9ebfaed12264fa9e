//! Where stop reports go.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use winddown_core::report::{StopReport, Verdict};
use winddown_sys::record::{self, Level};

/// The event of a stop that was not forced.
const STOPPED: u16 = 2000;

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
    /// Writes the report everywhere. What cannot be written is said on standard error, and the stop goes on.
    pub(crate) fn write(&mut self, report: &StopReport) {
        if let Some(callback) = &mut self.callback {
            callback(report);
        }
        if self.record {
            let (level, event) = match report.verdict {
                Verdict::Graceful => (Level::Info, STOPPED),
                Verdict::Forced => (Level::Warning, record::FORCED),
                Verdict::Failed | Verdict::Unhandled => (Level::Error, STOPPED),
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
    }
}
