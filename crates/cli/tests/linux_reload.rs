//! `winddown run --config`: what a reload changes, and what it leaves alone.
#![cfg(target_os = "linux")]

mod support;

use support::services::Running;
use support::{Place, Signal, until};
use winddown_core::report::Verdict;

/// One polite service in a table, with more of that table.
fn polite(name: &str, more: &str) -> String {
    format!("[service.{name}]\ncommand = [\"sh\", \"polite.sh\", \"{name}\"]\n{more}\n")
}

#[test]
fn wd_141_a_definition_that_is_wrong_changes_nothing() {
    let good = polite("a", "");
    let running = Running::start(&[], &good);
    running.logged("a up");
    for (wrong, why) in [
        ("comand = []".to_owned(), "comand"),
        ("[service.a".to_owned(), "unclosed"),
        (polite("a", "requires = [\"b\"]"), "no such service"),
        (
            polite("a", "after = [\"b\"]") + &polite("b", "after = [\"a\"]"),
            "circle",
        ),
        (
            polite("b", "[service.b.stop]\ntimeout = \"soon\""),
            "`soon`",
        ),
        (
            polite("a", "logs = { file = \"/dev/full\" }"),
            "not a regular file",
        ),
    ] {
        let said = running.reload(&wrong);
        assert!(
            said.contains("not reloaded, nothing has changed: "),
            "{said}"
        );
        assert!(said.contains(why), "{said}");
    }
    assert!(
        running
            .reload(&good)
            .ends_with("reloaded: nothing has changed")
    );
    let over = running.stop();
    assert_eq!((over.log.len(), over.code), (2, Some(0)), "{over:#?}");
}

#[test]
fn wd_140_what_a_running_program_does_not_see_changes_without_a_restart() {
    let definition = |rest: &str| format!("command = [\"sh\", \"stubborn.sh\", \"a\"]\n{rest}");
    let running = Running::start(&[], &definition("stop.timeout = \"1h\""));
    running.logged("a up");
    let said = running.reload(&definition("stop.timeout = \"100ms\""));
    assert!(said.ends_with("sh is changed"), "{said}");
    let over = running.stop();
    assert_eq!((over.log.len(), over.code), (1, Some(124)), "{over:#?}");
    assert_eq!(over.report("sh").deadline, 0.1);
}

#[test]
fn a_service_that_a_reload_brings_is_told_from_the_one_that_was_there() {
    let running = Running::start(&[], &polite("a", ""));
    running.logged("a up");
    let missing = "[service.b]\ncommand = [\"/there/is/no/such/program\"]\n";
    running.reload(&(polite("a", "") + missing));
    let over = running.stop();
    let about_b = over.said.contains("winddown: b: not started");
    assert!(about_b, "{over:#?}");
}

/// What counts only later is said.
#[test]
fn wd_140_the_control_socket_stays_where_it_is() {
    let running = Running::start(&[], &polite("a", ""));
    running.logged("a up");
    let said = running.reload(&(String::from("control = \"other/socket\"\n") + &polite("a", "")));
    assert!(said.contains("the control socket stays"), "{said}");
    assert!(!running.place.path("other").exists());
    running.stop();
}

#[test]
fn wd_140_a_changed_command_restarts_its_service_alone() {
    let other = polite("other", "");
    let running = Running::start(&[], &(polite("web", "") + &other));
    running.logged("web up");
    running.logged("other up");
    let changed = polite("web", "environment = { COLOUR = \"blue\" }") + &other;
    assert_eq!(
        running.reload(&changed),
        "winddown: reloaded: web is restarted"
    );
    until("a restart", || (running.count("web up") == 2).then_some(()));
    let over = running.stop();
    assert_eq!(over.log[2..4], ["web down", "web up"]);
    assert_eq!((over.log.len(), over.code), (6, Some(0)), "{over:#?}");
    let first = over.reports.iter().find(|report| report.service == "web");
    assert_eq!(first.unwrap().asked_by.name.as_deref(), Some("reload"));
}

#[test]
fn wd_140_new_services_start_and_those_that_are_gone_stop_in_order() {
    let ready = |name: &str| format!("ready = {{ file = \"{name}.up\", interval = \"10ms\" }}\n");
    let stay = polite("stay", "");
    let db = polite("db", &ready("db"));
    let web = polite("web", &format!("{}requires = [\"db\"]", ready("web")));
    let running = Running::start(&[], &stay);
    running.logged("stay up");
    let all = [stay.clone(), db, web].concat();
    let said = running.reload(&all);
    assert!(said.ends_with("reloaded: db is new, web is new"), "{said}");
    running.logged("web up");
    let said = running.reload(&stay);
    assert!(
        said.ends_with("reloaded: db is gone, web is gone"),
        "{said}"
    );
    running.logged("db down");
    let said = running.reload(&all);
    assert!(
        said.ends_with("reloaded: db is back, web is back"),
        "{said}"
    );
    until("the return", || {
        (running.count("web up") == 2).then_some(())
    });
    let over = running.stop();
    let theirs: Vec<_> = over
        .log
        .iter()
        .filter(|line| !line.starts_with("stay"))
        .collect();
    let round = ["db up", "web up", "web down", "db down"];
    assert_eq!(theirs, [round, round].concat());
    assert_eq!((over.log.len(), over.code), (10, Some(0)), "{over:#?}");
}

