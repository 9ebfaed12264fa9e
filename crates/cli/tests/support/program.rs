//! A `winddown run` of one program.

use std::process::{Child, Command};

use winddown_core::report::StopReport;
use winddown_testkit::stubborn_program;

use super::{End, Place, Signal, read_until, report_file, send};

/// `winddown run` with `flags` around a stubborn program, which is ready.
pub(crate) fn start(place: &Place, flags: &[&str], words: &str) -> Child {
    let mut command = place.winddown(["run", "--report", "report.json"]);
    command
        .args(flags)
        .arg("--")
        .arg(stubborn_program())
        .args(words.split(' '));
    until_ready(&mut command)
}

pub(crate) fn until_ready(command: &mut Command) -> Child {
    let mut child = command.spawn().unwrap();
    read_until(child.stdout.as_mut().unwrap(), "ready\n");
    child
}

pub(crate) fn stop(child: Child, signal: Signal) -> End {
    send(&child, signal);
    End::of(child)
}

pub(crate) fn written(place: &Place) -> StopReport {
    report_file(&place.path("report.json"))
}

pub(crate) fn shell(place: &Place, script: &str) -> Command {
    place.winddown(["run", "--", "sh", "-c", script])
}
