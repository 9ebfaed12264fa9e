//! Programs that may outlive their tree: an updater that stops the very service that started it (nssm #22).
#![cfg(target_os = "linux")]

mod linux_support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use linux_support::WATCHDOG;
use linux_support::nest::{
    LEAF, Nest, children, end_of, kill, new_tree, reap_all, with_and_without_a_cgroup,
};
use tempfile::TempDir;
use winddown_core::Signal;
use winddown_core::report::Proof;
use winddown_sys::process::{EnvChange, Exit};
use winddown_sys::tree::{self, Tree, TreeOptions};

const NAME: &str = "winddown-updater-of-tests";

/// It works in a process of its own.
const UPDATER: &str = "#!/bin/sh\nsh ${0%/*}/worker $0 & wait\n";

/// Works until the updater's file has gone. Starts a daemon when it is asked for one, whose pid is in a file then.
const WORKER: &str = r#"
echo up
while [ -e $1 ]; do
    if [ -e $1.ask ]; then
        read how <$1.ask; rm $1.ask
        ($how sh -c 'echo $$ >$0.new; mv $0.new $0.daemon; while [ -e $0 ]; do sleep 0.01; done' $1 &)
    fi
    sleep 0.01
done
"#;

/// Has the updater start a daemon by way of `how`, and gives its pid.
#[track_caller]
fn ask_for_a_daemon(directory: &TempDir, how: &str) -> String {
    let [new, ask, daemon] =
        ["new", "ask", "daemon"].map(|end| directory.path().join(format!("{NAME}.{end}")));
    fs::write(&new, format!("{how}\n")).unwrap();
    fs::rename(&new, ask).unwrap();
    let start = std::time::Instant::now();
    loop {
        if let Ok(pid) = fs::read_to_string(&daemon) {
            return pid.trim().to_owned();
        }
        assert!(start.elapsed() < WATCHDOG, "there is no daemon");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// A tree, and a script in a directory of its own that may outlive it.
struct Updater {
    tree: Tree,
    directory: TempDir,
}

impl Updater {
    fn new() -> Self {
        let tree = Tree::new(TreeOptions {
            name: "updated".to_owned(),
            outlive: vec![NAME.to_owned()],
        });
        let directory = tempfile::tempdir_in("/tmp").unwrap();
        let script = directory.path().join(NAME);
        fs::write(&script, UPDATER).unwrap();
        fs::write(directory.path().join("worker"), WORKER).unwrap();
        let all = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&script, all.clone()).unwrap();
        fs::set_permissions(directory.path(), all).unwrap();
        Self {
            tree: tree.unwrap(),
            directory,
        }
    }

    fn start(&self, nest: &Nest, script: &str, lines: usize) -> winddown_sys::process::Child {
        let mut options = nest.options(script);
        let updater = self.directory.path().join(NAME);
        options
            .env
            .push(("UPDATER".into(), EnvChange::Set(updater.into())));
        options.stdout = winddown_sys::process::Stream::Pipe;
        let mut child = self.tree.spawn(&options).unwrap();
        let output = std::io::BufReader::new(child.stdout.take().unwrap());
        assert_eq!(std::io::BufRead::lines(output).take(lines).count(), lines);
        child
    }

    /// Lets the updater end, and reaps it.
    #[track_caller]
    fn end(self) {
        drop(self.directory);
        let start = std::time::Instant::now();
        while !children().is_empty() {
            assert!(start.elapsed() < WATCHDOG, "left: {}", children());
            tree::reap();
            std::thread::yield_now();
        }
    }
}

/// WD-109: neither the request nor the kill is for it, nor for what it started, and the proof names it.
#[test]
fn wd_109_an_updater_outlives_the_tree_that_started_it() {
    with_and_without_a_cgroup(|nest| {
        let updater = Updater::new();
        let script = format!("setsid $UPDATER & (setsid {LEAF} &); exec {LEAF}");
        let leader = updater.start(nest, &script, 3);
        assert_eq!(updater.tree.members().unwrap().len(), 2);
        updater.tree.signal(Signal::Term).unwrap();
        assert_eq!(end_of(&leader).to_string(), "SIGTERM");
        let remains = kill(&updater.tree);
        let Proof::Outlived(which) = &remains.proof else {
            panic!("{remains:?}");
        };
        assert!(which.contains("winddown-update ("), "{which}");
        assert_eq!(remains.survivors, 0);
        assert!(!children().is_empty());
        updater.end();
    });
}

/// WD-109: also what it is asked and killed together with, in one session and without a request before.
#[test]
fn wd_109_a_kill_spares_an_updater_in_the_same_session() {
    with_and_without_a_cgroup(|nest| {
        let updater = Updater::new();
        let leader = updater.start(nest, &format!("$UPDATER & {LEAF} & wait"), 2);
        let remains = kill(&updater.tree);
        assert_eq!(end_of(&leader).to_string(), "SIGKILL");
        assert!(matches!(remains.proof, Proof::Outlived(_)), "{remains:?}");
        updater.end();
    });
}

/// It lives on beside a new tree of the same service, of which it is none; and once it has ended, nothing speaks of it.
#[test]
fn wd_109_an_updater_is_in_no_later_tree() {
    with_and_without_a_cgroup(|nest| {
        let updater = Updater::new();
        end_of(&updater.start(nest, "(setsid $UPDATER &)", 1));
        assert!(updater.tree.is_empty().unwrap());
        let next = new_tree();
        let leader = nest.start(&next, &format!("(setsid {LEAF} &); exec {LEAF}"), 2);
        // The daemon is about to become another program, and while it does so it might be the updater's.
        let start = std::time::Instant::now();
        while next.members().unwrap().len() < 2 {
            assert!(start.elapsed() < WATCHDOG, "{:?}", next.members());
        }
        kill(&next);
        end_of(&leader);
        assert!(matches!(updater.tree.proof().proof, Proof::Outlived(_)));
        updater.end();
        nest.assert_proven(&next.proof());
    });
}

/// What it starts once its tree has ended is as little of a later one, whoever has become its parent.
#[test]
fn wd_109_what_an_updater_starts_later_is_in_no_later_tree() {
    with_and_without_a_cgroup(|nest| {
        let updater = Updater::new();
        end_of(&updater.start(nest, "(setsid $UPDATER &)", 1));
        assert!(updater.tree.is_empty().unwrap());
        let Updater { tree, directory } = updater;
        drop(tree);
        let next = new_tree();
        let leader = nest.start(&next, &format!("exec {LEAF}"), 1);
        let daemon = ask_for_a_daemon(&directory, "setsid");
        assert_eq!(next.members().unwrap().len(), 1);
        kill(&next);
        end_of(&leader);
        let left = children();
        assert!(left.split(' ').any(|pid| pid == daemon), "{daemon}: {left}");
        Updater {
            tree: next,
            directory,
        }
        .end();
    });
}

/// It has been left alone by what started it, in the session of the updater, before anybody looked at the tree.
#[test]
fn wd_109_an_updaters_daemon_in_its_session_outlives_the_tree() {
    with_and_without_a_cgroup(|nest| {
        let updater = Updater::new();
        let leader = updater.start(nest, &format!("setsid $UPDATER & {LEAF} & wait"), 2);
        let daemon = ask_for_a_daemon(&updater.directory, "");
        let remains = kill(&updater.tree);
        end_of(&leader);
        let Proof::Outlived(which) = &remains.proof else {
            panic!("{remains:?}");
        };
        assert!(which.contains(&format!("({daemon},")), "{which}");
        updater.end();
    });
}

/// What was started into the tree itself is its own.
#[test]
fn a_leader_does_not_outlive_its_tree() {
    with_and_without_a_cgroup(|nest| {
        let updater = Updater::new();
        let leader = updater.start(nest, "exec $UPDATER", 1);
        nest.assert_proven(&kill(&updater.tree));
        assert_ne!(end_of(&leader), Exit::Code(0));
        reap_all();
    });
}
