//! Each stubborn program does what its help says, and the census finds what each leaves behind.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, test_kill_process, waitpid};
use winddown_sys::testing::kill_if;
use winddown_testkit::{Census, Watchdog, stubborn_program};

struct Stubborn {
    census: Census,
    child: Child,
    stdin: Option<ChildStdin>,
    out: BufReader<ChildStdout>,
    children: Vec<Pid>,
    _watchdog: Watchdog,
}

impl Stubborn {
    fn start(words: &[&str]) -> Self {
        let watchdog = Watchdog::arm(Duration::from_secs(30));
        let census = Census::begin();
        let mut command = Command::new(stubborn_program());
        census.mark(&mut command);
        let mut child = command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut program = Self {
            census,
            stdin: child.stdin.take(),
            out: BufReader::new(child.stdout.take().unwrap()),
            child,
            children: Vec::new(),
            _watchdog: watchdog,
        };
        if words[0] != "never-ready" {
            loop {
                let line = program.line();
                match line.strip_prefix("child ") {
                    Some(pid) => program
                        .children
                        .push(Pid::from_raw(pid.parse().unwrap()).unwrap()),
                    None => break assert_eq!(line, "ready", "{words:?}"),
                }
            }
        }
        program
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Sends `TERM`, reads the rest of the output and waits for the end.
    fn stop(&mut self) -> (ExitStatus, String) {
        self.send(Signal::TERM);
        self.end()
    }

    fn end(&mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap(), rest)
    }

    /// A field of `/proc/PID/status`.
    fn status(&self, field: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    }

    /// Whether a signal is in one of the masks of `/proc/PID/status`.
    fn holds(&self, mask: &str, signal: Signal) -> bool {
        let mask = u64::from_str_radix(&self.status(mask), 16).unwrap();
        mask & (1 << (signal.as_raw() - 1)) != 0
    }

    fn kill(mut self) {
        self.send(Signal::KILL);
        assert_eq!(self.child.wait().unwrap().signal(), Some(9));
        self.census.assert_empty();
    }
}

#[test]
fn the_proper_ones_stop_properly() {
    let directory = tempfile::tempdir().unwrap();
    let marker = directory.path().join("marker");
    for words in [
        &["graceful", marker.to_str().unwrap()][..],
        &["exits-late", "10ms"],
    ] {
        let mut program = Stubborn::start(words);
        let (status, output) = program.stop();
        assert_eq!(status.code(), Some(0), "{words:?}");
        assert_eq!(output, "stopping: signal TERM\nstopped\n", "{words:?}");
        program.census.assert_empty();
    }
    assert_eq!(std::fs::read_to_string(marker).unwrap(), "stopped\n");
}

#[test]
fn every_stop_signal_is_a_stop_request() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
        let mut program = Stubborn::start(&["graceful"]);
        program.send(signal);
        assert_eq!(program.end().0.code(), Some(0), "{signal:?}");
    }
}

#[test]
fn ready_is_told_to_the_supervisor() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let file = directory.path().join("ready");
    let socket = UnixDatagram::bind(&path).unwrap();
    let _watchdog = Watchdog::arm(Duration::from_secs(30));
    let census = Census::begin();
    let mut command = Command::new(stubborn_program());
    command.args(["--ready-file", file.to_str().unwrap()]);
    command.args(["--notify", "graceful"]).stdout(Stdio::null());
    let mut child = census
        .mark(&mut command)
        .env("NOTIFY_SOCKET", &path)
        .spawn()
        .unwrap();
    let mut message = [0; 64];
    let length = socket.recv(&mut message).unwrap();
    assert_eq!(&message[..length], b"READY=1");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(file.exists());
}

