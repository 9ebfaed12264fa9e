//! Everything that descends from a child, as root with a cgroup and as an ordinary user without.
#![cfg(target_os = "linux")]

mod linux_support;

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use linux_support::nest::{
    LEAF, Nest, end_of, kill, new_tree, reap_all, run, with_and_without_a_cgroup, without_a_cgroup,
};
use linux_support::{WATCHDOG, fork, ignore};
use winddown_core::Signal;
use winddown_core::report::Proof;
use winddown_sys::process::{Child, EnvChange, Exit, SpawnOptions, Stream, spawn};
use winddown_sys::tree::Tree;
use winddown_testkit::Census;

/// WD-91: the leader dies of TERM, and the kill goes on until the rest is gone.
#[track_caller]
fn nothing_outlives(script: &str) {
    with_and_without_a_cgroup(|nest| {
        let tree = new_tree();
        let leader = nest.start(&tree, script, 1);
        leader.signal(Signal::Term).unwrap();
        end_of(&leader);
        let left = tree.members().unwrap();
        assert!(!left.is_empty(), "the descendant is gone already");
        assert!(!tree.is_empty().unwrap());
        let remains = tree.proof();
        assert_eq!(remains.survivors as usize, left.len(), "{remains:?}");
        nest.assert_proven(&kill(&tree));
        assert_eq!(tree.members().unwrap(), []);
        // What forked and ended before may be among them.
        let exits: Vec<String> = reap_all()
            .iter()
            .map(|(_, exit)| exit.to_string())
            .collect();
        assert!(exits.iter().any(|exit| exit == "SIGKILL"), "{exits:?}");
    });
}

#[test]
fn wd_91_a_forked_child_goes() {
    nothing_outlives(&format!("{LEAF} & wait"));
}

#[test]
fn wd_91_a_double_fork_goes() {
    nothing_outlives(&format!("({LEAF} &); exec sleep 300"));
}

#[test]
fn wd_91_a_daemon_in_its_own_session_goes() {
    nothing_outlives(&format!("(setsid {LEAF} &); exec sleep 300"));
}

#[test]
fn wd_91_a_forked_child_that_ignores_term_goes() {
    nothing_outlives(&format!("(trap '' TERM; {LEAF}) & wait"));
}

#[test]
fn wd_91_a_daemon_that_ignores_term_goes() {
    nothing_outlives(&format!("(trap '' TERM; setsid {LEAF} &); exec sleep 300"));
}

#[test]
fn wd_91_a_stopped_descendant_goes() {
    nothing_outlives("(setsid sh -c 'echo up; kill -STOP $$' &); exec sleep 300");
}

/// The leader has ended of itself; its daemon is ours to find.
#[test]
fn wd_91_what_a_leader_left_behind_goes() {
    with_and_without_a_cgroup(|nest| {
        let tree = new_tree();
        let leader = nest.start(&tree, &format!("(setsid {LEAF} &)"), 1);
        assert_eq!(end_of(&leader), Exit::Code(0));
        let members = tree.members().unwrap();
        assert_eq!(members.len(), 1);
        assert_eq!(members[0].ppid, std::process::id());
        nest.assert_proven(&kill(&tree));
        let reaped = reap_all();
        assert_eq!(reaped.len(), 1);
        assert_eq!(reaped[0].1.to_string(), "SIGKILL");
    });
}

/// Four lineages, each of which forks its successor into a session of its own and ends, without end.
#[test]
fn wd_91_what_forks_while_it_is_killed_goes() {
    with_and_without_a_cgroup(|nest| {
        let tree = new_tree();
        let again = "echo up; setsid sh -c \"$AGAIN\" &";
        let mut options = nest.options("for i in 1 2 3 4; do setsid sh -c \"$AGAIN\" & done");
        options
            .env
            .push(("AGAIN".into(), EnvChange::Set(again.into())));
        options.stdout = Stream::Pipe;
        let mut leader = tree.spawn(&options).unwrap();
        let output = BufReader::new(leader.stdout.take().unwrap());
        let mut lines = output.lines();
        assert_eq!(lines.by_ref().take(40).count(), 40);
        nest.assert_proven(&kill(&tree));
        end_of(&leader);
        // Whoever could still fork has the pipe open.
        assert!(lines.all(|line| line.is_ok()));
        reap_all();
    });
}

