use std::collections::BTreeSet;
use std::fs::OpenOptions;

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

/// A report of which some sixty make a file full.
fn large_report(number: i64) -> StopReport {
    let mut report = report("orders", number);
    report.notes = vec!["x".repeat(4_000)];
    report
}

/// How many bytes a report takes.
fn size(report: &StopReport) -> u64 {
    serde_json::to_vec(report).unwrap().len() as u64 + 1
}

#[test]
fn wd_73_only_the_newest_reports_are_left() {
    let (_place, mut history) = place();
    for number in 0..300 {
        history.add(&large_report(number)).unwrap();
        let kept = files(history.directory());
        let bytes = kept.iter().map(|file| file.metadata().unwrap().len());
        assert!(bytes.sum::<u64>() <= 2 * (BYTES_KEPT + size(&large_report(number))));
    }
    let kept = reports(history.newest(None, usize::MAX).unwrap());
    let bytes: u64 = kept.iter().map(size).sum();
    assert!(bytes >= BYTES_KEPT, "{bytes} bytes are kept");
    let wanted = (0..300).rev().map(large_report);
    assert!(kept.iter().cloned().eq(wanted.take(kept.len())));
}

#[test]
fn wd_73_services_are_bounded_as_well() {
    let (_place, mut history) = place();
    fs::create_dir_all(history.directory()).unwrap();
    for number in 0..FILES_KEPT + 3 {
        let file = format!("s{number}{}", name::NEWER);
        fs::write(history.directory().join(file), "").unwrap();
    }
    history.add(&report("orders", 1)).unwrap();
    assert_eq!(files(history.directory()).len(), FILES_KEPT);
    let orders = reports(history.newest(Some("orders"), 10).unwrap());
    assert_eq!(orders, [report("orders", 1)]);
}

/// A clock without a battery starts in the past: the stop is reported all the same.
#[test]
fn wd_73_a_report_of_an_earlier_time_is_not_removed_at_once() {
    let (_place, mut history) = place();
    for number in 0..200 {
        history.add(&large_report(number)).unwrap();
    }
    let early = report("orders", -1_000_000);
    history.add(&early).unwrap();
    let kept = reports(history.newest(None, usize::MAX).unwrap());
    assert_eq!(kept.last(), Some(&early));
}

#[test]
fn wd_73_a_full_file_grows_rather_than_that_a_stop_waits() {
    let (_place, mut history) = place();
    history.add(&report("orders", 0)).unwrap();
    let lock = storage::try_lock(&history.directory().join(name::LOCK)).unwrap();
    let mut large = report("orders", 1);
    large.notes = vec!["x".repeat(usize::try_from(BYTES_KEPT).unwrap())];
    history.add(&large).unwrap();
    history.add(&report("orders", 2)).unwrap();
    let older = history.file("orders", name::OLDER);
    assert!(!older.exists());
    drop(lock);
    history.add(&report("orders", 3)).unwrap();
    assert!(older.exists());
    assert_eq!(reports(history.newest(None, 10).unwrap()).len(), 4);
}

/// Whatever part of a line a crash has left.
#[test]
fn wd_73_a_torn_line_is_named_and_hides_no_other() {
    let (_place, mut history) = place();
    history.add(&report("orders", 1)).unwrap();
    let path = history.file("orders", name::NEWER);
    let whole = fs::read(&path).unwrap();
    for length in [1, 2, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, [&whole[..], &whole[..length]].concat()).unwrap();
        for more in [&[][..], &[report("orders", 2)]] {
            for report in more {
                history.add(report).unwrap();
            }
            let found = history.newest(None, 10).unwrap();
            assert_eq!(found.reports.len(), 1 + more.len());
            let skipped = &found.skipped[..];
            match length {
                // Nothing of the report.
                1 => assert_eq!(skipped, []),
                _ => {
                    assert_eq!((skipped.len(), &skipped[0].file), (1, &path));
                    assert!(skipped[0].why.starts_with("line 3: "), "{skipped:?}");
                }
            }
        }
    }
}

#[test]
fn wd_73_a_damaged_file_is_named_and_skipped() {
    let (_place, mut history) = place();
    history.add(&report("orders", 1)).unwrap();
    history.add(&report("shop", 2)).unwrap();
    let damaged = history.file("orders", name::NEWER);
    let expect_skipped = || {
        let found = history.newest(None, 10).unwrap();
        assert_eq!(found.skipped.len(), 1);
        assert_eq!(found.skipped[0].file, damaged);
        assert_eq!(found.reports[0].report, report("shop", 2));
        assert_eq!(found.reports.len(), 1);
    };
    for text in [&b"{}"[..], b"\n[]\n", b"\xff\0"] {
        fs::write(&damaged, text).unwrap();
        expect_skipped();
    }
    let file = OpenOptions::new().write(true).open(&damaged).unwrap();
    file.set_len(1 << 40).unwrap();
    drop(file);
    expect_skipped();
    fs::remove_file(&damaged).unwrap();
    fs::create_dir(&damaged).unwrap();
    expect_skipped();
    fs::remove_dir(&damaged).unwrap();
    fs::write(&damaged, "").unwrap();
    assert_eq!(history.newest(None, 10).unwrap().skipped, []);
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
    let kept: BTreeSet<_> = files(history.directory()).into_iter().collect();
    assert_eq!(kept.len(), names.len(), "{kept:?}");
    assert_eq!(files(place.path()).len(), 1);

    let outside = place.path().join("outside.json");
    fs::write(&outside, serde_json::to_string(&report("x", 1)).unwrap()).unwrap();
    for id in ["../../outside", outside.to_str().unwrap(), "", "."] {
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
