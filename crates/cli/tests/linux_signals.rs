//! What becomes of a signal that `winddown run` gets: passed on, mapped, or a reload.
#![cfg(target_os = "linux")]

mod support;

use support::program::{shell, start, stop, until_ready, written};
use support::{End, Place, Signal, kill, read_until};
use winddown_core::report::Verdict;

#[test]
fn every_other_signal_is_forwarded() {
    let place = Place::new();
    let mut command = shell(
        &place,
        "for s in USR1 USR2 WINCH ALRM HUP 37; do trap \"echo got $s\" $s; done; trap 'exit 7' TERM
         echo ready; while :; do sleep 0.05; done",
    );
    let mut child = until_ready(&mut command);
    for signal in ["USR1", "USR2", "WINCH", "ALRM", "HUP", "37"] {
        kill(child.id(), signal);
        read_until(child.stdout.as_mut().unwrap(), &format!("got {signal}\n"));
    }
    assert_eq!(stop(child, Signal::TERM).code(), Some(7));
    place.census.assert_empty();
}

/// WD-180; dumb-init `--rewrite`: a program that knows other signals than its manager.
#[test]
fn wd_180_signals_are_passed_on_as_the_map_says() {
    let place = Place::new();
    let script =
        "for s in USR1 USR2 HUP WINCH 36 37; do trap \"echo got $s\" $s; done; trap 'exit 7' TERM
         echo ready; while :; do sleep 0.05; done";
    let mut command = place.winddown(["run"]);
    for said in ["HUP=USR1", "RTMIN+1=RTMIN+2", "USR2=ignore", "WINCH=USR2"] {
        command.args(["--signal-map", said]);
    }
    // Of bash's signals 34 is RTMIN, 36 is RTMIN+2.
    command.args(["--", "bash", "-c", script]);
    let mut child = until_ready(&mut command);
    kill(child.id(), "USR2");
    for (signal, got) in [
        ("HUP", "USR1"),
        ("35", "36"),
        ("WINCH", "USR2"),
        ("USR1", "USR1"),
    ] {
        kill(child.id(), signal);
        let read = read_until(child.stdout.as_mut().unwrap(), "\n");
        assert_eq!(read, format!("got {got}\n"));
    }
    assert_eq!(stop(child, Signal::TERM).code(), Some(7));
    place.census.assert_empty();
}

/// WD-181; dumb-init's `--rewrite 15:3` (nginx stops gracefully on QUIT alone).
#[test]
fn wd_181_a_stop_request_is_sent_as_the_map_says() {
    let place = Place::new();
    let end = stop(
        start(&place, &["--signal-map", "TERM=QUIT"], "graceful"),
        Signal::TERM,
    );
    assert_eq!(end.code(), Some(0), "{end:#?}");
    assert_eq!(end.stdout, "stopping: signal QUIT\nstopped\n");
    let report = written(&place);
    assert_eq!(report.verdict, Verdict::Graceful);
    assert_eq!(report.asked_by.request.as_deref(), Some("TERM"));
    assert_eq!(report.ladder[0].rung, "signal QUIT");
    let end = stop(
        start(&place, &["--signal-map", "TERM=QUIT"], "graceful"),
        Signal::INT,
    );
    assert_eq!(end.stdout, "stopping: signal INT\nstopped\n");
    let refused = place
        .winddown(["run", "--signal-map", "TERM=ignore", "--", "true"])
        .spawn();
    let refused = End::of(refused.unwrap());
    assert_eq!(refused.code(), Some(2), "{refused:#?}");
    assert!(refused.stderr.contains("stop request"), "{refused:#?}");
    place.census.assert_empty();
}

/// WD-180: with a definition, HUP reads it again, unless it says something else of it.
#[test]
fn wd_180_hup_reloads_a_definition_unless_it_is_mapped() {
    let script =
        "trap 'echo got HUP' HUP; trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    for (signals, sent, expected) in [
        ("", "HUP", "nothing has changed"),
        (
            "[signals]\nUSR1 = \"reload\"\nHUP = \"HUP\"",
            "USR1",
            "nothing has changed",
        ),
        ("[signals]\nHUP = \"HUP\"", "HUP", "got HUP"),
    ] {
        let place = Place::new();
        let text = format!("command = [\"bash\", \"-c\", \"{script}\"]\n{signals}");
        place.write("definition.toml", &text);
        let mut child = until_ready(&mut place.winddown(["run", "--config", "definition.toml"]));
        kill(child.id(), sent);
        match expected {
            "got HUP" => read_until(child.stdout.as_mut().unwrap(), expected),
            _ => read_until(child.stderr.as_mut().unwrap(), expected),
        };
        assert_eq!(stop(child, Signal::TERM).code(), Some(0));
        place.census.assert_empty();
    }
}
