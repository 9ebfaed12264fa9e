//! `winddown history`, and what `winddown run` keeps for it.
#![cfg(target_os = "linux")]

mod support;

use std::fs;

use serde_json::Value;
use support::{End, Place, as_ordinary_user, report, report_file};
use winddown_core::report::{StopReport, Verdict};

/// Runs a shell script under a name until it has ended, with further flags.
fn run(place: &Place, name: &str, flags: &[&str], script: &str) -> End {
    let mut command = place.winddown(["run", "--report=report.json", "--name", name]);
    command.args(flags).args(["--", "sh", "-c", script]);
    End::of(command.spawn().unwrap())
}

fn history(place: &Place, flags: &[&str]) -> End {
    let mut command = place.winddown(["history"]);
    End::of(command.args(flags).spawn().unwrap())
}

/// Identifiers and reports as JSON shows them, and how many files were skipped.
fn as_json(place: &Place, flags: &[&str]) -> (Vec<(String, StopReport)>, usize) {
    let mut all = vec!["--output=json"];
    all.extend(flags);
    let end = history(place, &all);
    assert_eq!(end.code(), Some(0), "{end:#?}");
    let document: Value = serde_json::from_str(&end.stdout).unwrap();
    let reports = document["reports"].as_array().unwrap().iter();
    let reports = reports.map(|kept| {
        let id = kept["id"].as_str().unwrap().to_owned();
        (id, report(&kept["report"]))
    });
    (
        reports.collect(),
        document["skipped"].as_array().unwrap().len(),
    )
}

#[test]
fn wd_73_each_stop_is_kept_and_shown() {
    let place = Place::new();
    let end = history(&place, &[]);
    assert_eq!(
        (end.code(), end.stdout.as_str()),
        (Some(0), "no stop is kept\n")
    );

    run(&place, "orders", &[], "exit 0");
    let first = report_file(&place.path("report.json"));
    run(&place, "shop/../x", &[], "exit 3");
    let second = report_file(&place.path("report.json"));
    assert_eq!(second.verdict, Verdict::Failed);

    let (kept, skipped) = as_json(&place, &[]);
    let reports: Vec<_> = kept.iter().map(|(_, report)| report).collect();
    assert_eq!((reports, skipped), (vec![&second, &first], 0));
    let (orders, _) = as_json(&place, &["orders"]);
    assert_eq!(orders, kept[1..]);

    let table = history(&place, &[]).stdout;
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("TIME"), "{table}");
    for (line, words) in [
        (lines[1], ["shop/../x", "failed", "nobody", &kept[0].0]),
        (lines[2], ["orders", "graceful", "nobody", &kept[1].0]),
    ] {
        assert!(words.iter().all(|word| line.contains(word)), "{table}");
    }
    assert_eq!(lines.len(), 3);
    assert_eq!(history(&place, &["--last=1"]).stdout.lines().count(), 2);

    for flags in [&["--id", &kept[1].0][..], &["orders", "--full"]] {
        let full = history(&place, flags).stdout;
        assert!(full.starts_with(&first.to_string()), "{full}");
        assert!(full.contains(&kept[1].0), "{full}");
    }
    place.census.assert_empty();
}

#[test]
fn wd_73_what_is_not_there_is_said() {
    let place = Place::new();
    for flags in [
        &["orders"][..],
        &["--id=20200101T000000.000000Z-1"],
        &["--id=../../x"],
    ] {
        let end = history(&place, flags);
        assert_eq!(end.code(), Some(4), "{end:#?}");
        assert!(end.stderr.contains("is kept\nhint: "), "{end:#?}");
    }
    let mut nowhere = place.winddown(["history"]);
    let end = End::of(nowhere.env("WINDDOWN_STATE_DIRECTORY", "").spawn().unwrap());
    assert_eq!(end.code(), Some(2), "{end:#?}");
    place.write("file", "");
    let end = history(&place, &["--state-directory=file"]);
    assert_eq!(end.code(), Some(125), "{end:#?}");
    assert!(
        end.stderr.contains("\nhint: give --state-directory"),
        "{end:#?}"
    );
}

#[test]
fn wd_73_a_damaged_file_is_named_and_the_others_are_shown() {
    let place = Place::new();
    run(&place, "orders", &[], "exit 0");
    let damaged = place.path("state/history/shop.jsonl");
    fs::write(&damaged, "{").unwrap();
    let end = history(&place, &[]);
    assert_eq!((end.code(), end.stdout.lines().count()), (Some(0), 2));
    let warning = format!("warning: skipped {}: ", damaged.display());
    assert!(end.stderr.starts_with(&warning), "{end:#?}");
    assert_eq!(as_json(&place, &[]).1, 1);
}

/// The stop is what it is; that it was not kept is one line.
#[test]
fn wd_73_a_directory_that_cannot_be_written_changes_no_stop() {
    let place = Place::new();
    place.write("file", "");
    let end = run(&place, "orders", &["--state-directory=file"], "exit 7");
    assert_eq!(end.code(), Some(7), "{end:#?}");
    let warnings = end.stderr.matches("warning: the history in ").count();
    assert_eq!(warnings, 1, "{end:#?}");

    let mut command = place.winddown(["run", "--", "true"]);
    let end = End::of(command.env("WINDDOWN_STATE_DIRECTORY", "").spawn().unwrap());
    assert_eq!((end.code(), end.stderr.as_str()), (Some(0), ""));
    assert!(!place.path("state").exists());
}

#[test]
fn wd_73_nobody_else_can_read_or_replace_the_reports() {
    let place = Place::new();
    run(&place, "orders", &[], "exit 0");
    let winddown = place.copy_for_all(support::WINDDOWN.as_ref());
    if rustix::process::geteuid().is_root() {
        let [first, rest @ ..] = as_ordinary_user() else {
            panic!("a command");
        };
        let mut command = place.command(first, rest);
        let end = End::of(command.arg(winddown).arg("history").spawn().unwrap());
        assert_eq!(end.code(), Some(77), "{end:#?}");
        assert!(end.stderr.contains("hint: "), "{end:#?}");
    }

    // Somebody else's link in the place of the history is not followed.
    let elsewhere = place.path("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::create_dir_all(place.path("planted")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, place.path("planted/history")).unwrap();
    let end = run(&place, "orders", &["--state-directory=planted"], "exit 0");
    assert_eq!(end.code(), Some(0), "{end:#?}");
    assert!(end.stderr.contains("it is not a directory"), "{end:#?}");
    assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 0);
}
