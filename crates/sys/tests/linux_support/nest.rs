//! Trees of processes: each test as root with a cgroup, and as an ordinary user without one.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use winddown_core::report::{Proof, Remains};
use winddown_sys::process::{Child, EnvChange, Exit, SpawnOptions, Stream};
use winddown_sys::tree::{self, Tree, TreeOptions};
use winddown_sys::{Waitable, wait_any};
use winddown_testkit::Census;

use super::{Forked, Line, WATCHDOG, fork};

/// Prints a line once it is there.
pub(crate) const LEAF: &str = "sh -c 'echo up; exec sleep 300'";

/// The same, once its main thread has ended; another one lives on.
pub(crate) const HEADLESS: &str = "python3 -c 'import ctypes, threading, time
def other():
    while open(\"/proc/self/stat\").read().split()[2] != \"Z\": time.sleep(0.01)
    print(\"up\", flush=True)
    time.sleep(300)
threading.Thread(target=other).start()
ctypes.CDLL(None).pthread_exit(None)'";

const NOBODY: u32 = 65534;

/// Runs `body` in a process of its own as this user, and once more as `nobody`, who may make no cgroup. At the end nothing of
/// what it started is left.
#[track_caller]
pub(crate) fn with_and_without_a_cgroup(body: impl Fn(&Nest)) {
    run(&body, false);
    if rustix::process::getuid().is_root() {
        run(&body, true);
    }
}

#[track_caller]
pub(crate) fn without_a_cgroup(body: impl Fn(&Nest)) {
    run(&body, rustix::process::getuid().is_root());
}

#[track_caller]
pub(crate) fn run(body: &impl Fn(&Nest), as_nobody: bool) {
    let census = Census::begin();
    begin(&census, as_nobody, |nest, _| {
        body(nest);
        assert_eq!(children(), "", "children are left");
    })
    .finish();
    census.assert_empty();
}

/// Starts `body` in a process of its own.
pub(crate) fn begin(
    census: &Census,
    as_nobody: bool,
    body: impl FnOnce(&Nest, &mut Line),
) -> Forked {
    let (name, mark) = census.variable();
    let mark = (name.into(), EnvChange::Set(mark.into()));
    fork(|line| {
        if as_nobody {
            become_nobody();
        }
        let nest = Nest {
            expects_cgroup: !as_nobody && can_make_cgroups(),
            mark: vec![mark],
        };
        body(&nest, line);
    })
}

fn become_nobody() {
    rustix::thread::set_thread_groups(&[]).unwrap();
    // SAFETY: the process has one thread.
    unsafe {
        assert_eq!(libc::setresgid(NOBODY, NOBODY, NOBODY), 0);
        assert_eq!(libc::setresuid(NOBODY, NOBODY, NOBODY), 0);
    }
    // Else /proc/self belongs to root until the next exec.
    set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
}

fn can_make_cgroups() -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let writable = |line: &str| line.contains(" - cgroup2 ") && line.contains(" rw,");
    rustix::process::getuid().is_root()
        && mounts.lines().any(writable)
        && !Path::new("/run/systemd/system").exists()
}

pub(crate) struct Nest {
    pub(crate) expects_cgroup: bool,
    pub(crate) mark: Vec<(OsString, EnvChange)>,
}

impl Nest {
    pub(crate) fn options(&self, script: &str) -> SpawnOptions {
        let mut options = SpawnOptions::new("sh", ["-c", script]);
        options.env.clone_from(&self.mark);
        options.directory = Some("/".into());
        options
    }

    /// Starts `script` in `tree` and waits until it has printed `lines` lines.
    pub(crate) fn start(&self, tree: &Tree, script: &str, lines: usize) -> Child {
        let mut options = self.options(script);
        options.stdout = Stream::Pipe;
        let mut child = tree.spawn(&options).unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        assert_eq!(output.lines().take(lines).count(), lines);
        child
    }

    /// The proof of the only tree.
    #[track_caller]
    pub(crate) fn assert_proven(&self, remains: &Remains) {
        let proof = match self.expects_cgroup {
            true => Proof::CgroupEmpty,
            false => Proof::NoChildren,
        };
        let expected = Remains {
            survivors: 0,
            proof,
        };
        assert_eq!(*remains, expected);
    }
}

pub(crate) fn new_tree() -> Tree {
    Tree::new(TreeOptions {
        name: "test".to_owned(),
        ..TreeOptions::default()
    })
    .unwrap()
}

/// Kills until nothing is left, and gives the proof.
#[track_caller]
pub(crate) fn kill(tree: &Tree) -> Remains {
    let start = Instant::now();
    loop {
        tree.kill().unwrap();
        if tree.is_empty().unwrap() {
            return tree.proof();
        }
        assert!(start.elapsed() < WATCHDOG, "{:?}", tree.proof());
        let left = tree.remaining();
        let left: Vec<&dyn Waitable> = left.iter().map(|left| left as &dyn Waitable).collect();
        wait_any(&left, Some(Duration::from_millis(5)));
    }
}

/// Reaps until this process has no child left: the kernel calls a cgroup empty a moment before its last member can be reaped.
#[track_caller]
pub(crate) fn reap_all() -> Vec<(u32, Exit)> {
    let start = Instant::now();
    let mut reaped = tree::reap();
    while !children().is_empty() {
        assert!(start.elapsed() < WATCHDOG, "left: {}", children());
        std::thread::yield_now();
        reaped.extend(tree::reap());
    }
    reaped
}

pub(crate) fn children() -> String {
    let own = std::process::id();
    fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap()
}

#[track_caller]
pub(crate) fn end_of(child: &Child) -> Exit {
    let ended = wait_any(&[child], Some(WATCHDOG));
    assert_eq!(ended, [true], "{} did not end", child.pid());
    child.try_wait().unwrap().unwrap()
}
