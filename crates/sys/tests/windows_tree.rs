//! Job objects on Windows (under Wine): trees, trees in trees, and what may outlive one.
#![cfg(windows)]

mod windows_support;

use std::env;
use std::fs;
use std::io::Read;
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use winddown_core::Signal;
use winddown_core::report::{Proof, Remains};
use winddown_sys::process::{EnvChange, Exit, spawn};
use winddown_sys::tree::{Tree, TreeOptions};
use winddown_sys::{Sources, wait_any};
use winddown_testkit::Watchdog;
use windows_support::{
    PATIENCE, ROLE, arguments, exit, options, output, piped, say, sleep, wait_for,
};
use windows_sys::Win32::System::Threading::CREATE_NEW_CONSOLE;

/// A file that lets an updater live, beside its executable.
const FUSE: &str = "fuse";

// ---- the children ----

/// Not a test of its own: what this executable does when a test starts it again, and nothing otherwise.
#[test]
fn role() {
    let Ok(role) = env::var(ROLE) else {
        return;
    };
    match role.as_str() {
        "asked" => {
            let sources = Sources::attach([]).unwrap();
            say("ready");
            wait_any(&[sources.wake()], None);
            let arrival = sources.drain().remove(0);
            say(&format!("asked by {}", arrival.origin.mechanism));
        }
        "family" => {
            let mut grandchild = again(&env::current_exe().unwrap(), "sleep")
                .spawn()
                .unwrap();
            grandchild.wait().unwrap();
        }
        "keeper" => {
            let tree = Tree::new(TreeOptions::default()).unwrap();
            let _child = tree.spawn(&options("family")).unwrap();
            sleep();
        }
        "keeper that kills" => {
            let tree = Tree::new(TreeOptions::default()).unwrap();
            let mut child = tree.spawn(&piped("family")).unwrap();
            wait_for(&mut output(&mut child), "ready");
            say(&format!("{:?}", kill(&tree)));
            sleep();
        }
        "updated" => {
            let updater = env::var_os("UPDATER").unwrap();
            let mut updater = again(updater.as_ref(), "updater").spawn().unwrap();
            updater.wait().unwrap();
            sleep();
        }
        "updater" => {
            say("updating");
            let fuse = env::current_exe().unwrap().with_file_name(FUSE);
            while fuse.exists() {
                std::thread::sleep(Duration::from_millis(20));
            }
            say("updated");
        }
        "sleep" => {
            say("ready");
            sleep();
        }
        other => panic!("there is no role {other}"),
    }
}

/// This executable, or a copy of it, in another role and on another console.
fn again(executable: &Path, role: &str) -> Command {
    let mut command = Command::new(executable);
    command
        .args(arguments())
        .env(ROLE, role)
        .creation_flags(CREATE_NEW_CONSOLE);
    command
}

const EMPTY: Remains = Remains {
    survivors: 0,
    proof: Proof::JobEmpty,
};

/// Kills until nothing is left.
fn kill(tree: &Tree) -> Remains {
    tree.kill().unwrap();
    while !tree.is_empty().unwrap() {
        if let Some(left) = tree.remaining() {
            wait_any(&[&left], Some(PATIENCE));
        }
    }
    tree.proof()
}

// ---- the tests ----

#[test]
fn a_tree_is_asked_once_for_each_console() {
    let _watchdog = Watchdog::arm(2 * PATIENCE);
    let tree = Tree::new(TreeOptions::default()).unwrap();
    let mut child = tree.spawn(&piped("asked")).unwrap();
    let mut output = output(&mut child);
    wait_for(&mut output, "ready");
    tree.signal(Signal::Term).unwrap();
    wait_for(&mut output, "asked by console ctrl-c");
    assert_eq!(exit(&child), Exit::Code(0));
    assert_eq!(kill(&tree), EMPTY);
}

/// process-wrap #55: a grandchild in a console of its own is in the job too, and the proof is not early.
#[test]
fn wd_91_a_tree_holds_a_grandchild_on_another_console() {
    let _watchdog = Watchdog::arm(2 * PATIENCE);
    let tree = Tree::new(TreeOptions::default()).unwrap();
    assert_eq!(tree.proof(), EMPTY);
    let mut child = tree.spawn(&piped("family")).unwrap();
    wait_for(&mut output(&mut child), "ready");
    let members = tree.members().unwrap();
    let leader = members.iter().find(|member| member.pid == child.pid());
    assert_eq!(leader.unwrap().ppid, std::process::id());
    assert!(
        members.iter().any(|member| member.ppid == child.pid()),
        "{members:?}"
    );
    assert!(tree.proof().survivors >= 2);
    assert!(tree.cpu_time().is_some());
    assert_eq!(kill(&tree), EMPTY);
    assert_eq!(exit(&child), Exit::Code(1));
    assert!(tree.members().unwrap().is_empty());
}

