//! The names of files in the history, and of reports.

use std::ffi::OsStr;
use std::fmt::Write;

use winddown_core::report::StopReport;

/// Held while files change their names.
pub(super) const LOCK: &str = "lock";

/// Behind the encoded name of a service: the file that reports are added to.
pub(super) const NEWER: &str = ".jsonl";
/// The full one before it.
pub(super) const OLDER: &str = ".older";

/// The encoded name of the service that a file of this name belongs to.
pub(super) fn service_in(file: &OsStr) -> Option<&str> {
    let file = file.to_str()?;
    file.strip_suffix(NEWER)
        .or_else(|| file.strip_suffix(OLDER))
}

/// The name of a service, with everything encoded that could lead out of the history or that a file system does not take.
pub(super) fn encoded(service: &str) -> String {
    let mut name = String::new();
    let last = service.len().saturating_sub(1);
    for (at, byte) in service.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            b'.' if at != 0 && at != last => name.push('.'),
            _ => write!(name, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    match name.is_empty() {
        true => "%".to_owned(),
        false => name,
    }
}

/// The identifier of a report: when the stop was asked for, and the process. They sort by time.
pub(super) fn of_report(report: &StopReport) -> String {
    let at = report.at.strftime("%Y%m%dT%H%M%S.%6fZ");
    format!("{at}-{}", report.pid)
}
