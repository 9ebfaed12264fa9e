//! The shop example, unchanged, as a real Windows service and as a console program (under Wine: its SCM).
#![cfg(windows)]

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use winddown_core::scm::{Accepted, Control, ScmError, ServiceState, code};
use winddown_sys::scm::client::{NewService, Seen, Service};
use winddown_testkit::Watchdog;

const PATIENCE: Duration = Duration::from_secs(20);

/// The shop as a service of its own name, deleted in the end.
struct Shop {
    service: Service,
    directory: TempDir,
    _watchdog: Watchdog,
}

impl Shop {
    fn install(name: &str, arguments: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let service = Service::named(format!("winddown-shop-{name}"));
        let mut all: Vec<OsString> = vec!["--log".into(), directory.path().join("log").into()];
        all.extend([
            "--report".into(),
            directory.path().join("report.json").into(),
        ]);
        all.extend(arguments.iter().map(OsString::from));
        let new = NewService {
            display_name: format!("winddown's shop ({name})"),
            program: program(),
            arguments: all,
        };
        // A run that was cut off may have left it.
        let _ = service.delete();
        service.create(&new).unwrap();
        Self {
            service,
            directory,
            _watchdog: Watchdog::arm(Duration::from_secs(90)),
        }
    }

    fn start(&self) -> Seen {
        self.service.start(&[]).unwrap();
        self.service
            .wait_for(ServiceState::Running, PATIENCE)
            .unwrap()
    }

    fn control(&self, control: Control) -> Option<u32> {
        match self.service.control(control) {
            Ok(()) => None,
            Err(ScmError::Os { code, .. }) => Some(code),
            Err(other) => panic!("{other}"),
        }
    }

    /// Waits for STOPPED; its exit codes.
    fn stopped(&self) -> (u32, u32) {
        let seen = self
            .service
            .wait_for(ServiceState::Stopped, PATIENCE)
            .unwrap();
        (seen.status.exit_code, seen.status.specific_exit_code)
    }

    fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn wait_for_log(&self, line: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.log().iter().any(|known| known == line) {
            assert!(Instant::now() < until, "no `{line}` in {:?}", self.log());
            std::thread::yield_now();
        }
    }

    fn report(&self) -> serde_json::Value {
        let text = fs::read_to_string(self.directory.path().join("report.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.service.control(Control::Stop);
        let _ = self.service.wait_for(ServiceState::Stopped, PATIENCE);
        let _ = self.service.delete();
    }
}

fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples")
        .join("shop.exe")
}

#[test]
fn wd_60_controls_arrive_as_typed_events() {
    let shop = Shop::install("events", &[]);
    let running = shop.start();
    assert!(
        running
            .status
            .accepted
            .contains(Accepted::STOP | Accepted::PAUSE_CONTINUE)
    );
    assert!(
        running
            .status
            .accepted
            .contains(Accepted::PARAM_CHANGE | Accepted::PRESHUTDOWN)
    );
    assert_eq!(shop.control(Control::Custom(200)), None);
    shop.wait_for_log("user event 200");
    assert_eq!(shop.control(Control::ParamChange), None);
    shop.wait_for_log("reload asked by scm paramchange");
    assert_eq!(shop.control(Control::Pause), None);
    shop.service
        .wait_for(ServiceState::Paused, PATIENCE)
        .unwrap();
    shop.wait_for_log("pause asked by scm pause");
    assert_eq!(shop.control(Control::Continue), None);
    shop.service
        .wait_for(ServiceState::Running, PATIENCE)
        .unwrap();
    shop.wait_for_log("resume asked by scm continue");
    assert_eq!(
        shop.control(Control::TimeChange),
        Some(code::ERROR_INVALID_PARAMETER)
    );
    assert_eq!(shop.control(Control::Stop), None);
    assert_eq!(shop.stopped(), (0, 0));
    let report = shop.report();
    assert_eq!(report["verdict"], "graceful");
    assert_eq!(report["asked_by"]["mechanism"], "scm");
    assert_eq!(report["asked_by"]["request"], "stop");
}

#[test]
fn wd_52_a_long_cleanup_shows_stop_pending_with_rising_checkpoints_and_then_stopped() {
    let shop = Shop::install("cleanup", &["--cleanup-ms", "5000", "--lease-ms", "2000"]);
    shop.start();
    let asked = Instant::now();
    assert_eq!(shop.control(Control::Stop), None);
    let first = shop
        .service
        .wait_for(ServiceState::StopPending, PATIENCE)
        .unwrap();
    assert!(asked.elapsed() < Duration::from_secs(2));
    assert_eq!(first.status.accepted, Accepted::NONE);
    let mut checkpoints = vec![first.status.checkpoint];
    // WD-4: a second control while it stops does no harm.
    assert_eq!(
        shop.control(Control::Stop),
        Some(code::ERROR_SERVICE_CANNOT_ACCEPT_CTRL)
    );
    loop {
        let seen = shop.service.status().unwrap().status;
        if seen.state == ServiceState::Stopped {
            break;
        }
        assert_eq!(seen.state, ServiceState::StopPending);
        if checkpoints.last() != Some(&seen.checkpoint) {
            checkpoints.push(seen.checkpoint);
        }
        assert!(asked.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    assert!(
        checkpoints.is_sorted() && checkpoints.len() >= 5,
        "{checkpoints:?}"
    );
    assert_eq!(shop.stopped(), (0, 0));
    assert_eq!(shop.report()["verdict"], "graceful");
}

#[test]
fn wd_72_a_failing_cleanup_shows_1066_and_its_code() {
    let shop = Shop::install("fails", &["--fail", "7"]);
    shop.start();
    assert_eq!(shop.control(Control::Stop), None);
    assert_eq!(shop.stopped(), (code::ERROR_SERVICE_SPECIFIC_ERROR, 7));
    assert_eq!(shop.report()["verdict"], "failed");
}

/// windows-service #53, #101: the dispatcher of a program that no SCM started takes 10 s to say so under Wine.
#[test]
fn wd_10_from_a_console_it_is_a_console_program_at_once() {
    let _watchdog = Watchdog::arm(Duration::from_secs(60));
    let directory = TempDir::new().unwrap();
    let log = directory.path().join("log");
    let begun = Instant::now();
    let mut shop = Command::new(program())
        .arg("--log")
        .arg(&log)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !fs::read_to_string(&log)
        .unwrap_or_default()
        .contains("listening on")
    {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "it waits for an SCM"
        );
        std::thread::yield_now();
    }
    shop.kill().unwrap();
    shop.wait().unwrap();
}
