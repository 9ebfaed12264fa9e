//! A supervisor that is killed with SIGKILL: nothing of what it started outlives it.
#![cfg(target_os = "linux")]

mod linux_support;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use linux_support::nest::{
    HEADLESS, LEAF, Nest, begin, children, end_of, new_tree, with_and_without_a_cgroup,
};
use linux_support::{Forked, Line, WATCHDOG, fork};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, getsid, pidfd_open, pidfd_send_signal};
use winddown_core::Signal;
use winddown_sys::guard::Guard;
use winddown_sys::{Error, signal};
use winddown_testkit::Census;

/// Starts `body` with a guard, as this user and as `nobody`, and kills it once it has said `ready`. Nothing it started is left.
#[track_caller]
fn killed(body: impl Fn(&Nest, &mut Line)) {
    let is_root = rustix::process::getuid().is_root();
    for as_nobody in [false, true].into_iter().filter(|other| is_root || !other) {
        let census = Census::begin();
        let mut holder = held(&census, as_nobody, &body);
        holder.expect("ready");
        let group = group_of(holder.pid());
        assert_eq!(group.is_some(), is_root && !as_nobody);
        holder.send(Signal::Kill);
        assert!(holder.end().terminating_signal().is_some());
        census.assert_empty();
        wait_until("its cgroup is removed", || {
            !group.as_ref().is_some_and(|group| group.exists())
        });
    }
}

fn held(census: &Census, as_nobody: bool, body: impl Fn(&Nest, &mut Line)) -> Forked {
    begin(census, as_nobody, |nest, line| {
        let _guard = Guard::start().unwrap();
        body(nest, line);
        line.say("ready");
        line.hear();
    })
}

/// The cgroup that the process made for its trees.
fn group_of(pid: u32) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let directory = PathBuf::from(mount.split(' ').nth(4)?).join(own);
    let wanted = format!("winddown-{pid}-");
    let mut entries = fs::read_dir(directory).ok()?.flatten();
    let entry = entries.find(|entry| entry.file_name().to_string_lossy().starts_with(&wanted));
    entry.map(|entry| entry.path())
}

#[track_caller]
fn wait_until(what: &str, is: impl Fn() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < WATCHDOG, "not in time: {what}");
        std::thread::yield_now();
    }
}

/// The guard of this process.
fn guard() -> u32 {
    let name = |pid: &str| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    let children = children();
    let mut pids = children.split_whitespace();
    let guard = pids.find(|pid| name(pid) == "winddown-guard\n");
    guard.expect("there is a guard").parse().unwrap()
}

/// WD-97, for each shape of a tree of which all peers leave something behind.
#[test]
fn wd_97_no_shape_of_a_tree_outlives_a_killed_supervisor() {
    for script in [
        format!("exec {LEAF}"),
        format!("{LEAF} & wait"),
        format!("({LEAF} &); exec sleep 300"),
        format!("(setsid {LEAF} &); exec sleep 300"),
        format!("(trap '' TERM HUP; {LEAF}) & wait"),
        format!("(trap '' TERM HUP; setsid {LEAF} &); exec sleep 300"),
        "(setsid sh -c 'echo up; kill -STOP $$' &); exec sleep 300".to_owned(),
        format!("(setsid {HEADLESS} &); exec sleep 300"),
    ] {
        killed(|nest, _| {
            let tree = new_tree();
            nest.start(&tree, &script, 1);
            std::mem::forget(tree);
        });
    }
}

#[test]
fn wd_97_many_trees_go_with_a_killed_supervisor() {
    killed(|nest, _| {
        for _ in 0..20 {
            let tree = new_tree();
            nest.start(&tree, &format!("(setsid {LEAF} &); exec {LEAF}"), 2);
            std::mem::forget(tree);
        }
    });
}

/// Four lineages that fork into new sessions without end.
#[test]
fn wd_97_what_forks_while_it_is_killed_goes_too() {
    killed(|nest, _| {
        let tree = new_tree();
        let script = "AGAIN='echo up; setsid sh -c \"$AGAIN\" &'; export AGAIN; \
            for i in 1 2 3 4; do setsid sh -c \"$AGAIN\" & done";
        nest.start(&tree, script, 40);
        std::mem::forget(tree);
    });
}

/// The kernel kills a child, whatever its environment says.
#[test]
fn wd_97_a_child_without_its_mark_goes_with_a_killed_supervisor() {
    let census = Census::begin();
    let is_root = rustix::process::getuid().is_root();
    let mut holder = held(&census, is_root, |nest, line| {
        let tree = new_tree();
        let child = nest.start(&tree, "exec env -i sh -c 'echo up; exec sleep 30'", 1);
        line.say(child.pid());
        std::mem::forget(tree);
    });
    let child = Ending::of(holder.hear().parse().unwrap());
    holder.expect("ready");
    holder.send(Signal::Kill);
    holder.end();
    assert!(child.comes());
    census.assert_empty();
}