#[test]
fn wd_91_a_hundred_daemons_go() {
    with_and_without_a_cgroup(|nest| {
        let tree = new_tree();
        let script = format!("i=0; while [ $i -lt 100 ]; do setsid {LEAF} & i=$((i+1)); done");
        let leader = nest.start(&tree, &script, 100);
        end_of(&leader);
        assert_eq!(tree.members().unwrap().len(), 100);
        let remains = tree.proof();
        assert_eq!(remains.survivors, 100);
        let proof = remains.proof.to_string();
        assert!(proof.contains("and 95 more"), "{proof}");
        nest.assert_proven(&kill(&tree));
        assert_eq!(reap_all().len(), 100);
    });
}

#[test]
fn a_signal_reaches_every_member() {
    with_and_without_a_cgroup(|nest| {
        let tree = new_tree();
        let script = format!("{LEAF} & (setsid {LEAF} &) ; exec sh -c 'echo up; exec sleep 300'");
        let leader = nest.start(&tree, &script, 3);
        tree.signal(Signal::Term).unwrap();
        assert_eq!(end_of(&leader).to_string(), "SIGTERM");
        let orphans = reap_all();
        assert_eq!(orphans.len(), 2);
        assert!(
            orphans
                .iter()
                .all(|(_, exit)| exit.to_string() == "SIGTERM")
        );
        nest.assert_proven(&tree.proof());
    });
}

#[test]
fn an_empty_tree_is_empty() {
    with_and_without_a_cgroup(|nest| {
        let tree = new_tree();
        nest.assert_proven(&tree.proof());
        nest.assert_proven(&kill(&tree));
        tree.signal(Signal::Term).unwrap();
        assert!(
            tree.spawn(&SpawnOptions::new("no-such-program", [""; 0]))
                .is_err()
        );
        nest.assert_proven(&tree.proof());
    });
}

/// The directory of the cgroup that a shell is in.
const OWN_GROUP: &str = "$(grep ' - cgroup2 ' /proc/self/mountinfo | cut -d' ' -f5 | head -n1)\
    $(grep ^0:: /proc/self/cgroup | cut -d: -f3)";

/// Starts `script`, whose first line is the directory of a cgroup.
#[track_caller]
fn start_in_a_group(nest: &Nest, tree: &Tree, script: &str) -> (Child, PathBuf) {
    let mut options = nest.options(script);
    options.stdout = Stream::Pipe;
    let mut child = tree.spawn(&options).unwrap();
    let mut group = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut group)
        .unwrap();
    (child, group.trim_end().into())
}

/// Groups of groups are removed with the tree that holds them.
#[test]
fn a_cgroup_is_removed_with_its_tree() {
    run(
        &|nest: &Nest| {
            if !nest.expects_cgroup {
                return;
            }
            let tree = new_tree();
            let script = format!(
                "d={OWN_GROUP}; mkdir $d/below; echo $$ > $d/below/cgroup.procs; echo $d; exec sleep 300"
            );
            let (child, group) = start_in_a_group(nest, &tree, &script);
            assert!(group.join("below").is_dir(), "{group:?}");
            assert_eq!(tree.members().unwrap().len(), 1);
            nest.assert_proven(&kill(&tree));
            end_of(&child);
            drop(tree);
            assert!(!group.exists());
        },
        false,
    );
}

/// As that of a check which is under way when its service ends.
#[test]
fn a_cgroup_that_was_not_empty_when_its_tree_was_dropped_is_removed_later() {
    run(
        &|nest: &Nest| {
            if !nest.expects_cgroup {
                return;
            }
            let (_other, tree) = (new_tree(), new_tree());
            let script = format!("echo {OWN_GROUP}; exec sleep 300");
            let (child, group) = start_in_a_group(nest, &tree, &script);
            drop(tree);
            child.signal(Signal::Kill).unwrap();
            end_of(&child);
            assert!(group.is_dir(), "{group:?}");
            let _next = new_tree();
            assert!(!group.exists());
        },
        false,
    );
}

