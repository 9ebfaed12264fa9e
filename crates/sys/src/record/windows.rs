//! The Application log.
//!
//! A source need not be registered: the viewer then shows the text below a remark that it knows no description.
//!
//! Source: <https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-reporteventw>.

use std::io;
use std::os::windows::io::AsRawHandle;
use std::ptr::{null, null_mut};

use windows_sys::Win32::System::EventLog::{
    DeregisterEventSource, EVENTLOG_ERROR_TYPE, EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE,
    RegisterEventSourceW, ReportEventW,
};

use super::Level;
use crate::windows::text::wide;

pub(super) fn write(source: &str, level: Level, event: u16, text: &str) -> bool {
    let kind = match level {
        Level::Error => EVENTLOG_ERROR_TYPE,
        Level::Warning => EVENTLOG_WARNING_TYPE,
        Level::Info => EVENTLOG_INFORMATION_TYPE,
    };
    let (source, text) = (wide(source), wide(text));
    // SAFETY: the texts end with a zero and outlive the calls; null is this machine, no user and no data. The handle is checked,
    // and closed once.
    unsafe {
        let log = RegisterEventSourceW(null(), source.as_ptr());
        if log.is_null() {
            return false;
        }
        let strings = [text.as_ptr()];
        let written = ReportEventW(
            log,
            kind,
            0,
            event.into(),
            null_mut(),
            strings.len() as u16,
            0,
            strings.as_ptr(),
            null(),
        );
        DeregisterEventSource(log);
        written != 0
    }
}

pub(super) fn is_only_way() -> bool {
    io::stderr().as_raw_handle().is_null()
}