#[test]
fn each_end_is_the_one_that_was_asked_for() {
    for (words, code, signal) in [
        (&["unhandled"][..], None, Some(15)),
        (&["term-then-reraise"], None, Some(15)),
        (&["exits-on-stop", "3"], Some(3), None),
        (&["crashes-on-stop"], None, Some(6)),
    ] {
        let (status, output) = Stubborn::start(words).stop();
        assert_eq!(
            (status.code(), status.signal()),
            (code, signal),
            "{words:?}"
        );
        assert_eq!(output.contains("stopped"), words[0] == "term-then-reraise");
    }
    let (status, _) = Stubborn::start(&["exits", "7"]).end();
    assert_eq!(status.code(), Some(7));
    let (status, _) = Stubborn::start(&["crashes"]).end();
    assert_eq!(status.signal(), Some(6));
}

#[test]
fn the_deaf_ones_are_deaf_in_their_own_way() {
    let ignores = Stubborn::start(&["ignores-term"]);
    assert!(ignores.holds("SigIgn", Signal::TERM) && !ignores.holds("SigBlk", Signal::TERM));
    ignores.send(Signal::TERM);
    ignores.kill();

    let blocks = Stubborn::start(&["blocks-term"]);
    assert!(blocks.holds("SigBlk", Signal::TERM) && !blocks.holds("SigIgn", Signal::TERM));
    blocks.send(Signal::TERM);
    assert!(blocks.holds("ShdPnd", Signal::TERM));
    blocks.kill();
}

#[test]
fn never_ready_says_nothing_and_stops_properly_once_it_listens() {
    let mut program = Stubborn::start(&["never-ready"]);
    // Its second thread is started after it began to listen.
    while program.status("Threads") != "2" {
        std::thread::yield_now();
    }
    let (status, output) = program.stop();
    assert_eq!(status.code(), Some(0));
    assert!(!output.contains("ready"));
}

#[test]
fn a_stopped_one_acts_only_once_it_is_continued() {
    let mut program = Stubborn::start(&["stops-itself"]);
    let pid = Pid::from_child(&program.child);
    let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
    assert_eq!(status.stopping_signal(), Some(Signal::STOP.as_raw()));
    program.send(Signal::TERM);
    assert!(program.child.try_wait().unwrap().is_none());
    program.send(Signal::CONT);
    assert_eq!(program.end().0.code(), Some(0));
}

#[test]
fn the_end_of_standard_input_stops_the_one_that_waits_for_it() {
    let mut program = Stubborn::start(&["closes-stdin-stops"]);
    program.send(Signal::TERM);
    drop(program.stdin.take());
    assert_eq!(program.end().0.code(), Some(0));
}

#[test]
fn floods_flood() {
    let mut program = Stubborn::start(&["floods"]);
    let mut much = vec![0; 4 << 20];
    program.out.read_exact(&mut much).unwrap();
    program.send(Signal::TERM);
    let mut rest = Vec::new();
    program.out.read_to_end(&mut rest).unwrap();
    assert_eq!(program.child.wait().unwrap().code(), Some(0));

    let mut program = Stubborn::start(&["floods-on-stop", "2"]);
    program.send(Signal::TERM);
    let mut all = Vec::new();
    program.out.read_to_end(&mut all).unwrap();
    assert_eq!(program.child.wait().unwrap().code(), Some(0));
    assert!(std::str::from_utf8(&all).is_err());
    let said = b"stopping: signal TERM\n".len() + b"last line\n".len();
    assert_eq!(all.len(), (2 << 20) + said);
    assert!(all.ends_with(b"\nlast line\n"));
}

#[test]
fn what_is_left_behind_is_found_and_killed() {
    for (words, left) in [
        (&["fork-ignores-term"][..], 1),
        (&["setsid-child"], 1),
        (&["double-forks"], 1),
        (&["deep-tree", "4"], 4),
        (&["refork"], 1),
    ] {
        let mut program = Stubborn::start(words);
        assert_eq!(program.stop().0.code(), Some(0), "{words:?}");
        let survivors = program.census.survivors();
        assert!(
            (1..=left).contains(&survivors.len()),
            "{words:?}: {survivors:?}"
        );
        assert!(survivors.iter().all(|survivor| {
            survivor.name == "winddown-stubbo" && survivor.command.contains("winddown-stubborn ")
        }));
        program.census.kill_survivors().unwrap();
        assert_eq!(program.census.survivors(), []);
    }
}

