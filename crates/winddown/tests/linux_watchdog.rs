//! WD-58: the host's watchdog is fed only while the program itself is alive.

#![cfg(target_os = "linux")]

mod support;

use std::process::Command;
use std::time::Duration;

use support::PATIENCE;
use support::notified::Notified;
use winddown::Signal;

/// How often the host wants to hear from the program.
const PERIOD: Duration = Duration::from_millis(100);

fn watched(command: &mut Command) {
    command.env("WATCHDOG_USEC", PERIOD.as_micros().to_string());
}

#[test]
fn wd_58_a_program_that_waits_for_events_is_alive() {
    let mut host = Notified::start("shop", &[], watched);
    host.program.address();
    let fed = host.count(5, PATIENCE, |told| told.watchdog.is_some());
    assert!(fed >= 5, "{fed}");
    host.program.send(Signal::Term);
    host.program.end();
}

#[test]
fn wd_58_a_program_that_never_looks_is_not() {
    let mut host = Notified::start("stubborn_service", &["spin"], watched);
    host.program.expect("ready");
    let fed = host.count(1, PERIOD * 10, |told| told.watchdog.is_some());
    assert_eq!(fed, 0);
    host.program.send(Signal::Term);
    host.program.end();
}
