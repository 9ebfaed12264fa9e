//! WD-70, WD-72: how a failure of the body or of a hook ends the process.

#![cfg(target_os = "linux")]

mod support;

use support::program::Program;
use winddown::report::HookOutcome;
use winddown::{Signal, Verdict};

#[test]
fn wd_72_the_code_of_a_failure_is_that_of_the_process() {
    let ended = Program::start("stubborn_service", &["fail"]).end();
    assert_eq!(ended.status.code(), Some(7), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Failed, "{ended:#?}");
    assert_eq!(ended.report.asked_by.mechanism, "finished");
    assert_eq!(ended.report.notes, ["the journal is damaged"]);
}

/// As a panic of `main` does.
#[test]
fn wd_72_a_panic_of_the_body_exits_with_101() {
    let ended = Program::start("stubborn_service", &["crash"]).end();
    assert_eq!(ended.status.code(), Some(101), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Failed, "{ended:#?}");
    let note = "panicked: the journal is damaged";
    assert_eq!(ended.report.notes, [note], "{ended:#?}");
}

#[test]
fn wd_70_a_hook_that_fails_makes_the_stop_fail() {
    let shop = Program::start("shop", &["--fail", "9"]);
    shop.address();
    shop.send(Signal::Term);
    let ended = shop.end();
    assert_eq!(ended.status.code(), Some(9), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Failed, "{ended:#?}");
    let mut hooks = ended.report.phases.iter().flat_map(|phase| &phase.hooks);
    let stock = hooks.find(|hook| hook.name == "stock").unwrap();
    let failed = HookOutcome::Failed("the stock could not be written".to_owned());
    assert_eq!(stock.outcome, failed);
}
