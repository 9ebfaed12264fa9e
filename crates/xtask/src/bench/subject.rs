//! A running program that is measured, and what `/proc` says about it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::command::{Cmd, end_group};
use crate::error::Error;
use crate::interrupt;

const POLL: Duration = Duration::from_millis(1);

/// A program that runs until it is dropped, at the latest.
pub(super) struct Subject {
    name: &'static str,
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Subject {
    pub(super) fn start(name: &'static str, command: Cmd) -> Result<Self, Error> {
        let mut child = command.spawn_reading()?;
        let stdout = child.stdout.take().expect("stdout was asked for");
        Ok(Self {
            name,
            child,
            stdout: BufReader::new(stdout),
        })
    }

    /// The next line that the program says, within `limit`.
    pub(super) fn line(&mut self, limit: Duration) -> Result<String, Error> {
        let deadline = Instant::now() + limit;
        while self.stdout.buffer().is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).expect("limits are short");
            let mut stdout = [PollFd::new(self.stdout.get_ref(), PollFlags::IN)];
            match poll(&mut stdout, Some(&timeout)) {
                Ok(0) => return Err(self.failed("said nothing in time")),
                Ok(_) => break,
                Err(_) if interrupt::requested() => return Err(Error::Interrupted),
                Err(_) => {}
            }
        }
        let mut line = String::new();
        match self.stdout.read_line(&mut line) {
            Ok(1..) => Ok(line.trim_end().to_owned()),
            _ => Err(self.failed("ended without a word")),
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<(), Error> {
        kill_process(Pid::from_child(&self.child), signal)
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
        let threads = self.threads();
        !threads.is_empty() && threads.iter().all(|thread| state(thread) == Some('S'))
    }

    /// The directories of its threads in `/proc`.
    pub(super) fn threads(&self) -> Vec<PathBuf> {
        fs::read_dir(self.file("task"))
            .map(|tasks| tasks.flatten().map(|task| task.path()).collect())
            .unwrap_or_default()
    }

    /// The names of its children.
    pub(super) fn children(&self) -> Vec<String> {
        let pids = self.threads().into_iter().flat_map(|thread| {
            let children = fs::read_to_string(thread.join("children")).unwrap_or_default();
            children
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        });
        pids.filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok())
            .map(|name| name.trim_end().to_owned())
            .collect()
    }

    /// A file of its directory in `/proc`.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.child.id()))
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

/// The state of a thread: the field after its name, which may hold anything.
fn state(thread: &std::path::Path) -> Option<char> {
    let stat = fs::read_to_string(thread.join("stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