#[test]
fn a_daemon_is_found_after_the_one_that_started_it_has_gone() {
    let mut program = Stubborn::start(&["daemonizes"]);
    assert_eq!(program.end().0.code(), Some(0));
    let daemon = program.children[0];
    let survivors = program.census.survivors();
    assert_eq!(survivors.len(), 1);
    assert_eq!(survivors[0].pid, daemon.as_raw_nonzero().get() as u32);
    kill_process(daemon, Signal::TERM).unwrap();
    program.census.assert_empty();
}

#[test]
fn dropping_a_census_kills_what_is_left() {
    let mut program = Stubborn::start(&["setsid-child"]);
    let child = program.children[0];
    program.stop();
    test_kill_process(child).unwrap();
    let marked = program.census.variable();
    let marked = (marked.0, marked.1.to_owned());
    drop(program);
    let environment = std::fs::read(format!("/proc/{}/environ", child.as_raw_nonzero()));
    let needle = format!("{}={}", marked.0, marked.1);
    assert!(environment.map_or(true, |bytes| {
        !String::from_utf8_lossy(&bytes).contains(&needle)
    }));
}

/// WD-93: a process that is not the one that was meant is not killed.
#[test]
fn nothing_is_killed_that_is_not_meant() {
    let mut program = Stubborn::start(&["graceful"]);
    let pid = program.child.id();
    assert!(!kill_if(pid, || false).unwrap());
    assert_eq!(program.stop().0.code(), Some(0));
    assert!(!kill_if(pid, || true).unwrap(), "it has been reaped");
}

#[test]
#[should_panic(expected = "1 processes survive")]
fn a_census_that_is_not_empty_fails_the_test() {
    let _watchdog = Watchdog::arm(Duration::from_secs(30));
    let census = Census::begin();
    let mut command = Command::new(stubborn_program());
    census.mark(command.arg("ignores-term").stdout(Stdio::null()));
    let mut child = command.spawn().unwrap();
    // Reaped by the thread, since a zombie is no survivor anyway.
    std::thread::spawn(move || child.wait());
    census.assert_empty();
}

#[test]
fn no_behaviour_and_a_wrong_argument_are_usage_errors() {
    for words in [&[][..], &["no-such"], &["exits", "x"], &["exits-late", "5"]] {
        let mut command = Command::new(stubborn_program());
        let output = command.args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("hint:"));
    }
}

#[test]
fn none_outlives_its_limit() {
    let mut command = Command::new(stubborn_program());
    command
        .arg("ignores-term")
        .env("WINDDOWN_STUBBORN_LIFE", "100ms");
    assert_eq!(command.output().unwrap().status.code(), Some(99));
}

#[test]
fn a_watchdog_aborts_the_test_and_leaves_nothing_behind() {
    const INSIDE: &str = "WINDDOWN_TEST_INSIDE_WATCHDOG";
    let name = "a_watchdog_aborts_the_test_and_leaves_nothing_behind";
    if std::env::var_os(INSIDE).is_some() {
        let _watchdog = Watchdog::arm(Duration::from_millis(100));
        let census = Census::begin();
        let mut command = Command::new(stubborn_program());
        census.mark(command.arg("ignores-term").stdout(Stdio::null()));
        // The watchdog ends it; that the test goes on then does not save it.
        let _ = command.status();
        return;
    }
    let _watchdog = Watchdog::arm(Duration::from_secs(30));
    let mut this = Command::new(std::env::current_exe().unwrap());
    // Its output ends when the last process that has it ends.
    let output = this
        .args([name, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    assert_eq!(output.status.signal(), Some(6));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains(&format!("watchdog: {name} still runs")),
        "{said}"
    );
}
