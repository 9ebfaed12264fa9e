//! `winddown run`: when a program is ready, whether it is still well, and what follows if not.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::net::TcpListener;
use std::process::Child;

use support::{End, Place, Signal, report_file, send, until};
use winddown_core::report::{StopReport, Verdict};

/// `winddown run` with this definition.
fn run(place: &Place, definition: &str) -> Child {
    place.write("winddown.toml", definition);
    let arguments = [
        "run",
        "--config",
        "winddown.toml",
        "--report",
        "report.json",
    ];
    place.winddown(arguments).spawn().unwrap()
}

fn report(place: &Place) -> StopReport {
    report_file(&place.path("report.json"))
}

/// How many lines `name` has.
fn lines(place: &Place, name: &str) -> usize {
    let text = fs::read_to_string(place.path(name)).unwrap_or_default();
    text.lines().count()
}

#[test]
fn wd_110_a_service_that_requires_another_waits_until_its_check_passes() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // Where the name has other addresses too, they are tried as well.
    let address = format!("localhost:{}", listener.local_addr().unwrap().port());
    // Each of them fails until the one before has been seen to be ready.
    let mut child = run(
        &place,
        &format!(
            r#"
            [service.tcp]
            command = ["sleep", "60"]
            ready = {{ tcp = "{address}", interval = "20ms" }}
            [service.file]
            command = ["sh", "-c", "touch file; exec sleep 60"]
            requires = ["tcp"]
            ready = {{ file = "file", interval = "20ms" }}
            [service.exec]
            command = ["sh", "-c", "test -e file && touch exec; exec sleep 60"]
            requires = ["file"]
            environment = {{ WANTED = "exec" }}
            ready = {{ exec = ["sh", "-c", "test -e $WANTED"], interval = "20ms" }}
            [service.last]
            command = ["sh", "-c", "test -e exec && touch last; exec sleep 60"]
            requires = ["exec"]
            "#
        ),
    );
    until("the last service", || {
        assert_eq!(child.try_wait().unwrap(), None);
        place.path("last").exists().then_some(())
    });
    send(&child, Signal::TERM);
    let end = End::of(child);
    assert!(!end.stderr.contains("not ready"), "{end:#?}");
    place.census.assert_empty();
}

#[test]
fn a_check_that_never_passes_is_told_as_the_reason() {
    let place = Place::new();
    fs::write(place.path("old"), "").unwrap();
    let old = fs::File::open(place.path("old")).unwrap();
    old.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let child = run(
        &place,
        "command = [\"sleep\", \"60\"]\nready = { file = \"old\", timeout = \"200ms\", interval = \"20ms\" }",
    );
    let end = End::of(child);
    assert_ne!(end.code(), Some(0), "{end:#?}");
    let name = report(&place).asked_by.name.unwrap();
    assert!(
        name.starts_with("it had not become ready within 200ms: "),
        "{name}"
    );
    assert!(name.ends_with("old is from before the start"), "{name}");
    place.census.assert_empty();
}

#[test]
fn wd_104_a_program_that_is_unhealthy_each_time_is_restarted_up_to_the_limit() {
    let place = Place::new();
    let child = run(
        &place,
        r#"
        command = ["sh", "-c", "echo start >>starts; exec sleep 60"]
        health = { exec = ["sh", "-c", "echo check >>checks; echo broken; exit 3"], interval = "20ms", failures = 2 }
        [restart]
        backoff = { initial = "10ms" }
        limit = { starts = 3, within = "1h" }
        "#,
    );
    let end = End::of(child);
    assert_ne!(end.code(), Some(0), "{end:#?}");
    assert_eq!((lines(&place, "starts"), lines(&place, "checks")), (3, 6));
    let name = report(&place).asked_by.name.unwrap();
    assert!(name.starts_with("it was unhealthy: "), "{name}");
    assert!(name.ends_with("exited with 3: broken"), "{name}");
    place.census.assert_empty();
}

