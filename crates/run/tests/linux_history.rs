//! The history after very many stops, which is slow where files are.
#![cfg(target_os = "linux")]

use std::fs;

use jiff::Timestamp;
use serde_json::json;
use winddown_core::report::StopReport;
use winddown_run::history::{History, REPORTS_KEPT};

fn report(number: i64) -> StopReport {
    serde_json::from_value(json!({
        "service": "orders", "pid": 4711, "verdict": "graceful",
        "asked_by": { "mechanism": "signal", "request": "TERM" }, "also_asked": [],
        "at": Timestamp::from_second(1_700_000_000 + number).unwrap(),
        "deadline": 30.0, "seconds": 0.25, "phases": [], "ladder": [], "stragglers": [],
        "survivors": 0, "proof": { "by": "no-children" }, "exit": null, "evidence": [], "notes": [],
    }))
    .unwrap()
}

#[test]
fn wd_73_ten_thousand_stops_leave_the_newest_fifty() {
    let place = tempfile::tempdir().unwrap();
    let mut history = History::new(place.path());
    for number in 0..10_000 {
        history.add(&report(number)).unwrap();
    }
    let found = history.newest(None, usize::MAX).unwrap();
    assert_eq!(found.skipped, []);
    let kept: Vec<_> = found.reports.into_iter().map(|kept| kept.report).collect();
    let wanted: Vec<_> = (9_950..10_000).rev().map(report).collect();
    assert!(kept == wanted, "{} are kept", kept.len());
    let files = fs::read_dir(history.directory().join("orders")).unwrap();
    assert_eq!(files.count(), REPORTS_KEPT);
}
