//! `winddown run` as a Windows service, for the tests of what a user sees of it.
// Not every test needs all of it.
#![allow(dead_code)]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use winddown_core::scm::{Control, ScmError, ServiceState};
use winddown_sys::scm::client::{NewService, Service};
use winddown_testkit::Watchdog;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const ERROR_SERVICE_DATABASE_LOCKED: u32 = 1055;
pub(crate) const WINDDOWN: &str = env!("CARGO_BIN_EXE_winddown");

/// A service whose program is `winddown run`. It is stopped and deleted in the end, whatever the test does.
pub(crate) struct Installed {
    pub(crate) service: Service,
    pub(crate) directory: TempDir,
    _watchdog: Watchdog,
}

/// How a service ended.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// The exit code that the SCM was told, and the service's own.
    pub(crate) codes: (u32, u32),
    pub(crate) report: Value,
    pub(crate) took: Duration,
}

impl Stopped {
    /// It ended by itself after it was asked, with code 0.
    #[track_caller]
    pub(crate) fn assert_graceful(&self) {
        assert_eq!(self.report["verdict"], "graceful", "{self:#?}");
        assert_eq!(self.report["survivors"], 0, "{self:#?}");
        assert_eq!(self.codes, (0, 0), "{self:#?}");
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = self.service.control(Control::Stop);
        let _ = self.service.wait_for(ServiceState::Stopped, PATIENCE);
        let _ = self.service.delete();
    }
}

impl Installed {
    /// Creates the service `winddown-run-NAME` with `arguments` of its own directory, to which its reports go.
    pub(crate) fn new(name: &str, arguments: impl FnOnce(&Path) -> Vec<OsString>) -> Self {
        let directory = TempDir::new().unwrap();
        let arguments = arguments(directory.path());
        let watchdog = Watchdog::arm(Duration::from_secs(90));
        let service = Service::named(format!("winddown-run-{name}"));
        let _ = service.delete();
        let mut all: Vec<OsString> = vec!["run".into(), "--report".into()];
        all.push(directory.path().join("report.json").into());
        all.push("--state-directory".into());
        all.push(directory.path().join("state").into());
        all.extend(arguments);
        let new = NewService {
            display_name: format!("winddown run ({name})"),
            program: PathBuf::from(WINDDOWN),
            arguments: all,
        };
        service.create(&new).unwrap();
        Self {
            service,
            directory,
            _watchdog: watchdog,
        }
    }

    /// Creates it with a definition.
    pub(crate) fn defined(name: &str, definition: &str) -> Self {
        Self::new(name, |directory| {
            let file = directory.join("winddown.toml");
            fs::write(&file, definition).unwrap();
            vec!["--config".into(), file.into()]
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn start(&self) {
        self.ask_to_start().unwrap();
        let seen = self.service.wait_for(ServiceState::Running, PATIENCE);
        assert_eq!(seen.unwrap().status.state, ServiceState::Running);
    }

    /// Asks the SCM to start it, which it does for one service at a time: while it is at another, it refuses in the end.
    pub(crate) fn ask_to_start(&self) -> Result<(), ScmError> {
        loop {
            match self.service.start(&[]) {
                Err(ScmError::Os {
                    code: ERROR_SERVICE_DATABASE_LOCKED,
                    ..
                }) => {}
                answer => return answer,
            }
        }
    }

    /// Stops it as `sc stop` does.
    pub(crate) fn stop(&self) -> Stopped {
        let asked = Instant::now();
        self.service.control(Control::Stop).unwrap();
        let seen = self.service.wait_for(ServiceState::Stopped, PATIENCE);
        let seen = seen.unwrap().status;
        assert_eq!(seen.state, ServiceState::Stopped, "{seen:?}");
        let took = asked.elapsed();
        // WD-53: the report was written before the SCM heard STOPPED.
        let report = fs::read_to_string(self.path("report.json")).unwrap();
        Stopped {
            codes: (seen.exit_code, seen.specific_exit_code),
            report: serde_json::from_str(&report).unwrap(),
            took,
        }
    }
}

/// Waits until somebody has written `file`: a program that only rests need not have its handlers yet. The watchdog bounds it.
pub(crate) fn wait_for(file: &Path) {
    while !file.exists() {
        thread::sleep(Duration::from_millis(10));
    }
}

/// What the services of this prefix have written to the event log, which Wine prints; `None` where nobody says where.
pub(crate) fn events() -> Option<String> {
    let Some(log) = std::env::var_os("WINDDOWN_EVENT_LOG") else {
        skip("WINDDOWN_EVENT_LOG does not say where Wine prints events");
        return None;
    };
    Some(String::from_utf8_lossy(&fs::read(log).unwrap()).into_owned())
}

/// Waits until the event log has `text`. The watchdog bounds it.
pub(crate) fn wait_for_event(text: &str) {
    while events().is_some_and(|events| !events.contains(text)) {
        thread::sleep(Duration::from_millis(20));
    }
}

/// WD-73: the reports in a state directory.
pub(crate) fn kept(state: &Path) -> Vec<Value> {
    let history = Command::new(WINDDOWN)
        .args(["history", "--output=json", "--state-directory"])
        .arg(state)
        .output()
        .unwrap();
    let history: Value = serde_json::from_slice(&history.stdout).unwrap();
    let kept = history["reports"].as_array().unwrap().iter();
    kept.map(|kept| kept["report"].clone()).collect()
}

/// Says why a test is skipped; in CI no test is.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "in CI, but {why}");
    eprintln!("skipped: {why}");
}
