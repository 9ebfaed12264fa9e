//! The output of real programs, captured: nothing is lost, nothing waits.
#![cfg(target_os = "linux")]

mod logs_support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use logs_support::bench::{Bench, file_name, files, wait};
use logs_support::{LIMIT, wait_until};
use winddown_run::logs::{Captured, Format, LogOptions, Output, Rotation, Summary};
use winddown_sys::process::{Exit, SpawnOptions, spawn};
use winddown_sys::wait_any;

#[test]
fn wd_151_both_streams_are_in_one_file_in_the_order_of_the_program() {
    let bench = Bench::new();
    let captured = bench.open(&bench.options(Rotation::default()));
    let summary = bench.sh(
        &captured,
        "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done; printf 'no end'",
    );
    let expected: String = (1..=5).map(|i| format!("out {i}\nerr {i}\n")).collect();
    let expected = expected + "no end";
    assert_eq!(String::from_utf8(bench.all_of("a.log")).unwrap(), expected);
    assert_eq!(
        summary,
        Summary {
            bytes: expected.len() as u64,
            lines: 11,
            ..Summary::default()
        }
    );
    bench.end();
}

#[test]
fn a_restarted_program_goes_on_in_the_same_file() {
    let bench = Bench::new();
    let captured = bench.open(&bench.options(Rotation::default()));
    assert_eq!(bench.sh(&captured, "echo one").lines, 1);
    assert_eq!(bench.sh(&captured, "echo two; echo three").lines, 2);
    assert_eq!(bench.all_of("a.log"), b"one\ntwo\nthree\n");
    assert_eq!(fs::read_dir(bench.directory.path()).unwrap().count(), 1);
    bench.end();
}

#[test]
fn a_file_or_a_rotation_can_be_changed_while_the_program_runs() {
    let bench = Bench::new();
    let options = bench.options(Rotation::default());
    let captured = bench.open(&options);
    let summary = bench.sh(&captured, "echo old");
    assert_eq!(summary.lines, 1);
    let other = LogOptions::to_file(bench.path("b.log"));
    assert!(captured.amend(&other));
    assert!(captured.amend(&other));
    let json = files(bench.path("a.log"), None, Format::Json, Rotation::default());
    for impossible in [json, LogOptions::default()] {
        assert!(!captured.amend(&impossible));
    }
    bench.sh(&captured, "echo new");
    assert_eq!(bench.all_of("a.log"), b"old\n");
    assert_eq!(bench.all_of("b.log"), b"new\n");
    bench.end();
}

#[test]
fn runs_that_overlap_share_the_file_and_end_each_for_itself() {
    let bench = Bench::new();
    let captured = bench.open(&bench.options(Rotation::default()));
    let (old, old_capture) = bench.start(&captured, &["sh", "-c", "echo old; read _"]);
    let lines = captured.subscribe(1).unwrap();
    wait_until("the line is there", || !lines.take().lines.is_empty());
    let (new, new_capture) = bench.start(&captured, &["sh", "-c", "exec sleep 100"]);
    old.kill().unwrap();
    wait(&old);
    let summary = bench.drain(old_capture);
    assert_eq!((summary.lines, summary.held_open), (1, false));
    new.kill().unwrap();
    wait(&new);
    assert_eq!(bench.drain(new_capture), Summary::default());
    assert_eq!(bench.all_of("a.log"), b"old\n");
    bench.end();
}

#[test]
fn each_stream_can_have_its_file() {
    let bench = Bench::new();
    let (file, errors) = (bench.path("a.log"), bench.path("errors.log"));
    let options = files(file, Some(errors), Format::Raw, Rotation::default());
    let captured = bench.open(&options);
    bench.sh(&captured, "echo out; echo err >&2");
    assert_eq!(bench.all_of("a.log"), b"out\n");
    assert_eq!(bench.all_of("errors.log"), b"err\n");
    bench.end();
}

#[test]
fn each_stream_can_have_its_file_and_lines_say_when_and_where() {
    let bench = Bench::new();
    let (file, errors) = (bench.path("a.log"), bench.path("errors.log"));
    let options = files(file, Some(errors), Format::Json, Rotation::default());
    let captured = bench.open(&options);
    bench.sh(&captured, "echo out; printf 'err \\377\\n' >&2");
    let object =
        |name: &str| -> serde_json::Value { serde_json::from_slice(&bench.all_of(name)).unwrap() };
    let (out, err) = (object("a.log"), object("errors.log"));
    assert_eq!(
        (&out["stream"], &out["text"]),
        (&"stdout".into(), &"out".into())
    );
    assert_eq!(
        (&err["stream"], &err["base64"]),
        (&"stderr".into(), &"ZXJyIP8=".into())
    );
    bench.end();
}