/// The limit that is documented: without a cgroup, no mark and no parent.
#[test]
fn what_no_guard_can_know_is_left_without_a_cgroup() {
    let census = Census::begin();
    let is_root = rustix::process::getuid().is_root();
    let mut holder = held(&census, is_root, |nest, line| {
        let tree = new_tree();
        let daemon = "(env -i setsid sh -c 'echo $$; exec sleep 30' &)";
        let mut options = nest.options(daemon);
        options.stdout = winddown_sys::process::Stream::Pipe;
        let mut leader = tree.spawn(&options).unwrap();
        let mut pid = String::new();
        let output = leader.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut pid).unwrap();
        end_of(&leader);
        line.say(pid.trim_end());
        line.say(guard());
        std::mem::forget(tree);
    });
    let daemon = Ending::of(holder.hear().parse().unwrap());
    let guard = Ending::of(holder.hear().parse().unwrap());
    holder.expect("ready");
    holder.send(Signal::Kill);
    holder.end();
    assert!(guard.comes());
    assert!(!daemon.has_come());
    pidfd_send_signal(&daemon.0, rustix::process::Signal::KILL).unwrap();
    assert!(daemon.comes());
}

/// A process that is watched until it ends.
struct Ending(std::os::fd::OwnedFd);

impl Ending {
    fn of(pid: i32) -> Self {
        Self(pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap())
    }

    fn comes(&self) -> bool {
        let timeout = Timespec::try_from(WATCHDOG).unwrap();
        poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&timeout)).unwrap() == 1
    }

    fn has_come(&self) -> bool {
        let now = Timespec::default();
        poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&now)).unwrap() == 1
    }
}

/// No proof counts the guard, and what it leaves alone lives.
#[test]
fn wd_97_a_guard_is_in_no_census_and_leaves_when_told_to() {
    with_and_without_a_cgroup(|nest| {
        let guard = Guard::start().unwrap();
        let tree = new_tree();
        nest.assert_proven(&tree.proof());
        let leader = nest.start(&tree, &format!("exec {LEAF}"), 1);
        assert_eq!(tree.members().unwrap().len(), 1);
        guard.dismiss();
        assert_eq!(children().trim(), leader.pid().to_string());
        assert_eq!(leader.try_wait().unwrap(), None);
        nest.assert_proven(&linux_support::nest::kill(&tree));
        end_of(&leader);
    });
}

/// It hears no signal, holds nothing open, and no terminal reaches it.
#[test]
fn a_guard_is_by_itself() {
    with_and_without_a_cgroup(|_| {
        let started = Guard::start().unwrap();
        let pid = guard();
        let process = Pid::from_raw(pid as i32).unwrap();
        wait_until("it is set up", || {
            fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() == 1
        });
        assert_eq!(getsid(Some(process)), Ok(process));
        for signal in [Signal::Term, Signal::Int, Signal::Hup, Signal::Usr1] {
            signal::send(pid, signal).unwrap();
        }
        assert_eq!(guard(), pid);
        started.dismiss();
        assert_eq!(children(), "");
    });
}

/// For a supervisor that gives up.
#[test]
fn wd_97_a_guard_that_is_dropped_kills_what_is_left() {
    with_and_without_a_cgroup(|nest| {
        let guard = Guard::start().unwrap();
        let tree = new_tree();
        let leader = nest.start(&tree, &format!("(setsid {LEAF} &); exec {LEAF}"), 2);
        drop(guard);
        assert_eq!(end_of(&leader).to_string(), "SIGKILL");
        linux_support::nest::reap_all();
    });
}

/// A fork of one thread of many would inherit the locks of the others.
#[test]
fn a_guard_is_refused_beside_other_threads() {
    fork(|_| {
        std::thread::scope(|scope| {
            let (done, wait) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || wait.recv());
            let refused = Guard::start();
            assert!(
                matches!(refused, Err(Error::Unsupported { .. })),
                "{refused:?}"
            );
            drop(done);
        });
    })
    .finish();
}

/// Supervisor and guard are killed both; the next one cleans up.
#[test]
fn an_abandoned_cgroup_is_removed_by_the_next_supervisor() {
    let census = Census::begin();
    let mut holder = held(&census, false, |nest, line| {
        let tree = new_tree();
        end_of(&nest.start(&tree, "echo up", 1));
        line.say(guard());
        std::mem::forget(tree);
    });
    let guard: u32 = holder.hear().parse().unwrap();
    holder.expect("ready");
    let group = group_of(holder.pid());
    let ending = Ending::of(guard as i32);
    signal::send(guard, Signal::Kill).unwrap();
    assert!(ending.comes());
    holder.send(Signal::Kill);
    holder.end();
    if let Some(group) = group {
        assert!(group.is_dir());
        let mut other = held(&census, false, |_, _| drop(new_tree()));
        other.expect("ready");
        wait_until("the guard has cleaned up", || !group.exists());
        let kept = group_of(other.pid()).unwrap();
        // That of a live one stays.
        let mut third = held(&census, false, |_, _| drop(new_tree()));
        third.expect("ready");
        assert!(kept.is_dir());
        third.say("end");
        third.finish();
        other.say("end");
        other.finish();
        assert!(!kept.exists());
    }
    census.assert_empty();
}
