//! WD-11: a stop is received whatever the program's own threads do.

#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use support::PATIENCE;
use support::program::Program;
use winddown::{Signal, Verdict};

/// Every thread of the program spins, and there are more of them than processors.
#[test]
fn wd_11_a_stop_is_received_while_every_thread_spins() {
    let program = Program::start("stubborn_service", &["spin"]);
    program.expect("ready");
    program.send(Signal::Term);
    program.hear_after("stop asked by signal TERM from ");
    let ended = program.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Graceful, "{ended:#?}");
}

/// WD-33: the only thread of the program waits for input for good, so the deadline ends it.
#[test]
fn wd_11_a_stop_is_received_while_the_only_thread_is_blocked() {
    let input = |command: &mut std::process::Command| {
        command.stdin(Stdio::piped());
    };
    let program = Program::start_with(&[], "stubborn_service", &["read"], input);
    program.expect("ready");
    program.send(Signal::Term);
    program.hear_after("stop asked by signal TERM from ");
    let ended = program.end();
    assert_eq!(ended.status.code(), Some(124), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Forced);
    let [body] = &ended.report.stragglers[..] else {
        panic!("{ended:#?}");
    };
    assert_eq!(body.kind, "body");
}

/// WD-33: the only thread waits for events, so that the signal interrupts it there, and never comes back once it has its stop.
#[test]
fn wd_11_a_stop_is_bounded_although_the_thread_that_took_it_hangs() {
    let program = Program::start("stubborn_service", &["ignore"]);
    program.expect("ready");
    wait_until_asleep(program.pid());
    program.send(Signal::Term);
    let said = [program.hear(), program.hear()];
    for start in ["ignored: Stop(", "stop asked by signal TERM from "] {
        assert!(said.iter().any(|line| line.starts_with(start)), "{said:?}");
    }
    let ended = program.end();
    assert_eq!(ended.status.code(), Some(124), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Forced);
}

/// Waits until the main thread of `pid` sleeps: earlier, a signal would not find it in its wait.
fn wait_until_asleep(pid: u32) {
    let start = Instant::now();
    let asleep = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(')').unwrap().1.starts_with(" S")
    };
    while !asleep() {
        assert!(start.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(1));
    }
}
