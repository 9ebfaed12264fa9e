use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use jiff::Timestamp;
use tempfile::TempDir;
use winddown_core::report::Proof;
use winddown_core::{AskedBy, Mechanism, Origin, Signal};

use super::*;

/// The stop number `number` of a service: a second after the one before.
fn report(service: &str, number: i64) -> StopReport {
    StopReport {
        service: service.to_owned(),
        pid: u32::try_from(number.rem_euclid(30_000)).unwrap() + 1,
        verdict: Verdict::Graceful,
        asked_by: AskedBy::from(&Origin::of(Mechanism::Signal(Signal::Term))),
        also_asked: Vec::new(),
        at: Timestamp::from_second(1_700_000_000 + number).unwrap(),
        deadline: 30.0,
        seconds: 0.25,
        phases: Vec::new(),
        ladder: Vec::new(),
        stragglers: Vec::new(),
        survivors: 0,
        proof: Proof::NoChildren,
        exit: None,
        evidence: Vec::new(),
        notes: Vec::new(),
    }
}

fn place() -> (TempDir, History) {
    let place = tempfile::tempdir().unwrap();
    let history = History::new(&place.path().join("state"));
    (place, history)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn reports(found: Found) -> Vec<StopReport> {
    assert_eq!(found.skipped, []);
    found.reports.into_iter().map(|kept| kept.report).collect()
}

#[test]
fn wd_73_reports_come_back_as_they_were_the_newest_first() {
    let (_place, mut history) = place();
    assert_eq!(history.newest(None, 10).unwrap(), Found::default());
    let mut forced = report("orders", 2);
    forced.verdict = Verdict::Forced;
    for report in [&report("orders", 1), &forced, &report("shop", 3)] {
        history.add(report).unwrap();
    }
    let orders = reports(history.newest(Some("orders"), 10).unwrap());
    assert_eq!(orders, [forced.clone(), report("orders", 1)]);
    let all = history.newest(None, 2).unwrap();
    let id = all.reports[1].id.clone();
    assert_eq!(reports(all), [report("shop", 3), forced.clone()]);
    assert_eq!(reports(history.find(None, &id).unwrap()), [forced]);
    assert_eq!(history.find(Some("shop"), &id).unwrap(), Found::default());
    assert_eq!(history.newest(Some("other"), 1).unwrap(), Found::default());
}

#[test]
fn wd_73_only_the_newest_reports_are_left() {
    let (_place, mut history) = place();
    for number in 0..200 {
        history.add(&report("orders", number)).unwrap();
    }
    let kept = reports(history.newest(None, usize::MAX).unwrap());
    let wanted: Vec<_> = (150..200)
        .rev()
        .map(|number| report("orders", number))
        .collect();
    assert!(kept == wanted, "{} are kept", kept.len());
}

#[test]
fn wd_73_services_are_bounded_as_well() {
    let (_place, mut history) = place();
    for number in 0..SERVICES_KEPT + 3 {
        let service = history.directory().join(format!("s{number}"));
        fs::create_dir_all(&service).unwrap();
        fs::write(
            service.join(name::finished("20200101T000000.000000Z-1")),
            "",
        )
        .unwrap();
    }
    history.add(&report("orders", 1)).unwrap();
    assert_eq!(files(history.directory()).len(), SERVICES_KEPT);
    let orders = reports(history.newest(Some("orders"), 10).unwrap());
    assert_eq!(orders, [report("orders", 1)]);
}

/// A clock without a battery starts in the past: the stop is reported all the same.
#[test]
fn wd_73_a_report_of_an_earlier_time_is_not_removed_at_once() {
    let (_place, mut history) = place();
    for number in 0..50 {
        history.add(&report("orders", number)).unwrap();
    }
    let early = report("orders", -1_000_000);
    history.add(&early).unwrap();
    let kept = reports(history.newest(None, 100).unwrap());
    assert_eq!((kept.len(), kept.last()), (50, Some(&early)));
}

#[test]
fn wd_73_processes_write_at_once_while_others_read() {
    let (_place, history) = place();
    let state = history.directory().parent().unwrap();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                scope.spawn(move || {
                    let mut history = History::new(state);
                    for number in 0..200 {
                        let number = number * 8 + writer;
                        history.add(&report("orders", number)).unwrap();
                    }
                })
            })
            .collect();
        scope.spawn(|| {
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
    let kept = reports(history.newest(None, 100).unwrap());
    assert_eq!(kept.len(), REPORTS_KEPT);
}

#[test]
fn wd_73_what_a_crash_left_is_not_read_and_goes_in_time() {
    let (_place, mut history) = place();
    history.add(&report("orders", 1)).unwrap();
    let directory = history.directory().join("orders");
    let old = directory.join(name::unfinished("20200101T000000.000000Z-1"));
    let fresh = directory.join(name::unfinished("20200101T000000.000000Z-2"));
    let foreign = directory.join("notes.txt");
    for file in [&old, &fresh, &foreign] {
        fs::write(file, "{\"service\": \"ord").unwrap();
    }
    let hour_ago = SystemTime::now() - Duration::from_secs(3_600);
    for file in [&old, &foreign] {
        let file = OpenOptions::new().write(true).open(file).unwrap();
        file.set_modified(hour_ago).unwrap();
    }

    history.add(&report("orders", 2)).unwrap();
    let kept = reports(history.newest(None, 10).unwrap());
    assert_eq!(kept, [report("orders", 2), report("orders", 1)]);
    let left = [&old, &fresh, &foreign].map(|file| file.exists());
    assert_eq!(left, [false, true, true]);
}

#[test]
fn wd_73_a_damaged_file_is_named_and_skipped() {
    let (_place, mut history) = place();
    history.add(&report("orders", 1)).unwrap();
    history.add(&report("orders", 2)).unwrap();
    let damaged = history.directory().join("orders").join(name::finished(
        &history.newest(None, 1).unwrap().reports[0].id,
    ));
    let whole = fs::read(&damaged).unwrap();
    for text in [&b""[..], &whole[..whole.len() / 2], b"[]", b"\xff\0"] {
        fs::write(&damaged, text).unwrap();
        let found = history.newest(None, 10).unwrap();
        assert_eq!(found.skipped.len(), 1);
        assert_eq!(found.skipped[0].file, damaged);
        assert_eq!(found.reports[0].report, report("orders", 1));
    }
    // A directory in its place, and one that is far too large.
    fs::write(&damaged, vec![b' '; usize::try_from(LARGEST).unwrap() + 1]).unwrap();
    assert_eq!(history.newest(None, 10).unwrap().skipped.len(), 1);
    fs::remove_file(&damaged).unwrap();
    fs::create_dir(&damaged).unwrap();
    assert_eq!(history.newest(None, 10).unwrap().skipped.len(), 1);
}

#[test]
fn wd_73_no_name_leads_out_of_the_history() {
    let (place, mut history) = place();
    let names = [
        "",
        ".",
        "..",
        "...",
        "../x",
        "/etc",
        "a/b",
        "a\\b",
        "C:",
        "a b",
        "ä",
        "%",
        "%2E",
        "a.",
        ".a",
        "\0",
        "\n",
        "a*?",
        "Ä.service",
        "server.py",
    ];
    for (number, service) in (0..).zip(names) {
        history.add(&report(service, number)).unwrap();
        let kept = reports(history.newest(Some(service), 10).unwrap());
        assert_eq!(kept, [report(service, number)]);
    }
    let directories: BTreeSet<_> = files(history.directory()).into_iter().collect();
    assert_eq!(directories.len(), names.len(), "{directories:?}");
    assert!(
        directories
            .iter()
            .all(|directory| files(directory).len() == 1)
    );
    assert_eq!(files(place.path()).len(), 1);

    let outside = place.path().join("outside.json");
    fs::write(&outside, serde_json::to_string(&report("x", 1)).unwrap()).unwrap();
    for id in ["../../../outside", outside.to_str().unwrap(), "", "."] {
        assert_eq!(history.find(None, id).unwrap(), Found::default());
    }
}

#[test]
fn wd_73_what_cannot_be_written_is_an_error_that_names_the_place() {
    let place = tempfile::tempdir().unwrap();
    let state = place.path().join("state");
    fs::write(&state, "in the way").unwrap();
    let error = History::new(&state).add(&report("orders", 1)).unwrap_err();
    assert!(error.to_string().contains("history"), "{error}");

    let (_place, mut history) = self::place();
    let mut large = report("orders", 1);
    large.notes = vec!["x".repeat(usize::try_from(LARGEST).unwrap())];
    history.add(&large).unwrap_err();
    history.add(&report(&"x".repeat(1_000), 1)).unwrap_err();
    assert_eq!(history.newest(None, 10).unwrap(), Found::default());
}
