//! The rungs of a ladder that only Windows has, climbed by a service (under Wine).
#![cfg(windows)]

mod windows_support;

use std::fs;
use std::time::Duration;

use serde_json::Value;
use winddown_testkit::stubborn_program;
use windows_support::{Installed, Stopped, wait_for};

/// Starts a stubborn program by a definition, and stops it. What it wrote into the file `stopped` comes as well.
fn stopped_service(name: &str, behaviour: &str, rest: &str) -> (Stopped, Option<String>) {
    let program = stubborn_program().display().to_string();
    let definition = format!(
        "command = ['{program}', '--ready-file', 'ready', '{behaviour}', 'stopped']\n{rest}\n"
    );
    let service = Installed::defined(name, &definition);
    service.start();
    wait_for(&service.path("ready"));
    let stopped = service.stop();
    let said = fs::read_to_string(service.path("stopped")).ok();
    (stopped, said)
}

fn outcomes(stopped: &Stopped) -> Vec<(&str, &str)> {
    let ladder = stopped.report["ladder"].as_array().unwrap().iter();
    ladder
        .map(|rung| (text(&rung["rung"]), text(&rung["outcome"])))
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// WD-98: `WM_CLOSE` and `WM_QUIT`, as NSSM sends them, to a program that is deaf to console events.
#[test]
fn wd_98_windows_and_message_loops_are_asked() {
    for (ask, rung, message) in [
        ("close", "close windows", "WM_CLOSE\n"),
        ("quit", "quit threads", "WM_QUIT\n"),
    ] {
        let stop = format!("[stop]\ntimeout = '20s'\nladder = [{{ windows = '{ask}' }}]");
        let (stopped, said) = stopped_service(ask, "heeds-its-window", &stop);
        assert_eq!(said.as_deref(), Some(message), "{stopped:#?}");
        assert_eq!(outcomes(&stopped), [(rung, "sent")]);
        assert_eq!(stopped.report["verdict"], "graceful");
        assert_eq!(stopped.codes, (0, 0));
    }
}

/// A program without a console is asked through its windows where nothing else is said.
#[test]
fn wd_98_a_program_without_a_console_is_asked_through_its_windows() {
    let (stopped, said) = stopped_service("window", "heeds-its-window", "console = 'none'");
    assert_eq!(said.as_deref(), Some("WM_CLOSE\n"), "{stopped:#?}");
    assert_eq!(outcomes(&stopped), [("signal TERM", "sent")]);
}

/// WD-98: a named event, and the end of standard input.
#[test]
fn wd_98_a_named_event_and_standard_input_ask() {
    let event = format!(r"Global\winddown-test-{}", std::process::id());
    let set = format!("event {event}");
    let program = stubborn_program().display().to_string();
    for (behaviour, word, rung, expected) in [
        (
            "heeds-its-event",
            event.as_str(),
            format!("event = '{event}'"),
            (set.as_str(), "set"),
        ),
        (
            "closes-stdin-stops",
            "",
            "stdin = 'close'".to_owned(),
            ("close stdin", "closed"),
        ),
    ] {
        let definition = format!(
            "command = ['{program}', '--ready-file', 'ready', '{behaviour}', '{word}']\n\
             [stop]\ntimeout = '20s'\nladder = [{{ {rung} }}]\n"
        );
        let service = Installed::defined(behaviour, &definition);
        service.start();
        wait_for(&service.path("ready"));
        let stopped = service.stop();
        assert_eq!(outcomes(&stopped), [expected]);
        assert_eq!(stopped.report["verdict"], "graceful", "{stopped:#?}");
    }
}

/// WD-99: what can be asked in no way is not waited for; the report says why.
#[test]
fn wd_99_a_program_that_can_hear_nothing_is_not_waited_for() {
    let rest = "console = 'none'\n[stop]\ntimeout = '60s'\nladder = [\n\
                { console = 'ctrl-c' }, { windows = 'close' }, { windows = 'quit' }, { signal = 'TERM' },\n]";
    let (stopped, said) = stopped_service("no-console", "graceful", rest);
    assert_eq!(said, None);
    assert_eq!(stopped.report["verdict"], "forced", "{stopped:#?}");
    assert_eq!(stopped.report["survivors"], 0);
    let rungs = outcomes(&stopped);
    let (kill, asked) = rungs.split_last().unwrap();
    assert_eq!(*kill, ("kill tree", "killed"));
    assert_eq!(asked.len(), 4);
    for (rung, outcome) in asked {
        assert!(
            outcome.starts_with("could not be done: "),
            "{rung}: {outcome}"
        );
    }
    assert!(stopped.took < Duration::from_secs(20), "{stopped:#?}");
}

/// WD-99: a program that has only just been started has no console yet, and is asked all the same.
#[test]
fn wd_99_a_program_that_is_being_loaded_is_asked_once_it_can_hear() {
    let program = stubborn_program().display().to_string();
    let definition = format!("command = ['{program}', 'graceful']\n[stop]\ntimeout = '5s'\n");
    let service = Installed::defined("loading", &definition);
    for _ in 0..3 {
        service.start();
        let stopped = service.stop();
        // Whether it has its handler by then is chance; and Wine loses what comes before the program has loaded what takes it.
        assert_eq!(outcomes(&stopped)[0], ("signal TERM", "sent"));
    }
}
