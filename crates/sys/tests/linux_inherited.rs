//! What the starter of a program left blocked or ignored does not keep a stop from it.
#![cfg(target_os = "linux")]

mod linux_support;

use linux_support::{bits, block_all, fork, ignore, receive, signals, status_mask};
use winddown_core::Signal::{Hup, Int, Term, Usr1};
use winddown_sys::{Error, Sources, signal};

/// WD-82: a stop that was blocked by the starter, and is pending already, arrives.
#[test]
fn wd_82_a_blocked_signal_is_received() {
    let mut child = fork(|line| {
        block_all();
        line.say("blocked");
        line.hear();
        let sources = Sources::attach([Term]).unwrap();
        assert!(signal::inherited().blocked.contains(&Term));
        assert_eq!(signals(&receive(&sources)), [Term]);
        // What is not received keeps its mask.
        let blocked = status_mask(std::process::id(), "SigBlk");
        assert_eq!(blocked & bits(&[Term, Usr1]), bits(&[Usr1]));
    });
    child.expect("blocked");
    child.send(Term);
    child.say("sent");
    child.finish();
}

/// WD-83: `nohup` keeps its promise, and a shell's background job is not stopped by Ctrl+C; any other ignored stop arrives.
#[test]
fn wd_83_an_ignored_hup_or_int_stays_ignored() {
    fork(|_| {
        ignore(&[Hup, Int, Term]);
        let sources = Sources::attach([Term, Hup, Int]).unwrap();
        assert_eq!(sources.kept_ignored(), [Hup, Int]);
        for signal in [Hup, Int, Term] {
            signal::send(std::process::id(), signal).unwrap();
        }
        assert_eq!(signals(&receive(&sources)), [Term]);
        let ignored = status_mask(std::process::id(), "SigIgn");
        assert_eq!(ignored & bits(&[Hup, Int, Term]), bits(&[Hup, Int]));
    })
    .finish();
}

/// Signals belong to the process: a second attachment is refused, and possible after the first.
#[test]
fn there_is_one_attachment_at_a_time() {
    fork(|_| {
        let first = Sources::attach([Term]).unwrap();
        assert!(matches!(
            Sources::attach([Int]),
            Err(Error::AlreadyAttached)
        ));
        drop(first);
        let second = Sources::attach([Term]).unwrap();
        signal::send(std::process::id(), Term).unwrap();
        assert_eq!(signals(&receive(&second)), [Term]);
    })
    .finish();
}

/// A signal that no program can receive is refused, and nothing is attached.
#[test]
fn what_cannot_be_received_is_refused() {
    use winddown_core::Signal::{Kill, Rt, Segv};

    fork(|_| {
        for signal in [Kill, Segv] {
            assert!(
                matches!(Sources::attach([signal]), Err(Error::Uncatchable(it)) if it == signal)
            );
        }
        let sources = Sources::attach([]).unwrap();
        assert!(matches!(
            sources.add(Rt(31)),
            Err(Error::NoSuchSignal(Rt(31)))
        ));
        sources.add(Rt(30)).unwrap();
        signal::send(std::process::id(), Rt(30)).unwrap();
        assert_eq!(signals(&receive(&sources)), [Rt(30)]);
    })
    .finish();
}
