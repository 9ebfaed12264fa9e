//! `winddown run` and `winddown rehearse` on Windows (under Wine): behind the SCM and without it.
#![cfg(windows)]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use winddown_core::scm::{Control, ServiceState};
use winddown_sys::scm::client::{NewService, Service};
use winddown_testkit::{Watchdog, stubborn_program};

const PATIENCE: Duration = Duration::from_secs(20);
const WINDDOWN: &str = env!("CARGO_BIN_EXE_winddown");

/// A service that is stopped and deleted in the end, whatever the test does.
struct Installed(Service);

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = self.0.control(Control::Stop);
        let _ = self.0.wait_for(ServiceState::Stopped, PATIENCE);
        let _ = self.0.delete();
    }
}

/// A stubborn program, which writes the file `ready` once it has its handlers.
fn stubborn(ready: &Path, behaviour: &str) -> [OsString; 4] {
    [
        stubborn_program().into(),
        "--ready-file".into(),
        ready.into(),
        behaviour.into(),
    ]
}

/// A program that only rests need not have its handlers yet. The watchdog bounds the wait.
fn wait_for(ready: &Path) {
    while !ready.exists() {
        thread::sleep(Duration::from_millis(10));
    }
}

/// Runs a stubborn program as a service, stops it, and gives the SCM's exit codes and the report.
fn stopped_service(name: &str, behaviour: &str) -> ((u32, u32), serde_json::Value, Duration) {
    let _watchdog = Watchdog::arm(Duration::from_secs(90));
    let directory = TempDir::new().unwrap();
    let report = directory.path().join("report.json");
    let ready = directory.path().join("ready");
    let service = Service::named(format!("winddown-run-{name}"));
    let _ = service.delete();
    let mut arguments: Vec<OsString> = ["run", "--stop-timeout", "3s", "--report"]
        .map(Into::into)
        .into();
    arguments.push(report.clone().into());
    arguments.push("--state-directory".into());
    arguments.push(directory.path().into());
    arguments.push("--".into());
    arguments.extend(stubborn(&ready, behaviour));
    let new = NewService {
        display_name: format!("winddown run ({name})"),
        program: PathBuf::from(WINDDOWN),
        arguments,
    };
    service.create(&new).unwrap();
    let service = Installed(service);
    let service = &service.0;
    service.start(&[]).unwrap();
    service.wait_for(ServiceState::Running, PATIENCE).unwrap();
    wait_for(&ready);
    let asked = Instant::now();
    service.control(Control::Stop).unwrap();
    let seen = service.wait_for(ServiceState::Stopped, PATIENCE).unwrap();
    let took = asked.elapsed();
    // WD-53: the report was written before the SCM heard STOPPED.
    let written: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!(kept(directory.path()), std::slice::from_ref(&written));
    (
        (seen.status.exit_code, seen.status.specific_exit_code),
        written,
        took,
    )
}

/// WD-73: the reports in a state directory.
fn kept(state: &Path) -> Vec<serde_json::Value> {
    let history = Command::new(WINDDOWN)
        .args(["history", "--output=json", "--state-directory"])
        .arg(state)
        .output()
        .unwrap();
    let history: serde_json::Value = serde_json::from_slice(&history.stdout).unwrap();
    let kept = history["reports"].as_array().unwrap().iter();
    kept.map(|kept| kept["report"].clone()).collect()
}

#[test]
fn wd_90_a_program_that_hears_ctrl_c_is_stopped_gracefully_by_the_scm() {
    let (codes, report, _) = stopped_service("graceful", "graceful");
    assert_eq!(report["verdict"], "graceful", "{report:#}");
    assert_eq!(report["asked_by"]["mechanism"], "scm");
    assert_eq!(report["survivors"], 0);
    assert_eq!(codes, (0, 0));
}

/// shawl #48: a program that is deaf to Ctrl+C is killed, and the SCM is told so.
#[test]
fn wd_90_a_deaf_program_is_killed_at_the_timeout_and_the_scm_sees_it() {
    let (codes, report, took) = stopped_service("deaf", "ignores-term");
    assert_eq!(report["verdict"], "forced", "{report:#}");
    assert_eq!(report["survivors"], 0);
    assert_eq!(report["proof"]["by"], "job-empty");
    assert_eq!(codes, (1066, 124));
    assert!(took >= Duration::from_secs(3), "{took:?}");
}

/// The user ends the rehearsal by `WM_CLOSE`, once the program has its handlers.
#[test]
fn wd_95_a_rehearsal_judges_a_windows_program() {
    let _watchdog = Watchdog::arm(Duration::from_secs(90));
    for (behaviour, verdict) in [("graceful", "graceful"), ("ignores-term", "forced")] {
        let directory = TempDir::new().unwrap();
        let ready = directory.path().join("ready");
        let flags = ["rehearse", "--when=1h", "--timeout=2s", "--output=json"];
        let rehearsal = Command::new(WINDDOWN)
            .args(flags)
            .arg("--")
            .args(stubborn(&ready, behaviour))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for(&ready);
        let mut close = Command::new("taskkill");
        let close = close.args(["/PID", &rehearsal.id().to_string()]);
        assert!(close.output().unwrap().status.success());
        let end = rehearsal.wait_with_output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&end.stdout).unwrap();
        let report = &json["runs"][0]["report"];
        assert_eq!(report["verdict"], verdict, "{json:#}");
        assert_eq!(report["asked_by"]["mechanism"], "window-close");
        assert_eq!(end.status.code(), Some(1), "it was interrupted");
    }
}

#[test]
fn a_program_that_is_not_there_is_127_with_a_hint() {
    let _watchdog = Watchdog::arm(Duration::from_secs(60));
    let run = Command::new(WINDDOWN)
        .args(["run", "--", "no-such-program"])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&run.stderr).contains("hint:"));
}
