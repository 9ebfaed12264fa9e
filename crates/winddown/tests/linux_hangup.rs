//! WD-83, WD-85: what `HUP` means.

#![cfg(target_os = "linux")]

mod support;

use support::program::Program;
use winddown::{Signal, Verdict};

#[test]
fn wd_85_a_hangup_reloads_a_program_that_wants_reloads() {
    let shop = Program::start("shop", &[]);
    shop.address();
    shop.send(Signal::Hup);
    shop.hear_after("reload asked by signal HUP from ");
    shop.send(Signal::Term);
    shop.hear_after("stop asked by signal TERM from ");
    let ended = shop.end();
    assert_eq!(ended.report.verdict, Verdict::Graceful, "{ended:#?}");
    assert_eq!(ended.report.also_asked, [], "{ended:#?}");
}

#[test]
fn wd_85_a_hangup_stops_any_other() {
    let program = Program::start("stubborn_service", &["late"]);
    program.expect("ready");
    program.send(Signal::Hup);
    let ended = program.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Graceful, "{ended:#?}");
    assert_eq!(ended.report.asked_by.request.as_deref(), Some("HUP"));
}

#[test]
fn wd_83_a_hangup_stays_ignored_under_nohup() {
    let program = Program::start_by(&["nohup"], "stubborn_service", &["late"]);
    program.expect("ready");
    program.send(Signal::Hup);
    program.send(Signal::Term);
    let ended = program.end();
    assert_eq!(ended.report.asked_by.request.as_deref(), Some("TERM"));
    assert_eq!(ended.report.also_asked, [], "{ended:#?}");
}
