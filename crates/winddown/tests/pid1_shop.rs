//! The example `shop` as process 1 of a pid namespace, as in a container. Needs root.

#![cfg(target_os = "linux")]

mod support;

use std::process::Command;

use support::client::InFlight;
use support::program::{Ended, Program};
use winddown::{Signal, Verdict};

const NAMESPACE: [&str; 5] = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];

#[track_caller]
fn assert_graceful(ended: &Ended) {
    assert_eq!(ended.status.code(), Some(0), "{ended:#?}");
    assert_eq!(ended.report.verdict, Verdict::Graceful, "{ended:#?}");
    assert_eq!(ended.report.pid, 1, "{ended:#?}");
    assert_eq!(ended.report.asked_by.mechanism, "signal");
    assert_eq!(ended.report.asked_by.request.as_deref(), Some("TERM"));
    assert_eq!(ended.report.asked_by.uid, Some(0));
}

/// WD-25, WD-80: as a container's runtime stops it. A sender outside the namespace has no number in it.
#[test]
fn wd_25_a_stop_from_outside_loses_no_request_in_flight() {
    let shop = Program::start_by(&NAMESPACE, "shop", &[]);
    let requests = InFlight::begin(shop.address(), "/wait/300");
    winddown_sys::signal::send(shop.pid_of_child(), Signal::Term).unwrap();
    shop.expect("stop asked by signal TERM from uid 0");
    requests.finish();

    let ended = shop.end();
    assert_graceful(&ended);
    assert_eq!(ended.report.asked_by.pid, None);
}

/// WD-25, WD-12: as somebody inside the container stops it.
#[test]
fn wd_25_a_stop_from_inside_loses_no_request_in_flight() {
    let shop = Program::start_by(&NAMESPACE, "shop", &[]);
    let requests = InFlight::begin(shop.address(), "/wait/300");
    let leader = shop.pid_of_child().to_string();
    let status = Command::new("nsenter")
        .args([
            "--target", &leader, "--pid", "--mount", "kill", "-TERM", "1",
        ])
        .status();
    assert!(status.unwrap().success());
    shop.hear_after("stop asked by signal TERM from ");
    requests.finish();

    let ended = shop.end();
    assert_graceful(&ended);
    assert!(ended.report.asked_by.pid.is_some_and(|pid| pid > 1));
}
