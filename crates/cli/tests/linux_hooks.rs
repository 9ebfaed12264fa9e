//! `winddown run`: hooks, what they are told, and what becomes of those that fail or hang.
#![cfg(target_os = "linux")]

mod support;

use support::Signal;
use support::services::{Running, outcome};
use winddown_core::report::Verdict;

/// Writes down what it is told.
const TELL: &str = r#"
echo "$WINDDOWN_EVENT $WINDDOWN_SERVICE ${WINDDOWN_PID:+pid} ${WINDDOWN_ASKED_BY:+asked}" \
    "$WINDDOWN_EXIT_CODE$WINDDOWN_EXIT_SIGNAL $WINDDOWN_VERDICT" | tr -s ' ' | sed 's/ $//' >>log
"#;

/// Hangs with a child, and ignores every polite request.
const HANG: &str = r#"
trap '' TERM INT HUP
sleep 61 &
echo "$WINDDOWN_EVENT hangs" >>log
sleep 62
"#;

fn run(definition: &str) -> Running {
    Running::start(&[("tell.sh", TELL), ("hang.sh", HANG)], definition)
}

/// The service `s`, which runs this script, with a hook that hangs.
fn hanging(script: &str, hook: &str, timeout: &str) -> String {
    format!(
        r#"
        name = "s"
        command = ["sh", "{script}.sh", "s"]
        stop.timeout = "800ms"
        hooks.{hook} = {{ command = ["sh", "hang.sh"], timeout = "{timeout}" }}
        "#
    )
}

#[test]
fn wd_115_hooks_are_told_of_their_event() {
    let tell = |event: &str| format!("hooks.{event}.command = [\"sh\", \"tell.sh\"]\n");
    let hooks = [
        "pre-start",
        "post-start",
        "pre-stop",
        "post-stop",
        "on-failure",
    ]
    .map(tell);
    let script = "trap 'exit 3' TERM; while :; do sleep 0.02; done";
    let definition = format!(
        "name = \"s\"\ncommand = [\"sh\", \"-c\", \"{script}\"]\n{}",
        hooks.concat()
    );
    let running = run(&definition);
    running.logged("post-start s pid");
    let over = running.stop();
    let told = [
        "pre-start s",
        "post-start s pid",
        "pre-stop s pid asked",
        "post-stop s pid asked 3 failed",
    ];
    assert_eq!(over.log, told, "{over:#?}");
    assert_eq!(outcome(over.report("s"), "post-stop hook"), "exit code 0");

    let definition = format!(
        "name = \"s\"\ncommand = [\"sh\", \"-c\", \"kill -9 $$$$\"]\n{}",
        hooks.concat()
    );
    let over = run(&definition).end();
    let failed = [
        "post-stop s pid asked KILL failed",
        "on-failure s pid asked KILL failed",
    ];
    assert_eq!(over.log[over.log.len() - 2..], failed, "{over:#?}");
}

#[test]
fn wd_116_a_pre_start_hook_that_fails_or_hangs_keeps_the_program_from_starting() {
    let over = run(&hanging("polite", "pre-start", "100ms")).end();
    assert_eq!(
        (over.log.as_slice(), over.code),
        (["pre-start hangs".to_owned()].as_slice(), Some(1))
    );
    assert!(
        over.said.contains("killed, not done within 100ms"),
        "{over:#?}"
    );
    for (may_fail, starts) in [(false, 0), (true, 1)] {
        let definition = format!(
            r#"
            command = ["sh", "-c", "echo up >>log"]
            hooks.pre-start = {{ command = ["sh", "-c", "echo no room; exit 4"], may-fail = {may_fail} }}
            "#
        );
        let over = run(&definition).end();
        assert_eq!(
            (over.log.len(), over.code),
            (starts, Some(1 - starts as i32)),
            "{over:#?}"
        );
        assert_eq!(over.said.contains("no room"), !may_fail, "{over:#?}");
    }
    let several = r#"
        [service.a]
        command = ["true"]
        hooks.pre-start.command = ["false"]
        [service.b]
        command = ["true"]
    "#;
    let over = run(several).end();
    let said = "a: not started: the pre-start hook of `a` failed: exit code 1\n";
    assert!(over.said.contains(said), "{over:#?}");
}

#[test]
fn wd_116_a_post_start_hook_that_fails_stops_the_program() {
    let over = run(&hanging("polite", "post-start", "100ms")).end();
    assert!(
        over.log.contains(&"post-start hangs".to_owned()),
        "{over:#?}"
    );
    let report = over.report("s");
    assert_eq!(
        (report.verdict, over.code),
        (Verdict::Failed, Some(1)),
        "{over:#?}"
    );
    assert_eq!(
        report.asked_by.name.as_deref(),
        Some("its post-start hook failed")
    );
}

