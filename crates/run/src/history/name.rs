//! The names of directories and files in the history.

use std::ffi::OsStr;
use std::fmt::Write;

use winddown_core::report::StopReport;

/// The directory of a service: its name, with everything encoded that could lead out of the history or that a file system
/// does not take.
pub(super) fn of_service(service: &str) -> String {
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

/// Whether this can be an identifier; a path never is.
pub(super) fn is_id(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_digit() || b"TZ.-".contains(&byte);
    (1..=64).contains(&text.len()) && text.as_bytes()[0].is_ascii_digit() && text.bytes().all(known)
}

pub(super) fn finished(id: &str) -> String {
    format!("{id}.json")
}

pub(super) fn unfinished(id: &str) -> String {
    format!(".{id}.tmp")
}

/// The identifier of the report in a file of this name.
pub(super) fn id_in(file: &OsStr) -> Option<String> {
    let id = file.to_str()?.strip_suffix(".json")?;
    is_id(id).then(|| id.to_owned())
}

pub(super) fn is_unfinished(file: &OsStr) -> bool {
    let id = file
        .to_str()
        .and_then(|name| name.strip_prefix('.')?.strip_suffix(".tmp"));
    id.is_some_and(is_id)
}