/// What it needed is gone, or has another name, and it needs that no more.
#[test]
fn wd_140_who_needs_no_more_what_is_gone_goes_on() {
    let running = Running::start(
        &[],
        &(polite("db", "") + &polite("web", "requires = [\"db\"]")),
    );
    running.logged("web up");
    let renamed = polite("store", "") + &polite("web", "requires = [\"store\"]");
    let said = running.reload(&renamed);
    assert!(
        said.ends_with("db is gone, store is new, web is changed"),
        "{said}"
    );
    running.logged("db down");
    running.logged("store up");
    let said = running.reload(&polite("web", ""));
    assert!(said.ends_with("store is gone, web is changed"), "{said}");
    running.logged("store down");
    assert_eq!((running.count("web up"), running.count("web down")), (1, 0));
    assert_eq!(running.stop().code, Some(0));
}

#[test]
fn wd_2_a_stop_while_a_reload_restarts_a_service_starts_nothing_again() {
    let definition = |colour: &str| {
        format!(
            "command = [\"sh\", \"stubborn.sh\", \"a\"]\nname = \"a\"\nstop.timeout = \"300ms\"\nenvironment = {{ COLOUR = \"{colour}\" }}"
        )
    };
    let running = Running::start(&[], &definition("red"));
    running.logged("a up");
    assert!(
        running
            .reload(&definition("blue"))
            .ends_with("a is restarted")
    );
    let over = running.stop();
    assert_eq!((over.log.len(), over.code), (1, Some(124)), "{over:#?}");
    let report = over.report("a");
    assert_eq!(
        (report.verdict, report.also_asked.len()),
        (Verdict::Forced, 1)
    );
}

#[test]
fn wd_116_a_program_that_replaces_another_has_its_pre_start_hook() {
    let definition = |colour: &str, code: i32| {
        let more = format!(
            r#"
            listen = [{{ address = "127.0.0.1:0" }}]
            environment = {{ COLOUR = "{colour}" }}
            hooks.pre-start.command = ["sh", "-c", "echo $COLOUR >>log; exit {code}"]
            "#
        );
        polite("a", &more) + &polite("witness", "requires = [\"a\"]")
    };
    let running = Running::start(&[], &definition("red", 0));
    running.logged("witness up");
    for (colour, code) in [("green", 1), ("blue", 0)] {
        let said = running.reload(&definition(colour, code));
        assert!(said.ends_with("reloaded: a is replaced"), "{said}");
        if code == 1 {
            running.said("a: not replaced: ");
            assert_eq!((running.count("green"), running.count("a up")), (1, 1));
        }
    }
    running.logged("a down");
    let over = running.stop();
    assert!(over.at("blue") < over.at("a down"), "{over:#?}");
    assert_eq!((over.log.len(), over.code), (9, Some(0)), "{over:#?}");
}

#[test]
fn wd_142_a_hup_without_a_definition_is_the_programs_own() {
    let place = Place::new();
    let script = "trap 'echo HUP >>log; exit 0' HUP; echo up >>log; while :; do sleep 0.05; done";
    place.write("hup.sh", script);
    let running = Running::start_in(place, &["--", "sh", "hup.sh"]);
    running.logged("up");
    running.send(Signal::HUP);
    let over = running.end();
    assert_eq!(
        (over.log.as_slice(), over.code),
        (["up", "HUP"].map(str::to_owned).as_slice(), Some(0))
    );
}

#[test]
fn wd_144_a_service_that_had_failed_is_started_again_when_its_definition_changes() {
    let definition = |command: &str| {
        format!(
            "[service.db]\ncommand = {command}\n{}",
            polite("steady", "")
        ) + &polite("web", "requires = [\"db\"]")
    };
    let running = Running::start(&[], &definition(r#"["./missing"]"#));
    running.said("web: not started: `db`, which it requires, is not there");
    running.logged("steady up");
    let said = running.reload(&definition(r#"["sh", "polite.sh", "db"]"#));
    assert!(said.ends_with("reloaded: db is started again"), "{said}");
    running.logged("db up");
    running.logged("web up");
    let over = running.stop();
    assert_eq!((over.log.len(), over.code), (6, Some(0)), "{over:#?}");
}
