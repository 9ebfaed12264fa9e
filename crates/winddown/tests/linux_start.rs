//! WD-3, WD-10: a stop before the service is ready.

#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::thread;
use std::time::Instant;

use support::PATIENCE;
use support::notified::Notified;
use support::program::{Ended, Program};
use winddown::report::HookOutcome;
use winddown::{Signal, Verdict};
use winddown_core::notify::Notification;

#[track_caller]
fn assert_graceful(ended: &Ended) {
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Graceful, "{ended:#?}");
    assert_eq!(ended.report.asked_by.request.as_deref(), Some("TERM"));
}

/// The stop was there before the program was: sent while blocked, which a program inherits through exec.
#[test]
fn wd_10_a_stop_that_is_older_than_the_program_is_kept() {
    let asked = "kill -TERM $$ && exec \"$@\"";
    let wrapper = ["env", "--block-signal=TERM", "sh", "-c", asked, "sh"];
    let shop = Program::start_by(&wrapper, "shop", &["--start-delay-ms", "110000"]);
    assert_graceful(&shop.end());
}

/// At the first moment at which a handler is there, hence before the body is called, or while it starts, or just after.
#[test]
fn wd_3_a_stop_in_the_first_moment_is_graceful() {
    for _ in 0..20 {
        let shop = Program::start("shop", &[]);
        wait_for_handler(shop.pid());
        shop.send(Signal::Term);
        assert_graceful(&shop.end());
    }
}

/// What the body has registered by then is cleaned up.
#[test]
fn wd_3_a_stop_cancels_a_start_and_cleans_up() {
    let mut host = Notified::start("shop", &["--start-delay-ms", "110000"], |_| {});
    let starting = |told: &Notification| told.status.as_deref() == Some("starting");
    assert_eq!(host.count(1, PATIENCE, starting), 1);
    let shop = host.program;
    shop.send(Signal::Term);
    shop.hear_after("start given up: signal TERM from ");
    let ended = shop.end();
    assert_graceful(&ended);
    let mut hooks = ended.report.phases.iter().flat_map(|phase| &phase.hooks);
    let stock = hooks.find(|hook| hook.name == "stock");
    assert_eq!(stock.unwrap().outcome, HookOutcome::Done);
}

/// WD-26: a start that is refused a hook ends there, and has not failed.
#[test]
fn wd_26_a_hook_that_comes_too_late_is_refused_without_a_failure() {
    let program = Program::start("stubborn_service", &["register"]);
    program.expect("starting");
    program.send(Signal::Term);
    program.hear_after("stop asked by signal TERM from ");
    let ended = program.end();
    assert_graceful(&ended);
    assert_eq!(ended.printed, Vec::<String>::new());
}

/// Waits until `pid` has a handler for `TERM`: `SigCgt` in `proc_pid_status(5)`.
#[track_caller]
fn wait_for_handler(pid: u32) {
    const TERM: u64 = 1 << (15 - 1);
    let start = Instant::now();
    let caught = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix("SigCgt:"))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    while caught().is_none_or(|caught| caught & TERM == 0) {
        assert!(start.elapsed() < PATIENCE, "it attaches no handler");
        thread::yield_now();
    }
}
