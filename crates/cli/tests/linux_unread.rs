//! Nobody reads what `winddown run` says (WD-127).
#![cfg(target_os = "linux")]

mod support;

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::thread;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use support::services::{POLITE, Running};
use support::{End, Place, Signal, report, until};
use winddown_core::report::Verdict;

/// One service that is started again and again, which is said each time, and one that is up.
const DEFINITION: &str = r#"
name = "unread"
[service.restless]
command = ["sh", "-c", "echo again >>log; exit 1"]
[service.restless.restart]
policy = "always"
[service.up]
command = ["sh", "polite.sh", "up"]
"#;

/// Both ends of a pipe that has no room.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while rustix::io::write(&writer, &[b'x'; 4096]).is_ok() {}
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

/// A place with the named pipe `report`.
fn place_with_named_pipe() -> Place {
    let place = Place::new();
    let made = Command::new("mkfifo").arg(place.path("report")).status();
    assert!(made.unwrap().success());
    place
}

#[test]
fn wd_127_a_full_pipe_on_standard_error_holds_up_nothing() {
    let (_reader, full) = full_pipe();
    let place = Place::new();
    place.write("polite.sh", POLITE);
    place.write("winddown.toml", DEFINITION);
    let mut command = place.winddown(["run", "--config", "winddown.toml"]);
    let child = command.stderr(full).spawn().unwrap();
    let mut running = Running { place, child };
    running.logged("up up");
    // What is said of a restart is said before it.
    until("a restart", || (running.count("again") > 1).then_some(()));
    running.send(Signal::TERM);
    running.logged("up down");
    assert!(running.child.wait().unwrap().code().is_some());
    running.place.census.assert_empty();
}

#[test]
fn wd_127_a_report_that_nobody_reads_is_left_out() {
    let place = place_with_named_pipe();
    let mut command = place.winddown(["run", "--report", "report", "--", "sh", "-c", "exit 3"]);
    let end = End::of(command.spawn().unwrap());
    assert_eq!(end.code(), Some(3), "{end:#?}");
    let said = "error: cannot write the stop report to report: ";
    assert!(end.stderr.contains(said), "{end:#?}");
    place.census.assert_empty();
}

/// As with `--report >(jq .verdict)`.
#[test]
fn a_report_can_go_to_a_pipe_that_is_read() {
    let place = place_with_named_pipe();
    let path = place.path("report");
    let reader = thread::spawn(move || fs::read_to_string(path).unwrap());
    let program = ["--", "sh", "-c", "until [ -e go ]; do sleep 0.01; done"];
    let mut command = place.winddown(["run", "--report", "report"]);
    let child = command.args(program).spawn().unwrap();
    // Opening the pipe waits for the reader.
    let writer = File::options().write(true).open(place.path("report"));
    place.write("go", "");
    let end = End::of(child);
    assert_eq!(end.code(), Some(0), "{end:#?}");
    drop(writer);
    let read = serde_json::from_str(&reader.join().unwrap()).unwrap();
    assert_eq!(report(&read).verdict, Verdict::Graceful);
    place.census.assert_empty();
}
