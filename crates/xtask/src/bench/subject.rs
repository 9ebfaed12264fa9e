//! A running program that is measured.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

use super::processes;
use crate::command::{Cmd, end_group};
use crate::error::Error;
use crate::interrupt;

const POLL: Duration = Duration::from_millis(1);

/// A program that runs until it is dropped, at the latest.
pub(super) struct Subject {
    name: &'static str,
    child: Child,
    /// Of one that is listened to.
    stdout: Option<BufReader<ChildStdout>>,
}

impl Subject {
    /// Starts a program that is listened to.
    pub(super) fn start(name: &'static str, command: Cmd) -> Result<Self, Error> {
        let mut child = command.spawn_reading()?;
        let stdout = child.stdout.take().map(BufReader::new);
        Ok(Self {
            name,
            child,
            stdout,
        })
    }

    /// Starts a program that may say what it wants.
    pub(super) fn start_unheard(name: &'static str, command: Cmd) -> Result<Self, Error> {
        Ok(Self {
            name,
            child: command.spawn_unheard()?,
            stdout: None,
        })
    }

    /// The next line that the program says, within `limit`.
    pub(super) fn line(&mut self, limit: Duration) -> Result<String, Error> {
        let deadline = Instant::now() + limit;
        let Some(stdout) = &mut self.stdout else {
            return Err(self.failed("is not listened to"));
        };
        while stdout.buffer().is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).expect("limits are short");
            match poll(
                &mut [PollFd::new(stdout.get_ref(), PollFlags::IN)],
                Some(&timeout),
            ) {
                Ok(0) => return Err(self.failed("said nothing in time")),
                Ok(_) => break,
                Err(_) if interrupt::requested() => return Err(Error::Interrupted),
                Err(_) => {}
            }
        }
        let mut line = String::new();
        match stdout.read_line(&mut line) {
            Ok(1..) => Ok(line.trim_end().to_owned()),
            _ => Err(self.failed("ended without a word")),
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<(), Error> {
        kill_process(self.pid(), signal)
            .map_err(|errno| self.failed(&format!("cannot be signalled: {errno}")))
    }

    /// Waits until `ready` says so.
    pub(super) fn wait_until(
        &self,
        what: &str,
        limit: Duration,
        mut ready: impl FnMut(&Self) -> bool,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + limit;
        while !ready(self) {
            if interrupt::requested() {
                return Err(Error::Interrupted);
            }
            if Instant::now() > deadline {
                return Err(self.failed(what));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Waits for the program to end by itself.
    pub(super) fn wait(mut self, limit: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Ok(Some(_)) = self.child.try_wait() {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        Err(self.failed("did not end"))
    }

    /// Whether every thread of the program sleeps.
    pub(super) fn sleeps(&self) -> bool {
        processes::sleeps(self.pid())
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(super) fn failed(&self, how: &str) -> Error {
        Error::Unusable(format!("{} {how}", self.name))
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            end_group(&mut self.child);
        }
    }
}
