//! Process 1 of a pid namespace takes everything along when it is killed, and needs no guard. Needs root.
#![cfg(target_os = "linux")]

mod linux_support;

use linux_support::fork;
use winddown_core::Signal;
use winddown_sys::guard::Guard;
use winddown_sys::process::{EnvChange, SpawnOptions, spawn};
use winddown_testkit::Census;

/// WD-97: also what carries no mark, and is no child.
#[test]
fn wd_97_nothing_outlives_process_1() {
    let census = Census::begin();
    let (name, mark) = census.variable();
    fork(|_| {
        // SAFETY: the call takes no pointers.
        let unshared = unsafe { libc::unshare(libc::CLONE_NEWPID) };
        assert_eq!(unshared, 0, "{}", std::io::Error::last_os_error());
        let mut init = fork(|line| {
            assert_eq!(std::process::id(), 1);
            let guard = Guard::start().unwrap();
            line.say("guarded");
            line.hear();
            let mut daemon = SpawnOptions::new("sh", ["-c", "(setsid sleep 300 &)"]);
            daemon.env = vec![(name.into(), EnvChange::Set(mark.into()))];
            let _between = spawn(&daemon).unwrap();
            line.say("ready");
            line.hear();
            guard.dismiss();
        });
        init.expect("guarded");
        let pid = init.pid();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        assert_eq!(children, "");
        init.say("go on");
        init.expect("ready");
        init.send(Signal::Kill);
        assert!(init.end().terminating_signal().is_some());
    })
    .finish();
    census.assert_empty();
}
