//! `winddown run`: the order of several services, their one budget, and what follows an end.
#![cfg(target_os = "linux")]

mod support;

use support::services::Running;
use support::until;
use winddown_core::report::{Proof, StopReport, Verdict};

/// Three services that each require the one before: `first`, `second` and `third`, the scripts of which are named.
fn chain(scripts: [&str; 3], rest: &str) -> String {
    let [first, second, third] = scripts;
    format!(
        r#"
        {rest}
        [service.first]
        command = ["sh", "{first}.sh", "first"]
        ready = {{ file = "first-is-ready", interval = "10ms" }}
        [service.second]
        command = ["sh", "{second}.sh", "second"]
        requires = ["first"]
        ready = {{ file = "second.up", interval = "10ms" }}
        [service.third]
        command = ["sh", "{third}.sh", "third"]
        requires = ["second"]
        "#
    )
}

#[test]
fn wd_110_wd_112_a_service_starts_behind_what_it_requires_and_stops_before_it() {
    let running = Running::start(&[], &chain(["polite"; 3], ""));
    running.logged("first up");
    running.place.write("first-is-ready", "");
    running.logged("third up");
    let over = running.stop();
    let order = [
        "first up",
        "second up",
        "third up",
        "third down",
        "second down",
        "first down",
    ];
    assert_eq!(
        (over.log.as_slice(), over.code),
        (order.map(str::to_owned).as_slice(), Some(0))
    );
}

/// FedericoPonzi/Horust#58: a stop while services wait for others.
#[test]
fn wd_2_services_that_still_wait_go_down_at_once_and_are_reported() {
    let running = Running::start(&[], &chain(["polite"; 3], ""));
    running.logged("first up");
    let over = running.stop();
    assert_eq!(
        (over.log.as_slice(), over.code),
        (
            ["first up", "first down"].map(str::to_owned).as_slice(),
            Some(0)
        )
    );
    assert_eq!(over.report("first").verdict, Verdict::Graceful);
    for waiting in ["second", "third"] {
        let report = over.report(waiting);
        assert_eq!((&report.proof, report.pid), (&Proof::NothingRan, 0));
        assert_eq!(report.notes, ["it was waiting for services that it needs"]);
    }
}

#[test]
fn wd_113_services_that_hang_one_behind_the_other_share_one_budget() {
    let budget = 1.2;
    for last in ["polite", "stubborn"] {
        let scripts = ["stubborn", "stubborn", last];
        let running = Running::start(&[], &chain(scripts, "stop.timeout = \"1200ms\""));
        running.logged("first up");
        running.place.write("first-is-ready", "");
        running.logged("third up");
        let over = running.stop();
        assert_eq!(over.code, Some(124));
        let mut left = budget;
        for (name, script, levels) in [
            ("third", last, 3.0),
            ("second", "stubborn", 2.0),
            ("first", "stubborn", 1.0),
        ] {
            let report = over.report(name);
            let verdict = match script {
                "polite" => Verdict::Graceful,
                _ => Verdict::Forced,
            };
            assert_eq!((report.verdict, report.survivors), (verdict, 0));
            assert!(
                report.deadline <= left / levels + 0.01,
                "{left} left: {over:#?}"
            );
            left -= report.seconds;
        }
        assert!(left >= -0.1, "{over:#?}");
    }
}

/// Supervisor/supervisor#712: winddown ends with the last of its services.
#[test]
fn wd_114_winddown_ends_when_all_services_have_ended() {
    for (second, code) in [(0, 0), (3, 1)] {
        let definition = format!(
            r#"
            [service.first]
            command = ["true"]
            [service.second]
            command = ["sh", "-c", "exit {second}"]
            "#
        );
        let over = Running::start(&[], &definition).end();
        assert_eq!(
            (over.code, over.reports.len()),
            (Some(code), 2),
            "{over:#?}"
        );
    }
}

#[test]
fn wd_110_a_service_whose_requirement_fails_is_not_started() {
    let definition = r#"
        [service.base]
        command = ["./missing"]
        [service.strict]
        command = ["sh", "polite.sh", "strict"]
        requires = ["base"]
        [service.lenient]
        command = ["sh", "polite.sh", "lenient"]
        wants = ["base"]
        "#;
    let running = Running::start(&[], definition);
    running.logged("lenient up");
    let over = running.stop();
    assert_eq!((over.log.len(), over.code), (2, Some(1)), "{over:#?}");
    assert!(
        over.said
            .contains("strict: not started: `base`, which it requires"),
        "{over:#?}"
    );
}