/// Issue winsw#1016, #1088: rotation lost output, or ended the service.
#[test]
fn wd_151_a_flood_is_the_same_byte_for_byte_across_rotated_and_compressed_files() {
    let bench = Bench::new();
    let rotation = Rotation {
        size: Some(200_000),
        compress: true,
        ..Rotation::default()
    };
    let mut options = bench.options(rotation);
    // However busy the machine is, all of it fits.
    options.buffer = 32 << 20;
    let captured = bench.open(&options);
    // Random bytes hold line ends here and there, and are no UTF-8.
    let original = bench.path("original");
    let script = format!("head -c 4000000 /dev/urandom | tee {}", original.display());
    let (child, capture) = bench.start(&captured, &["sh", "-c", &script]);
    for _ in 0..10 {
        captured.rotate();
        wait_any(&[&child], Some(Duration::from_millis(20)));
    }
    assert_eq!(wait(&child), Exit::Code(0));
    let summary = bench.drain(capture);
    assert_eq!(summary.bytes, 4_000_000);
    assert!(
        summary.dropped.is_nothing() && summary.warnings.is_empty(),
        "{summary:?}"
    );
    wait_until("all old files are compressed", || {
        let names = fs::read_dir(bench.directory.path()).unwrap();
        let mut names = names.map(|entry| file_name(&entry.unwrap().path()));
        names.all(|name| ["a.log", "original"].contains(&name.as_str()) || name.ends_with(".gz"))
    });
    assert!(bench.all_of("a.log") == fs::read(&original).unwrap());
    let old = fs::read_dir(bench.directory.path()).unwrap().count() - 2;
    assert!(old >= 20, "{old}");
    bench.end();
}

/// WinSW and Shawl report the end without having written all: `LogAppenders.cs`, `service.rs`.
#[test]
fn wd_155_what_is_written_right_before_the_end_is_there() {
    let bench = Bench::new();
    let captured = bench.open(&bench.options(Rotation::default()));
    for run in 0..50 {
        bench.sh(&captured, &format!("echo last words of {run}"));
        let expected = format!("last words of {run}\n");
        assert!(bench.all_of("a.log").ends_with(expected.as_bytes()));
    }
    bench.end();
}

#[test]
fn wd_155_a_survivor_that_holds_the_pipe_does_not_hold_up_the_end() {
    let bench = Bench::new();
    let captured = bench.open(&bench.options(Rotation::default()));
    let (child, capture) = bench.start(&captured, &["sh", "-c", "echo here; exec sleep 100"]);
    let lines = captured.subscribe(10).unwrap();
    wait_until("the line is there", || !lines.take().lines.is_empty());
    let summary = bench.drain_within(capture, Duration::from_millis(400));
    assert!(summary.held_open);
    assert_eq!(bench.all_of("a.log"), b"here\n");
    child.kill().unwrap();
    wait(&child);
    bench.end();
}

#[test]
fn wd_153_a_file_that_cannot_be_opened_holds_up_nobody_and_gets_all_later() {
    let bench = Bench::new();
    // As root nothing is forbidden; but a directory is no file.
    fs::create_dir(bench.path("a.log")).unwrap();
    let captured = bench.open(&bench.options(Rotation::default()));
    let capture = bench.run(&captured, "seq 1 20000");
    wait_until("the operator is told", || !bench.told().is_empty());
    assert!(bench.told()[0].starts_with("a: cannot write "));
    fs::remove_dir(bench.path("a.log")).unwrap();
    let summary = bench.drain(capture);
    let expected: String = (1..=20_000).map(|i| format!("{i}\n")).collect();
    assert!(bench.all_of("a.log") == expected.as_bytes());
    assert!(summary.dropped.is_nothing());
    assert_eq!(summary.warnings.len(), 2, "{:?}", summary.warnings);
    assert!(summary.warnings[1].contains("again"));
    bench.end();
}

#[test]
fn wd_155_when_time_is_up_the_summary_says_what_is_not_written() {
    let bench = Bench::new();
    fs::create_dir(bench.path("a.log")).unwrap();
    let captured = bench.open(&bench.options(Rotation::default()));
    let capture = bench.run(&captured, "echo lost");
    let summary = bench.drain_within(capture, Duration::from_millis(300));
    assert_eq!((summary.bytes, summary.unwritten), (5, 5));
    bench.end();
}

#[test]
fn wd_151_a_file_that_logrotate_moves_or_somebody_removes_is_begun_anew() {
    let bench = Bench::new();
    let captured = bench.open(&bench.options(Rotation::default()));
    bench.sh(&captured, "echo one");
    fs::rename(bench.path("a.log"), bench.path("a.log.1")).unwrap();
    bench.sh(&captured, "echo two");
    assert_eq!(fs::read(bench.path("a.log.1")).unwrap(), b"one\n");
    assert_eq!(fs::read(bench.path("a.log")).unwrap(), b"two\n");
    fs::remove_file(bench.path("a.log")).unwrap();
    bench.sh(&captured, "echo three");
    assert_eq!(fs::read(bench.path("a.log")).unwrap(), b"three\n");
    bench.end();
}

