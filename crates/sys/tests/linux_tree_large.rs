//! Trees of many processes, and trees that grow while they are killed.
#![cfg(target_os = "linux")]

mod linux_support;

use std::time::{Duration, Instant};

use linux_support::nest::{children, end_of, kill, new_tree, reap_all, with_and_without_a_cgroup};
use winddown_core::Signal;
use winddown_sys::process::EnvChange;

/// WD-91, with processes that all ignore the request.
#[test]
fn wd_91_a_stubborn_tree_of_five_hundred_goes() {
    with_and_without_a_cgroup(|nest| {
        let tree = new_tree();
        let script = "trap '' TERM HUP INT; i=1; while [ $i -lt 500 ]; do sleep 300 & i=$((i+1)); done; echo up; wait";
        let leader = nest.start(&tree, script, 1);
        tree.signal(Signal::Term).unwrap();
        assert_eq!(tree.members().unwrap().len(), 500);
        nest.assert_proven(&kill(&tree));
        end_of(&leader);
        reap_all();
    });
}

/// WD-91: none has a parent, or a session, in common with another.
#[test]
fn wd_91_a_thousand_daemons_go() {
    with_and_without_a_cgroup(|nest| {
        let tree = new_tree();
        let script = "i=0; while [ $i -lt 1000 ]; do setsid sleep 300 & i=$((i+1)); done; echo up";
        end_of(&nest.start(&tree, script, 1));
        assert_eq!(tree.members().unwrap().len(), 1000);
        nest.assert_proven(&kill(&tree));
        assert_eq!(reap_all().len(), 1000);
    });
}

/// 64 lineages, each of which forks its successor into a session of its own and ends, as fast as it can: with a cgroup they
/// are ended. Without one a walk may lose against them; then what is left is named, and nothing is called proven.
#[test]
fn wd_71_a_fork_bomb_is_ended_or_named() {
    with_and_without_a_cgroup(|nest| {
        let fuse = tempfile::NamedTempFile::new_in("/tmp").unwrap();
        let tree = new_tree();
        let mut options =
            nest.options("i=0; while [ $i -lt 16 ]; do setsid sh -c \"$AGAIN\" & i=$((i+1)); done");
        let again = "[ -e $FUSE ] && setsid sh -c \"$AGAIN\" &";
        let set = |value: &std::ffi::OsStr| EnvChange::Set(value.to_owned());
        options.env.push(("AGAIN".into(), set(again.as_ref())));
        options
            .env
            .push(("FUSE".into(), set(fuse.path().as_os_str())));
        let leader = tree.spawn(&options).unwrap();
        end_of(&leader);
        if nest.expects_cgroup {
            nest.assert_proven(&kill(&tree));
        } else {
            let start = Instant::now();
            while !tree.is_empty().unwrap() && start.elapsed() < Duration::from_secs(1) {
                tree.kill().unwrap();
            }
            let remains = tree.proof();
            assert_eq!(
                remains.proof.is_proven(),
                children().is_empty(),
                "{remains:?}"
            );
        }
        drop(fuse);
        nest.assert_proven(&kill(&tree));
        reap_all();
    });
}