/// Also where the stop was graceful, of which nobody is told otherwise.
#[test]
fn wd_116_the_operator_is_told_of_a_hook_that_hangs() {
    for hook in ["pre-stop", "post-stop"] {
        let running = run(&hanging("polite", hook, "100ms"));
        running.logged("s up");
        let over = running.stop();
        assert_eq!(over.report("s").verdict, Verdict::Graceful);
        let told = format!("{hook} hook: killed, not done within 100ms");
        assert!(over.said.contains(&told), "{over:#?}");
    }
}

/// Nothing else happens meanwhile, by which its time would be noticed.
#[test]
fn wd_116_a_hook_that_hangs_after_a_failure_holds_up_no_end() {
    let hook = "hooks.on-failure = { command = [\"sh\", \"hang.sh\"], timeout = \"100ms\" }";
    let definition = format!("name = \"s\"\ncommand = [\"sh\", \"-c\", \"exit 3\"]\n{hook}");
    let over = run(&definition).end();
    let told = "on-failure hook: killed, not done within 100ms";
    assert!(over.said.contains(told), "{over:#?}");
    assert_eq!(over.code, Some(3));
}

#[test]
fn wd_117_a_pre_stop_hook_has_at_most_half_of_the_stop() {
    let running = run(&hanging("stubborn", "pre-stop", "1h"));
    running.logged("s up");
    let over = running.stop();
    let report = over.report("s");
    assert_eq!(
        outcome(report, "pre-stop hook"),
        "killed, not done within 400ms"
    );
    assert_eq!(outcome(report, "signal TERM"), "sent");
    assert_eq!((report.verdict, report.deadline), (Verdict::Forced, 0.8));
    assert!(report.seconds <= 0.9, "{report:#?}");
}

#[test]
fn wd_117_a_post_stop_hook_has_its_time_also_after_a_kill() {
    let running = run(&hanging("stubborn", "post-stop", "1h"));
    running.logged("s up");
    let over = running.stop();
    let report = over.report("s");
    assert_eq!(
        (over.log.last().map(String::as_str), report.verdict),
        (Some("post-stop hangs"), Verdict::Forced)
    );
    assert!(outcome(report, "post-stop hook").starts_with("killed, not done within "));
    assert!(report.seconds <= 0.9, "{report:#?}");
}

#[test]
fn wd_118_a_stop_cuts_a_hook_short_that_starts() {
    for (hook, up) in [("pre-start", false), ("post-start", true)] {
        let running = run(&hanging("polite", hook, "1h"));
        running.logged(&format!("{hook} hangs"));
        if up {
            running.logged("s up");
        }
        let over = running.stop();
        let report = over.report("s");
        assert_eq!(
            (report.verdict, over.code),
            (Verdict::Graceful, Some(0)),
            "{over:#?}"
        );
        assert_eq!(report.pid != 0, up);
        if !up {
            let told = "pre-start hook: killed, cut short by a stop";
            assert!(over.said.contains(told), "{over:#?}");
        }
    }
}

/// A stop that comes while a hook that ends runs joins the stop that is under way.
#[test]
fn wd_92_a_second_request_during_a_hook_joins() {
    for (script, hook) in [("polite", "pre-stop"), ("stubborn", "post-stop")] {
        let running = run(&hanging(script, hook, "1h"));
        running.logged("s up");
        running.send(Signal::TERM);
        running.logged(&format!("{hook} hangs"));
        let over = running.stop();
        assert_eq!(
            over.log
                .iter()
                .filter(|line| line.ends_with("hangs"))
                .count(),
            1
        );
        let report = over.report("s");
        assert!(outcome(report, hook).starts_with("killed, not done within "));
        assert!(report.seconds <= 0.9, "{report:#?}");
    }
}

#[test]
fn wd_113_hooks_after_an_end_share_the_budget_of_a_stop() {
    for hook in ["post-stop", "on-failure"] {
        let definition = format!(
            r#"
            stop.timeout = "300ms"
            [service.s]
            command = ["sh", "-c", "exit 1"]
            stop.timeout = "1h"
            hooks.{hook} = {{ command = ["sh", "hang.sh"], timeout = "1h" }}
            [service.other]
            command = ["sh", "polite.sh", "other"]
            "#
        );
        let running = run(&definition);
        running.logged(&format!("{hook} hangs"));
        running.logged("other up");
        let over = running.stop();
        assert_eq!(
            (over.report("s").verdict, over.code),
            (Verdict::Failed, Some(1))
        );
    }
}
