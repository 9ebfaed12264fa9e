//! WD-22, WD-23, WD-33: a stop hook that panics or hangs.

#![cfg(target_os = "linux")]

mod support;

use support::program::Program;
use winddown::report::{HookOutcome, HookRecord, StopReport};
use winddown::{Phase, Signal, Verdict};

/// The hooks of the phase Close.
fn closed(report: &StopReport) -> &[HookRecord] {
    let close = report.phases.iter().find(|p| p.phase == Phase::Close);
    &close.expect("every phase is reported").hooks
}

#[test]
fn wd_22_a_panic_is_recorded_with_its_place_and_the_next_hook_runs() {
    let program = Program::start("stubborn_service", &["panic"]);
    let place = program.hear_after("careless at ");
    program.expect("ready");
    program.send(Signal::Term);
    let ended = program.end();
    assert_eq!(ended.status.code(), Some(1), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Failed, "{ended:#?}");
    let [careless, below] = closed(&ended.report) else {
        panic!("{ended:#?}");
    };
    let panicked = HookOutcome::Panicked("careless is not there".to_owned());
    assert_eq!(careless.outcome, panicked);
    assert!(careless.registered_at.starts_with(&place), "{careless:#?}");
    assert_eq!(below.outcome, HookOutcome::Done);
    assert_eq!(ended.printed.last().unwrap(), "below is closed");
}

#[test]
fn wd_23_a_hook_runs_beside_one_that_hangs_and_wd_33_the_process_ends() {
    let program = Program::start("stubborn_service", &["hang"]);
    let place = program.hear_after("stuck at ");
    program.expect("ready");
    program.send(Signal::Term);
    let ended = program.end();
    assert_eq!(ended.status.code(), Some(124), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Forced, "{ended:#?}");
    let [stuck, below] = closed(&ended.report) else {
        panic!("{ended:#?}");
    };
    assert_eq!(stuck.outcome, HookOutcome::Overran);
    assert_eq!(below.outcome, HookOutcome::Done);
    let [straggler] = &ended.report.stragglers[..] else {
        panic!("{ended:#?}");
    };
    assert_eq!((&*straggler.kind, &*straggler.name), ("hook", "stuck"));
    assert!(straggler.origin.starts_with(&place), "{straggler:#?}");
}
