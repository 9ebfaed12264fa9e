//! Captured output as Windows has it: files that others lock, and pipes with a thread each.
#![cfg(windows)]

mod logs_support;

use std::fs::{self, File};
use std::io::Write;
use std::os::windows::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use logs_support::{LIMIT, read, wait_until};
use tempfile::TempDir;
use winddown_run::logs::{
    Capture, Captured, ConsoleOptions, Destination, LogOptions, Logs, Streams, Summary,
};
use winddown_sys::process::{Exit, SpawnOptions, Stream, spawn};
use winddown_sys::wait_any;
use winddown_testkit::Watchdog;

/// What `CreateFileW` calls `FILE_SHARE_READ` and `FILE_SHARE_WRITE`.
const SHARE_READ_AND_WRITE: u32 = 3;

struct Bench {
    directory: TempDir,
    logs: Logs,
    told: Arc<Mutex<Vec<String>>>,
    captured: Captured,
    _watchdog: Watchdog,
}

impl Bench {
    fn new(size: Option<u64>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut options = LogOptions::to_file(directory.path().join("a.log"));
        // However busy the machine is, all of it fits.
        options.buffer = 32 << 20;
        if let Destination::Files(files) = &mut options.to {
            files.rotation.size = size;
            files.rotation.compress = true;
        }
        let told = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&told);
        let warn = move |_: &str, text: &str| log.lock().unwrap().push(text.to_owned());
        let logs = Logs::new(ConsoleOptions::default(), Arc::new(warn)).unwrap();
        let captured = logs.open("a", &options).unwrap().unwrap();
        Self {
            directory,
            logs,
            told,
            captured,
            _watchdog: Watchdog::arm(2 * LIMIT),
        }
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("a.log")
    }

    /// A pipe of a run, for the test to write to as a program would.
    fn begin(&self) -> (File, Capture) {
        match self.captured.begin().unwrap() {
            (
                Streams {
                    stdout: Stream::File(stdout),
                    ..
                },
                capture,
            ) => (stdout, capture),
            (streams, _) => panic!("{streams:?}"),
        }
    }

    fn drain_within(&self, mut capture: Capture, within: Duration) -> Summary {
        capture.drain(within);
        wait_until("it is drained", || {
            wait_any(&[&self.logs], Some(Duration::from_secs(1)));
            self.logs.noticed();
            capture.is_drained()
        });
        capture.summary()
    }

    fn is_told(&self, what: &str) -> bool {
        self.told
            .lock()
            .unwrap()
            .iter()
            .any(|text| text.contains(what))
    }

    fn wait_until_tidy(&self) {
        wait_until("all old files are compressed", || {
            let names = fs::read_dir(self.directory.path()).unwrap();
            let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.all(|name| name == "a.log" || name.ends_with(".gz"))
        });
    }

    /// The bytes of the log with all its old files.
    fn all(&self) -> Vec<u8> {
        let mut paths: Vec<PathBuf> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort_by_key(|path| (path.ends_with("a.log"), path.clone()));
        paths.iter().flat_map(|path| read(path)).collect()
    }
}

fn lines(count: u32) -> Vec<u8> {
    let lines: String = (0..count).map(|i| format!("line {i} \u{e9}\r\n")).collect();
    lines.into_bytes()
}

#[test]
fn wd_155_what_a_program_wrote_is_there_at_its_end() {
    let bench = Bench::new(None);
    let (streams, capture) = bench.captured.begin().unwrap();
    let mut options = SpawnOptions::new("cmd.exe", ["/c", "echo last words"]);
    (options.stdout, options.stderr) = (streams.stdout, streams.stderr);
    let child = spawn(&options).unwrap();
    drop(options);
    wait_any(&[&child], Some(LIMIT));
    assert_eq!(child.try_wait().unwrap(), Some(Exit::Code(0)));
    let summary = bench.drain_within(capture, LIMIT);
    assert_eq!(bench.all(), b"last words\r\n");
    assert_eq!((summary.lines, summary.held_open), (1, false));
}

#[test]
fn wd_151_a_flood_is_the_same_byte_for_byte_across_rotated_files() {
    let bench = Bench::new(Some(500_000));
    let (mut stdout, capture) = bench.begin();
    let output = lines(300_000);
    stdout.write_all(&output).unwrap();
    stdout.write_all(b"\xff no line end").unwrap();
    drop(stdout);
    let summary = bench.drain_within(capture, LIMIT);
    assert_eq!(summary.bytes, output.len() as u64 + 13);
    bench.wait_until_tidy();
    assert!(bench.all() == [&output[..], b"\xff no line end"].concat());
}

/// Issues winsw#1016, #314, #894: a locked file in a rotation ended the service.
#[test]
fn wd_153_a_file_that_cannot_be_renamed_grows_until_it_can() {
    let bench = Bench::new(Some(10_000));
    let (mut stdout, capture) = bench.begin();
    stdout.write_all(b"first\n").unwrap();
    wait_until("the first line is there", || {
        bench.log().exists() && bench.all() == b"first\n"
    });
    // A viewer that does not allow the file to be renamed.
    let viewer = File::options()
        .read(true)
        .share_mode(SHARE_READ_AND_WRITE)
        .open(bench.log())
        .unwrap();
    let output = lines(2_000);
    stdout.write_all(&output).unwrap();
    wait_until("the operator is told", || bench.is_told("cannot rotate"));
    drop(viewer);
    bench.captured.rotate();
    stdout.write_all(b"last\n").unwrap();
    drop(stdout);
    let summary = bench.drain_within(capture, LIMIT);
    assert!(summary.dropped.is_nothing());
    assert!(bench.is_told("rotated again"), "{summary:?}");
    bench.wait_until_tidy();
    assert!(bench.all() == [b"first\n", &output[..], b"last\n"].concat());
    assert_eq!(fs::read(bench.log()).unwrap(), b"last\n");
}

#[test]
fn wd_153_a_file_that_somebody_locks_gets_all_once_it_is_free() {
    let bench = Bench::new(None);
    let (mut stdout, capture) = bench.begin();
    stdout.write_all(b"first\n").unwrap();
    wait_until("the first line is there", || {
        bench.log().exists() && bench.all() == b"first\n"
    });
    bench.captured.rotate();
    wait_until("it is set aside", || !bench.log().exists());
    let lock = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .share_mode(0)
        .open(bench.log())
        .unwrap();
    stdout.write_all(b"second\n").unwrap();
    wait_until("the operator is told", || bench.is_told("cannot write"));
    drop((lock, stdout));
    let summary = bench.drain_within(capture, LIMIT);
    assert_eq!(summary.warnings.len(), 2, "{summary:?}");
    assert_eq!(fs::read(bench.log()).unwrap(), b"second\n");
}

#[test]
fn wd_155_a_survivor_that_holds_the_pipe_does_not_hold_up_the_end() {
    let bench = Bench::new(None);
    let (mut stdout, capture) = bench.begin();
    stdout.write_all(b"here\n").unwrap();
    let summary = bench.drain_within(capture, Duration::from_millis(500));
    assert!(summary.held_open);
    assert_eq!(bench.all(), b"here\n");
    drop(stdout);
}