#[test]
fn wd_104_a_crash_loop_ends_at_the_start_limit_and_the_others_go_on() {
    let definition = r#"
        [service.loop]
        command = ["sh", "-c", "echo start >>log; exit 1"]
        [service.loop.restart]
        policy = "always"
        backoff = { initial = "1ms" }
        limit = { starts = 3, within = "1h" }
        [service.steady]
        command = ["sh", "polite.sh", "steady"]
        "#;
    let mut running = Running::start(&[], definition);
    running.said("loop: given up: ");
    running.logged("steady up");
    assert_eq!(running.child.try_wait().unwrap(), None);
    let over = running.stop();
    assert_eq!(over.log.iter().filter(|line| *line == "start").count(), 3);
    assert_eq!(
        (over.code, over.report("steady").verdict),
        (Some(1), Verdict::Graceful)
    );
}

#[test]
fn wd_100_an_exit_code_that_says_shutdown_stops_all() {
    let definition = r#"
        [service.leader]
        command = ["sh", "-c", "exit 7"]
        restart = { on-exit = { "7" = "shutdown" } }
        requires = ["other"]
        [service.other]
        command = ["sh", "polite.sh", "other"]
        ready = { file = "log", interval = "10ms" }
        "#;
    let over = Running::start(&[], definition).end();
    assert_eq!((over.log.len(), over.code), (2, Some(1)), "{over:#?}");
    let asked_by = over.report("other").asked_by.to_string();
    assert!(asked_by.contains("leader: "), "{asked_by}");
}

#[test]
fn wd_2_a_stop_between_an_end_and_the_next_start_is_immediate_and_reported() {
    let definition = r#"
        command = ["sh", "-c", "echo start >>log; exit 1"]
        name = "loop"
        restart = { backoff = { initial = "1h", max = "1h" } }
        "#;
    let running = Running::start(&[], definition);
    running.said("restart 1 in ");
    let over = running.stop();
    assert_eq!((over.log.len(), over.code), (1, Some(0)), "{over:#?}");
    let last: &StopReport = over.reports.last().unwrap();
    assert_eq!(last.proof, Proof::NothingRan);
    assert_eq!(last.notes, ["it was waiting for its next start"]);
}

/// The program of a run that has ended leaves somebody behind who ignores the request.
const LEAVES: &str = r#"
test -e old && { kill -0 $(cat old) 2>/dev/null && echo both >>log; echo again >>log; exit 0; }
sh -c 'trap "" TERM; echo $$ >old; exec sleep 60' &
until test -s old; do :; done
exit 1
"#;

#[test]
fn wd_105_the_old_tree_is_gone_before_the_new_start() {
    let definition = r#"
        command = ["sh", "leaves.sh"]
        name = "leaves"
        stop = { timeout = "200ms" }
        restart = { backoff = { initial = "1ms" } }
        "#;
    let over = Running::start(&[("leaves.sh", LEAVES)], definition).end();
    assert_eq!(over.log, ["again"]);
    let verdicts: Vec<_> = over.reports.iter().map(|report| report.verdict).collect();
    assert_eq!(verdicts, [Verdict::Forced, Verdict::Graceful]);
    assert_eq!(over.code, Some(0));
}

#[test]
fn wd_119_a_program_that_has_done_its_work_is_not_missed() {
    let migrate = r#"
        [service.migrate]
        command = ["sh", "-c", "echo migrated >>log; sleep 0.05; exit EXIT"]
        ready = { when = "exited" }
        [service.web]
        command = ["sh", "-c", "grep -q migrated log && exec sh polite.sh web"]
        requires = ["migrate"]
        "#;
    let running = Running::start(&[], &migrate.replace("EXIT", "0"));
    running.logged("web up");
    let over = running.stop();
    assert_eq!(over.log, ["migrated", "web up", "web down"]);
    assert_eq!(over.code, Some(0), "{over:#?}");

    let over = Running::start(&[], &migrate.replace("EXIT", "3")).end();
    assert_eq!(
        (&over.log[..], over.code),
        (&["migrated".to_owned()][..], Some(1))
    );
    assert!(over.said.contains("web: not started"), "{over:#?}");
}

#[test]
fn wd_119_what_is_done_is_not_done_again_for_those_that_need_it() {
    let definition = r#"
        control = "control/socket"
        [service.once]
        command = ["sh", "-c", "echo once >>log"]
        ready = { when = "exited" }
        [service.web]
        command = ["sh", "polite.sh", "web"]
        requires = ["once"]
        "#;
    let running = Running::start(&[], definition);
    running.logged("web up");
    let status = running.ask(&["status"]);
    assert!(status.stdout.contains("done"), "{status:#?}");
    let again = running.ask(&["restart", "web"]);
    assert_eq!(again.code(), Some(0), "{again:#?}");
    until("web again", || (running.count("web up") == 2).then_some(()));
    assert_eq!(running.count("once"), 1);
    let again = running.ask(&["start", "once"]);
    assert_eq!(again.code(), Some(0), "{again:#?}");
    assert_eq!(running.count("once"), 2);
    assert_eq!(running.stop().code, Some(0));
}
