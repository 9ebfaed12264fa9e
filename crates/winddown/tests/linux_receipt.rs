//! WD-11: a stop is received whatever the program's own threads do.

#![cfg(target_os = "linux")]

mod support;

use std::process::Stdio;

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