/// Children from before, and those started beside the tree, are neither counted nor killed.
#[test]
fn other_children_are_left_alone() {
    without_a_cgroup(|nest| {
        let mut sleep = SpawnOptions::new("sleep", ["300"]);
        sleep.env.clone_from(&nest.mark);
        // As if this process had been put in the place of one with children.
        let mut before = std::process::Command::new("sleep");
        let EnvChange::Set(mark) = &nest.mark[0].1 else {
            unreachable!()
        };
        let mut before = before
            .arg("300")
            .env(&nest.mark[0].0, mark)
            .spawn()
            .unwrap();
        let tree = new_tree();
        let beside = spawn(&sleep).unwrap();
        let member = tree.spawn(&sleep).unwrap();
        assert_eq!(tree.members().unwrap().len(), 1);

        let remains = kill(&tree);
        assert_eq!(end_of(&member).to_string(), "SIGKILL");
        assert_eq!((remains.survivors, remains.proof), (0, Proof::OthersOnly));
        assert_eq!(beside.try_wait().unwrap(), None);
        assert_eq!(before.try_wait().unwrap(), None);

        before.kill().unwrap();
        before.wait().unwrap();
        beside.kill().unwrap();
        end_of(&beside);
        nest.assert_proven(&tree.proof());
    });
}

#[test]
fn listening_members_are_seen() {
    with_and_without_a_cgroup(|nest| {
        let tree = new_tree();
        let v4 = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = v4.local_addr().unwrap();
        let mut options = nest.options(&format!("exec {LEAF}"));
        options.stdout = Stream::Pipe;
        options.pass_fds = vec![(OwnedFd::from(v4), 3)];
        let leader = tree.spawn(&options).unwrap();
        // The parent's copy is closed, so it is the member's alone.
        drop(options);
        assert_eq!(tree.listening(), [address]);
        nest.assert_proven(&kill(&tree));
        end_of(&leader);
        assert_eq!(tree.listening(), []);
    });
}

#[test]
fn processor_time_is_counted() {
    with_and_without_a_cgroup(|nest| {
        let tree = new_tree();
        let leader = nest.start(&tree, "(while :; do :; done) & echo up; exec sleep 300", 1);
        let start = Instant::now();
        while tree.cpu_time().unwrap() < Duration::from_millis(30) {
            assert!(start.elapsed() < WATCHDOG);
            std::thread::yield_now();
        }
        nest.assert_proven(&kill(&tree));
        end_of(&leader);
        reap_all();
    });
}

/// Exit statuses are not lost to a parent that had SIGCHLD ignored.
#[test]
fn an_inherited_ignored_sigchld_loses_no_exit() {
    without_a_cgroup(|nest| {
        ignore(&[Signal::Chld]);
        let child = spawn(&nest.options("exit 3")).unwrap();
        assert_eq!(end_of(&child), Exit::Code(3));
    });
}

/// The parent is killed at any moment of the child's start; no child outlives it.
#[test]
fn a_child_dies_with_its_parent() {
    let census = Census::begin();
    let (name, mark) = census.variable();
    for round in 0..40 {
        let mut options = SpawnOptions::new("sleep", ["300"]);
        options.env = vec![(name.into(), EnvChange::Set(mark.into()))];
        options.die_with_parent = true;
        fork(|_| {
            let own = rustix::process::getpid();
            let child = std::thread::spawn(move || {
                let _child = spawn(&options);
                // The thread must not end before the process: it is the parent.
                loop {
                    std::thread::park();
                }
            });
            for _ in 0..round * 50 {
                std::thread::yield_now();
            }
            let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
            let _ = child.join();
        })
        .end();
    }
    census.assert_empty();
}
