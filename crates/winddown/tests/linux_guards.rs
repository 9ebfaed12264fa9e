//! WD-25: work that does not end is named by its place in the source.

#![cfg(target_os = "linux")]

mod support;

use support::program::Program;
use winddown::{Signal, Verdict};

#[test]
fn wd_25_what_the_drain_cuts_is_named_by_its_place() {
    let program = Program::start("stubborn_service", &["hold"]);
    let place = program.hear_after("request at ");
    program.expect("ready");
    program.send(Signal::Term);
    let ended = program.end();
    assert_eq!(ended.status.code(), Some(124), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Forced, "{ended:#?}");
    let [requests] = &ended.report.stragglers[..] else {
        panic!("what has ended is no straggler: {ended:#?}");
    };
    assert_eq!((&*requests.kind, &*requests.name), ("guard", "request"));
    assert_eq!(requests.count, 3);
    assert!(requests.origin.starts_with(&place), "{requests:#?}");
}
