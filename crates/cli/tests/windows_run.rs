//! `winddown run` and `winddown rehearse` on Windows (under Wine): behind the SCM and without it.
#![cfg(windows)]

mod windows_support;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use winddown_testkit::{Watchdog, stubborn_program};
use windows_support::{Installed, Stopped, WINDDOWN, kept, wait_for};

/// A stubborn program, which writes the file `ready` once it has its handlers.
fn stubborn(ready: &Path, behaviour: &str) -> [OsString; 4] {
    [
        stubborn_program().into(),
        "--ready-file".into(),
        ready.into(),
        behaviour.into(),
    ]
}

/// Runs a stubborn program as a service, and stops it.
fn stopped_service(name: &str, behaviour: &str) -> Stopped {
    let place = TempDir::new().unwrap();
    let ready = place.path().join("ready");
    let mut arguments: Vec<OsString> = vec!["--stop-timeout=3s".into(), "--".into()];
    arguments.extend(stubborn(&ready, behaviour));
    let service = Installed::new(name, |_| arguments);
    service.start();
    wait_for(&ready);
    let stopped = service.stop();
    let kept = kept(&service.path("state"));
    assert_eq!(kept, std::slice::from_ref(&stopped.report));
    stopped
}

#[test]
fn wd_90_a_program_that_hears_ctrl_c_is_stopped_gracefully_by_the_scm() {
    let Stopped { codes, report, .. } = stopped_service("graceful", "graceful");
    assert_eq!(report["verdict"], "graceful", "{report:#}");
    assert_eq!(report["asked_by"]["mechanism"], "scm");
    assert_eq!(report["survivors"], 0);
    assert_eq!(codes, (0, 0));
}

/// shawl #48: a program that is deaf to Ctrl+C is killed, and the SCM is told so.
#[test]
fn wd_90_a_deaf_program_is_killed_at_the_timeout_and_the_scm_sees_it() {
    let Stopped {
        codes,
        report,
        took,
    } = stopped_service("deaf", "ignores-term");
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

/// The host of its console stays a little longer than a program: nothing was left behind, and nobody is asked.
#[test]
fn a_program_that_ends_by_itself_leaves_nothing_behind() {
    let _watchdog = Watchdog::arm(Duration::from_secs(60));
    let directory = TempDir::new().unwrap();
    let report = directory.path().join("report.json");
    let run = Command::new(WINDDOWN)
        .args(["run", "--report"])
        .arg(&report)
        .arg("--state-directory")
        .arg(directory.path())
        .arg("--")
        .arg(stubborn_program())
        .args(["exits", "3"])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(3), "{run:?}");
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["ladder"], serde_json::json!([]), "{report:#}");
    assert_eq!(
        report["notes"],
        serde_json::json!(["it ended by itself: exit code 3"])
    );
    assert_eq!(report["proof"]["by"], "job-empty");
}
