//! What a child is started with.
#![cfg(target_os = "linux")]

mod linux_support;

use std::os::unix::process::CommandExt;
use std::process::Command;

use linux_support::{bits, block_all, fork, ignore, mask_in, status_mask};
use winddown_core::Signal::{Hup, Int, Quit, Term, Usr1};
use winddown_sys::{SignalQueue, Sources, signal};

/// Signals 32 and 33, of which a program cannot set the disposition.
const OF_THE_C_LIBRARY: u64 = 0b11 << 31;

/// The `/proc/self/status` of a program that was started with a clean child's signals.
fn status_of_child() -> String {
    let mut command = Command::new("cat");
    command.arg("/proc/self/status");
    // SAFETY: both calls are async-signal-safe. The first undoes what the standard library clears itself.
    unsafe {
        command.pre_exec(|| {
            block_all();
            signal::clean_for_child();
            Ok(())
        });
    }
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

/// WD-84, WD-83: a child begins with nothing blocked and nothing ignored, but what was ignored on purpose.
#[test]
fn wd_84_a_child_begins_clean() {
    for attach_queue in [true, false] {
        fork(|_| {
            ignore(&[Hup, Quit, Usr1]);
            let _queue = attach_queue.then(|| SignalQueue::attach().unwrap());
            let _sources = (!attach_queue).then(|| Sources::attach([Hup, Int, Term]).unwrap());
            // Ignored by the program itself, not by who started it.
            ignore(&[Int]);
            let status = status_of_child();
            assert_eq!(mask_in(&status, "SigBlk"), 0);
            assert_eq!(mask_in(&status, "SigIgn") & !OF_THE_C_LIBRARY, bits(&[Hup]));
        })
        .finish();
    }
}

/// WD-84, WD-83: so does a child of a program that has attached nothing.
#[test]
fn wd_84_a_child_begins_clean_where_nothing_was_attached() {
    extern "C" fn handler(_: i32) {}

    fork(|_| {
        ignore(&[Int, Quit]);
        let handler: extern "C" fn(i32) = handler;
        // SAFETY: the handler does nothing.
        unsafe { libc::signal(libc::SIGHUP, handler as libc::sighandler_t) };
        signal::clean_for_child();
        let masks = ["SigIgn", "SigCgt"].map(|field| status_mask(std::process::id(), field));
        let signals = bits(&[Hup, Int, Quit]);
        assert_eq!(masks.map(|mask| mask & signals), [bits(&[Int]), 0]);
    })
    .finish();
}

/// WD-84: a signal to a child that has not begun its program yet is not swallowed by the parent's handler.
#[test]
fn wd_84_a_signal_before_exec_is_not_swallowed() {
    fork(|_| {
        let sources = Sources::attach([Term]).unwrap();
        let blocked = signal::block_all_on_this_thread();
        let mut child = fork(|line| {
            line.say("forked");
            line.hear();
            signal::clean_for_child();
        });
        drop(blocked);
        child.expect("forked");
        child.send(Term);
        child.say("go on");
        let status = child.end();
        assert_eq!(status.terminating_signal(), Some(libc::SIGTERM));
        assert!(sources.drain().is_empty());
    })
    .finish();
}
