//! Signals that come before anybody looks.
#![cfg(target_os = "linux")]

mod linux_support;

use linux_support::{fork, signals};
use winddown_core::Signal::{Hup, Term};
use winddown_sys::{Sources, signal, wait_any};

/// WD-12: five stops that nobody took yet are one, and its sender is the first.
#[test]
fn wd_12_signals_that_nobody_took_merge_into_the_first() {
    let mut target = fork(|line| {
        let sources = Sources::attach([Term, Hup]).unwrap();
        line.say("ready");
        wait_any(&[sources.wake()], None);
        line.say("noted");
        line.hear();
        let arrivals = sources.drain();
        assert_eq!(signals(&arrivals), [Term, Hup]);
        // SAFETY: getppid takes nothing.
        let first_sender = unsafe { libc::getppid() };
        assert_eq!(arrivals[0].origin.pid, Some(first_sender as u32));
        assert_ne!(arrivals[1].origin.pid, arrivals[0].origin.pid);
        assert!(arrivals[0].at < arrivals[1].at);
        assert!(sources.drain().is_empty());
    });
    target.expect("ready");
    target.send(Term);
    target.expect("noted");
    let pid = target.pid();
    fork(|_| signal::send(pid, Hup).unwrap()).finish();
    for _ in 0..4 {
        fork(|_| signal::send(pid, Term).unwrap()).finish();
        target.expect_delivered(Term);
    }
    target.say("look");
    target.finish();
}
