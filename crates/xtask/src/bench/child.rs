//! The program that supervisors run while they are measured: `assets/bench/child.c`.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use rustix::process::Pid;

use crate::command::Cmd;
use crate::error::Error;
use crate::interrupt;
use crate::workspace;

/// What a child does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    /// Ends in its handler of `SIGTERM`.
    Stop,
    /// Ignores `SIGTERM`.
    Deaf,
    /// Ends at once with an error.
    Crash,
}

impl Behaviour {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Deaf => "deaf",
            Self::Crash => "crash",
        }
    }
}

pub(super) fn build() -> Result<(), Error> {
    let source = workspace::root().join("crates/xtask/assets/bench/child.c");
    let gcc = Cmd::new("gcc").args(["-static", "-O2", "-Wall", "-o"]);
    gcc.arg(executable()).arg(source).run()?.0
}

pub(super) fn executable() -> PathBuf {
    workspace::target("bench/child")
}

/// When and as which process a child began.
#[derive(Clone, Copy)]
pub(super) struct Birth {
    /// As the child's own pid namespace numbers it.
    pub(super) pid: Pid,
    /// On `CLOCK_MONOTONIC`, in nanoseconds.
    pub(super) at: u64,
}

/// The FIFO in which children say that they have begun.
pub(super) struct Births {
    fifo: File,
    unread: Vec<u8>,
}

impl Births {
    pub(super) fn path(directory: &Path) -> PathBuf {
        directory.join("births")
    }

    pub(super) fn listen(directory: &Path) -> Result<Self, Error> {
        let path = Self::path(directory);
        mknodat(CWD, &path, FileType::Fifo, Mode::from(0o600), 0)
            .map_err(|errno| Error::file(&path)(errno.into()))?;
        // It reads and writes, so that it is open whoever else comes and goes.
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fifo =
            open(&path, flags, Mode::empty()).map_err(|errno| Error::file(&path)(errno.into()))?;
        let fifo = File::from(fifo);
        Ok(Self {
            fifo,
            unread: Vec::new(),
        })
    }

    /// The births that there have been since the last call.
    pub(super) fn take(&mut self) -> Result<Vec<Birth>, Error> {
        let mut buffer = [0; 4096];
        loop {
            match self.fifo.read(&mut buffer) {
                Ok(length) => self.unread.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(Error::file("births")(error)),
            }
        }
        let complete = self
            .unread
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.unread.drain(..complete).collect();
        let lines = String::from_utf8_lossy(&lines);
        Ok(lines.lines().filter_map(Birth::of_line).collect())
    }

    /// Waits for so many births.
    pub(super) fn wait(
        &mut self,
        count: usize,
        limit: Duration,
        who: &str,
    ) -> Result<Vec<Birth>, Error> {
        let deadline = Instant::now() + limit;
        let mut births = self.take()?;
        while births.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            if interrupt::requested() {
                return Err(Error::Interrupted);
            }
            if left.is_zero() {
                let begun = births.len();
                let what = format!("{who} began only {begun} of {count} programs in time");
                return Err(Error::Unusable(what));
            }
            let timeout = Timespec::try_from(left).expect("limits are short");
            let mut fifo = [PollFd::new(&self.fifo, PollFlags::IN)];
            // An interruption is looked at above.
            let _ = poll(&mut fifo, Some(&timeout));
            births.extend(self.take()?);
        }
        Ok(births)
    }
}

impl Birth {
    fn of_line(line: &str) -> Option<Self> {
        let (pid, at) = line.split_once(' ')?;
        Some(Self {
            pid: Pid::from_raw(pid.parse().ok()?)?,
            at: at.parse().ok()?,
        })
    }
}
