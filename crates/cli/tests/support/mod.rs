//! Runs the built `winddown` on programs, bounded in time and with a census.
#![allow(dead_code, reason = "not every test file uses all of it")]

pub(crate) mod control;
pub(crate) mod postgresql;
pub(crate) mod program;
pub(crate) mod services;

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};
use serde_json::Value;
use winddown_core::report::StopReport;
use winddown_testkit::{Census, Watchdog};

pub(crate) use rustix::process::Signal;

pub(crate) const WINDDOWN: &str = env!("CARGO_BIN_EXE_winddown");

/// A place of its own for a test: a temporary directory, a census that finds what is left, and a watchdog.
pub(crate) struct Place {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) census: Census,
    _watchdog: Watchdog,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            census: Census::begin(),
            _watchdog: Watchdog::arm(Duration::from_secs(100)),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A copy of `program` that every user may run.
    pub(crate) fn copy_for_all(&self, program: &Path) -> PathBuf {
        let all = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.directory.path(), all).unwrap();
        let copy = self.path(program.file_name().unwrap().to_str().unwrap());
        fs::copy(program, &copy).unwrap();
        copy
    }

    /// `winddown` in this place, with nothing on its standard input.
    pub(crate) fn winddown<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        self.command(WINDDOWN, arguments)
    }

    pub(crate) fn command<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(program);
        self.census.mark(&mut command);
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env_remove("NOTIFY_SOCKET")
            .env("WINDDOWN_STATE_DIRECTORY", self.path("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Rehearses `program` with the flags in `flags`, and reads the JSON that comes out.
    pub(crate) fn rehearse<A: AsRef<OsStr>>(
        &self,
        flags: &[&str],
        program: impl IntoIterator<Item = A>,
    ) -> Rehearsal {
        let mut command = self.winddown(["rehearse", "--output", "json"]);
        command.args(flags).arg("--").args(program);
        Rehearsal::of(End::of(command.spawn().unwrap()))
    }
}

/// How a `winddown` ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl End {
    pub(crate) fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        Self {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// What `rehearse --output json` said.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    pub(crate) end: End,
    pub(crate) graceful: bool,
    pub(crate) reports: Vec<StopReport>,
    /// What happened when, of the first run.
    pub(crate) timeline: Vec<(f64, String)>,
}

impl Rehearsal {
    /// Fails unless the document holds the documented fields and no other.
    #[track_caller]
    pub(crate) fn of(end: End) -> Self {
        let document: Value =
            serde_json::from_str(&end.stdout).unwrap_or_else(|error| panic!("{error}: {end:#?}"));
        assert_eq!(keys(&document), ["graceful", "runs"]);
        let runs = document["runs"].as_array().unwrap();
        let reports = runs.iter().map(|run| {
            assert_eq!(keys(run), ["report", "timeline"]);
            report(&run["report"])
        });
        let timeline = runs[0]["timeline"].as_array().unwrap().iter();
        let timeline = timeline.map(|moment| {
            assert_eq!(keys(moment), ["at", "what"]);
            let what = moment["what"].as_str().unwrap().to_owned();
            (moment["at"].as_f64().unwrap(), what)
        });
        let timeline: Vec<_> = timeline.collect();
        assert!(timeline.is_sorted_by(|a, b| a.0 <= b.0), "{timeline:#?}");
        let graceful = document["graceful"].as_bool().unwrap();
        assert_eq!(end.code(), Some(i32::from(!graceful)), "{end:#?}");
        Self {
            graceful,
            reports: reports.collect(),
            timeline,
            end,
        }
    }

    /// The one report of a rehearsal without `--repeat`.
    #[track_caller]
    pub(crate) fn report(&self) -> &StopReport {
        let [report] = self.reports.as_slice() else {
            panic!("{self:#?}");
        };
        report
    }
}

/// A stop report, which holds the documented fields and no other.
#[track_caller]
pub(crate) fn report(value: &Value) -> StopReport {
    let report: StopReport = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(&report).unwrap(), *value);
    report
}

#[track_caller]
pub(crate) fn report_file(path: &Path) -> StopReport {
    report(&serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

pub(crate) fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Sends a process that is not reaped any signal by its name or number.
pub(crate) fn kill(pid: u32, signal: &str) {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{signal}")).arg(pid.to_string());
    assert!(kill.status().unwrap().success());
}

/// The children of a process but its guard, zombies included.
pub(crate) fn children_of(pid: u32) -> Vec<u32> {
    children_and_guard(pid).1
}

/// The process that guards what `winddown run` with this pid has started.
pub(crate) fn guard_of(pid: u32) -> u32 {
    children_and_guard(pid).0[0]
}

fn children_and_guard(pid: u32) -> (Vec<u32>, Vec<u32>) {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let name = |child: u32| fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
    list.split_whitespace()
        .map(|child| child.parse().unwrap())
        .partition(|child| name(*child) == "winddown-guard\n")
}

/// Waits until `found` gives something.
///
/// # Panics
/// When it has not after half a minute.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Reads from a child's output until it holds `text`.
#[track_caller]
pub(crate) fn read_until(output: &mut impl Read, text: &str) -> String {
    let mut all = Vec::new();
    let mut byte = [0];
    while !all.ends_with(text.as_bytes()) {
        let length = output.read(&mut byte).unwrap();
        let so_far = || String::from_utf8_lossy(&all).into_owned();
        assert_eq!(length, 1, "no `{text}` in `{}`", so_far());
        all.push(byte[0]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// A TCP port on the loopback that nobody listens on.
pub(crate) fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

/// What runs a command without the rights of root, so that it cannot make a cgroup.
pub(crate) fn as_ordinary_user() -> &'static [&'static str] {
    match rustix::process::geteuid().is_root() {
        true => &[
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ],
        false => &["env"],
    }
}

/// Where `program` is: in `PATH`, or where Debian puts servers. Without it a test is skipped, in CI it fails.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|directory| directory.join(program))
        .find(|path| path.is_file());
    if found.is_none() {
        skip(&format!("{program} is not installed"));
    }
    found
}

/// Says why a test is skipped; in CI no test is.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "in CI, but {why}");
    // Past the capture of the test's output.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