#[test]
fn wd_152_a_line_without_end_is_shown_after_a_while() {
    let bench = Bench::new();
    let captured = bench.open(&bench.options(Rotation::default()));
    let lines = captured.subscribe(0).unwrap();
    let (child, capture) = bench.start(
        &captured,
        &["sh", "-c", "printf 'password: '; read _ < /dev/zero"],
    );
    wait_any(&[&lines], Some(LIMIT));
    let news = lines.take();
    assert_eq!(news.lines[0].text, b"password: ");
    assert!(news.lines[0].partial);
    assert_eq!(news.lines[0].output, Output::Stdout);
    wait_until("it is in the file", || {
        bench.all_of("a.log") == b"password: "
    });
    child.kill().unwrap();
    wait(&child);
    bench.drain(capture);
    bench.end();
}

#[test]
fn a_thousand_services_are_read_by_one_thread() {
    let bench = Bench::new();
    let captured: Vec<Captured> = (0..1_000)
        .map(|i| {
            let file = bench.path(&format!("{i}.log"));
            bench.open(&LogOptions::to_file(file))
        })
        .collect();
    let mut draining = Vec::new();
    for (i, captured) in captured.iter().enumerate() {
        let (streams, mut capture) = captured.begin().unwrap();
        // A process for some of them is enough: it is the capturing that is many here.
        if i % 50 == 0 {
            let mut options = SpawnOptions::new("echo", [format!("service {i}")]);
            options.stdout = streams.stdout;
            wait(&spawn(&options).unwrap());
        }
        capture.drain(LIMIT);
        draining.push(capture);
    }
    while !draining.is_empty() {
        wait_any(&[&bench.logs], Some(LIMIT));
        bench.logs.noticed();
        draining.retain(|capture| !capture.is_drained());
    }
    for i in (0..1_000).step_by(50) {
        let text = fs::read_to_string(bench.path(&format!("{i}.log"))).unwrap();
        assert_eq!(text, format!("service {i}\n"));
    }
    bench.end();
}

/// Runs only as root: a file system that is full within a few lines.
#[test]
fn wd_150_a_full_disk_holds_up_nobody_and_what_is_dropped_is_counted_and_marked() {
    let bench = Bench::new();
    let disk = bench.path("disk");
    fs::create_dir(&disk).unwrap();
    let Some(mounted) = Mounted::tmpfs(&disk, "64k") else {
        eprintln!("skipped: only root can mount");
        return;
    };
    let mut options = LogOptions::to_file(disk.join("a.log"));
    options.buffer = LogOptions::LEAST_BUFFER;
    let captured = bench.open(&options);
    // More than the disk and the memory hold; the program is not blocked, or this would not end.
    let capture = bench.run(&captured, "seq 1 200000");
    wait_until("the operator is told", || !bench.told().is_empty());
    wait_until("all is read", || capture.summary().lines == 200_000);
    mounted.resize("8m");
    let summary = bench.drain(capture);
    assert!(summary.dropped.lines > 100_000, "{summary:?}");
    assert_eq!(summary.unwritten, 0);
    assert_eq!(summary.warnings.len(), 2, "{:?}", summary.warnings);
    let text = fs::read_to_string(disk.join("a.log")).unwrap();
    let (marks, numbers): (Vec<&str>, Vec<&str>) = text
        .lines()
        .partition(|line| line.contains("winddown dropped"));
    assert_eq!(marks.len(), 1);
    let mark = format!(
        "winddown dropped {} lines ({} bytes) here",
        summary.dropped.lines, summary.dropped.bytes
    );
    assert!(marks[0].starts_with(&mark), "{marks:?} {mark}");
    // The first and the last lines are there, and what is missing was counted.
    assert_eq!((numbers[0], numbers.last()), ("1", Some(&"200000")));
    assert_eq!(numbers.len() as u64 + summary.dropped.lines, 200_000);
    drop(mounted);
    bench.end();
}

/// A file system for one test.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(at: &Path, size: &str) -> Option<Self> {
        let options = format!("size={size}");
        mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], at).then(|| Self(at.to_owned()))
    }

    fn resize(&self, size: &str) {
        assert!(mount(&["-o", &format!("remount,size={size}")], &self.0));
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Detached at once, and gone as soon as the last writer has closed its file.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn mount(arguments: &[&str], at: &Path) -> bool {
    let status = Command::new("mount").args(arguments).arg(at).status();
    status.unwrap().success()
}
