//! The control socket of `winddown run` on Windows: a named pipe.
#![cfg(windows)]

use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use winddown_testkit::{Watchdog, stubborn_program};

const WINDDOWN: &str = env!("CARGO_BIN_EXE_winddown");

/// A winddown with a control socket; ended whatever the test does.
struct Running {
    winddown: Child,
    pipe: String,
    _directory: TempDir,
    _watchdog: Watchdog,
}

impl Drop for Running {
    fn drop(&mut self) {
        // What it started goes with it: it is in a job of winddown's.
        let _ = self.winddown.kill();
        let _ = self.winddown.wait();
    }
}

impl Running {
    fn start(name: &str) -> Self {
        let watchdog = Watchdog::arm(Duration::from_secs(100));
        let directory = TempDir::new().unwrap();
        let definition = directory.path().join("services.toml");
        let stubborn = stubborn_program().display().to_string();
        let text = format!(
            "[service.db]\ncommand = ['{stubborn}', 'graceful']\n\
             [service.web]\ncommand = ['{stubborn}', 'graceful']\nrequires = ['db']\n"
        );
        std::fs::write(&definition, text).unwrap();
        let pipe = format!(r"\\.\pipe\winddown-test-{name}-{}", std::process::id());
        let winddown = Self::command(&pipe, &definition, directory.path())
            .spawn()
            .unwrap();
        let running = Self {
            winddown,
            pipe,
            _directory: directory,
            _watchdog: watchdog,
        };
        running.wait_for_state("web", "ready");
        running
    }

    fn command(pipe: &str, definition: &std::path::Path, state: &std::path::Path) -> Command {
        let mut command = Command::new(WINDDOWN);
        command
            .args(["run", "--control", pipe, "--config"])
            .arg(definition);
        command.arg("--state-directory").arg(state);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(WINDDOWN);
        command
            .args(arguments)
            .args(["--control", &self.pipe, "--output", "json"]);
        command.stdin(Stdio::null()).output().unwrap()
    }

    fn status(&self, service: &str) -> Option<Value> {
        let output = self.ask(&["status"]);
        let all: Value = serde_json::from_slice(&output.stdout).ok()?;
        let services = all["services"].as_array()?;
        services.iter().find(|it| it["service"] == service).cloned()
    }

    fn wait_for_state(&self, service: &str, state: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self
            .status(service)
            .is_none_or(|status| status["state"] != state)
        {
            assert!(Instant::now() < deadline, "{service} is not {state}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// WD-173: single services are stopped and started; winddown stays.
#[test]
fn wd_173_single_services_are_stopped_and_started() {
    let running = Running::start("operations");
    let before = running.status("db").unwrap();
    let stopped = running.ask(&["stop", "db"]);
    assert!(stopped.status.success(), "{stopped:?}");
    for service in ["db", "web"] {
        let status = running.status(service).unwrap();
        assert_eq!(status["state"], "down", "{status:#}");
        assert_eq!(running.ask(&["status", service]).status.code(), Some(3));
    }
    let started = running.ask(&["start", "web"]);
    assert!(started.status.success(), "{started:?}");
    let after = running.status("db").unwrap();
    assert_eq!(after["state"], "ready", "{after:#}");
    assert_ne!(after["pid"], before["pid"]);
    let restarted = running.ask(&["restart", "web"]);
    assert!(restarted.status.success(), "{restarted:?}");
    assert_eq!(running.ask(&["stop", "wep"]).status.code(), Some(4));
}

/// WD-172: the pipe of a living winddown is not taken over.
#[test]
fn wd_172_the_pipe_of_a_living_winddown_is_refused() {
    let running = Running::start("taken");
    let directory = TempDir::new().unwrap();
    let definition = directory.path().join("one.toml");
    let stubborn = stubborn_program().display().to_string();
    std::fs::write(
        &definition,
        format!("command = ['{stubborn}', 'graceful']\n"),
    )
    .unwrap();
    let second = Running::command(&running.pipe, &definition, directory.path());
    let second = { second }.output().unwrap();
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("is in use"), "{said}");
    running.wait_for_state("web", "ready");
}

/// WD-171: clients that hang hold up nobody.
#[test]
fn wd_171_clients_that_hang_hold_up_nobody() {
    let running = Running::start("hanging");
    let open = || {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).open(&running.pipe)
    };
    let silent: Vec<_> = (0..100).filter_map(|_| open().ok()).collect();
    assert!(!silent.is_empty());
    running.wait_for_state("web", "ready");
    drop(silent);
    let nobody = Command::new(WINDDOWN)
        .args(["status", "--control", r"\\.\pipe\winddown-test-nobody"])
        .output()
        .unwrap();
    assert_eq!(nobody.status.code(), Some(3), "{nobody:?}");
}
