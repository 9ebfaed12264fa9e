//! An example in a process of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;

use tempfile::TempDir;
use winddown::{Signal, StopReport};
use winddown_core::host::VARIABLES;
use winddown_sys::signal;
use winddown_testkit::{Census, Watchdog};

use super::{PATIENCE, example};

/// A running program. Whatever it started is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    printed: Receiver<String>,
    directory: TempDir,
    census: Census,
    _watchdog: Watchdog,
}

/// How a [`Program`] ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// What it printed and nobody heard.
    pub(crate) printed: Vec<String>,
    pub(crate) report: StopReport,
}

impl Program {
    /// Starts the example `name`. It writes its report where [`Program::end`] finds it, and knows nothing of the host that
    /// the tests run under.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_by(&[], name, arguments)
    }

    /// Like [`Program::start`], by another program that ends in executing or running it: `wrapper` and its arguments.
    pub(crate) fn start_by(wrapper: &[&str], name: &str, arguments: &[&str]) -> Self {
        Self::start_with(wrapper, name, arguments, |_| {})
    }

    /// Like [`Program::start_by`], with a command that `prepare` has changed.
    pub(crate) fn start_with(
        wrapper: &[&str],
        name: &str,
        arguments: &[&str],
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let directory = TempDir::new().unwrap();
        let program = example(name).into_os_string();
        let mut line = wrapper.iter().map(Into::into).chain([program]);
        let mut command = Command::new(line.next().expect("there is a program"));
        command
            .args(line)
            .args(arguments)
            .arg("--report")
            .arg(report_in(&directory))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        for name in VARIABLES {
            command.env_remove(name);
        }
        prepare(&mut command);
        let census = Census::begin();
        let mut child = census.mark(&mut command).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (print, printed) = mpsc::channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = print.send(line);
            }
        });
        Self {
            child,
            printed,
            directory,
            census,
            _watchdog: Watchdog::arm(PATIENCE * 2),
        }
    }

    /// The number of the process that was started: the example's own where no wrapper stays in between.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The number of the only child of the process that was started.
    pub(crate) fn pid_of_child(&self) -> u32 {
        let children = format!("/proc/{0}/task/{0}/children", self.pid());
        let children = fs::read_to_string(children).unwrap();
        children.trim().parse().expect("it has one child")
    }

    /// The next line that it prints.
    #[track_caller]
    pub(crate) fn hear(&self) -> String {
        match self.printed.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("nothing was printed in {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => panic!("it printed no more"),
        }
    }

    #[track_caller]
    pub(crate) fn expect(&self, line: &str) {
        assert_eq!(self.hear(), line);
    }

    /// What it prints next after `start`.
    #[track_caller]
    pub(crate) fn hear_after(&self, start: &str) -> String {
        let line = self.hear();
        let rest = line.strip_prefix(start);
        rest.unwrap_or_else(|| panic!("{line:?} begins not with {start:?}"))
            .to_owned()
    }

    /// Where the shop listens, as it says first.
    #[track_caller]
    pub(crate) fn address(&self) -> SocketAddr {
        self.hear_after("listening on ").parse().unwrap()
    }

    pub(crate) fn send(&self, signal: Signal) {
        signal::send(self.pid(), signal).unwrap();
    }

    /// Waits for its end, checks that nothing is left of it, and reads its report.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        // Else the wait would close it.
        let _input = self.child.stdin.take();
        let status = self.child.wait().unwrap();
        self.census.assert_empty();
        let report = fs::read_to_string(report_in(&self.directory))
            .unwrap_or_else(|error| panic!("{status}, and no report: {error}"));
        Ended {
            status,
            printed: self.printed.iter().collect(),
            report: serde_json::from_str(&report).unwrap(),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // What a failed test leaves running would make the wait endless.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn report_in(directory: &TempDir) -> PathBuf {
    directory.path().join("stop.json")
}
