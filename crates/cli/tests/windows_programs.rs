//! Programs of several languages, stopped gracefully from a service that has no console (under Wine).
#![cfg(windows)]

mod windows_support;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::windows::{ctrl_break, ctrl_c};
use winddown_core::scm::ServiceState;
use winddown_testkit::stubborn_program;
use windows_support::{Installed, PATIENCE, Stopped, skip, wait_for};

/// The Go program `programs/stopped.go`, which the lane cross-builds.
const GO_PROGRAM: &str = "WINDDOWN_GO_PROGRAM";

/// Not a test of its own: the program on tokio's console events where a service starts this executable, and nothing otherwise. It does the
/// same as `programs/stopped.go`.
#[test]
fn tokio_program() {
    if !env::args().any(|argument| argument == "as-program") {
        return;
    }
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let asked_by = runtime.block_on(async {
        let (mut ctrl_c, mut ctrl_break) = (ctrl_c().unwrap(), ctrl_break().unwrap());
        fs::write("ready", "ready\n").unwrap();
        tokio::select! {
            _ = ctrl_c.recv() => "ctrl-c\n",
            _ = ctrl_break.recv() => "ctrl-break\n",
        }
    });
    fs::write("stopped", asked_by).unwrap();
    std::process::exit(0)
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(Into::into).collect()
}

/// Starts `command` as a service in its own directory, and stops it once it has its handlers.
fn stopped_service(name: &str, flags: &[&str], command: Vec<OsString>) -> (Stopped, Installed) {
    let service = Installed::new(name, |directory| {
        let mut arguments = words(&["--stop-timeout=20s", "--directory"]);
        arguments.push(directory.into());
        arguments.extend(words(flags));
        arguments.push("--".into());
        arguments.extend(command);
        arguments
    });
    service.start();
    wait_for(&service.path("ready"));
    (service.stop(), service)
}

/// It ended by itself, in time, after one request.
#[track_caller]
fn assert_graceful(stopped: &Stopped) {
    let Stopped {
        codes,
        report,
        took,
    } = stopped;
    assert_eq!(report["verdict"], "graceful", "{report:#}");
    assert_eq!(report["survivors"], 0);
    assert_eq!(*codes, (0, 0));
    assert!(*took < Duration::from_secs(20), "{took:?}");
    let rungs = report["ladder"].as_array().unwrap();
    assert_eq!(rungs.len(), 1, "{report:#}");
    assert_eq!(rungs[0]["outcome"], "sent");
}

/// golang/go #72884: a service has no console, so a program has one of its own to which winddown goes with the event.
#[test]
fn wd_90_a_go_program_is_stopped_gracefully_by_a_service() {
    let Some(program) = env::var_os(GO_PROGRAM) else {
        return skip("no Go program was built: `cargo xtask test windows` does that");
    };
    let program = std::path::absolute(program).unwrap();
    let (stopped, service) = stopped_service("go", &[], vec![program.into()]);
    assert_graceful(&stopped);
    let said = fs::read_to_string(service.path("stopped")).unwrap();
    assert_eq!(said, "interrupt\n");
}

#[test]
fn wd_90_a_tokio_program_is_stopped_gracefully_by_a_service() {
    let command = words(&[
        "tokio_program",
        "--exact",
        "--nocapture",
        "--",
        "as-program",
    ]);
    let own = vec![env::current_exe().unwrap().into()];
    let (stopped, service) = stopped_service("tokio", &[], [own, command].concat());
    assert_graceful(&stopped);
    let said = fs::read_to_string(service.path("stopped")).unwrap();
    assert_eq!(said, "ctrl-c\n");
}

/// nssm #4, #10: cmd.exe asks "Terminate batch job (Y/N)?" where its input is a console.
#[test]
fn wd_90_a_batch_file_and_its_program_are_stopped_gracefully_by_a_service() {
    let service = Installed::new("batch", |directory| {
        let batch = directory.join("serve.cmd");
        let program = stubborn_program();
        let text = format!(
            "@echo off\r\ncd /d \"{}\"\r\n\"{}\" --ready-file ready graceful stopped\r\nexit /b %errorlevel%\r\n",
            directory.display(),
            program.display()
        );
        fs::write(&batch, text).unwrap();
        vec!["--stop-timeout=20s".into(), "--".into(), batch.into()]
    });
    service.start();
    wait_for(&service.path("ready"));
    let stopped = service.stop();
    // Wine's cmd.exe does not wait for its program: what is left may be asked once more.
    assert_eq!(stopped.report["ladder"][0]["outcome"], "sent");
    assert_eq!(stopped.report["verdict"], "graceful", "{stopped:#?}");
    assert_eq!(stopped.report["survivors"], 0);
    assert!(service.path("stopped").exists(), "{stopped:#?}");
}

/// A service has no standard input, and nobody sits at the keyboard of its program's console: a read ends at once.
#[test]
fn a_program_of_a_service_does_not_wait_for_a_keyboard() {
    let service = Installed::new("no-keyboard", |_| {
        vec![
            "--".into(),
            stubborn_program().into(),
            "closes-stdin-stops".into(),
        ]
    });
    service.ask_to_start().unwrap();
    let seen = service
        .service
        .wait_for(ServiceState::Stopped, PATIENCE)
        .unwrap();
    assert_eq!(seen.status.state, ServiceState::Stopped);
    assert_eq!(seen.status.exit_code, 0);
}
