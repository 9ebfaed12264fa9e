//! Signals of process 1 of a pid namespace, which has no default actions. Needs root.
#![cfg(target_os = "linux")]

mod linux_support;

use std::fs::File;
use std::io::Write;

use linux_support::{Forked, Line, block_all, fork, lead_session_on, receive, signals, terminal};
use winddown_core::Signal::{Int, Term};
use winddown_sys::{Sources, signal};

/// Runs `body` as process 1 of a new pid namespace.
fn as_pid_1(body: impl FnOnce(&mut Line)) -> Forked {
    // SAFETY: the call takes no pointers.
    let unshared = unsafe { libc::unshare(libc::CLONE_NEWPID) };
    assert_eq!(unshared, 0, "{}", std::io::Error::last_os_error());
    fork(|line| {
        assert_eq!(std::process::id(), 1);
        body(line);
    })
}

/// WD-72: process 1 cannot die of a signal, so it exits with the number that shells show for it.
#[test]
fn wd_72_process_1_exits_with_the_number() {
    fork(|_| {
        let status = as_pid_1(|_| signal::die_of(Term)).end();
        assert_eq!(status.exit_status(), Some(128 + libc::SIGTERM));
    })
    .finish();
}

/// WD-11, WD-80: a stop from outside the namespace arrives; its sender has a uid there, and no pid.
#[test]
fn wd_11_process_1_receives_a_stop_from_outside() {
    fork(|_| {
        let mut init = as_pid_1(|line| {
            let sources = Sources::attach([Term]).unwrap();
            line.say("ready");
            let arrivals = receive(&sources);
            assert_eq!(signals(&arrivals), [Term]);
            assert_eq!(arrivals[0].origin.pid, None);
            assert_eq!(arrivals[0].origin.uid, Some(0));
        });
        init.expect("ready");
        init.send(Term);
        init.finish();
    })
    .finish();
}

/// WD-14: a key is told from a program also where the process group is that of a leader outside, whose number is 0 inside.
#[test]
fn wd_14_a_key_press_reaches_a_group_from_outside() {
    const CTRL_C: u8 = 3;
    let (keyboard, terminal) = terminal();
    fork(|_| {
        lead_session_on(&terminal);
        // The key is this process's, too.
        block_all();
        let mut init = as_pid_1(|line| {
            let sources = Sources::attach([Int]).unwrap();
            line.say("ready");
            let arrivals = receive(&sources);
            assert_eq!(signals(&arrivals), [Int]);
            assert!(arrivals[0].interactive);
        });
        init.expect("ready");
        File::from(keyboard.try_clone().unwrap())
            .write_all(&[CTRL_C])
            .unwrap();
        init.finish();
    })
    .finish();
}