/// A job in a job: the outer kill ends the inner one too.
#[test]
fn wd_96_a_tree_in_a_tree_goes_with_it() {
    let _watchdog = Watchdog::arm(2 * PATIENCE);
    let tree = Tree::new(TreeOptions::default()).unwrap();
    let mut keeper = tree.spawn(&piped("keeper")).unwrap();
    let mut output = output(&mut keeper);
    wait_for(&mut output, "ready");
    assert!(tree.proof().survivors >= 3);
    assert_eq!(kill(&tree), EMPTY);
    // The stream ends when the last process that holds it has ended.
    output.read_to_end(&mut Vec::new()).unwrap();
}

/// A job in a job: the inner kill leaves the outer one alone.
#[test]
fn wd_96_a_tree_in_a_tree_is_killed_by_itself() {
    let _watchdog = Watchdog::arm(2 * PATIENCE);
    let tree = Tree::new(TreeOptions::default()).unwrap();
    let mut keeper = tree.spawn(&piped("keeper that kills")).unwrap();
    let mut output = output(&mut keeper);
    wait_for(&mut output, &format!("{EMPTY:?}"));
    assert_eq!(keeper.try_wait().unwrap(), None);
    assert_eq!(tree.proof().survivors, 1);
    assert_eq!(kill(&tree), EMPTY);
}

/// Two trees beside each other.
#[test]
fn wd_96_a_kill_stays_in_its_tree() {
    let _watchdog = Watchdog::arm(2 * PATIENCE);
    let (one, other) = (
        Tree::new(TreeOptions::default()).unwrap(),
        Tree::new(TreeOptions::default()).unwrap(),
    );
    let mut killed = one.spawn(&piped("family")).unwrap();
    let mut kept = other.spawn(&piped("family")).unwrap();
    wait_for(&mut output(&mut killed), "ready");
    wait_for(&mut output(&mut kept), "ready");
    assert_eq!(kill(&one), EMPTY);
    assert_eq!(kept.try_wait().unwrap(), None);
    assert!(other.proof().survivors >= 2);
    assert_eq!(kill(&other), EMPTY);
}

/// WD-109, nssm #22: an updater stops the service that started it, and lives on when its job is closed.
#[test]
fn wd_109_an_updater_outlives_the_tree_that_started_it() {
    let _watchdog = Watchdog::arm(3 * PATIENCE);
    let directory = TempDir::new().unwrap();
    let updater = directory.path().join("updater.exe");
    fs::copy(env::current_exe().unwrap(), &updater).unwrap();
    let fuse = directory.path().join(FUSE);
    fs::write(&fuse, "").unwrap();
    let tree = Tree::new(TreeOptions {
        outlive: vec!["Updater.exe".to_owned()],
        ..TreeOptions::default()
    });
    let tree = tree.unwrap();
    let mut options = piped("updated");
    options
        .env
        .push(("UPDATER".into(), EnvChange::Set(updater.into())));
    let mut service = tree.spawn(&options).unwrap();
    let mut output = output(&mut service);
    wait_for(&mut output, "updating");
    assert_eq!(tree.members().unwrap().len(), 1);

    let remains = kill(&tree);
    assert_eq!(exit(&service), Exit::Code(1));
    let Proof::Outlived(which) = &remains.proof else {
        panic!("{remains:?}");
    };
    assert!(which.starts_with("updater.exe ("), "{which}");
    assert_eq!(remains.survivors, 0);
    drop(tree);
    fs::remove_file(fuse).unwrap();
    wait_for(&mut output, "updated");
}

/// WD-97: what may outlive a stop does not outlive a crash.
#[test]
fn wd_97_a_killed_keeper_takes_its_job_along() {
    let _watchdog = Watchdog::arm(2 * PATIENCE);
    let mut keeper = spawn(&piped("keeper")).unwrap();
    let mut output = output(&mut keeper);
    wait_for(&mut output, "ready");
    keeper.kill().unwrap();
    output.read_to_end(&mut Vec::new()).unwrap();
}
