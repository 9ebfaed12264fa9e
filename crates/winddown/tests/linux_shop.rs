//! The example `shop` as a console program: a stop under load loses nothing, and says who asked.

#![cfg(target_os = "linux")]

mod support;

use support::client::InFlight;
use support::program::Program;
use winddown::{Signal, Verdict};
use winddown_core::AskedBy;

/// WD-25: the drain waits for what is in flight. WD-12, WD-70: the report says who asked.
#[test]
fn wd_25_a_stop_loses_no_request_in_flight() {
    let shop = Program::start("shop", &[]);
    let requests = InFlight::begin(shop.address(), "/wait/300");
    shop.send(Signal::Term);
    let asked = shop.hear_after("stop asked by signal TERM from ");
    requests.finish();

    let ended = shop.end();
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Graceful, "{ended:#?}");
    assert_eq!(ended.report.survivors, 0);
    let me = std::process::id();
    let uid = rustix::process::getuid().as_raw();
    assert!(asked.contains(&format!("pid {me}, uid {uid}")), "{asked}");
    let AskedBy {
        mechanism,
        request,
        pid,
        uid: sender,
        name,
    } = ended.report.asked_by;
    assert_eq!(
        (mechanism.as_str(), request.as_deref()),
        ("signal", Some("TERM"))
    );
    assert_eq!((pid, sender), (Some(me), Some(uid)));
    assert_eq!(name, command_name());
}

/// The name of this process, as the kernel shows it.
fn command_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/self/comm").ok()?;
    Some(name.trim_end().to_owned())
}
