//! Several trees in one process: what ends in one does not touch the others, with a cgroup for each and without any.
#![cfg(target_os = "linux")]

mod linux_support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use linux_support::nest::{
    HEADLESS, LEAF, Nest, children, end_of, kill, new_tree, reap_all, with_and_without_a_cgroup,
    without_a_cgroup,
};
use winddown_core::Signal;
use winddown_core::report::{Proof, Remains};
use winddown_sys::process::{Exit, SpawnOptions};
use winddown_sys::tree::Tree;

/// A daemon of which nothing tells whose it is, unless it is seen while its parent lives.
const NAMELESS: &str = "env -i setsid sh -c 'echo up; exec sleep 30'";

fn proven(proof: Proof) -> Remains {
    Remains {
        survivors: 0,
        proof,
    }
}

/// The proof of one tree among several.
fn proof_beside_others(nest: &Nest) -> Remains {
    proven(match nest.expects_cgroup {
        true => Proof::CgroupEmpty,
        false => Proof::OthersOnly,
    })
}

#[track_caller]
fn pids(tree: &Tree) -> Vec<u32> {
    let members = tree.members().unwrap();
    members.iter().map(|member| member.pid).collect()
}

/// WD-96: a daemon that has lost its parent is of the tree that it was started in.
#[test]
fn wd_96_an_orphan_stays_in_its_tree() {
    with_and_without_a_cgroup(|nest| {
        let (one, other) = (new_tree(), new_tree());
        let daemon = format!("(setsid {LEAF} &)");
        end_of(&nest.start(&one, &daemon, 1));
        end_of(&nest.start(&other, &daemon, 1));
        let (of_one, of_other) = (pids(&one), pids(&other));
        assert_eq!((of_one.len(), of_other.len()), (1, 1));
        assert_ne!(of_one, of_other);

        assert_eq!(kill(&one), proof_beside_others(nest));
        assert_eq!(pids(&other), of_other);
        assert!(!other.is_empty().unwrap());
        nest.assert_proven(&kill(&other));
        reap_all();
    });
}

/// WD-96: what asks one tree to stop is not heard in another.
#[test]
fn wd_96_a_signal_stays_in_its_tree() {
    with_and_without_a_cgroup(|nest| {
        let (one, other) = (new_tree(), new_tree());
        let script = format!("(setsid {LEAF} &); exec {LEAF}");
        let of_one = nest.start(&one, &script, 2);
        let of_other = nest.start(&other, &script, 2);
        one.signal(Signal::Term).unwrap();
        assert_eq!(end_of(&of_one).to_string(), "SIGTERM");
        assert_eq!(of_other.try_wait().unwrap(), None);
        assert_eq!(pids(&other).len(), 2);
        kill(&one);
        kill(&other);
        end_of(&of_other);
        reap_all();
    });
}

/// A hundred services with a daemon each, and one that is stopped among them, again and again.
#[test]
fn wd_96_a_hundred_trees_are_told_apart() {
    with_and_without_a_cgroup(|nest| {
        let trees: Vec<Tree> = (0..100).map(|_| new_tree()).collect();
        for tree in &trees {
            end_of(&nest.start(tree, &format!("(setsid {LEAF} &)"), 1));
        }
        for (stopped, tree) in trees.iter().enumerate() {
            let remains = kill(tree);
            match stopped {
                99 => nest.assert_proven(&remains),
                _ => assert_eq!(remains, proof_beside_others(nest)),
            }
            let left = trees.iter().filter(|tree| !tree.is_empty().unwrap());
            assert_eq!(left.count(), 99 - stopped);
        }
        reap_all();
    });
}

#[test]
fn a_tree_that_was_empty_can_be_used_again() {
    with_and_without_a_cgroup(|nest| {
        let (tree, other) = (new_tree(), new_tree());
        let beside = nest.start(&other, &format!("exec {LEAF}"), 1);
        for _ in 0..3 {
            assert!(tree.is_empty().unwrap());
            end_of(&nest.start(&tree, &format!("(setsid {LEAF} &)"), 1));
            assert!(!tree.is_empty().unwrap());
            assert_eq!(kill(&tree), proof_beside_others(nest));
        }
        kill(&other);
        end_of(&beside);
        reap_all();
    });
}

/// For a moment nothing of its environment can be read.
#[test]
fn wd_71_a_program_that_becomes_another_is_not_overlooked() {
    without_a_cgroup(|nest| {
        let (tree, other) = (new_tree(), new_tree());
        let beside = nest.start(&other, &format!("exec {LEAF}"), 1);
        let again = r#"[ $1 = 20 ] && echo up; [ $1 -gt 0 ] && exec sh -c "$0" "$0" $(($1-1)); exec sleep 300"#;
        let daemon = format!("(setsid sh -c '{again}' '{again}' 20 &)");
        // What was found once is known.
        for _ in 0..50 {
            end_of(&nest.start(&tree, &daemon, 1));
            assert!(!tree.is_empty().unwrap());
            assert_eq!(kill(&tree), proof_beside_others(nest));
        }
        kill(&other);
        end_of(&beside);
        reap_all();
    });
}

