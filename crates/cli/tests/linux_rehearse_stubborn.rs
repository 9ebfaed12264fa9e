//! The verdict of `winddown rehearse` on every program that stops badly, and its options.
#![cfg(target_os = "linux")]

mod support;

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use support::{End, Place, Rehearsal, Signal, WINDDOWN, as_ordinary_user, read_until, send};
use winddown_core::report::{Proof, Verdict};
use winddown_testkit::stubborn_program;

const TIMEOUT: &str = "1s";

fn stubborn(words: &str) -> Vec<String> {
    let program = stubborn_program().to_str().unwrap().to_owned();
    std::iter::once(program)
        .chain(words.split_whitespace().map(str::to_owned))
        .collect()
}

/// The verdict on each of `programs`; nothing survives, which is proven, and what has to be killed is killed in time (WD-90).
fn check(programs: &[&str], verdict: Verdict) {
    for words in programs {
        let place = Place::new();
        let rehearsal = place.rehearse(&["--timeout", TIMEOUT], stubborn(words));
        check_one(&rehearsal, verdict, words);
        place.census.assert_empty();
    }
}

#[track_caller]
fn check_one(rehearsal: &Rehearsal, verdict: Verdict, words: &str) {
    let report = rehearsal.report();
    assert_eq!(report.verdict, verdict, "{words}: {rehearsal:#?}");
    assert_eq!(rehearsal.graceful, verdict == Verdict::Graceful, "{words}");
    assert_eq!(report.survivors, 0, "{words}: {report:#?}");
    let proofs = [Proof::CgroupEmpty, Proof::NoChildren];
    assert!(proofs.contains(&report.proof), "{words}: {report:#?}");
    let killed = !report.stragglers.is_empty();
    assert_eq!(killed, verdict == Verdict::Forced, "{words}: {report:#?}");
    if killed {
        // Far from the time that it was not given, also on a machine that is busy.
        assert!(report.seconds < 20.0, "{words}: {report:#?}");
        assert!(!report.evidence.is_empty(), "{words}: {report:#?}");
    }
}

#[test]
fn wd_70_what_stops_properly_is_graceful() {
    check(
        &[
            "graceful",
            "never-ready",
            "exits-late 300ms",
            "floods-on-stop 2",
            "deep-tree 3 graceful",
            // As a shell and Java do: 128 and the number of the signal that they handled.
            "exits-on-stop 143",
        ],
        Verdict::Graceful,
    );
}

/// WD-94: a program that is stopped takes the request, since it is continued.
#[test]
fn wd_94_a_stopped_program_is_continued() {
    check(&["stops-itself"], Verdict::Graceful);
}

/// WD-95: it took `TERM` with sigwait, cleaned up, and died of it then, as it should.
#[test]
fn wd_95_dying_of_the_request_after_the_cleanup_is_graceful() {
    check(&["term-then-reraise"], Verdict::Graceful);
}

#[test]
fn wd_95_dying_of_the_default_action_is_unhandled() {
    check(&["unhandled"], Verdict::Unhandled);
}

#[test]
fn wd_70_ending_with_an_error_is_failed() {
    check(&["exits-on-stop 3", "crashes-on-stop"], Verdict::Failed);
}

/// No stop was rehearsed where the program did not wait for it, even if it exited with 0.
#[test]
fn a_program_that_ends_by_itself_fails_its_rehearsal() {
    check(
        &["exits 0", "exits 3", "crashes", "daemonizes"],
        Verdict::Failed,
    );
    let place = Place::new();
    let rehearsal = place.rehearse(&[], stubborn("daemonizes"));
    let notes = &rehearsal.report().notes;
    assert!(notes[0].contains("before it was asked"), "{notes:?}");
    assert!(notes[1].contains("keep it in the foreground"), "{notes:?}");
}

#[test]
fn wd_90_what_does_not_stop_is_killed_in_time() {
    check(&["ignores-term", "blocks-term"], Verdict::Forced);
}

/// WD-91: the leader ends properly, and what it leaves behind does not get away.
#[test]
fn wd_91_what_is_left_behind_is_killed_in_time() {
    check(
        &[
            "fork-ignores-term",
            "setsid-child",
            "double-forks",
            "deep-tree 3",
        ],
        Verdict::Forced,
    );
}

/// WD-91: what the leader leaves behind is asked once, when the leader has gone.
#[test]
fn wd_91_what_is_left_behind_is_asked_too() {
    let place = Place::new();
    let rehearsal = place.rehearse(&["--timeout", "20s"], stubborn("setsid-child graceful"));
    check_one(&rehearsal, Verdict::Graceful, "setsid-child graceful");
    let rungs: Vec<_> = rehearsal
        .report()
        .ladder
        .iter()
        .map(|it| &it.rung)
        .collect();
    assert_eq!(
        rungs,
        ["signal TERM", "signal TERM to the rest of the tree"]
    );
    place.census.assert_empty();
}

