//! A test's own processes: forked, with one thread, watched, and gone when the test ends.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod nest;

use std::fmt::Display;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, WaitOptions, WaitStatus, pidfd_open, waitpid};
use winddown_core::{Arrival, Mechanism, Signal};
use winddown_sys::{Sources, signal, wait_any};

/// After this a test has failed, however busy the machine is.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(20);

/// A process that a test forked. It is killed, and reaped, when dropped.
pub(crate) struct Forked {
    pid: Pid,
    pidfd: OwnedFd,
    line: Line,
    reaped: bool,
}

/// Runs `body` in a process of its own, which ends with 0 after it, or with 101 when it panicked.
///
/// The process has one thread and this thread's mask, and has attached nothing, as no test attaches anything itself.
pub(crate) fn fork(body: impl FnOnce(&mut Line)) -> Forked {
    let (ours, theirs) = UnixStream::pair().unwrap();
    // SAFETY: the child goes on in this thread only. It takes no lock that another thread of a test may hold: it writes to
    // its own socket alone, and the C library makes its allocator usable after a fork.
    match unsafe { libc::fork() } {
        0 => {
            drop(ours);
            run(body, Line::new(theirs))
        }
        pid => {
            let pid = Pid::from_raw(pid).expect("fork failed");
            Forked {
                pid,
                pidfd: pidfd_open(pid, PidfdFlags::empty()).unwrap(),
                line: Line::new(ours),
                reaped: false,
            }
        }
    }
}

fn run(body: impl FnOnce(&mut Line), mut line: Line) -> ! {
    std::panic::set_hook(Box::new(|_| {}));
    let code = match catch_unwind(AssertUnwindSafe(|| body(&mut line))) {
        Ok(()) => 0,
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            line.say(text.unwrap_or("panicked").replace('\n', " | "));
            101
        }
    };
    // SAFETY: _exit takes no pointers. The destructors of the test's own process are not this one's to run.
    unsafe { libc::_exit(code) }
}

impl Forked {
    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get() as u32
    }

    pub(crate) fn send(&self, signal: Signal) {
        signal::send(self.pid(), signal).unwrap();
    }

    pub(crate) fn say(&mut self, text: impl Display) {
        self.line.say(text);
    }

    /// The next line that the process says.
    #[track_caller]
    pub(crate) fn hear(&mut self) -> String {
        self.line.hear()
    }

    /// Waits for the process to say `expected`.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: &str) {
        assert_eq!(self.line.hear(), expected);
    }

    /// Waits until no `signal` to this process is on its way any more.
    #[track_caller]
    pub(crate) fn expect_delivered(&self, signal: Signal) {
        let bit = 1u64 << (signal::number(signal).unwrap() - 1);
        let start = Instant::now();
        while status_mask(self.pid(), "ShdPnd") & bit != 0 {
            assert!(start.elapsed() < WATCHDOG, "{signal} was not delivered");
            std::thread::yield_now();
        }
    }

    /// Waits for the process to end.
    #[track_caller]
    pub(crate) fn end(mut self) -> WaitStatus {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let timeout = Timespec::try_from(WATCHDOG).unwrap();
        let ended = poll(&mut fds, Some(&timeout)).unwrap();
        assert_eq!(ended, 1, "the process did not end in {WATCHDOG:?}");
        self.reaped = true;
        waitpid(Some(self.pid), WaitOptions::empty())
            .unwrap()
            .unwrap()
            .1
    }

    /// Waits for the process to end well; shows what it said when it did not.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        let mut said = Vec::new();
        while let Some(line) = self.line.next() {
            said.push(line);
        }
        let status = self.end();
        assert_eq!(status.exit_status(), Some(0), "{status:?}: {said:?}");
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = rustix::process::kill_process(self.pid, rustix::process::Signal::KILL);
            let _ = waitpid(Some(self.pid), WaitOptions::empty());
        }
    }
}

/// A line between a test and its process.
pub(crate) struct Line(BufReader<UnixStream>);

impl Line {
    fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(WATCHDOG)).unwrap();
        Self(BufReader::new(stream))
    }

    pub(crate) fn say(&mut self, text: impl Display) {
        writeln!(self.0.get_mut(), "{text}").unwrap();
    }

    #[track_caller]
    pub(crate) fn hear(&mut self) -> String {
        self.next().expect("the other side has gone")
    }

    #[track_caller]
    fn next(&mut self) -> Option<String> {
        let mut text = String::new();
        match self.0.read_line(&mut text) {
            Ok(0) => None,
            Ok(_) => Some(text.trim_end().to_owned()),
            Err(error) => panic!("nothing was said in {WATCHDOG:?}: {error}"),
        }
    }
}

/// Waits until something arrives.
#[track_caller]
pub(crate) fn receive(sources: &Sources) -> Vec<Arrival> {
    let start = Instant::now();
    while start.elapsed() < WATCHDOG {
        wait_any(&[sources.wake()], Some(WATCHDOG));
        sources.wake().clear();
        let arrivals = sources.drain();
        if !arrivals.is_empty() {
            return arrivals;
        }
    }
    panic!("nothing arrived in {WATCHDOG:?}");
}

pub(crate) fn signals(arrivals: &[Arrival]) -> Vec<Signal> {
    arrivals
        .iter()
        .map(|arrival| match arrival.origin.mechanism {
            Mechanism::Signal(signal) => signal,
            ref other => panic!("{other} is no signal"),
        })
        .collect()
}

/// Ignores `signals`, as whoever started this process may have done.
pub(crate) fn ignore(signals: &[Signal]) {
    for signal in signals {
        // SAFETY: SIG_IGN is no function.
        unsafe { libc::signal(signal::number(*signal).unwrap(), libc::SIG_IGN) };
    }
}

/// Blocks every signal in this thread for good.
pub(crate) fn block_all() {
    std::mem::forget(signal::block_all_on_this_thread());
}

/// A mask of `/proc/PID/status`, such as `SigIgn`.
pub(crate) fn status_mask(pid: u32, field: &str) -> u64 {
    mask_in(
        &std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap(),
        field,
    )
}

/// A mask in the text of `/proc/PID/status`.
pub(crate) fn mask_in(status: &str, field: &str) -> u64 {
    let line = status.lines().find(|line| line.starts_with(field));
    let hex = line.unwrap().split_ascii_whitespace().nth(1).unwrap();
    u64::from_str_radix(hex, 16).unwrap()
}

/// The bits of `signals` in such a mask.
pub(crate) fn bits(signals: &[Signal]) -> u64 {
    signals
        .iter()
        .map(|signal| 1 << (signal::number(*signal).unwrap() - 1))
        .sum()
}

/// Both ends of a new pseudo-terminal.
pub(crate) fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut keyboard, mut terminal) = (-1, -1);
    // SAFETY: both integers are valid, and the optional pointers are null; the descriptors are new and ours.
    unsafe {
        let opened = libc::openpty(
            &mut keyboard,
            &mut terminal,
            ptr::null_mut(),
            ptr::null(),
            ptr::null(),
        );
        assert_eq!(opened, 0);
        (
            OwnedFd::from_raw_fd(keyboard),
            OwnedFd::from_raw_fd(terminal),
        )
    }
}

/// Makes this process the leader of a new session on `terminal`, in its foreground.
pub(crate) fn lead_session_on(terminal: &OwnedFd) {
    // SAFETY: the descriptor is open, and the call takes no pointer here.
    unsafe {
        libc::setsid();
        assert_eq!(libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0), 0);
    }
}
