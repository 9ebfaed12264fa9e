//! The history of processes that are killed while they write to it.
#![cfg(target_os = "linux")]

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use winddown_core::report::StopReport;
use winddown_run::history::{BYTES_KEPT, History, Kept};
use winddown_testkit::{Census, Watchdog};

/// Where the writer keeps its reports, and the number of the first.
const WRITER: &str = "WINDDOWN_TEST_WRITER";

/// Large enough that every third turns the files over.
const SIZE: usize = 100_000;

/// Number `number`, a second after the one before, with so many bytes to tell.
fn report(number: i64, bytes: usize) -> StopReport {
    let filler = "x".repeat(bytes);
    serde_json::from_value(json!({
        "service": "orders", "pid": 4711, "verdict": "graceful",
        "asked_by": { "mechanism": "signal", "request": "TERM" }, "also_asked": [],
        "at": Timestamp::from_second(1_700_000_000 + number).unwrap(),
        "deadline": 30.0, "seconds": 0.25, "phases": [], "ladder": [], "stragglers": [],
        "survivors": 0, "proof": { "by": "no-children" }, "exit": null, "evidence": [],
        "notes": [filler],
    }))
    .unwrap()
}

/// Not a test of its own: what this executable does when a test starts it again, and nothing otherwise.
#[test]
fn writer() {
    let Some(place) = env::var_os(WRITER) else {
        return;
    };
    let mut history = History::new(Path::new(&place));
    for number in 1..100 {
        history.add(&report(number, SIZE)).unwrap();
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "\nadded {number}").unwrap();
        stdout.flush().unwrap();
    }
}

fn start_writer(census: &Census, place: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    census.mark(&mut command);
    command
        .args(["--exact", "writer", "--nocapture"])
        .env(WRITER, place)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Each of them has a history of its own, as processes have.
#[test]
fn wd_73_many_write_at_once_while_others_read_and_nothing_is_lost() {
    let _watchdog = Watchdog::arm(Duration::from_secs(100));
    let place = tempfile::tempdir().unwrap();
    let ended = AtomicBool::new(false);
    // More than one file takes, and no more than two.
    let count = i64::try_from(BYTES_KEPT * 3 / 2 / 1_000).unwrap();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let mut history = History::new(place.path());
                scope.spawn(move || {
                    for number in (writer..count).step_by(8) {
                        history.add(&report(number, 700)).unwrap();
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let history = History::new(place.path());
            while !ended.load(Ordering::Relaxed) {
                let found = history.newest(None, 100).unwrap();
                assert_eq!(found.skipped, []);
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        ended.store(true, Ordering::Relaxed);
    });
    let found = History::new(place.path()).newest(None, usize::MAX).unwrap();
    let kept = found.reports.into_iter().map(|kept| kept.report);
    assert!(kept.eq((0..count).rev().map(|number| report(number, 700))));
}

/// It is killed after what it has said it added, while it adds the next: what it said is there, as far back as reports are kept.
#[test]
fn wd_73_a_writer_that_is_killed_loses_nothing_that_it_had_added() {
    let census = Census::begin();
    let _watchdog = Watchdog::arm(Duration::from_secs(100));
    for last in (1..100).step_by(7) {
        let place = tempfile::tempdir().unwrap();
        let mut writer = start_writer(&census, place.path());
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let mut said = lines.filter_map(|line| line.unwrap().strip_prefix("added ")?.parse().ok());
        let said = said.find(|number: &i64| *number == last);
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert_eq!(said, Some(last));

        let mut history = History::new(place.path());
        let found = history.newest(None, usize::MAX).unwrap();
        assert!(found.skipped.len() <= 1, "{:?}", found.skipped);
        let numbers = |reports: &[Kept]| -> Vec<i64> {
            let at = reports.iter().map(|kept| kept.report.at.as_second());
            at.map(|at| at - 1_700_000_000).collect()
        };
        let kept = numbers(&found.reports);
        let newest = kept[0];
        assert!(newest >= last, "{newest} of {last}");
        let wanted: Vec<_> = (1..=newest).rev().take(kept.len()).collect();
        assert_eq!(kept, wanted);
        let at_least = (BYTES_KEPT as usize).div_ceil(SIZE).min(newest as usize);
        assert!(kept.len() >= at_least, "{kept:?}");

        // The next one goes on where it was left.
        history.add(&report(100, SIZE)).unwrap();
        let found = history.newest(None, 2).unwrap();
        assert_eq!(numbers(&found.reports), [100, newest]);
    }
    census.assert_empty();
}
