//! A service whose output is captured, on Linux.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use winddown_run::logs::{
    Capture, Captured, ConsoleOptions, Destination, Files, Format, LogOptions, Logs, Rotation,
    Summary,
};
use winddown_sys::process::{Child, EnvChange, Exit, SpawnOptions, spawn};
use winddown_sys::wait_any;
use winddown_testkit::{Census, Watchdog};

use super::{LIMIT, read};

/// A service whose output is captured, in a directory of its own.
pub(crate) struct Bench {
    pub(crate) directory: TempDir,
    pub(crate) logs: Logs,
    told: Arc<Mutex<Vec<String>>>,
    census: Census,
    _watchdog: Watchdog,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&told);
        let warn = move |service: &str, text: &str| {
            log.lock().unwrap().push(format!("{service}: {text}"));
        };
        Self {
            directory: tempfile::tempdir().unwrap(),
            logs: Logs::new(ConsoleOptions::default(), Arc::new(warn)).unwrap(),
            told,
            census: Census::begin(),
            _watchdog: Watchdog::arm(2 * LIMIT),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn options(&self, rotation: Rotation) -> LogOptions {
        files(self.path("a.log"), None, Format::Raw, rotation)
    }

    pub(crate) fn open(&self, options: &LogOptions) -> Captured {
        self.logs.open("a", options).unwrap().unwrap()
    }

    /// Starts a program with captured output.
    pub(crate) fn start(&self, captured: &Captured, command: &[&str]) -> (Child, Capture) {
        let (streams, capture) = captured.begin().unwrap();
        let mut options = SpawnOptions::new(command[0], &command[1..]);
        (options.stdout, options.stderr) = (streams.stdout, streams.stderr);
        let (name, value) = self.census.variable();
        let mark = (name.into(), EnvChange::Set(value.into()));
        options.env.push(mark);
        (spawn(&options).unwrap(), capture)
    }

    /// Runs a shell's script to its end.
    pub(crate) fn run(&self, captured: &Captured, script: &str) -> Capture {
        let (child, capture) = self.start(captured, &["sh", "-c", script]);
        assert_eq!(wait(&child), Exit::Code(0), "{script}");
        capture
    }

    /// Runs a shell's script, and all of its output into the log.
    pub(crate) fn sh(&self, captured: &Captured, script: &str) -> Summary {
        self.drain(self.run(captured, script))
    }

    pub(crate) fn drain(&self, capture: Capture) -> Summary {
        self.drain_within(capture, LIMIT)
    }

    pub(crate) fn drain_within(&self, mut capture: Capture, within: Duration) -> Summary {
        capture.drain(within);
        let deadline = Instant::now() + within + LIMIT;
        loop {
            self.logs.noticed();
            if capture.is_drained() {
                return capture.summary();
            }
            assert!(Instant::now() < deadline, "the drain does not end");
            wait_any(&[&self.logs], Some(LIMIT));
        }
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    /// The bytes of a log with all its old files.
    pub(crate) fn all_of(&self, name: &str) -> Vec<u8> {
        let mut paths: Vec<PathBuf> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| file_name(path).starts_with(name))
            .collect();
        paths.sort_by_key(|path| (path.ends_with(name), path.clone()));
        paths.iter().flat_map(|path| read(path)).collect()
    }

    pub(crate) fn end(self) {
        self.census.assert_empty();
    }
}

pub(crate) fn wait(child: &Child) -> Exit {
    wait_any(&[child], Some(LIMIT));
    child.try_wait().unwrap().expect("it ends in time")
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

pub(crate) fn files(
    file: PathBuf,
    errors_file: Option<PathBuf>,
    format: Format,
    rotation: Rotation,
) -> LogOptions {
    LogOptions {
        to: Destination::Files(Box::new(Files {
            file,
            errors_file,
            format,
            rotation,
        })),
        ..LogOptions::default()
    }
}