/// What its user may execute and not read shows nobody its environment, as a setuid program does.
#[test]
fn wd_71_a_daemon_that_cannot_be_looked_into_goes() {
    let directory = tempfile::tempdir().unwrap();
    let shell = directory.path().join("sh");
    fs::copy("/bin/sh", &shell).unwrap();
    for (path, mode) in [(directory.path(), 0o755), (&*shell, 0o711)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    let daemon = format!("(setsid {} -c 'echo up; kill -STOP $$' &)", shell.display());
    without_a_cgroup(|nest| {
        let tree = new_tree();
        end_of(&nest.start(&tree, &daemon, 1));
        assert!(!tree.is_empty().unwrap());
        nest.assert_proven(&kill(&tree));
        reap_all();
    });
}

/// A kill of a cgroup passes by a process whose main thread has ended, and its environment is not where others have theirs.
#[test]
fn wd_91_a_daemon_without_its_main_thread_goes() {
    with_and_without_a_cgroup(|nest| {
        let (tree, other) = (new_tree(), new_tree());
        let beside = nest.start(&other, &format!("exec {LEAF}"), 1);
        end_of(&nest.start(&tree, &format!("(setsid {HEADLESS} &)"), 1));
        assert_eq!(pids(&tree).len(), 1);
        assert_eq!(kill(&tree), proof_beside_others(nest));
        kill(&other);
        end_of(&beside);
        reap_all();
    });
}

/// As a check is that is under way when its service stops.
#[test]
fn wd_91_a_daemon_without_its_main_thread_goes_with_a_tree_that_is_given_up() {
    with_and_without_a_cgroup(|nest| {
        let tree = new_tree();
        end_of(&nest.start(&tree, &format!("(setsid {HEADLESS} &)"), 1));
        tree.kill().unwrap();
        drop(tree);
        reap_all();
    });
}

/// Its mark is gone, but it was there when its tree was looked at.
#[test]
fn what_was_seen_is_known_without_its_mark() {
    without_a_cgroup(|nest| {
        let (tree, other) = (new_tree(), new_tree());
        let leader = nest.start(&tree, &format!("{NAMELESS} & exec sleep 300"), 1);
        let beside = nest.start(&other, &format!("exec {LEAF}"), 1);
        assert_eq!(pids(&tree).len(), 2);
        leader.signal(Signal::Kill).unwrap();
        end_of(&leader);
        assert_eq!(pids(&tree).len(), 1);
        assert_eq!(kill(&tree), proven(Proof::OthersOnly));
        kill(&other);
        end_of(&beside);
        reap_all();
    });
}

/// Its mark is gone, but not its session.
#[test]
fn what_shares_a_session_is_known_without_its_mark() {
    without_a_cgroup(|nest| {
        let (tree, other) = (new_tree(), new_tree());
        let beside = nest.start(&other, &format!("exec {LEAF}"), 1);
        let daemon = "(env -i sh -c 'echo up; exec sleep 300' &)";
        end_of(&nest.start(&tree, daemon, 1));
        assert_eq!(pids(&tree).len(), 1);
        assert_eq!(kill(&tree), proven(Proof::OthersOnly));
        kill(&other);
        end_of(&beside);
        reap_all();
    });
}

/// WD-71: what cannot be told is named, and goes with the last tree.
#[test]
fn wd_71_a_stray_is_named_and_killed_in_the_end() {
    without_a_cgroup(|nest| {
        let (tree, other) = (new_tree(), new_tree());
        let beside = nest.start(&other, &format!("exec {LEAF}"), 1);
        end_of(&nest.start(&tree, &format!("({NAMELESS} &)"), 1));

        let Remains { survivors, proof } = kill(&tree);
        assert_eq!(survivors, 0);
        let why = proof.to_string();
        let named = why.contains("nothing tells of which tree these are: s");
        assert!(!proof.is_proven() && named, "{why}");
        assert!(!children().is_empty());

        nest.assert_proven(&kill(&other));
        end_of(&beside);
        reap_all();
        nest.assert_proven(&tree.proof());
    });
}

/// So that nothing is left at the end, even of a tree that was given up.
#[test]
fn what_a_dropped_tree_leaves_goes_with_the_last() {
    without_a_cgroup(|nest| {
        let (given_up, tree) = (new_tree(), new_tree());
        end_of(&nest.start(&given_up, &format!("(setsid {LEAF} &)"), 1));
        assert_eq!(pids(&given_up).len(), 1);
        drop(given_up);
        let leader = nest.start(&tree, &format!("exec {LEAF}"), 1);
        assert_eq!(pids(&tree).len(), 2);
        nest.assert_proven(&kill(&tree));
        end_of(&leader);
        reap_all();
    });
}

/// A tree of a program that itself is in a tree, as of one winddown that another one runs.
#[test]
fn wd_96_trees_in_trees_are_found_by_the_outer_one() {
    without_a_cgroup(|nest| {
        let (tree, other) = (new_tree(), new_tree());
        let beside = nest.start(&other, &format!("exec {LEAF}"), 1);
        // What the inner one sets for its own tree, whose process is then left to us.
        let inner =
            "(WINDDOWN_TREE=$WINDDOWN_TREE:00ff.1 setsid sh -c 'echo up; exec sleep 300' &)";
        end_of(&nest.start(&tree, inner, 1));
        assert_eq!(pids(&tree).len(), 1);
        kill(&tree);
        kill(&other);
        end_of(&beside);
        reap_all();
    });
}

/// Beside a tree, a program that is started into none is not counted.
#[test]
fn a_failed_start_leaves_a_tree_empty() {
    with_and_without_a_cgroup(|nest| {
        let (tree, other) = (new_tree(), new_tree());
        let beside = nest.start(&other, &format!("exec {LEAF}"), 1);
        let missing = SpawnOptions::new("no-such-program", [""; 0]);
        assert!(tree.spawn(&missing).is_err());
        let mut unusable = SpawnOptions::new("true", [""; 0]);
        unusable.directory = Some("/no/such/directory".into());
        assert!(tree.spawn(&unusable).is_err());
        assert!(tree.is_empty().unwrap());
        let ended = nest.start(&tree, "echo up", 1);
        assert_eq!(end_of(&ended), Exit::Code(0));
        assert!(tree.is_empty().unwrap());
        kill(&other);
        end_of(&beside);
        reap_all();
    });
}
