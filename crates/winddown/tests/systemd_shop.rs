//! The example `shop` as a service of a real systemd. Run by `cargo xtask test systemd`, which boots it.

#![cfg(target_os = "linux")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use support::client::{InFlight, get, is_complete};
use support::unit::Unit;
use winddown::Verdict;
use winddown_core::AskedBy;

/// WD-25, WD-12: a stop loses no request in flight, and systemd is named in the report.
fn a_stop_loses_no_request_in_flight(unit: &Unit) {
    unit.start();
    let requests = InFlight::begin(unit.address(), "/wait/300");
    unit.begin_stop();
    assert_eq!(
        unit.hear_after("stop asked by "),
        "signal TERM from systemd (pid 1, uid 0)"
    );
    requests.finish();
    unit.stop();

    assert_eq!(unit.property("ActiveState"), "inactive");
    assert_eq!(unit.property("Result"), "success");
    let report = unit.report().expect("every stop has a report");
    assert_eq!(report.verdict, Verdict::Graceful, "{report}");
    let systemd = AskedBy {
        mechanism: "signal".to_owned(),
        request: Some("TERM".to_owned()),
        pid: Some(1),
        uid: Some(0),
        name: Some("systemd".to_owned()),
    };
    assert_eq!(report.asked_by, systemd);
    assert_eq!(report.also_asked, [], "{report}");
}

#[test]
fn wd_25_a_stop_of_type_notify() {
    let unit = Unit::shop("shop-notify", "Type=notify", "");
    a_stop_loses_no_request_in_flight(&unit);
}

#[test]
fn wd_25_a_stop_of_type_simple() {
    // A service of this type cannot ask for more time, and a slow machine needs more than 2 s.
    let unit = Unit::shop("shop-simple", "Type=simple\nTimeoutStopSec=30", "");
    a_stop_loses_no_request_in_flight(&unit);
}

/// WD-25: systemd keeps the socket, and what connects during a restart waits for the next start.
#[test]
fn wd_25_restarts_under_load_refuse_no_connection() {
    const CLIENTS: usize = 8;
    const RESTARTS: usize = 10;
    let mut unit = Unit::shop("shop-socket", "Type=notify", "");
    let address = unit.listen("");
    let loaded = AtomicBool::new(true);
    let answered: usize = thread::scope(|scope| {
        let client = || {
            let mut answered = 0;
            while loaded.load(Ordering::Relaxed) {
                match get(address, "/wait/10") {
                    Ok(answer) if is_complete(&answer) => answered += 1,
                    lost => panic!("after {answered} answers: {lost:?}"),
                }
            }
            answered
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let restarted: Result<Vec<_>, _> = (0..RESTARTS)
            .map(|_| {
                let restarted = unit.systemctl(&["restart"]);
                let report = unit.report().map(|report| report.verdict);
                restarted.map(|_| report)
            })
            .collect();
        loaded.store(false, Ordering::Relaxed);
        let restarted = restarted.unwrap();
        // Before the first restart nothing may have run.
        assert_eq!(restarted[1..], [Some(Verdict::Graceful); RESTARTS - 1]);
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .sum()
    });
    assert!(answered > CLIENTS, "{answered} requests were no load");
}
