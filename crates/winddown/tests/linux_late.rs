//! WD-16: whoever subscribes after the stop was asked for still sees it.

#![cfg(target_os = "linux")]

mod support;

use support::program::Program;
use winddown::Signal;

#[test]
fn wd_16_a_late_subscriber_sees_the_stop_and_nothing_else() {
    let program = Program::start("stubborn_service", &["late"]);
    program.expect("ready");
    program.send(Signal::Term);
    let ended = program.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    let events: Vec<_> = ended
        .printed
        .iter()
        .filter(|line| line.starts_with("late: "))
        .collect();
    assert_eq!(events.len(), 1, "{ended:#?}");
    assert!(events[0].starts_with("late: Stop("), "{ended:#?}");
}