#[test]
fn wd_121_a_program_that_gets_well_within_its_start_period_is_left_alone() {
    let place = Place::new();
    let mut child = run(
        &place,
        r#"
        command = ["sh", "-c", "echo start >>starts; exec sleep 60"]
        [health]
        exec = ["sh", "-c", "echo check >>checks; test $(wc -l <checks) -ge 6"]
        interval = "10ms"
        failures = 2
        start-period = "1h"
        "#,
    );
    until("the checks", || (lines(&place, "checks") > 8).then_some(()));
    assert_eq!(child.try_wait().unwrap(), None);
    send(&child, Signal::TERM);
    End::of(child);
    assert_eq!(lines(&place, "starts"), 1);
    place.census.assert_empty();
}

#[test]
fn wd_122_a_program_that_does_not_feed_its_watchdog_is_stopped() {
    let place = Place::new();
    let child = run(
        &place,
        r#"
        command = ["sh", "-c", "echo $WATCHDOG_USEC $$$$ $WATCHDOG_PID $${NOTIFY_SOCKET:+socket} >told; exec sleep 60"]
        health = { watchdog = "300ms" }
        "#,
    );
    let end = End::of(child);
    assert_ne!(end.code(), Some(0), "{end:#?}");
    let name = report(&place).asked_by.name.unwrap();
    assert_eq!(name, "it was unhealthy: no WATCHDOG=1 for 300ms");
    let told = fs::read_to_string(place.path("told")).unwrap();
    let told: Vec<_> = told.split_whitespace().collect();
    assert_eq!((told[0], told[3]), ("300000", "socket"), "{told:?}");
    assert_eq!(told[1], told[2]);
    place.census.assert_empty();
}

#[test]
fn wd_100_what_is_said_of_an_exit_code_counts() {
    let place = Place::new();
    // 75 starts it again although the policy would not, and 3 stops it although the policy would start it again.
    for (policy, first, starts) in [("never", 75, 2), ("always", 3, 1)] {
        let _ = fs::remove_file(place.path("starts"));
        let child = run(
            &place,
            &format!(
                r#"
                command = ["sh", "-c", "echo start >>starts; test $(wc -l <starts) -gt 1 && exit 3; exit {first}"]
                [restart]
                policy = "{policy}"
                on-exit = {{ "75" = "restart", "3" = "stop" }}
                backoff = {{ initial = "1ms" }}
                "#
            ),
        );
        let end = End::of(child);
        assert_eq!(end.code(), Some(3), "{end:#?}");
        assert_eq!(lines(&place, "starts"), starts);
    }
    place.census.assert_empty();
}

#[test]
fn wd_74_what_was_not_ready_or_not_well_has_failed_however_it_took_its_stop() {
    for (keys, why) in [
        (
            "ready = { when = \"notify\", timeout = \"50ms\" }",
            "it had not become ready within 50ms",
        ),
        (
            "health = { exec = [\"false\"], interval = \"10ms\", failures = 1 }",
            "it was unhealthy: ",
        ),
        (
            "hooks = { post-start = { command = [\"false\"] } }",
            "its post-start hook failed",
        ),
    ] {
        let place = Place::new();
        let end = End::of(run(
            &place,
            &format!("command = [\"sleep\", \"60\"]\n{keys}"),
        ));
        let report = report(&place);
        assert_eq!(
            (report.verdict, end.code()),
            (Verdict::Failed, Some(1)),
            "{report:#?}"
        );
        let notes = report.notes.join("; ");
        assert!(
            notes.contains(why) && notes.contains("no handler"),
            "{notes}"
        );
        place.census.assert_empty();
    }
}

/// WD-161: what another program has is told with the way out, and is no fault of winddown's own.
#[test]
fn wd_161_an_address_that_is_taken_is_told_with_the_way_out() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = format!("command = [\"true\"]\nlisten = [{{ address = \"{address}\" }}]\n");
    let end = End::of(run(&place, &text));
    assert_eq!(end.code(), Some(1), "{end:#?}");
    assert!(end.stderr.contains("is in use\nhint: `ss "), "{end:#?}");
    place.census.assert_empty();
}
