//! Entries for the operator: [`entry`] writes one where the operator of this host looks. Lines of a program: [`LineLog`].
//!
//! | System | Where |
//! |---|---|
//! | Unix, standard error is the journal | a line on standard error with the journal's priority (`<4>`) in front |
//! | Unix, otherwise | a line on standard error |
//! | Windows | the Application log, with the event's number |
//!
//! Source: `sd-daemon(3)`; `ReportEventW`.

mod lines;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as imp;
#[cfg(windows)]
use windows as imp;

use std::fmt;

use winddown_core::one_line;

pub use lines::LineLog;

/// The event of a stop that had to be forced: what was asked to stop did not, and was ended.
pub const FORCED: u16 = 2003;

/// The event of everything else.
pub const OTHER: u16 = 2000;

/// The most bytes of an entry's line: what a pipe takes at once, whole.
const LONGEST: usize = 4096;

/// How much an entry matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something was not as it should be.
    Warning,
    /// Something happened.
    Info,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

/// Writes one entry about `source`, a service's name: `event` is its number (such as [`FORCED`]), `text` becomes one line and
/// is cut to what fits.
///
/// Never blocks: where there is no room for the entry it is dropped, and the answer is `false`.
pub fn entry(source: &str, level: Level, event: u16, text: &str) -> bool {
    imp::write(
        &one_line(source, 256),
        level,
        event,
        &one_line(text, LONGEST - 512),
    )
}

/// Whether entries are the only words of this process that reach anybody: it has no standard error, as a Windows service has none. Never
/// so on Unix.
#[must_use]
pub fn is_only_way() -> bool {
    imp::is_only_way()
}
