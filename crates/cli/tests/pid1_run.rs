//! `winddown run` as process 1 of a pid namespace, as in a container. Needs root.
#![cfg(target_os = "linux")]

mod support;

use std::process::{Child, Command, Stdio};

use support::{End, Place, WINDDOWN, children_of, kill, read_until, report_file, until};
use winddown_core::report::Verdict;
use winddown_testkit::stubborn_program;

/// `winddown run` as process 1; the namespace goes with it.
fn command(place: &Place, flags: &[&str]) -> Command {
    let mut command = place.command(
        "unshare",
        ["--pid", "--fork", "--mount-proc", "--kill-child"],
    );
    command
        .args(["--", WINDDOWN, "run", "--report=report.json"])
        .args(flags)
        .arg("--");
    command
}

/// Starts it around a program that prints `ready`; also gives winddown's own pid outside.
fn start(command: &mut Command) -> (Child, u32) {
    let mut unshare = command.spawn().unwrap();
    read_until(unshare.stdout.as_mut().unwrap(), "ready\n");
    let winddown = children_of(unshare.id());
    assert_eq!(winddown.len(), 1);
    (unshare, winddown[0])
}

/// WD-72: process 1 cannot die of a signal.
#[test]
fn wd_72_process_1_exits_as_the_program_did() {
    for (script, code) in [
        ("exit 0", 0),
        ("exit 3", 3),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
    ] {
        let place = Place::new();
        let mut command = command(&place, &[]);
        let end = End::of(command.args(["sh", "-c", script]).spawn().unwrap());
        assert_eq!(end.code(), Some(code), "{script}: {end:#?}");
        place.census.assert_empty();
    }
}

#[test]
fn wd_11_a_stop_of_the_container_reaches_the_program() {
    for (words, verdict, code) in [
        ("graceful", Verdict::Graceful, 0),
        ("unhandled", Verdict::Unhandled, 143),
        ("double-forks", Verdict::Forced, 124),
        ("ignores-term", Verdict::Forced, 124),
    ] {
        let place = Place::new();
        let mut command = command(&place, &["--stop-timeout=300ms"]);
        command.arg(stubborn_program()).arg(words);
        let (unshare, winddown) = start(&mut command);
        kill(winddown, "TERM");
        let end = End::of(unshare);
        assert_eq!(end.code(), Some(code), "{words}: {end:#?}");
        let report = report_file(&place.path("report.json"));
        assert_eq!(
            (report.verdict, report.survivors),
            (verdict, 0),
            "{report:#?}"
        );
        place.census.assert_empty();
    }
}

/// Process 1 inherits every orphan: none stays a zombie.
#[test]
fn process_1_reaps_orphans() {
    let place = Place::new();
    let mut command = command(&place, &[]);
    command.args(["sh", "-c"]).arg(
        "trap 'exit 0' TERM
         for i in 1 2 3 4 5; do (setsid sh -c 'sleep 0.2' & sh -c 'sleep 0.1' &); done
         echo ready; while :; do sleep 0.05; done",
    );
    let (unshare, winddown) = start(command.stderr(Stdio::inherit()));
    until("ten orphans", || {
        (children_of(winddown).len() > 1).then_some(())
    });
    until("every orphan is reaped", || {
        (children_of(winddown).len() == 1).then_some(())
    });
    kill(winddown, "TERM");
    assert_eq!(End::of(unshare).code(), Some(0));
    place.census.assert_empty();
}