/// It moves on to new processes in new sessions all the time, and never rests.
#[test]
fn wd_91_a_moving_target_is_killed() {
    let place = Place::new();
    let flags = ["--timeout", TIMEOUT, "--ready-timeout", "300ms"];
    let rehearsal = place.rehearse(&flags, stubborn("refork"));
    check_one(&rehearsal, Verdict::Forced, "refork");
    place.census.assert_empty();
}

#[test]
fn a_program_that_waits_for_the_end_of_its_input_is_forced() {
    let place = Place::new();
    let mut command = place.winddown(["rehearse", "--output=json", "--timeout", TIMEOUT, "--"]);
    command
        .args(stubborn("closes-stdin-stops"))
        .stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let stdin = child.stdin.take();
    let rehearsal = Rehearsal::of(End::of(child));
    check_one(&rehearsal, Verdict::Forced, "closes-stdin-stops");
    drop(stdin);
    place.census.assert_empty();
}

/// A program that never comes to rest is asked all the same, and whoever looks on is told of that in time.
#[test]
fn a_program_that_never_rests_is_asked_in_bounded_time() {
    let place = Place::new();
    let works = "trap 'exit 0' TERM; while :; do sleep 0.02; done";
    let rehearsal = place.rehearse(&[], ["sh", "-c", works]);
    check_one(&rehearsal, Verdict::Graceful, works);
    let at = |begin: &str| {
        let moment = rehearsal
            .timeline
            .iter()
            .find(|(_, what)| what.starts_with(begin));
        moment
            .unwrap_or_else(|| panic!("{begin}: {rehearsal:#?}"))
            .0
    };
    assert!(
        at("not at rest yet: it counts as ready after 20s") < at("ready: it has not come to rest")
    );
    assert!(at("ready: it has not come to rest within 20s") >= 20.0);
    assert!(at("asked to stop by own request: rehearsal") >= 20.0);
    place.census.assert_empty();
}

/// Nobody can handle `KILL`, and `STOP` asks nothing.
#[test]
fn what_no_program_can_handle_is_not_rehearsed() {
    let place = Place::new();
    for (signal, why) in [
        ("KILL", "no program can handle KILL"),
        ("STOP", "STOP asks nothing"),
    ] {
        let mut command = place.winddown(["rehearse", "--signal", signal, "--"]);
        let end = End::of(command.args(stubborn("graceful")).spawn().unwrap());
        assert_eq!(end.code(), Some(2), "{end:#?}");
        assert!(end.stderr.contains(why), "{end:#?}");
        assert!(end.stderr.contains("use TERM, INT or another"), "{end:#?}");
        assert_eq!(end.stdout, "");
    }
    place.census.assert_empty();
}

/// A program that does not become ready in the time that the user gives it was not ready; it is stopped all the same.
#[test]
fn a_program_that_never_rests_fails_its_rehearsal() {
    let place = Place::new();
    let mut command = place.winddown(["rehearse", "--output=json", "--ready-timeout=300ms", "--"]);
    command.args(stubborn("floods")).stderr(Stdio::null());
    let rehearsal = Rehearsal::of(End::of(command.spawn().unwrap()));
    check_one(&rehearsal, Verdict::Failed, "floods");
    let note = "it had not become ready within 300ms";
    assert_eq!(rehearsal.report().notes, [note]);
    place.census.assert_empty();
}

#[test]
fn ready_is_what_the_program_says() {
    let place = Place::new();
    let rehearsal = place.rehearse(&[], stubborn("--notify graceful"));
    check_one(&rehearsal, Verdict::Graceful, "--notify graceful");
    let said = rehearsal
        .timeline
        .iter()
        .any(|(_, what)| what == "ready: it sent READY=1");
    assert!(said, "{rehearsal:#?}");
}

#[test]
fn the_time_to_ask_can_be_chosen() {
    for (when, earliest) in [("start", 0.0), ("10ms", 0.01)] {
        let place = Place::new();
        let rehearsal = place.rehearse(&["--when", when], stubborn("unhandled"));
        check_one(&rehearsal, Verdict::Unhandled, when);
        let asked = |(_, what): &&(f64, String)| what.starts_with("asked to stop by own");
        let (at, _) = rehearsal.timeline.iter().find(asked).unwrap();
        assert!(*at >= earliest, "{rehearsal:#?}");
        assert!(
            rehearsal
                .timeline
                .iter()
                .all(|(_, what)| !what.starts_with("ready")),
            "{rehearsal:#?}"
        );
        place.census.assert_empty();
    }
}

