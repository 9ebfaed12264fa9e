//! The lines of another program as entries of the system's log.

#[cfg_attr(target_os = "linux", path = "lines_linux.rs")]
#[cfg_attr(windows, path = "lines_windows.rs")]
#[cfg_attr(not(any(target_os = "linux", windows)), path = "lines_none.rs")]
mod imp;

use std::io;

use super::Level;
use crate::Result;

/// Where the lines of another program go, one entry each: the journal of Linux, the Application log of Windows.
///
/// | | Linux | Windows | elsewhere |
/// |---|---|---|---|
/// | a line | exactly | as text, on one line | refused |
/// | whose it is | `SYSLOG_IDENTIFIER` | the event's source | |
///
/// Source: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>; `ReportEventW`.
#[derive(Debug)]
pub struct LineLog(imp::LineLog);

impl LineLog {
    /// Connects; `source` is the name of the service whose lines these are.
    ///
    /// # Errors
    /// [`Error::Os`](crate::Error::Os) when nothing answers there; [`Error::Unsupported`](crate::Error::Unsupported) elsewhere.
    pub fn open(source: &str) -> Result<Self> {
        imp::LineLog::open(source).map(Self)
    }

    /// The longest line that is taken as one entry, in bytes.
    pub const LONGEST: usize = imp::LONGEST;

    /// Writes a line, given without its end. What is longer than [`Self::LONGEST`] may be cut or refused.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::WouldBlock`] when it has no room at the moment.
    pub fn write(&mut self, level: Level, line: &[u8]) -> io::Result<()> {
        self.0.write(level, line)
    }
}
