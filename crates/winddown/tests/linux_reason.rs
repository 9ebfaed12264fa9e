//! WD-12, WD-13: the first reason wins, and those after it are recorded.

#![cfg(target_os = "linux")]

mod support;

use support::program::Program;
use winddown::{Signal, Verdict};

#[test]
fn wd_12_the_first_reason_wins() {
    let shop = Program::start("shop", &["--cleanup-ms", "500"]);
    shop.address();
    shop.send(Signal::Term);
    shop.hear_after("stop asked by signal TERM");
    shop.send(Signal::Int);
    let ended = shop.end();
    assert_eq!(ended.printed, Vec::<String>::new(), "one stop, one event");
    assert_eq!(ended.report.verdict, Verdict::Graceful, "{ended:#?}");
    assert_eq!(ended.report.asked_by.request.as_deref(), Some("TERM"));
    let [also] = &ended.report.also_asked[..] else {
        panic!("{ended:#?}");
    };
    assert_eq!(also.request.as_deref(), Some("INT"));
    assert_eq!(also.pid, Some(std::process::id()));
}
