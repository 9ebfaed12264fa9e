//! What a real systemd does with a stop that takes its time. Run by `cargo xtask test systemd`, which boots it.

#![cfg(target_os = "linux")]

mod support;

use support::unit::Unit;
use winddown::report::{HookOutcome, HookRecord, StopReport};
use winddown::{Signal, Verdict};

fn stock(report: &StopReport) -> Option<&HookRecord> {
    let mut hooks = report.phases.iter().flat_map(|phase| &phase.hooks);
    hooks.find(|hook| hook.name == "stock")
}

/// WD-40: `TimeoutStopSec` is 2 s, the cleanup takes 6, and says every tenth of a second that it advances.
#[test]
fn wd_40_a_stop_takes_longer_than_the_limit_while_it_advances() {
    let arguments = "--cleanup-ms 6000 --lease-ms 2000";
    let unit = Unit::shop("stop-advances", "Type=notify", arguments);
    unit.start();
    unit.stop();
    assert_eq!(unit.property("Result"), "success");
    let report = unit.report().expect("every stop has a report");
    assert_eq!(report.verdict, Verdict::Graceful, "{report}");
    assert!(report.seconds >= 6.0, "{report}");
}

/// WD-40: a cleanup that hangs does not ask for more time, and systemd ends it.
#[test]
fn wd_40_a_stop_that_hangs_is_cut_by_systemd() {
    let arguments = "--stuck-ms 110000 --stop-within-ms 100000 --lease-ms 2000";
    let unit = Unit::shop("stop-hangs", "Type=notify", arguments);
    unit.start();
    unit.stop();
    assert_eq!(unit.property("Result"), "timeout");
    assert_eq!(unit.property("ExecMainStatus"), "9", "killed");
    assert_eq!(unit.report(), None);
}

/// WD-3: a stop while the service starts ends it at once, and what it had opened is closed.
#[test]
fn wd_3_a_stop_during_the_start_is_graceful() {
    let arguments = "--start-delay-ms 110000";
    let unit = Unit::shop("stop-early", "Type=notify", arguments);
    unit.systemctl(&["start", "--no-block"]).unwrap();
    unit.wait_for("StatusText", "starting");
    assert_eq!(unit.property("ActiveState"), "activating");
    unit.stop();
    unit.hear_after("start given up: signal TERM from systemd");
    assert_eq!(unit.property("Result"), "success");
    let report = unit.report().expect("every stop has a report");
    assert_eq!(report.verdict, Verdict::Graceful, "{report}");
    assert_eq!(stock(&report).unwrap().outcome, HookOutcome::Done);
}

/// WD-14: once the main process has ended, systemd sends what is left a second `TERM`. A shell that does not `exec` the
/// program is enough for that.
#[test]
fn wd_14_the_final_term_does_not_force() {
    let shop = support::example("shop").display().to_string();
    let shell = "trap \"sleep 1\" TERM; \"$@\" & wait";
    let command = format!("/bin/sh -c '{shell}' sh {shop} --cleanup-ms 3000");
    let settings = "Type=simple\nTimeoutStopSec=30";
    let unit = Unit::of_command("stop-final", settings, &command);
    unit.start();
    unit.address();
    unit.stop();
    assert_asked_twice(&unit);
}

/// WD-14, WD-13: a unit whose `ExecStop` sends the signal too, a second before systemd does.
#[test]
fn wd_14_a_term_after_that_of_exec_stop_does_not_force() {
    let settings = "Type=notify\nTimeoutStopSec=30\nExecStop=/bin/sh -c 'kill $MAINPID && sleep 1'";
    let unit = Unit::shop("stop-twice", settings, "--cleanup-ms 3000");
    unit.start();
    unit.stop();
    assert_eq!(unit.property("Result"), "success");
    assert_asked_twice(&unit);
}

#[track_caller]
fn assert_asked_twice(unit: &Unit) {
    let report = unit.report().expect("every stop has a report");
    assert_eq!(report.verdict, Verdict::Graceful, "{report}");
    let term = Some(Signal::Term.to_string());
    let also: Vec<_> = report.also_asked.iter().map(|by| &by.request).collect();
    assert_eq!(report.asked_by.request, term, "{report}");
    assert_eq!(also, [&term], "{report}");
    assert_eq!(stock(&report).unwrap().outcome, HookOutcome::Done);
}