#[test]
fn every_stop_of_a_repeated_rehearsal_counts() {
    let place = Place::new();
    let flags = ["--repeat", "4", "--when", "start", "--timeout", "5s"];
    let rehearsal = place.rehearse(&flags, stubborn("exits-on-stop 3"));
    assert_eq!(rehearsal.reports.len(), 4);
    assert!(!rehearsal.graceful);

    let mut command = place.winddown(["rehearse", "--repeat=2", "--"]);
    let end = End::of(command.args(stubborn("graceful")).spawn().unwrap());
    assert_eq!(end.code(), Some(0), "{end:#?}");
    assert_eq!(end.stdout.matches("verdict: graceful in ").count(), 2);
    assert!(
        end.stdout.ends_with("2 stops: 2 graceful\n"),
        "{}",
        end.stdout
    );
    place.census.assert_empty();
}

/// Without a cgroup of its own, winddown is a subreaper and proves it by having no child left.
#[test]
fn wd_71_an_ordinary_user_gets_the_same_verdicts() {
    for (words, verdict) in [
        ("graceful", Verdict::Graceful),
        ("term-then-reraise", Verdict::Graceful),
        ("unhandled", Verdict::Unhandled),
        ("double-forks", Verdict::Forced),
        ("deep-tree 3", Verdict::Forced),
    ] {
        let place = Place::new();
        let winddown = place.copy_for_all(WINDDOWN.as_ref());
        let stubborn = place.copy_for_all(&stubborn_program());
        let user = as_ordinary_user();
        let mut command = place.command(user[0], &user[1..]);
        command
            .arg(&winddown)
            .args([
                "rehearse",
                "--output=json",
                "--repeat=2",
                "--timeout",
                TIMEOUT,
            ])
            .arg("--")
            .arg(&stubborn)
            .args(words.split(' '));
        let rehearsal = Rehearsal::of(End::of(command.spawn().unwrap()));
        assert_eq!(rehearsal.reports.len(), 2);
        for report in &rehearsal.reports {
            assert_eq!(report.verdict, verdict, "{words}: {rehearsal:#?}");
            assert_eq!((report.survivors, &report.proof), (0, &Proof::NoChildren));
        }
        place.census.assert_empty();
    }
}

/// The user's own stop of a rehearsal ends the program too, and no other run begins.
#[test]
fn an_interrupted_rehearsal_leaves_nothing_behind() {
    for signal in [Signal::INT, Signal::TERM] {
        let place = Place::new();
        let mut command = place.winddown(["rehearse", "--repeat=3", "--when=1h", "--timeout=1s"]);
        command.arg("--").args(stubborn("setsid-child"));
        let mut child = command.spawn().unwrap();
        read_until(child.stdout.as_mut().unwrap(), "ready\n");
        send(&child, signal);
        let end = End::of(child);
        assert_eq!(end.code(), Some(1), "{end:#?}");
        assert!(end.stdout.contains("interrupted by signal "), "{end:#?}");
        assert!(end.stdout.ends_with("1 stops: 1 forced\n"), "{end:#?}");
        place.census.assert_empty();
    }
}

/// WD-14: a second Ctrl+C forces, once the first is half a second old.
#[test]
fn wd_14_ctrl_c_asks_and_ctrl_c_again_forces() {
    for (words, again, said) in [
        ("graceful", false, "verdict: graceful"),
        ("ignores-term", true, "verdict: forced"),
    ] {
        let place = Place::new();
        let program = stubborn(words).join(" ");
        // Without exec the shell that `script` starts would be there for Ctrl+C too, and answer 130 itself.
        let line = format!("exec {WINDDOWN} rehearse --when 1h --timeout 1h -- {program}");
        // It gives its command a terminal, whose keyboard is its own standard input.
        let mut command = place.command("script", ["-qec", &line, "/dev/null"]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut keyboard = child.stdin.take().unwrap();
        read_until(child.stdout.as_mut().unwrap(), "ready\r\n");
        keyboard.write_all(&[3]).unwrap();
        while again && child.try_wait().unwrap().is_none() {
            // It ends at any moment.
            let _ = keyboard.write_all(&[3]);
            std::thread::sleep(Duration::from_millis(100));
        }
        let end = End::of(child);
        assert_eq!(end.code(), Some(1), "{end:#?}");
        assert!(end.stdout.contains(said), "{end:#?}");
        assert!(end.stdout.contains("interrupted by signal INT"), "{end:#?}");
        place.census.assert_empty();
    }
}

/// What ends in the turn of the loop that has started it is not told as having ended before.
#[test]
fn an_end_is_told_after_its_start() {
    let place = Place::new();
    for _ in 0..20 {
        // It fails unless the timeline is in order.
        let rehearsal = place.rehearse(&[], ["false"]);
        assert_eq!(rehearsal.report().verdict, Verdict::Failed);
    }
    place.census.assert_empty();
}
